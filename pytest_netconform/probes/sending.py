"""What all probes share: how they are aimed, and what the words of the kernel mean for their outcome."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.icmp import V4, V6, IcmpError, Wire
from pytest_netconform.kernel.probing.sockets import aim, device_name, is_address, sockaddr
from pytest_netconform.probes.outcome import Outcome

Fields = dict[str, Any]
"""Fields of an outcome."""
NOT_THE_PATH = (
    errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAFNOSUPPORT, errno.ENODEV, errno.EADDRINUSE,
    errno.EAGAIN, errno.EBADF,
)  # fmt: skip
WITHOUT_ICMP = {
    errno.EHOSTUNREACH: "host-unreachable",
    errno.ENETUNREACH: "network-unreachable",
    errno.ENOPROTOOPT: "protocol-unreachable",
    errno.EACCES: "communication-prohibited",
    errno.EHOSTDOWN: "host-unknown",
    errno.ENONET: "source-host-isolated",
    errno.EOPNOTSUPP: "source-route-failed",
}
"""What an older kernel says to a connection of an ICMP error, without saying who sent it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PortOutcome(Outcome):
    """The outcome of a probe to a port, and how it was sent.

    Shape: *refused_with* is `tcp-reset` or `port-unreachable`.
    """

    identity: ClassVar[tuple[str, ...]] = ("src", "dst", "port")

    port: int
    ttl: int | None = None
    source: str | None = None
    sport: int | None = None
    mark: int | None = None
    refused_with: str | None = None

    def _to(self) -> str:
        return f"{self.dst} port {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a probe goes, and how; *source* is one of our addresses, or a device to be sent through."""

    dst: str
    port: int
    source: str | None = None
    sport: int | None = None
    ttl: int | None = None
    mark: int | None = None

    @property
    def wire(self) -> Wire:
        return V4 if ip_version(self.dst) == 4 else V6

    def check(self, timeout_s: float) -> None:
        """Hold that this can be sent at all.

        Raises: ProbeError.
        """
        check(self.dst, source=self.source, ttl=self.ttl, mark=self.mark, timeout_s=timeout_s)
        for word, port in (("port", self.port), ("sport", self.sport)):
            if not _is_within(port, 1, 65535) and (word == "port" or port is not None):
                raise ProbeError(f"expected a {word} of 1 to 65535, not {port!r}")

    def apply(self, sock: socket.socket) -> tuple[Any, ...]:
        """Make a socket ready to send; gives where to."""
        aim(sock, self.wire, source=self.source, sport=self.sport or 0, ttl=self.ttl, mark=self.mark)
        return sockaddr(sock, self.wire, self.dst, self.port)


def check(dst: str, *, source: str | None, ttl: int | None, mark: int | None, timeout_s: float) -> None:
    """Hold that a probe can be sent so, before anything is.

    Raises: ProbeError.
    """
    version = ip_version(dst)
    _check_device(dst.partition("%")[2] or "eth0")
    if ttl is not None and not _is_within(ttl, 1, 255):
        raise ProbeError(f"expected a ttl of 1 to 255, not {ttl!r}")
    if mark is not None and not _is_within(mark, 0, 0xFFFF_FFFF):
        raise ProbeError(f"expected a mark of 0 to {0xFFFF_FFFF:#x}, not {mark!r}")
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not timeout_s >= 0:
        raise ProbeError(f"expected a timeout_s of 0 or more seconds, not {timeout_s!r}")
    if source is None:
        return
    if not isinstance(source, str):
        raise ProbeError(f"expected an address or a device as source, not {source!r}")
    if not is_address(source):
        _check_device(source)
    elif ip_version(source) != version:
        raise ProbeError(f"{source} is no source of IPv{version}")
    else:
        _check_device(source.partition("%")[2] or "eth0")


def _check_device(name: str) -> None:
    try:
        device_name(name)
    except OSError as error:
        raise ProbeError(f"{error.strerror}: expected 1 to 15 bytes") from error


def _is_within(number: object, least: int, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and least <= number <= most


def ip_version(dst: str) -> int:
    """Say of which version of IP an address is.

    Raises: ProbeError.
    """
    try:
        if isinstance(dst, str):
            return ipaddress.ip_address(dst).version
    except ValueError:
        pass
    raise ProbeError("not an IP address" if isinstance(dst, str) else f"{dst!r} is not an IP address")


@contextmanager
def named(words: str) -> Iterator[None]:
    """Turn what has nothing to do with the path into a ProbeError that begins with *words*."""
    try:
        yield
    except ProbeError as error:
        raise ProbeError(f"{words}: {error}") from error.__cause__
    except OSError as error:
        raise ProbeError(f"{words}: {error.strerror or error}") from error


def rejected(error: OSError, mtu: int | None = None) -> Fields:
    """Say that our own kernel would not send.

    Raises: OSError for a reason that has nothing to do with the path.
    """
    number = error.errno or 0
    if number in NOT_THE_PATH:
        raise OSError(number, os.strerror(number)) from error
    return {"rejected": errno.errorcode.get(number, str(number)), "mtu": mtu}


def lost(start: float) -> Fields:
    return {"lost": True, "waited_ms": since_ms(start)}


def told(error: IcmpError, start: float) -> Fields:
    """Say what an ICMP error means."""
    fields = {"by": error.by, "rtt_ms": since_ms(start), "mtu": error.mtu}
    if error.name == "port-unreachable":
        return {**fields, "refused": True, "refused_with": error.name}
    return {**fields, "unreachable": error.name}


def since_ms(start: float) -> float:
    return (time.monotonic() - start) * 1000
