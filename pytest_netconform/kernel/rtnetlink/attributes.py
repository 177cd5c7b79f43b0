"""Attributes of netlink: each knows its number, its name for people, and how its value is written."""

from __future__ import annotations

import ipaddress
import os
import re
import struct
from collections.abc import Callable
from typing import Generic, TypeVar

from pytest_netconform.kernel.netlink import ATTRIBUTE

T = TypeVar("T")
PADDING = (b"", bytes(3), bytes(2), bytes(1))
MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class Attribute(Generic[T]):
    """One attribute; called with a value it gives the bytes of both, and for None nothing.

    Shape: stands in a class named as the kernel's enum, in lower case where Python reads better so.
    """

    __slots__ = ("name", "number", "write")

    def __init__(self, number: int, write: Callable[[T], bytes]) -> None:
        self.number, self.write, self.name = number, write, ""

    def __set_name__(self, _: type, name: str) -> None:
        self.name = name.lower()

    def __call__(self, value: T | None) -> bytes:
        if value is None:
            return b""
        try:
            data = self.write(value)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        return ATTRIBUTE.pack(ATTRIBUTE.size + len(data), self.number) + data + PADDING[len(data) & 3]


def _number(form: str, bits: int) -> Callable[[int], bytes]:
    pack, last = struct.Struct(form).pack, (1 << bits) - 1

    def write(value: int) -> bytes:
        if not isinstance(value, int) or not 0 <= value <= last:
            raise ValueError(f"expected a number from 0 to {last}, got {value!r}")
        return pack(value)

    return write


u8, u16, u32, be16 = _number("=B", 8), _number("=H", 16), _number("=I", 32), _number("!H", 16)
u12, u24 = _number("=H", 12), _number("=I", 24)
"""Identifiers of a VLAN and of a VXLAN, in wider fields than they have."""


def text(value: str) -> bytes:
    data = os.fsencode(value)
    if b"\0" in data:
        raise ValueError(f"{value!r} has a NUL in it")
    return data + b"\0"


def mac(value: str) -> bytes:
    if not MAC.fullmatch(value):
        raise ValueError(f"expected a MAC address such as 02:00:00:00:00:01, got {value!r}")
    return bytes.fromhex(value.replace(":", ""))


def station(value: str) -> bytes:
    """Write the MAC address of one station."""
    data = mac(value)
    if data[0] & 1:
        raise ValueError(f"{value} is a multicast MAC address; one device's has an even first byte")
    if not any(data):
        raise ValueError(f"{value} is no device's MAC address")
    return data


def ip(value: str) -> bytes:
    return ipaddress.ip_address(value).packed


def raw(value: bytes) -> bytes:
    """Write what is written already: nested attributes, or a structure of the kernel's."""
    return value
