"""The probes that a namespace sends."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from pytest_netconform.kernel.driving import Attempt, drive
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.probes.ping import Ping, ping
from pytest_netconform.probes.tcp import Tcp, tcp
from pytest_netconform.probes.udp import PAYLOAD, Udp, udp

T = TypeVar("T")


class Probing:
    """A namespace that probes are sent from, and to: *dst* is an address, or another namespace."""

    namespaces: Namespaces

    @abstractmethod
    def address(self, towards: Probing | None = None) -> str:
        """Choose the address for *towards* to reach us at."""

    def ping(
        self,
        dst: str | Probing,
        *,
        size: int | None = None,
        df: bool = False,
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Ping:
        """Send one ICMP echo request to *dst* and say what became of it.

        Units:  size is the length of the IP packet in bytes, headers included.
        Shape:  *source* is one of our addresses, or a device to be sent through.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                Lost is an answer, and so is our own kernel refusing to send.
        Source: ping(8); ip(7), IP_MTU_DISCOVER.
        """
        options = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(ping(self.namespaces, self._reaching(dst), size=size, df=df, **options))  # type: ignore[arg-type]

    def tcp(
        self,
        dst: str | Probing,
        port: int,
        *,
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Tcp:
        """Connect to a port and say what became of it; the connection is closed at once.

        Shape:  *source* is one of our addresses, or a device to be sent through.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                What our own firewall drops (DROP in OUTPUT) is lost, for TCP keeps that to itself.
        """
        options = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(tcp(self.namespaces, self._reaching(dst), port, **options))  # type: ignore[arg-type]

    def udp(
        self,
        dst: str | Probing,
        port: int,
        payload: bytes = PAYLOAD,
        *,
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Udp:
        """Send one datagram and say what became of it; only an answer from that address and port is one.

        Shape:  *source* is one of our addresses, or a device to be sent through.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                Our own kernel refusing to send is an answer.
        """
        options = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(udp(self.namespaces, self._reaching(dst), port, payload, **options))  # type: ignore[arg-type]

    def _reaching(self, dst: str | Probing) -> str:
        return dst.address(towards=self) if isinstance(dst, Probing) else dst


def _sent(attempt: Attempt[T]) -> T:
    return drive([attempt])[0]
