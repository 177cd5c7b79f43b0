"""The probes that a namespace sends."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, drive
from pytest_netconform.probes.ping import Ping, ping
from pytest_netconform.probes.tcp import Tcp, tcp
from pytest_netconform.probes.udp import PAYLOAD, Udp, udp

if TYPE_CHECKING:
    from pytest_netconform.probes.dns import Dns
    from pytest_netconform.probes.http import Http
    from pytest_netconform.probes.path_mtu import PathMtu

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
        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(ping(self.namespaces, self._reaching(dst), size=size, df=df, **options))

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
        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(tcp(self.namespaces, self._reaching(dst), port, **options))

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
        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(udp(self.namespaces, self._reaching(dst), port, payload, **options))

    def dns(
        self,
        server: str | Probing,
        name: str,
        type: str = "A",
        *,
        port: int = 53,
        over: str = "udp",
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Dns:
        """Ask a server for a name, once. Any answer is a reply; `.rcode` and `.answers` say which.

        Shape:  *over* is `udp` or `tcp`; *name* stands for itself, and no search list adds to it.
        Raises: ProbeError for what has nothing to do with the path, a name that cannot be asked for among it.
        """
        from pytest_netconform.probes.dns import dns

        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        address = self._reaching(server)
        return _sent(dns(self.namespaces, address, name, type, port=port, over=over, **options))

    def http(
        self,
        dst: str | Probing,
        port: int | None = None,
        path: str | None = None,
        *,
        https: bool | None = None,
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        ca: str | os.PathLike[str] | None = None,
        verify: bool = True,
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 3.0,
    ) -> Http:
        """Send one GET, over TLS or not, and say what became of it; redirects are not followed.

        Shape:  *dst* may be a URL whose host is an address: `https://10.0.0.1:8443/healthz`; *host* is the
                name for the Host header, SNI and the certificate, by default the address; *ca* is a path or
                PEM of whom to believe, by default whom the system trusts that the tests run on.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such file).
                Any response is a reply; what is wrong with a certificate or with TLS is `.failed`.
        """
        from pytest_netconform.probes.http import http

        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options |= {"https": https, "host": host, "headers": headers, "ca": ca, "verify": verify}
        return _sent(http(self.namespaces, self._reaching(dst), port, path, **options))

    def path_mtu(
        self,
        dst: str | Probing,
        *,
        ttl: int | None = None,
        source: str | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> PathMtu:
        """Find the largest packet that reaches *dst* undivided and is answered, and who bounds it.

        Units:  timeout_s is the longest wait for one answer; a black hole takes two of them and some.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
        Source: RFC 1191, RFC 8201; RFC 4821 where nobody tells.
        """
        from pytest_netconform.probes.path_mtu import path_mtu

        options: dict[str, Any] = {"source": source, "mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        return _sent(path_mtu(self.namespaces, self._reaching(dst), **options))

    def _reaching(self, dst: str | Probing) -> str:
        return dst.address(towards=self) if isinstance(dst, Probing) else dst


def _sent(attempt: Attempt[T]) -> T:
    return drive([attempt])[0]
