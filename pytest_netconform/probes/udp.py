"""UDP: one datagram, and the answer to it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, Wait
from pytest_netconform.kernel.probing.icmp import icmp_errors
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.sending import (
    NOT_THE_PATH,
    Aim,
    Fields,
    PortOutcome,
    lost,
    named,
    rejected,
    since_ms,
    told,
)

LARGEST = 65535
PAYLOAD = b"pytest-netconform"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Udp(PortOutcome):
    """The outcome of one datagram, and what was answered to it."""

    payload: bytes = PAYLOAD
    answer: bytes | None = None


def udp(
    namespaces: Namespaces,
    dst: str,
    port: int,
    payload: bytes = PAYLOAD,
    *,
    ttl: int | None = None,
    source: str | None = None,
    sport: int | None = None,
    mark: int | None = None,
    timeout_s: float = 1.0,
) -> Attempt[Udp]:
    """Send one datagram and say what became of it; only an answer from that address and port is one.

    Shape:  *source* is one of our addresses, or a device to be sent through; *sport* is our port.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
            Our own kernel refusing to send is an answer.
    Needs:  CAP_NET_ADMIN for a mark; CAP_NET_RAW for a device, before Linux 5.7.
    """
    aim = Aim(dst=dst, port=port, ttl=ttl, source=source, sport=sport, mark=mark)
    sent: dict[str, Any] = {"src": namespaces.name, "dst": dst, "port": port, "ttl": ttl, "source": source}
    with named(f"{namespaces.name}: udp {dst} port {port}"):
        aim.check(timeout_s)
        if not isinstance(payload, bytes | bytearray | memoryview):
            raise ProbeError(f"expected a payload of bytes, not {payload!r}")
        with (yield Open(namespaces, aim.wire.family, socket.SOCK_DGRAM)) as sock:
            fields = yield from asking(sock, aim, payload, timeout_s, lambda data: {"answer": data})
            return Udp(**sent, sport=sport, mark=mark, payload=bytes(payload), **fields)


def asking(
    sock: socket.socket,
    aim: Aim,
    payload: bytes,
    timeout_s: float,
    read: Callable[[bytes], Fields | None],
) -> Attempt[Fields]:
    """Send a datagram and wait for what *read* takes for an answer; what it gives nothing for, is none."""
    sockaddr = aim.apply(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    start = time.monotonic()
    try:
        sock.connect(sockaddr)
        sock.send(payload)
    except OSError as error:
        _, mtu = icmp_errors(sock, aim.wire)
        return rejected(error, mtu)
    while (yield Wait(sock, select.POLLIN, start + timeout_s)):
        data, ended = _come(sock, aim, start)
        if ended is not None:
            return ended
        fields = None if data is None else read(data)
        if fields is not None:
            replied = {} if "failed" in fields else {"replied": True}
            return {**replied, "by": aim.dst.partition("%")[0], "rtt_ms": since_ms(start), **fields}
    return lost(start)


def _come(sock: socket.socket, aim: Aim, start: float) -> tuple[bytes | None, Fields | None]:
    """Take one datagram, or what ended the wait for it."""
    errors, mtu = icmp_errors(sock, aim.wire)
    if errors:
        return None, told(errors[0], start)
    try:
        return sock.recv(LARGEST), None
    except BlockingIOError:
        return None, None  # a checksum was wrong, or a local error has been taken already
    except OSError as error:
        if error.errno in NOT_THE_PATH:
            raise
        return None, rejected(error, mtu)
