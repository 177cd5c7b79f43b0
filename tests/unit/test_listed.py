"""What the kernel lists, without how it fares at the moment, and as it takes it back."""

from __future__ import annotations

import socket
import struct

import pytest

from pytest_netconform.kernel.impairing import listed
from pytest_netconform.kernel.impairing.listed import Entry
from pytest_netconform.kernel.netlink import ATTRIBUTE, Message

ONE, TWO = socket.inet_aton("10.0.0.0"), socket.inet_aton("192.0.2.2")
ONE6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")


def attr(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def route(
    flags: int = 0, *attrs: bytes, family: int = socket.AF_INET, proto: int = 3, kind: int = 1
) -> Entry:
    head = struct.pack("=BBBBBBBBI", family, 8, 0, 0, 254, proto, 0, kind, flags)
    return next(listed._route(Message(24, 2, 1, head + b"".join(attrs))))


def path(flags: int, ifindex: int) -> bytes:
    return struct.pack("=HBBi", 16, flags, 0, ifindex) + attr(5, TWO)


def test_a_route_is_the_same_whether_its_device_has_a_carrier_or_not() -> None:
    dst, age = attr(1, ONE), attr(12, struct.pack("=8I", *range(8)))
    assert route(0x1 | 0x10, dst, age) == route(0, dst)
    assert route(0x4, dst) != route(0, dst)
    assert route(0, dst, attr(9, path(0x11, 3) + path(0, 4))) == route(
        0, dst, attr(9, path(0, 3) + path(0, 4))
    )
    assert str(route(0, dst)) == "route 10.0.0.0/8"


def test_a_cached_route_is_none() -> None:
    assert not list(listed._route(Message(24, 0, 1, struct.pack("=8BI", *bytes(8), 0x200))))


def test_what_a_nexthop_says_is_not_said_again_by_its_routes() -> None:
    assert route(0, attr(30, b"\7\0\0\0"), attr(4, b"\3\0\0\0"), attr(5, TWO)) == route(
        0, attr(30, b"\7\0\0\0")
    )


def test_a_route_that_expires_is_put_back_with_the_time_that_is_left() -> None:
    dst, age = attr(1, ONE6), attr(12, struct.pack("=IIi5I", 0, 0, 4200, 0, 0, 0, 0, 0))
    entry = route(0, dst, age, family=socket.AF_INET6)
    assert entry == route(0, dst, family=socket.AF_INET6)
    assert entry.told == attr(23, struct.pack("=I", 42))
    assert entry.request()[2] == entry.body + entry.told


def test_routes_of_addresses_are_the_kernels_own() -> None:
    own = route(0, attr(1, ONE6), family=socket.AF_INET6, proto=2, kind=2)
    assert own.own_address == ONE6
    assert route(0, attr(1, ONE6), family=socket.AF_INET6, proto=3, kind=2).own_address is None


def address(flags: int, valid: int) -> Entry:
    head = struct.pack("=BBBBI", socket.AF_INET6, 64, flags & 0xFF, 0, 7)
    lifetimes = attr(6, struct.pack("=IIII", valid, valid, 1, 2))
    body = head + attr(1, ONE6) + lifetimes + attr(8, struct.pack("=I", flags))
    return next(listed._addr(Message(20, 2, 1, body)))


@pytest.mark.parametrize("fares", [0x40, 0x80, 0x08, 0x20, 0x01])
def test_an_address_is_the_same_however_it_fares(fares: int) -> None:
    assert address(fares, 0xFFFF_FFFF) == address(0, 0xFFFF_FFFF)
    assert address(0x200, 0xFFFF_FFFF) != address(0, 0xFFFF_FFFF)


def test_an_address_keeps_what_is_left_of_its_life() -> None:
    assert address(0, 50) == address(0, 60)
    assert [bool(address(0, valid).told) for valid in (50, 0xFFFF_FFFF)] == [True, False]
    assert (str(address(0, 50)), address(0, 50).ifindex) == ("addr 2001:db8::1/64", 7)


@pytest.mark.parametrize(
    ("state", "flags", "kept"),
    [
        (0x80, 0, True),
        (0x02, 0, False),
        (0x04, 0, False),
        (0x40, 0, False),
        (0, 0x08, True),
        (0x04, 0x10, True),
    ],
)
def test_of_neighbours_those_are_kept_that_are_not_just_learned(state: int, flags: int, kept: bool) -> None:
    body = struct.pack("=B3xiHBB", socket.AF_INET, 7, state, flags, 1) + attr(1, TWO)
    assert bool(list(listed._neigh(Message(28, 2, 1, body)))) is kept
