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
from pytest_netconform.kernel.probing.sockets import aim, sockaddr
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
    ttl: int | None = None
    mark: int | None = None

    @property
    def wire(self) -> Wire:
        return V4 if _version(self.dst) == 4 else V6

    def check(self) -> None:
        """Hold that this can be sent at all.

        Raises: ProbeError.
        """
        if _version(self.dst) is None:
            raise ProbeError("not an IP address")
        if not 0 < self.port < 65536:
            raise ProbeError("expected a port of 1 to 65535")

    def apply(self, sock: socket.socket) -> tuple[Any, ...]:
        """Make a socket ready to send; gives where to."""
        aim(sock, self.wire, source=self.source, ttl=self.ttl, mark=self.mark)
        return sockaddr(sock, self.wire, self.dst, self.port)


def _version(dst: str) -> int | None:
    try:
        return ipaddress.ip_address(dst).version
    except ValueError:
        return None


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
