"""Whatever bytes a server sends: an outcome, and never a traceback."""

from __future__ import annotations

import ssl
import time
from collections.abc import Generator
from typing import Any

import dns.message
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_netconform.probes.dns import read_answer, read_datagram
from pytest_netconform.probes.http import Progress
from pytest_netconform.probes.http_messages import Incoming, Malformed, Response
from pytest_netconform.probes.sending import Aim
from pytest_netconform.probes.serving import Peer, Request, answering
from pytest_netconform.probes.tls import TlsStream, client_context

QUERY = dns.message.make_query("web.test", "A")
AIM = Aim(dst="192.0.2.1", port=443)
PIECES = st.lists(st.binary(max_size=40), max_size=8)
HEADS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 204 \r\n", b"HTTP/1.1 100 \r\n", b"HTTP/9.9 999\r\n", b"\r\n", b"\n",
    b"Content-Length: 3\r\n", b"Content-Length: -3\r\n", b"Content-Length: 9999999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"-1\r\n", b"ffffffffffffffffffff\r\n", b"0\r\n\r\n",
    b": x\r\n", b" folded\r\n", b"\xff\xfe: \x80\r\n",
]  # fmt: skip
GREETINGS = [
    b"\x16\x03\x03\x00\x05",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"HTTP/1.1 400 Bad\r\n\r\n",
    b"\x16\x03\x01\xff\xff",
]


def response() -> bytes:
    message = dns.message.make_response(QUERY)
    for kind, text in (("A", "192.0.2.1"), ("CNAME", "x.test."), ("TXT", '"a b"'), ("SRV", "1 2 3 y.test.")):
        message.answer.append(dns.rrset.from_text("web.test.", 60, "IN", kind, text))
    return message.to_wire()


ANSWER = response()


class Fake:
    """A connection on which these pieces come, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces, self.sent = list(pieces), b""
        self.sock = self

    def receive(self) -> Generator[Any, Any, bytes]:
        return self.pieces.pop(0) if self.pieces else b""
        yield

    def send(self, data: bytes) -> Any:
        self.sent += data
        return iter(())


def finished(attempt: Generator[Any, Any, Any]) -> Any:
    with pytest.raises(StopIteration) as end:
        next(attempt)
    return end.value.value


@given(st.binary(max_size=80))
def test_any_bytes_as_a_dns_answer(data: bytes) -> None:
    assert {"failed", "rcode"} & read_answer(QUERY, data).keys()
    assert read_datagram(QUERY, data) is None or data[:2] == QUERY.id.to_bytes(2)


@given(
    st.lists(st.tuples(st.integers(2, len(ANSWER) - 1), st.integers(0, 255)), max_size=5), st.integers(2, 999)
)
def test_any_damage_to_a_dns_answer(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(ANSWER)
    for place, value in changes:
        data[place] = value
    fields = read_datagram(QUERY, bytes(data[:length]))
    assert fields is not None
    assert all(isinstance(answer, str) for answer in fields.get("answers", ()))


@given(st.lists(st.sampled_from(HEADS) | st.binary(max_size=20), max_size=10), st.integers(1, 20))
@example([b"HTTP/1.1 200 OK\r\n", b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"], 999)
def test_any_bytes_as_a_response(parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    incoming, taken = Incoming(), None  # type: tuple[Incoming, Any]
    try:
        for start in range(0, len(whole) + size, size):
            taken = taken or incoming.add(whole[start : start + size])
    except Malformed as error:
        taken = error
    assert isinstance(taken, Response | Malformed)


@given(PIECES, st.sampled_from([b"", *HEADS, *GREETINGS]))
def test_any_bytes_from_an_http_server(pieces: list[bytes], first: bytes) -> None:
    for context in (None, client_context(None, False)):
        progress = Progress(AIM, b"GET / HTTP/1.1\r\n\r\n", "192.0.2.1", context)
        fields = finished(progress._exchanged(Fake([first, *pieces]), time.monotonic()))  # type: ignore[arg-type]
        assert bool(fields.get("failed")) != bool(fields.get("replied"))


@given(
    PIECES, st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9", *GREETINGS])
)
def test_any_bytes_to_a_listener(pieces: list[bytes], first: bytes) -> None:
    told: list[Request] = []
    finished(answering(Fake([first, *pieces]), Peer("192.0.2.1", 1), told.append, None))
    assert len(told) <= 1


def test_what_is_no_tls_is_the_wrong_version_in_every_version_of_openssl() -> None:
    stream = TlsStream(Fake([b"HTTP/1.1 400 Bad Request\r\n\r\n"]), client_context(None, False), "x")  # type: ignore[arg-type]
    with pytest.raises(ssl.SSLError):
        next(stream.handshake())
    assert not stream.speaks_tls()
