"""Netlink answers, taken apart as they come."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_netconform.kernel import netlink, rtnetlink
from pytest_netconform.kernel.netlink import Netlink, attribute


class Dev:
    ifname, ifindex = "eth0", 7


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Netlink, socket.socket]]:
    """A netlink socket whose kernel is the test."""
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(socket.socket, "setsockopt", lambda *_: None)
    with ours, kernels:
        yield Netlink(ours), kernels


def message(kind: int, seq: int, body: bytes, flags: int = 0) -> bytes:
    data = netlink.HEADER.pack(netlink.HEADER.size + len(body), kind, flags, seq, 0) + body
    return data + bytes(-len(data) % 4)


def status(seq: int, number: int, words: str = "") -> bytes:
    body = netlink.STATUS.pack(-number) + bytes(netlink.HEADER.size)
    if words:
        body += netlink.ATTRIBUTE.pack(4 + len(words) + 1, netlink.NLMSGERR_ATTR_MSG) + words.encode() + b"\0"
    return message(netlink.NLMSG_ERROR, seq, body, netlink.NLM_F_ACK_TLVS if words else 0)


def test_every_request_is_answered_before_we_go_on(ends: tuple[Netlink, socket.socket]) -> None:
    ours, kernel = ends
    kernel.send(status(1, 0) + message(16, 0, bytes(16)))
    kernel.send(status(3, 0) + status(2, 17, "File is here"))
    refused = ours.execute([(16, 0, b"1"), (16, 0, b"22"), (16, 0, b"333")])
    assert [(each.position, str(each)) for each in refused] == [(1, "File is here (EEXIST)")]
    sent = list(netlink._split(kernel.recv(4096)))
    assert [(each.seq, each.body) for each in sent] == [(1, b"1"), (2, b"22"), (3, b"333")]


def test_without_words_of_the_kernel_those_of_libc_serve(ends: tuple[Netlink, socket.socket]) -> None:
    ours, kernel = ends
    kernel.send(status(1, 1))
    assert str(ours.execute([(16, 0, b"")])[0]) == "Operation not permitted (EPERM)"


def test_a_table_ends_with_done(ends: tuple[Netlink, socket.socket]) -> None:
    ours, kernel = ends
    kernel.send(message(16, 1, b"aaaa") + message(16, 9, b"not ours"))
    kernel.send(message(16, 1, b"bbbb") + message(netlink.NLMSG_DONE, 1, bytes(4)))
    assert [each.body for each in ours.ask(18, b"")] == [b"aaaa", b"bbbb"]


def test_a_refused_table_raises(ends: tuple[Netlink, socket.socket]) -> None:
    ours, kernel = ends
    kernel.send(status(1, 95))
    with pytest.raises(OSError, match="not supported"):
        list(ours.ask(18, b""))


def test_an_announcement_is_noticed_and_takes_no_part_in_an_answer(
    ends: tuple[Netlink, socket.socket],
) -> None:
    ours, kernel = ends
    with ours.listening([1]):
        kernel.send(message(16, 0, b"link") + status(1, 0))
        assert ours.execute([(16, 0, b"")]) == []
        kernel.send(message(16, 0, b"link"))
        assert ours.notice(deadline=time.monotonic() + 5)


def test_nothing_to_notice_ends_with_the_deadline(ends: tuple[Netlink, socket.socket]) -> None:
    assert not ends[0].notice(deadline=0.0)


@example(bytes(64), 0)
@given(st.binary(max_size=200), st.integers(0, 8))
def test_any_bytes_are_taken_apart_in_bounded_time(data: bytes, start: int) -> None:
    attribute(data, start, 3)
    assert sum(len(each.body) for each in netlink._split(data)) <= len(data)


def test_an_attribute_is_found_by_its_number_whatever_its_flags() -> None:
    data = struct.pack("=HH4s", 8, 16 | 0x8000, b"abcd") + struct.pack("=HHb3x", 5, 3, 6)
    assert [attribute(data, 0, number) for number in (16, 3, 4)] == [b"abcd", b"\x06", b""]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (rtnetlink.link_add("br0", "bridge"), "link add br0 type bridge"),
        (rtnetlink.link_up(Dev()), "link set eth0 up"),
        (rtnetlink.link_delete(Dev()), "link delete eth0"),
        (
            rtnetlink.addr_add(Dev(), ipaddress.ip_interface("2001:db8::1/64")),
            "addr add 2001:db8::1/64 dev eth0",
        ),
        (rtnetlink.route_add("0.0.0.0/0", via="192.0.2.1"), "route add unicast 0.0.0.0/0 via 192.0.2.1"),
        (
            rtnetlink.route_add("192.0.2.0/24", Dev(), table=1000),
            "route add unicast 192.0.2.0/24 dev eth0 table 1000",
        ),
        (
            rtnetlink.neigh_replace("192.0.2.1", "02:00:00:00:00:01", Dev()),
            "neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0",
        ),
    ],
    ids=str,
)
def test_a_request_names_its_deed_and_can_be_encoded(request_: rtnetlink.Request, words: str) -> None:
    assert request_.what == words
    kind, _, body = request_.encoded()
    assert kind == request_.type
    assert len(body) % 4 == 0
