"""The probes that a namespace sends."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, drive
from pytest_netconform.kernel.probing.sockets import is_address
from pytest_netconform.nodes.waiting import note
from pytest_netconform.probes.ping import Ping, ping
from pytest_netconform.probes.sending import ip_version
from pytest_netconform.probes.tcp import Tcp, tcp
from pytest_netconform.probes.udp import PAYLOAD, Udp, udp

if TYPE_CHECKING:
    from pytest_netconform.nodes.devices import Device
    from pytest_netconform.probes.dns import Dns
    from pytest_netconform.probes.http import Http
    from pytest_netconform.probes.path_mtu import PathMtu

T = TypeVar("T")


class Probing:
    """A namespace that probes are sent from, and to: *dst* is an address, another namespace, or a device.

    *source* is one of our addresses, or a device to be sent through; *version* is that of IP where *dst* has
    addresses of both.
    """

    namespaces: Namespaces

    @abstractmethod
    def address(self, towards: Probing | None = None, *, version: int | None = None) -> str:
        """Choose the address for *towards* to reach us at."""

    def ping(
        self,
        dst: str | Probing | Device,
        *,
        size: int | None = None,
        df: bool = False,
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Ping:
        """Send one ICMP echo request to *dst* and say what became of it.

        Units:  size is the length of the IP packet in bytes, headers included.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                Lost is an answer, and so is our own kernel refusing to send.
        Source: ping(8); ip(7), IP_MTU_DISCOVER.
        """
        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        return _sent(ping(self.namespaces, self._reaching(dst, version), size=size, df=df, **options))

    def tcp(
        self,
        dst: str | Probing | Device,
        port: int,
        *,
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
        sport: int | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Tcp:
        """Connect to a port and say what became of it; the connection is closed at once.

        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                What our own firewall drops (DROP in OUTPUT) is lost, for TCP keeps that to itself.
        """
        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        options["sport"] = sport
        return _sent(tcp(self.namespaces, self._reaching(dst, version), port, **options))

    def udp(
        self,
        dst: str | Probing | Device,
        port: int,
        payload: bytes = PAYLOAD,
        *,
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
        sport: int | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Udp:
        """Send one datagram and say what became of it; only an answer from that address and port is one.

        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
                Our own kernel refusing to send is an answer.
        """
        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        options["sport"] = sport
        return _sent(udp(self.namespaces, self._reaching(dst, version), port, payload, **options))

    def dns(
        self,
        server: str | Probing | Device,
        name: str,
        type: str = "A",
        *,
        port: int = 53,
        over: str = "udp",
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> Dns:
        """Ask a server for a name, once. Any answer is a reply; `.rcode` and `.answers` say which.

        Shape:  *over* is `udp` or `tcp`; *name* stands for itself, and no search list adds to it.
        Raises: ProbeError for what has nothing to do with the path, a name that cannot be asked for among it.
        """
        from pytest_netconform.probes.dns import dns

        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        address = self._reaching(server, version)
        return _sent(dns(self.namespaces, address, name, type, port=port, over=over, **options))

    def http(
        self,
        dst: str | Probing | Device,
        port: int | None = None,
        path: str | None = None,
        *,
        https: bool | None = None,
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        ca: str | os.PathLike[str] | None = None,
        verify: bool = True,
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
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

        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        options |= {"https": https, "host": host, "headers": headers, "ca": ca, "verify": verify}
        return _sent(http(self.namespaces, self._reaching(dst, version), port, path, **options))

    def path_mtu(
        self,
        dst: str | Probing | Device,
        *,
        ttl: int | None = None,
        version: int | None = None,
        source: str | Device | None = None,
        mark: int | None = None,
        timeout_s: float = 1.0,
    ) -> PathMtu:
        """Find the largest packet that reaches *dst* undivided and is answered, and who bounds it.

        Units:  timeout_s is the longest wait for one answer; silence takes two, a black hole some more.
        Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
        Source: RFC 1191, RFC 8201; RFC 4821 where nobody tells.
        """
        from pytest_netconform.probes.path_mtu import path_mtu

        options: dict[str, Any] = {"mark": mark, "ttl": ttl, "timeout_s": timeout_s}
        options["source"] = self._source(source)
        return _sent(path_mtu(self.namespaces, self._reaching(dst, version), **options))

    def _reaching(self, dst: str | Probing | Device, version: int | None) -> str:
        """Choose the address that *dst* is reached at, of this version of IP if one is said.

        Raises: ProbeError if it has none.
        """
        from pytest_netconform.nodes.devices import Device

        if version not in (None, 4, 6):
            raise ProbeError(f"{self.namespaces.name}: expected a version of 4 or 6, not {version!r}")
        if isinstance(dst, Probing):
            return dst.address(towards=self, version=version)
        if isinstance(dst, Device):
            address = next((each for each in dst.addresses if version in (None, each.version)), None)
            if address is None:
                kind = f"IPv{version} address" if version else "address"
                raise ProbeError(f"{self.namespaces.name}: {dst!r} was given no {kind}")
            return str(address.ip)
        if version is not None and is_address(dst) and ip_version(dst) != version:
            raise ProbeError(f"{self.namespaces.name}: {dst} is no IPv{version} address")
        return dst

    def _source(self, source: str | Device | None) -> str | None:
        from pytest_netconform.nodes.devices import Device

        if not isinstance(source, Device):
            return source
        if source.netns is not self:
            raise ProbeError(f"{self.namespaces.name}: {source!r} is no device to send through from here")
        return source.ifname


def _sent(attempt: Attempt[T]) -> T:
    return note(drive([attempt])[0])
