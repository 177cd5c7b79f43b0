"""Sockets that listeners take what comes from, inside a namespace."""

from __future__ import annotations

import errno
import ipaddress
import socket

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.icmp import V4, V6
from pytest_netconform.kernel.probing.sockets import Open, open_sockets, sockaddr
from pytest_netconform.probes.serving import IPV6_RECVPKTINFO

BACKLOG = 1024


def bound(namespaces: Namespaces, port: int, kind: str, address: str | None) -> socket.socket:
    """Open a socket that takes what comes; of both families, where there are two.

    Raises: OSError, BuildError.
    """
    sock_kind = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    families = [family_of(address)] if address is not None else [socket.AF_INET6, socket.AF_INET]
    opened = open_sockets([Open(namespaces, families[0], sock_kind)])[0]
    if isinstance(opened, OSError) and opened.errno == errno.EAFNOSUPPORT and len(families) > 1:
        opened = open_sockets([Open(namespaces, families[1], sock_kind)])[0]
    if isinstance(opened, OSError):
        raise opened
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind != "udp"))
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        wire = V6 if opened.family == socket.AF_INET6 else V4
        opened.bind(sockaddr(opened, wire, address or ("::" if wire is V6 else "0.0.0.0"), port))
        if sock_kind == socket.SOCK_STREAM:
            opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def family_of(address: str) -> int:
    """Say of which family an address to listen at is.

    Raises: BuildError.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as error:
        raise BuildError(f"{address!r} is not an IP address") from error
    if isinstance(ip, ipaddress.IPv4Address):
        return socket.AF_INET
    if ip.is_link_local and not ip.scope_id:
        raise BuildError(f"{address} is of one link: expected {address}%DEVICE")
    return socket.AF_INET6
