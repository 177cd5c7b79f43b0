"""Echo requests as they are on the wire, and answers as they are told apart."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.kernel.probing.icmp import V4, V6, Answer, Echo, EchoSocket, _marks

IDENT, NONCE = b"\x12\x34\x56\x78", b"noncenon"
ECHO = Echo("192.0.2.2", 84, IDENT, NONCE)


def packet(wire: object, echo: Echo) -> bytes:
    bare = object.__new__(EchoSocket)
    bare.wire = wire  # type: ignore[assignment]
    return bare._packet(echo)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=8, max_size=8), st.integers(36, 65535))
def test_the_checksum_of_a_request_is_right(ident: bytes, nonce: bytes, size: int) -> None:
    data = packet(V4, Echo("192.0.2.2", size, ident, nonce))
    assert len(data) == size - 20
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_an_ipv6_request_leaves_the_checksum_to_the_kernel() -> None:
    data = packet(V6, Echo("2001:db8::1", 104, IDENT, NONCE))
    assert len(data) == 64
    assert data[:16] == b"\x80\0\0\0" + IDENT + NONCE


def test_a_request_bears_its_marks() -> None:
    assert _marks(packet(V4, ECHO)) == (IDENT, NONCE)


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        (Answer("192.0.2.2", IDENT, NONCE), True),
        (Answer("192.0.2.2", IDENT, b"noncenoN"), False),
        (Answer("192.0.2.2", b"\x12\x34\x56\x79", NONCE), False),
        (Answer("192.0.2.2", IDENT, None), False),
        (Answer("192.0.2.1", IDENT, NONCE, "host-unreachable"), True),
        (Answer("192.0.2.1", IDENT, None, "host-unreachable"), True),
        (Answer("192.0.2.1", IDENT, b"noncenoN", "host-unreachable"), False),
    ],
)
def test_an_answer_is_known_by_its_marks(answer: Answer, ours: bool) -> None:
    assert answer.is_to(ECHO) is ours


@given(st.binary(max_size=40))
def test_whatever_an_error_quotes_it_can_be_read(quoted: bytes) -> None:
    _marks(quoted)
