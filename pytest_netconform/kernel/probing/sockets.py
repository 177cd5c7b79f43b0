"""Sockets inside namespaces: opened many at a time, and told how to send."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.threads import in_a_thread

if TYPE_CHECKING:
    from pytest_netconform.kernel.probing.icmp import Wire

IP_BIND_ADDRESS_NO_PORT, SO_BINDTODEVICE, SO_MARK, SIOCGIFINDEX, IFNAMSIZ = 24, 25, 36, 0x8933, 16
Opened = socket.socket | OSError


class Open(NamedTuple):
    """A socket that is wanted inside a network namespace."""

    namespaces: Namespaces
    family: int
    kind: int
    proto: int = 0


def open_sockets(wanted: Sequence[Open]) -> list[Opened]:
    """Open many sockets in many namespaces, all from one thread; gives the error in place of one that failed.

    They stay in their namespaces, can be used from any thread, and do not block.
    """
    made: list[Opened | None] = [None] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda index: _net(wanted[index]) or 0)  # our own namespace first
    try:
        if order and _net(wanted[order[-1]]) is None:
            _open_each(wanted, order, made)
        else:
            in_a_thread(lambda: _open_each(wanted, order, made))
    except BaseException:
        for sock in made:
            if isinstance(sock, socket.socket):
                sock.close()
        raise
    return [each for each in made if each is not None]


def open_all(wanted: Sequence[Open]) -> list[socket.socket]:
    """Open many sockets in many namespaces: all, or none.

    Raises: OSError of the first that failed.
    """
    opened = open_sockets(wanted)
    socks = [each for each in opened if isinstance(each, socket.socket)]
    for error in opened:
        if isinstance(error, OSError):
            for sock in socks:
                sock.close()
            raise error
    return socks


def _net(each: Open) -> int | None:
    """Give the descriptor of a network namespace; None for the one that we are in.

    Raises: BuildError if it is closed.
    """
    return next((fd for fd, kind in each.namespaces.handles if kind == syscalls.CLONE_NEWNET), None)


def _open_each(wanted: Sequence[Open], order: Iterable[int], made: list[Opened | None]) -> None:
    entered = None
    for index in order:
        each = wanted[index]
        try:
            if (net := _net(each)) is not None and net != entered:
                syscalls.setns(net, syscalls.CLONE_NEWNET)
                entered = net
            made[index] = sock = socket.socket(each.family, each.kind, each.proto)
            sock.setblocking(False)
        except OSError as error:
            made[index] = error


def aim(
    sock: socket.socket,
    wire: Wire,
    *,
    source: str | None = None,
    sport: int = 0,
    ttl: int | None = None,
    mark: int | None = None,
) -> None:
    """Set how a socket sends, and have it tell of ICMP errors; *source* is an address, or a device.

    Raises: OSError where the namespace has no such address or device, or we may not.
    """
    sock.setsockopt(wire.level, wire.recverr, 1)
    if ttl is not None:
        sock.setsockopt(wire.level, wire.ttl, ttl)
    if mark is not None:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("=I", mark))
    address = source
    if source is not None and not is_address(source):
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device_name(source))
        address = None
    if sport:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sock.type == socket.SOCK_STREAM))
    elif address is not None:
        with suppress(OSError):  # an older kernel: the port is then chosen here, as ever
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    if sport or address is not None:
        anywhere = "0.0.0.0" if wire.family == socket.AF_INET else "::"
        sock.bind(sockaddr(sock, wire, address or anywhere, sport))


def is_address(source: str) -> bool:
    try:
        ip_address(source)
    except ValueError:
        return False
    return True


def device_name(name: str) -> bytes:
    """Give a device's name as the kernel wants it, which would cut a longer one and take another device.

    Raises: OSError for what no device can be named.
    """
    encoded = name.encode()
    if not 0 < len(encoded) < IFNAMSIZ or b"\0" in encoded:
        raise OSError(errno.ENODEV, f"no device can be named {name!r}")
    return encoded


def sockaddr(sock: socket.socket, wire: Wire, dst: str, port: int) -> tuple[Any, ...]:
    """Give an address the form that the kernel wants; a zone is that of the socket's namespace.

    Raises: OSError if there is no such device.
    """
    address, _, zone = dst.partition("%")
    if wire.family == socket.AF_INET:
        return (address, port)
    return (address, port, 0, _scope(sock, zone))


def _scope(sock: socket.socket, zone: str) -> int:
    if not zone or (zone.isdecimal() and int(zone) < 1 << 31):
        return int(zone or 0)
    answer = fcntl.ioctl(sock, SIOCGIFINDEX, struct.pack("16si20x", device_name(zone), 0))
    return int(struct.unpack_from("16si", answer)[1])
