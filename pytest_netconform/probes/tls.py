"""TLS over a connection that does not block: the handshake, and what its errors say."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TypeVar

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.probes.streams import PIECE, Connection

T = TypeVar("T")
RECORDS = range(0x14, 0x19)
"""What the first byte of TLS may be."""


class TlsStream:
    """An encrypted stream over a connection.

    Raises: ssl.SSLError for what is wrong with what the other side says, besides what the connection raises.
    """

    def __init__(
        self, connection: Connection, context: ssl.SSLContext, name: str | None, *, server_side: bool = False
    ) -> None:
        self.connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name
        )
        self._first = b""

    @property
    def version(self) -> str | None:
        return self._tls.version()

    def handshake(self) -> Attempt[None]:
        yield from self._done(self._tls.do_handshake)

    def send(self, data: bytes) -> Attempt[None]:
        if data:
            yield from self._done(lambda: self._tls.write(data))

    def receive(self) -> Attempt[bytes]:
        """Take what has come; nothing at the end of the stream, whether it was announced or not."""
        try:
            return (yield from self._done(lambda: self._tls.read(PIECE)))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def finish(self) -> Attempt[None]:
        """Announce the end of what we say."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        yield from self._flush()

    def speaks_tls(self) -> bool:
        """Say whether what came first can be TLS at all."""
        return not self._first or self._first[0] in RECORDS

    def _done(self, step: Callable[[], T]) -> Attempt[T]:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                yield from self._flush()
                self._take((yield from self.connection.receive()))
            except ssl.SSLError:
                with suppress(OSError):  # our alert, as far as it can go at once
                    self.connection.sock.send(self._outgoing.read())
                raise
            else:
                yield from self._flush()
                return result

    def _take(self, data: bytes) -> None:
        self._first = self._first or data[:1]
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> Attempt[None]:
        if self._outgoing.pending:
            yield from self.connection.send(self._outgoing.read())


def client_context(ca: str | os.PathLike[str] | None, verify: bool) -> ssl.SSLContext:
    """Say whom we believe: who is signed by *ca* (a path, or PEM), by default by whom our system trusts.

    Raises: ProbeError for one that cannot be read.
    """
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    if ca is None:
        return _trusting_our_system()
    try:
        if isinstance(ca, str) and "-----BEGIN" in ca:
            return ssl.create_default_context(cadata=ca)
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        shown = "its text" if isinstance(ca, str) and "\n" in ca else os.fspath(ca)
        raise ProbeError(f"no certificate authority in {shown}: {error}") from error


@cache
def _trusting_our_system() -> ssl.SSLContext:
    return ssl.create_default_context()


def words(error: ssl.SSLError, stream: TlsStream) -> str:
    """Say what is wrong in OpenSSL's words, which is the same in each of its versions as far as it can be."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "connection closed"
    if not stream.speaks_tls():
        return "wrong version number"  # as versions before 3.2 say, and everybody searches for
    return (error.reason or str(error)).replace("_", " ").lower()
