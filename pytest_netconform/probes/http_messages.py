"""HTTP requests and responses as they are on the wire."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_netconform.errors import ProbeError

HEAD_END = re.compile(rb"\n\r?\n")
INTERIM = re.compile(rb"HTTP/\d\.\d +1\d\d\b")
LARGEST_HEAD = LARGEST_BODY = 65536
LARGEST = 8 * LARGEST_BODY
"""What a body of that size takes in the smallest chunks, and some."""
MOST_INTERIM = 32
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_IN_A_TARGET = re.compile(r"[^!-~]")


class Malformed(Exception):
    """What came is not HTTP."""


@dataclass(frozen=True, slots=True)
class Response:
    """Shape: header names are in lower case; of *body*, the first 64 KiB."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def request(host: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Write a GET.

    Raises: ProbeError for what would make another request of it.
    """
    if not path.startswith("/") or NOT_IN_A_TARGET.search(path):
        raise ProbeError(f"expected a path that begins with / and is percent-encoded, not {path!r}")
    fields = {
        "Host": host,
        "User-Agent": "pytest-netconform",
        "Accept": "*/*",
        **headers,
        "Connection": "close",
    }
    for name, value in fields.items():
        if not TOKEN.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ProbeError(f"{name!r}: {value!r} is no header")
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Incoming:
    """A response as it comes in, piece by piece. Shape: *status* is there as soon as it is known."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._data, self._head, self._interim = bytearray(), 0, 0

    def add(self, piece: bytes) -> Response | None:
        """Take a piece, an empty one at the end of the stream; give the response when it is complete.

        Raises: Malformed.
        """
        self._data += piece
        if not self._head:
            self._head = self._head_end(at_end=not piece)
        response = self._parsed(at_end=not piece) if self._head else None
        if response is None and len(self._data) > LARGEST:
            raise Malformed(f"its first {LARGEST} bytes are no response")
        return response

    def _head_end(self, *, at_end: bool) -> int:
        while self._data or at_end:
            if self._data[:5] != b"HTTP/"[: len(self._data)]:
                raise Malformed(f"it begins with {bytes(self._data[:40])!r}")
            found = HEAD_END.search(self._data)
            if found and not INTERIM.match(self._data):
                return found.end()
            if not found:
                break
            del self._data[: found.end()]  # the real one follows
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise Malformed(f"more than {MOST_INTERIM} interim responses come before it")
        if at_end:
            raise Malformed("it ends before its headers do")
        if len(self._data) > LARGEST_HEAD:
            raise Malformed(f"its headers are longer than {LARGEST_HEAD} bytes")
        return 0

    def _parsed(self, *, at_end: bool) -> Response | None:
        from http.client import HTTPException, HTTPResponse, IncompleteRead

        response = HTTPResponse(_Taken(self._data))  # type: ignore[arg-type]
        try:
            response.begin()
            self.status, announced = response.status, response.length
            body = response.read(LARGEST_BODY)
        except IncompleteRead as error:
            if at_end:
                raise Malformed("it ends before its body does") from error
            return None
        except (HTTPException, ValueError) as error:
            raise Malformed(f"{type(error).__name__}: {error}") from error
        wanted = LARGEST_BODY if announced is None else min(announced, LARGEST_BODY)
        if len(body) < wanted and not response.chunked and not (at_end and announced is None):
            if at_end:
                raise Malformed(f"it ends after {len(body)} of {announced} bytes of its body")
            return None
        headers = {name.lower(): ", ".join(response.headers.get_all(name, [])) for name in response.headers}
        return Response(response.status, response.reason, headers, body)


class _Taken:
    """What HTTPResponse takes for a socket."""

    def __init__(self, data: bytearray) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002
        return io.BytesIO(self._data)
