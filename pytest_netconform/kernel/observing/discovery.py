"""Which network namespaces there are beside a node's own, and by which numbers the node knows them."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_netconform.errors import Gone, Unreadable
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.netlink import NLM_F_ACK, STATUS, Netlink, attribute
from pytest_netconform.kernel.paths import NOT_THERE

RTM_GETNSID = 90
NETNSA_NSID, NETNSA_FD = 1, 3
NAMED = Path("/run/netns")
ENDED = (*NOT_THERE, errno.ESRCH)


class NetnsGone(Gone):
    """A network namespace that was found is no longer there."""


@dataclass(slots=True)
class FoundNetns:
    """A network namespace that processes live in, or that has a name.

    Shape: *paths* lead to it, one for each process and name; *pid* is the lowest of the processes.
    """

    inode: int
    name: str | None = None
    pid: int | None = None
    paths: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.name or f"pid {self.pid}"

    @contextmanager
    def entered(self) -> Iterator[Namespaces]:
        """Open it for as long as the context lasts.

        Raises: NetnsGone where it has ended, Unreadable where it may not be entered.
        """
        with closing(self._opened()) as namespaces:
            yield namespaces

    def _opened(self) -> Namespaces:
        """Open it by the paths that led to it; if none does any more, by those that do now."""
        found = self._opened_by(self.paths)
        if found is None:
            now = next((each for each in find_netns(0) if each.inode == self.inode), None)
            found = None if now is None else self._opened_by(now.paths)
        if found is None:
            raise NetnsGone(f"{self.label}: this network namespace is gone")
        return found

    def _opened_by(self, paths: Iterable[str]) -> Namespaces | None:
        for path in paths:
            try:
                opened = Namespaces.opened(self.label, path)
            except Unreadable as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno not in ENDED:
                    raise
                continue
            if opened.inode == self.inode:
                return opened
            opened.close()
        return None


@dataclass(frozen=True, slots=True)
class HeldNetns:
    """A network namespace that somebody else holds open."""

    namespaces: Namespaces
    pid: int | None = None

    @property
    def inode(self) -> int:
        return self.namespaces.inode

    @property
    def label(self) -> str:
        return self.namespaces.name

    @contextmanager
    def entered(self) -> Iterator[Namespaces]:
        yield self.namespaces


def find_netns(own: int) -> list[FoundNetns]:
    """List the network namespaces of this machine other than *own*, by inode.

    Needs:  root, to look at other users' processes.
    Raises: Unreadable where some process may not be looked at: the list would not be complete.
    """
    found: dict[int, FoundNetns] = {}
    for inode, pid in _held():
        here = found.setdefault(inode, FoundNetns(inode, pid=pid))
        here.paths.append(f"/proc/{pid}/ns/net")
    for inode, name in _named():
        here = found.setdefault(inode, FoundNetns(inode))
        here.name = here.name or name
        here.paths.append(str(NAMED / name))
    found.pop(own, None)
    return [found[inode] for inode in sorted(found)]


def _held() -> Iterator[tuple[int, int]]:
    """Go over the processes, lowest first, each with the inode of its namespace."""
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal()):  # noqa: PTH208
        path = f"/proc/{pid}/ns/net"
        try:
            yield os.stat(path).st_ino, pid  # noqa: PTH116
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError as error:
            raise Unreadable(f"{path}: {error.strerror}; run as root") from None


def _named() -> Iterator[tuple[int, str]]:
    """Go over the names; what stands there and is no namespace was left behind by one."""
    nsfs = os.stat("/proc/self/ns/net").st_dev  # noqa: PTH116
    try:
        names = sorted(os.listdir(NAMED))  # noqa: PTH208
    except FileNotFoundError:
        return
    for name in names:
        try:
            status = (NAMED / name).stat()
        except OSError as error:
            if error.errno in NOT_THERE:
                continue
            raise Unreadable(f"{NAMED / name}: {error.strerror}") from None
        if status.st_dev == nsfs:
            yield status.st_ino, name


def nsid_of(fd: int) -> int | None:
    """Ask by which number the calling thread's namespace knows another; None where it knows it by none.

    Raises: Unreadable.
    Source: rtnetlink(7), RTM_GETNSID.
    """
    body = struct.pack("=Bxxx", socket.AF_UNSPEC) + struct.pack("=HHi", 8, NETNSA_FD, fd)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    with closing(Netlink(sock)) as netlink:
        try:
            (answer,) = netlink.ask(RTM_GETNSID, body, NLM_F_ACK)
        except OSError as error:
            raise Unreadable(f"RTM_GETNSID: {error.strerror}") from None
    number: int = STATUS.unpack(attribute(answer.body, 4, NETNSA_NSID))[0]
    return number if number >= 0 else None
