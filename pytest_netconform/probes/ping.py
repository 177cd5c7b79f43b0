"""Ping: one ICMP echo request, and what became of it."""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, Wait
from pytest_netconform.kernel.probing.icmp import LARGEST, NONCE, V4, V6, Answer, Echo, EchoSocket
from pytest_netconform.kernel.probing.neighbour_table import occupancy
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.outcome import Outcome
from pytest_netconform.probes.sending import Fields, check, ip_version, lost, named, rejected, since_ms

SMALLEST = {4: 28 + NONCE, 6: 48 + NONCE}
USUAL = {4: 84, 6: 104}
"""As ping(8): 56 bytes of data."""
AGAIN_S = 0.02
"""When to send again what found no room in the table of neighbours, which others may leave any moment."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ping(Outcome):
    """The outcome of one ICMP echo request, and how it was sent.

    Units: size is the length of the IP packet in bytes, headers included.
    """

    size: int
    df: bool = False
    ttl: int | None = None
    source: str | None = None
    mark: int | None = None


def ping(
    namespaces: Namespaces,
    dst: str,
    *,
    size: int | None = None,
    df: bool = False,
    ttl: int | None = None,
    source: str | None = None,
    mark: int | None = None,
    timeout_s: float = 1.0,
) -> Attempt[Ping]:
    """Send one ICMP echo request to the address *dst* and say what became of it.

    Units:  size is the length of the IP packet in bytes, headers included; 84 (IPv6: 104) by default.
    Shape:  *source* is one of our addresses, or a device to be sent through.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
            Lost is an answer, and so is our own kernel refusing to send.
    Needs:  CAP_NET_RAW; CAP_NET_ADMIN for a mark.
    Source: ping(8); ip(7), IP_MTU_DISCOVER.
    """
    with named(f"{namespaces.name}: ping {dst}"):
        check(dst, source=source, ttl=ttl, mark=mark, timeout_s=timeout_s)
    version = ip_version(dst)
    size = size_of(namespaces.name, version, size)
    sent: dict[str, Any] = {
        "src": namespaces.name,
        "dst": dst,
        "size": size,
        "df": df,
        "ttl": ttl,
        "source": source,
        "mark": mark,
    }
    with named(f"{namespaces.name}: ping {dst}"):
        wire = V4 if version == 4 else V6
        with (yield Open(namespaces, wire.family, socket.SOCK_RAW, wire.proto)) as sock:
            echo_socket = EchoSocket(namespaces, version, sock)
            echo_socket.configure(df=df, ttl=ttl, mark=mark, source=source)
            echo_socket.keep_to(echo := Echo.new(dst, size))
            return Ping(**sent, **(yield from asking(echo_socket, echo, timeout_s)))


def asking(echo_socket: EchoSocket, echo: Echo, timeout_s: float) -> Attempt[Fields]:
    """Send the request and wait for its answer; give the fields of an outcome."""
    start = time.monotonic()
    version = 4 if echo_socket.wire is V4 else 6
    while (refusal := sent_or_rejected(echo_socket, echo)) is not None:
        if refusal["rejected"] != "ENOBUFS" or not (table := occupancy(version)).is_full:
            return refusal
        if time.monotonic() > start + timeout_s:
            raise ProbeError(
                f"the machine's table of neighbours is full: it holds {table.limit} (gc_thresh3)"
            )
        yield Wait(echo_socket.sock, select.POLLIN, time.monotonic() + AGAIN_S)
    while (yield Wait(echo_socket.sock, select.POLLIN, start + timeout_s)):
        elapsed_ms = since_ms(start)
        for answer in echo_socket.answers():
            if answer.is_to(echo):
                return by_whom(echo_socket, echo.dst, answered(answer, elapsed_ms))
    return lost(start)


def sent_or_rejected(echo_socket: EchoSocket, echo: Echo) -> Fields | None:
    """Send a request; says so if our own kernel would not.

    Raises: OSError for a reason that has nothing to do with the path.
    """
    rejection = echo_socket.send(echo)
    if rejection is None:
        return None
    return rejected(OSError(rejection.errno, os.strerror(rejection.errno)), rejection.mtu)


def answered(answer: Answer, elapsed_ms: float) -> Fields:
    """Say what an answer means."""
    fields = {"by": answer.by, "rtt_ms": elapsed_ms, "mtu": answer.mtu}
    if answer.error is None:
        return {**fields, "replied": True}
    if answer.error == "port-unreachable":
        return {**fields, "refused": True}
    return {**fields, "unreachable": answer.error}


def by_whom(echo_socket: EchoSocket, dst: str, fields: Fields) -> Fields:
    """Take for a reply only that of whom we asked, where we asked one alone."""
    if not fields.get("replied"):
        return fields
    by, asked = (str(ipaddress.ip_address(each.partition("%")[0])) for each in (fields["by"], dst))
    if by == asked or echo_socket.is_for_many(dst):
        return fields
    return {**fields, "replied": False, "failed": f"answered by {by}"}


def size_of(name: str, version: int, size: int | None) -> int:
    """Settle the size of a ping.

    Raises: ProbeError for one that a packet cannot have.
    """
    if size is None:
        return USUAL[version]
    if not isinstance(size, int) or not SMALLEST[version] <= size <= LARGEST:
        raise ProbeError(
            f"{name}: a ping of {size} bytes: expected {SMALLEST[version]} to {LARGEST}, IP header included"
        )
    return size
