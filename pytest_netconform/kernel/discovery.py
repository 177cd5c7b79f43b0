"""Which network namespaces there are beside our own."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_netconform.errors import Unreadable

RTM_NEWNSID, RTM_GETNSID = 88, 90
NETNSA_NSID, NETNSA_FD = 1, 3
NLMSG_ERROR = 2
NAMED = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class FoundNetns:
    """A network namespace that a process lives in, or that has a name."""

    inode: int
    path: str
    name: str | None = None
    pid: int | None = None


def find_netns() -> tuple[FoundNetns, ...]:
    """List the network namespaces other than the calling thread's own.

    Needs:  root, to look at other users' processes.
    Raises: Unreadable where some process may not be looked at: the list would not be complete.
    """
    own = os.stat("/proc/thread-self/ns/net").st_ino
    found = {each.inode: each for each in (*_held(), *_named())}
    found.pop(own, None)
    return tuple(found[inode] for inode in sorted(found))


def _held() -> Iterator[FoundNetns]:
    for entry in sorted(filter(str.isdecimal, os.listdir("/proc")), key=int, reverse=True):
        path = f"/proc/{entry}/ns/net"
        try:
            yield FoundNetns(os.stat(path).st_ino, path, pid=int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError as error:
            raise Unreadable(f"{path}: {error.strerror}; run as root") from None


def _named() -> Iterator[FoundNetns]:
    if not NAMED.is_dir():
        return
    for path in sorted(NAMED.iterdir()):
        try:
            yield FoundNetns(path.stat().st_ino, str(path), name=path.name)
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror}") from None


def nsid_of(fd: int) -> int | None:
    """Ask which number the calling thread's network namespace knows another by; None where it knows it by none.

    Source: rtnetlink(7), RTM_GETNSID.
    """
    body = struct.pack("=Bxxx", socket.AF_UNSPEC) + struct.pack("=HHi", 8, NETNSA_FD, fd)
    header = struct.pack("=IHHII", 16 + len(body), RTM_GETNSID, 1, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(5.0)
        netlink.send(header + body)
        answer = netlink.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind != RTM_NEWNSID:
        code = -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
        raise Unreadable(f"RTM_GETNSID: {os.strerror(code)}")
    number: int = struct.unpack_from("=i", answer, 24)[0]
    return number if number >= 0 else None
