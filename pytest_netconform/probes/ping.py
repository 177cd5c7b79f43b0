"""Ping: one ICMP echo request, and what became of it."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import time
from dataclasses import dataclass
from typing import Any

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.icmp import LARGEST, NONCE, Answer, Echo, EchoSocket
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.probes.outcome import Outcome

SMALLEST = {4: 28 + NONCE, 6: 48 + NONCE}
USUAL = {4: 84, 6: 104}
"""As ping(8): 56 bytes of data."""
NOT_THE_PATH = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAFNOSUPPORT, errno.ENODEV)


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
) -> Ping:
    """Send one ICMP echo request to the address *dst* and say what became of it.

    Units:  size is the length of the IP packet in bytes, headers included; 84 (IPv6: 104) by default.
    Shape:  *source* is one of our addresses, or a device to be sent through.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
            Lost is an answer, and so is our own kernel refusing to send.
    Needs:  CAP_NET_RAW; CAP_NET_ADMIN for a mark.
    Source: ping(8); ip(7), IP_MTU_DISCOVER.
    """
    version = _version(namespaces.name, dst)
    size = _size(namespaces.name, version, size)
    sent: dict[str, Any] = {
        "src": namespaces.name,
        "dst": dst,
        "size": size,
        "df": df,
        "ttl": ttl,
        "source": source,
        "mark": mark,
    }
    try:
        echo_socket = EchoSocket(namespaces, version)
        try:
            echo_socket.configure(df=df, ttl=ttl, mark=mark, source=source)
            return Ping(**sent, **_asked(echo_socket, Echo.new(dst, size), timeout_s))
        finally:
            echo_socket.close()
    except OSError as error:
        raise ProbeError(f"{namespaces.name}: ping {dst}: {error.strerror or error}") from error


def _asked(echo_socket: EchoSocket, echo: Echo, timeout_s: float) -> dict[str, Any]:
    """Send the request and wait for its answer; give the fields of an outcome."""
    start = time.monotonic()
    rejection = echo_socket.send(echo)
    if rejection is not None:
        if rejection.errno in NOT_THE_PATH:
            raise OSError(rejection.errno, os.strerror(rejection.errno))
        return {"rejected": errno.errorcode.get(rejection.errno, str(rejection.errno)), "mtu": rejection.mtu}
    poll = select.poll()
    poll.register(echo_socket.sock, select.POLLIN)
    while (left_s := start + timeout_s - time.monotonic()) > 0 and poll.poll(left_s * 1000):
        elapsed_ms = (time.monotonic() - start) * 1000
        for answer in echo_socket.answers():
            if answer.is_to(echo):
                return _answered(answer, elapsed_ms)
    return {"lost": True, "waited_ms": (time.monotonic() - start) * 1000}


def _answered(answer: Answer, elapsed_ms: float) -> dict[str, Any]:
    told = {"by": answer.by, "rtt_ms": elapsed_ms, "mtu": answer.mtu}
    if answer.error is None:
        return {**told, "replied": True}
    if answer.error == "port-unreachable":
        return {**told, "refused": True}
    return {**told, "unreachable": answer.error}


def _version(name: str, dst: str) -> int:
    try:
        return ipaddress.ip_address(dst).version
    except ValueError as error:
        raise ProbeError(f"{name}: ping {dst!r}: not an IP address") from error


def _size(name: str, version: int, size: int | None) -> int:
    if size is None:
        return USUAL[version]
    if not SMALLEST[version] <= size <= LARGEST:
        raise ProbeError(
            f"{name}: a ping of {size} bytes: expected {SMALLEST[version]} to {LARGEST}, IP header included"
        )
    return size
