"""Listeners: servers in this process, inside a namespace, that keep what they were told."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from pytest_netconform.errors import BuildError, ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, Loop, Wait
from pytest_netconform.kernel.probing.sockets import Open, open_sockets
from pytest_netconform.probes import certificates
from pytest_netconform.probes.bound import bound, family_of
from pytest_netconform.probes.kept import Kept
from pytest_netconform.probes.service import SERVICE
from pytest_netconform.probes.serving import (
    Peer,
    Request,
    answering,
    datagram,
    echoing,
    encrypted,
    peer_of,
)
from pytest_netconform.probes.streams import Connection, Stream, abort_at_close, leave_at_close
from pytest_netconform.probes.tls import TlsStream

T = TypeVar("T")
KINDS = ("tcp", "udp", "http", "https")
FOREVER = float("inf")
MOST_AT_ONCE = 64
"""So many are taken before others get their turn, and a change: who floods us must not keep us for ever."""
BREATH_S = 0.05
"""How long no connection is taken where there is no descriptor left for it."""


class Listener:
    """A server that answers while the test goes on, and keeps who came and what was said.

    Shape: *port* is the one that it got where 0 was asked for; *ca* is the authority of a certificate that
           was made for it, as PEM. Kept are the last 10,000 connections and requests, and of these 64 MiB.
    """

    def __init__(self, namespaces: Namespaces, kind: str, sock: socket.socket) -> None:
        self.name, self.kind, self.port = namespaces.name, kind, int(sock.getsockname()[1])
        self.ca: str | None = None
        self._namespaces = namespaces
        self._sock: socket.socket | None = sock
        self._body: bytes | None = None
        self._context: ssl.SSLContext | None = None
        self._open: set[socket.socket] = set()
        self._peers: Kept[Peer] = Kept(lambda _: 0)
        self._requests: Kept[Request] = Kept(lambda request: len(request.data))
        self._told = threading.Condition()
        self._broken: Exception | None = None

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._sock else ", closed"
        return f"<{self.kind} listener {self.name} port {self.port}{closed}>"

    @property
    def connections(self) -> tuple[Peer, ...]:
        """List who has connected, in order."""
        return self._listed(self._peers)

    @property
    def requests(self) -> tuple[Request, ...]:
        """List what has been said, in order."""
        return self._listed(self._requests)

    @property
    def left_out(self) -> int:
        """Count the oldest connections and requests, which are not kept any more."""
        return self._peers.left_out + self._requests.left_out

    def await_connections(self, count: int = 1, timeout_s: float = 5.0) -> tuple[Peer, ...]:
        """Wait until so many have connected.

        Raises: ProbeError if they do not.
        """
        return self._awaited("connections", self._peers, count, timeout_s)

    def await_requests(self, count: int = 1, timeout_s: float = 5.0) -> tuple[Request, ...]:
        """Wait until so much has been said.

        Raises: ProbeError if it is not.
        """
        return self._awaited("requests", self._requests, count, timeout_s)

    def close(self) -> None:
        """Stop listening, and reset what connections there still are: they must not keep the namespace.

        Raises: ProbeError if an answer failed for a reason of ours; it is closed then, too.
        """
        if self._sock is not None:
            SERVICE.halted(self._close)
        self._raise_broken()

    def _close(self, loop: Loop) -> None:
        for sock in self._open:
            abort_at_close(sock)
        loop.drop(self)
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _listed(self, told: Kept[T]) -> tuple[T, ...]:
        SERVICE.settle()
        self._raise_broken()
        with self._told:
            return tuple(told.kept)

    def _awaited(self, word: str, told: Kept[T], count: int, timeout_s: float) -> tuple[T, ...]:
        deadline = time.monotonic() + timeout_s
        with self._told:
            while told.count < count:
                self._raise_broken()
                if not self._told.wait(max(0.0, deadline - time.monotonic())) and told.count < count:
                    raise ProbeError(
                        f"{self.name} port {self.port}: expected {count} {word} within {timeout_s:g} s, "
                        f"there were {told.count}"
                    )
            return tuple(told.kept)

    def _raise_broken(self) -> None:
        """Tell once what broke an answer, in the thread of who holds us.

        Raises: ProbeError.
        """
        if self._broken is not None:
            error, self._broken = self._broken, None
            raise ProbeError(f"{self!r}: an answer failed: {type(error).__name__}: {error}") from error

    # What the service does

    def _guarded(self, attempt: Attempt[None]) -> Attempt[None]:
        """Let what breaks one answer end that one alone, and keep it for who holds us."""
        try:
            yield from attempt
        except Exception as error:
            with self._told:
                self._broken = self._broken or error
                self._told.notify_all()

    def _serving(self, sock: socket.socket) -> Attempt[None]:
        take = self._datagram if self.kind == "udp" else self._accept
        with sock:
            while (yield Wait(sock, select.POLLIN)):
                try:
                    for _ in range(MOST_AT_ONCE):
                        if not take(sock):
                            break
                except OSError as error:
                    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                        yield Wait(sock, 0, time.monotonic() + BREATH_S)

    def _accept(self, sock: socket.socket) -> bool:
        try:
            accepted, sockaddr = sock.accept()
        except BlockingIOError:
            return False
        accepted.setblocking(False)
        peer = peer_of(sockaddr)
        self._keep(self._peers, peer)
        self._open.add(accepted)
        self._start(self._guarded(self._conversation(accepted, peer)))
        return True

    def _datagram(self, sock: socket.socket) -> bool:
        request = datagram(sock, _is_no_listener)
        if request is not None:
            self._keep(self._requests, request)
        return request is not None

    def _conversation(self, sock: socket.socket, peer: Peer) -> Attempt[None]:
        connection = Connection(sock, FOREVER)
        stream: Stream = connection
        with sock:
            try:
                if self._context is not None:
                    stream = yield from encrypted(connection, self._context)
                if self.kind == "tcp":
                    yield from echoing(stream, peer, self._say)
                else:
                    yield from answering(stream, peer, self._say, self._body)
                    if isinstance(stream, TlsStream):
                        yield from stream.finish()
                    sock.shutdown(socket.SHUT_WR)
                    while (yield from connection.receive()):
                        pass  # a close with something unread would reset what we said
            except (OSError, ValueError):
                pass  # the peer has gone, or does not speak TLS
            finally:
                self._open.discard(sock)
            leave_at_close(sock)

    def _say(self, request: Request) -> None:
        self._keep(self._requests, request)

    def _keep(self, told: Kept[T], new: T) -> None:
        with self._told:
            told.add(new)
            self._told.notify_all()

    _start: Callable[[Attempt[None]], None]

    def start(self) -> None:
        """Be served from now on."""
        try:
            SERVICE.halted(self._begin)
        except BaseException:
            self.close()
            raise

    def _begin(self, loop: Loop) -> None:
        assert self._sock is not None
        self._start = lambda attempt: loop.start(attempt, owner=self)
        loop.start(self._guarded(self._serving(self._sock)), owner=self)
        if self.kind == "udp":
            _ECHOING.add(self)

    def has(self, peer: Peer) -> bool:
        """Say whether a datagram of this peer is one that we sent."""
        if self._sock is None or self.port != peer.port:
            return False
        if ipaddress.ip_address(peer.address).is_link_local:  # of which link is told by ours alone
            return True
        family = family_of(peer.address)
        sock = open_sockets([Open(self._namespaces, family, socket.SOCK_DGRAM)])[0]
        if isinstance(sock, OSError):
            return False
        with sock:
            try:
                sock.bind((peer.address, 0))
            except OSError:
                return False
            return True


_ECHOING: weakref.WeakSet[Listener] = weakref.WeakSet()
"""Who sends datagrams back; two of them would do so for ever."""


def _is_no_listener(peer: Peer) -> bool:
    return not any(listener.has(peer) for listener in list(_ECHOING) if listener.port == peer.port)


def listen(
    namespaces: Namespaces,
    port: int = 0,
    kind: str = "tcp",
    *,
    address: str | None = None,
    body: bytes | str | None = None,
    certificate: str | bytes | os.PathLike[str] | None = None,
    names: Iterable[str] = (),
) -> Listener:
    """Listen inside, and answer from this process: with an echo, or over HTTP with *body*.

    Shape:  *kind* is `tcp`, `udp`, `http` or `https`; *address* is one to listen at, by default all of both
            families; *certificate* is a path, or PEM, with a key; by default one is made for *names*.
    Raises: BuildError, and then nothing listens.
    Needs:  the program openssl for a certificate.
    """
    where = f"{namespaces.name}: listen {kind} port {port}"
    if kind not in KINDS:
        raise BuildError(f"{where}: expected a kind of {', '.join(KINDS)}")
    if not isinstance(port, int) or not 0 <= port < 65536:
        raise BuildError(f"{where}: expected a port of 0 to 65535")
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | None):
        raise BuildError(f"{where}: expected a body of bytes or text, not {type(body).__name__}")
    try:
        pem = _pem(certificate, names) if kind == "https" else None
        context = certificates.server_context(pem) if pem is not None else None
        sock = bound(namespaces, port, kind, address)
    except BuildError as error:
        raise BuildError(f"{where}: {error}") from error
    except OSError as error:
        raise BuildError(f"{where}: {error.strerror or error}") from error
    listener = Listener(namespaces, kind, sock)
    listener._body, listener._context = body, context
    if context is not None and certificate is None:
        listener.ca = certificates.authority()[0].decode()
    listener.start()
    return listener


def _pem(certificate: str | bytes | os.PathLike[str] | None, names: Iterable[str]) -> bytes:
    if certificate is None:
        return certificates.certificate(names)
    if isinstance(certificate, bytes):
        return certificate
    if isinstance(certificate, str) and "-----BEGIN" in certificate:
        return certificate.encode()
    return Path(certificate).read_bytes()
