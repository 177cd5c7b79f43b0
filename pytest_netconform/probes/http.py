"""HTTP and HTTPS: one GET, and how far it came."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes import http_messages
from pytest_netconform.probes.http_messages import Incoming, Malformed, Response
from pytest_netconform.probes.sending import Aim, Fields, PortOutcome, lost, named, since_ms
from pytest_netconform.probes.streams import (
    Connection,
    Stream,
    TimeOver,
    abort_at_close,
    broken_by,
    connecting,
    leave_at_close,
)
from pytest_netconform.probes.tls import TlsStream, client_context, words

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Http(PortOutcome):
    """The outcome of one GET. Whatever the status, 404 and 503 too, a response is a reply.

    Shape: *phase* is how far it came: `connect`, `tls`, `request` (sent, and not answered), `body` (answered
           in part), `done`; *failed* has OpenSSL's words for what is wrong with a certificate or with TLS, or
           `connection reset`, `connection closed`, `malformed answer: ...`; header names are in lower case;
           of *body*, the first 64 KiB; *tls* is the version that was agreed upon.
    """

    url: str
    host: str | None = None
    phase: str = "connect"
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""
    tls: str | None = None

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode("utf-8", "replace")

    def _to(self) -> str:
        return self.url + (f" as {self.host}" if self.host else "")

    def _said(self) -> str:
        said = PortOutcome._said(self)
        return f"{said}, status {self.status}" if self.replied else f"{said}, in phase {self.phase}"


def http(
    namespaces: Namespaces,
    dst: str,
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
) -> Attempt[Http]:
    """Send one GET, over TLS or not, and say what became of it; redirects are not followed.

    Shape:  *dst* is an address, or a URL whose host is one: `https://10.0.0.1:8443/healthz`; *host* is the
            name for the Host header, SNI and the certificate, by default the address; *ca* is a path or PEM
            of whom to believe, by default whom the system trusts that the tests run on; *source* is one of
            our addresses, or a device to be sent through.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such file).
    """
    with named(f"{namespaces.name}: http {dst}"):
        place = _place(dst, port, path, https)
        aim = Aim(dst=place.address, port=place.port, ttl=ttl, source=source, mark=mark)
        aim.check(timeout_s)
        request = http_messages.request(place.authority(host), place.path, headers or {})
        progress = Progress(aim, request, host or place.address.partition("%")[0])
        if place.scheme == "https":
            progress.context = client_context(ca, verify)
        sent: dict[str, Any] = {"src": namespaces.name, "dst": place.address, "port": place.port, "ttl": ttl}
        sent |= {"source": source, "mark": mark, "url": place.url, "host": host}
        with (yield Open(namespaces, aim.wire.family, socket.SOCK_STREAM)) as sock:
            fields = yield from progress.made(sock, timeout_s)
            return Http(**sent, **fields)


@dataclass
class Progress:
    """A request under way."""

    aim: Aim
    request: bytes
    name: str
    context: ssl.SSLContext | None = None
    phase: str = "connect"
    tls: TlsStream | None = None
    incoming: Incoming = field(default_factory=Incoming)

    def made(self, sock: socket.socket, timeout_s: float) -> Attempt[Fields]:
        """Connect and send the request; give the fields of an outcome, however that ends."""
        start = time.monotonic()
        fields = yield from connecting(sock, self.aim, start + timeout_s)
        if fields is None:
            abort_at_close(sock)
            fields = yield from self._exchanged(Connection(sock, start + timeout_s), start)
            if "replied" in fields:
                leave_at_close(sock)
        version = self.tls.version if self.tls else None
        return {"phase": self.phase, "status": self.incoming.status, "tls": version, **fields}

    def _exchanged(self, connection: Connection, start: float) -> Attempt[Fields]:
        stream: Stream = connection
        failed: str
        try:
            if self.context is not None:
                self.phase = "tls"
                stream = self.tls = self._encrypted(connection, self.context)
                yield from self.tls.handshake()
            self.phase = "request"
            yield from stream.send(self.request)
            response = yield from self._response(stream)
        except TimeOver:
            return lost(start)
        except Malformed as error:
            failed = f"malformed answer: {error}"
        except ssl.SSLError as error:
            assert self.tls is not None
            failed = words(error, self.tls)
        except OSError as error:
            return broken_by(error, connection.sock, self.aim, start)
        else:
            failed = "" if response else "connection closed"
        by = {"by": self.aim.dst.partition("%")[0], "rtt_ms": since_ms(start)}
        if failed:
            return {**by, "failed": failed}
        assert response is not None
        self.phase = "done"
        return {**by, "replied": True, "headers": response.headers, "body": response.body}

    def _encrypted(self, connection: Connection, context: ssl.SSLContext) -> TlsStream:
        try:
            return TlsStream(connection, context, self.name)
        except ValueError as error:
            raise ProbeError(f"{self.name!r} is no name for a certificate: {error}") from error

    def _response(self, stream: Stream) -> Attempt[Response | None]:
        """Take the response; nothing, if the connection is closed before a byte of it."""
        anything = False
        while True:
            piece = yield from stream.receive()
            if not piece and not anything:
                return None
            anything = True
            response = self.incoming.add(piece)
            if self.incoming.status is not None:
                self.phase = "body"
            if response is not None:
                return response


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    address: str
    port: int
    path: str

    def authority(self, name: str | None = None) -> str:
        address = self.address.partition("%")[0]
        shown = name or (f"[{address}]" if ":" in address else address)
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority()}{self.path}"


def _place(dst: str, port: int | None, path: str | None, https: bool | None) -> _Place:
    """Read where to go, from a URL or from its parts.

    Raises: ProbeError.
    """
    if "://" not in dst:
        scheme = "https" if https else "http"
        return _Place(scheme, dst, PORTS[scheme] if port is None else port, path or "/")
    if port is not None or path is not None or https is not None:
        raise ProbeError("a URL says port, path and https itself")
    try:
        url = urlsplit(dst)
        address, number = unquote(url.hostname or ""), url.port
    except ValueError as error:
        raise ProbeError(f"not a URL: {error}") from error
    if url.scheme not in PORTS or url.username is not None:
        raise ProbeError("expected http://ADDRESS[:PORT]/PATH or https://...")
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise ProbeError(f"{address!r} is no address; give the address, and host={address!r}") from error
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return _Place(url.scheme, address, PORTS[url.scheme] if number is None else number, target)
