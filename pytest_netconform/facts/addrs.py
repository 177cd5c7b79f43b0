"""Addresses of network devices, as `ip addr` tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row, name_of, rows_of
from pytest_netconform.facts.vocabularies import ADDR_FLAGS, FAMILY, SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Addr(Fact):
    """One address of one device.

    Units: life times in seconds; 4294967295 is forever.
    Shape: *address* is the peer's, where one was given. *flags* are those
           that ip names: dynamic, tentative, dadfailed, deprecated, secondary, noprefixroute, mngtmpaddr, ...
    """

    identity: ClassVar[tuple[str, ...]] = ("local", "prefixlen", "ifname")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"family": FAMILY, "scope": SCOPE, "flags": ADDR_FLAGS}

    ifindex: int
    ifname: str
    family: str
    local: str
    prefixlen: int
    address: str | None = None
    scope: str | None = None
    label: str | None = None
    broadcast: str | None = None
    anycast: str | None = None
    flags: tuple[str, ...] = ()
    valid_life_time: int | None = None
    preferred_life_time: int | None = None
    metric: int | None = None
    protocol: str | None = None

    def caption(self) -> str:
        return f"{self.local}/{self.prefixlen} dev {self.ifname}"


READER = Reader(Addr)


def parse_addrs(text: str) -> tuple[Addr, ...]:
    """Read the addresses out of what `ip -d -j addr` printed.

    Raises: Unreadable.
    """
    return tuple(addr for link in READER.rows(text) for addr in addrs_of(link))


def addrs_of(link: Row) -> Iterator[Addr]:
    device = {name: link.get(name) for name in ("ifindex", "ifname")}
    for row in rows_of(link.get("addr_info", []), f"{name_of(link)}addr_info: "):
        flags = [name for name, value in row.items() if value is True]
        yield READER.read(device | row | {"flags": flags})
