"""What listeners say: an echo, over TCP, UDP, HTTP and HTTPS."""

from __future__ import annotations

import io
import json
import re
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.probes.http_messages import HEAD_END, LARGEST_BODY, LARGEST_HEAD
from pytest_netconform.probes.streams import PIECE, Connection, Stream
from pytest_netconform.probes.tls import TlsStream

NO_HTTP = re.compile(rb"[^A-Za-z\r\n]")
"""What no request begins with; a TLS handshake does."""
IPV6_RECVPKTINFO, PKTINFO = 49, struct.Struct("=16si")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who came: the address that a packet bore when it arrived, after any NAT."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Request:
    """What a listener was told: a datagram, a piece of a stream, or a whole HTTP request.

    Shape: *method*, *path* and *headers* (names in lower case) only of HTTP, *data* is then its body.
    """

    peer: Peer
    data: bytes = b""
    method: str | None = None
    path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


def peer_of(sockaddr: tuple[Any, ...]) -> Peer:
    """Show an address as its own family writes it; a zone would be named by the wrong namespace."""
    address = str(sockaddr[0]).partition("%")[0]
    return Peer(address.removeprefix("::ffff:") if "." in address else address, int(sockaddr[1]))


def datagram(sock: socket.socket, may_answer: Callable[[Peer], bool]) -> Request | None:
    """Take one datagram and send it back, from the address that it was sent to; nothing, if there is none."""
    try:
        data, ancillary, _, sender = sock.recvmsg(PIECE, 256)
    except BlockingIOError:
        return None
    request = Request(peer_of(sender), data)
    if not may_answer(request.peer):
        return request
    infos = [value for _, kind, value in ancillary if kind == socket.IPV6_PKTINFO]
    told = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _answering(info)) for info in infos]
    with suppress(OSError):  # as with any server, what it may not send is not sent
        sock.sendmsg([data], told, 0, sender)
    return request


def _answering(info: bytes) -> bytes:
    """Give the place to answer from; the device counts only for an address of one link."""
    address, ifindex = PKTINFO.unpack(info[: PKTINFO.size])
    return PKTINFO.pack(address, ifindex if address[:2] == b"\xfe\x80" else 0)


def echoing(stream: Stream, peer: Peer, told: Any) -> Attempt[None]:
    """Send back what comes, until it ends."""
    while data := (yield from stream.receive()):
        told(Request(peer, data))
        yield from stream.send(data)


def answering(stream: Stream, peer: Peer, told: Any, body: bytes | None) -> Attempt[None]:
    """Answer one HTTP request, with *body*, or with what it was."""
    data = b""
    while not (found := HEAD_END.search(data)) and len(data) <= LARGEST_HEAD and not NO_HTTP.match(data):
        piece = yield from stream.receive()
        if not piece:
            return
        data += piece
    head, data = (data, b"") if found is None else (data[: found.end()], data[found.end() :])
    parsed = _Head(head)
    yield from stream.send(parsed.said.getvalue())  # an error, or `100 Continue`
    if not parsed.good:
        return
    length = min(parsed.length, LARGEST_BODY)
    while len(data) < length and (piece := (yield from stream.receive())):
        data += piece
    headers = {name.lower(): value for name, value in parsed.headers.items()}
    request = Request(peer, data[:length], parsed.command, parsed.path, headers)
    told(request)
    yield from stream.send(_response(request, body))


def _response(request: Request, body: bytes | None) -> bytes:
    kind = "application/octet-stream"
    if body is None:
        kind = "application/json"
        echo: dict[str, Any] = {"method": request.method, "path": request.path}
        echo |= {"headers": dict(request.headers), "body": request.data.decode("utf-8", "replace")}
        body = json.dumps(echo | {"peer": request.peer.address, "port": request.peer.port}).encode() + b"\n"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if request.method != "HEAD" else b"")


class _Head(BaseHTTPRequestHandler):
    """The head of a request, as Python's own server reads it."""

    protocol_version, default_request_version = "HTTP/1.1", "HTTP/1.0"

    def __init__(self, head: bytes) -> None:
        self.rfile, self.wfile = io.BytesIO(head), io.BytesIO()
        self.said = self.wfile
        self.client_address, self.requestline, self.request_version = ("", 0), "", ""
        self.command, self.close_connection = "", True
        self.raw_requestline = self.rfile.readline(LARGEST_HEAD + 1)
        self.good = self.parse_request()

    @property
    def length(self) -> int:
        given = self.headers.get("content-length", "0")
        return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else 0

    def log_message(self, *_: Any) -> None:
        """Write nothing to stderr."""


def encrypted(connection: Connection, context: ssl.SSLContext) -> Attempt[TlsStream]:
    """Speak TLS as the server."""
    stream = TlsStream(connection, context, None, server_side=True)
    yield from stream.handshake()
    return stream
