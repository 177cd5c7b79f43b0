"""Neighbours, as `ip neigh` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row
from pytest_netconform.facts.vocabularies import FAMILY, NEIGH_STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Neigh(Fact):
    """One neighbour: an address, and the link layer's address that belongs to it, once known.

    Units: used, confirmed and updated in seconds ago; refcnt and probes are counts.
    Shape: *state* is among INCOMPLETE REACHABLE STALE DELAY PROBE FAILED NOARP PERMANENT;
           a proxy entry has none.
    """

    identity: ClassVar[tuple[str, ...]] = ("dst", "dev")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"family": FAMILY, "state": NEIGH_STATE}

    family: str
    dst: str
    dev: str | None = None
    lladdr: str | None = None
    state: tuple[str, ...] = ()
    router: bool = False
    proxy: bool = False
    managed: bool = False
    extern_learn: bool = False
    offload: bool = False
    protocol: str | None = None
    refcnt: int | None = None
    used: int | None = None
    confirmed: int | None = None
    updated: int | None = None
    probes: int | None = None

    def caption(self) -> str:
        return self.dst if self.dev is None else f"{self.dst} dev {self.dev}"


READER = Reader(Neigh)
PRESENCE = frozenset({"router", "proxy", "managed", "extern_learn", "offload"})
"""Keys that ip prints as null where they hold."""


def parse_neighs(text: str) -> tuple[Neigh, ...]:
    """Read what `ip -s -d -j neigh` printed.

    Raises: Unreadable.
    """
    return tuple(READER.read(completed(row)) for row in READER.rows(text))


def completed(row: Row) -> Row:
    """Add the family, and say true for what holds."""
    family = "inet6" if ":" in str(row.get("dst")) else "inet"
    return row | dict.fromkeys(PRESENCE & row.keys(), True) | {"family": family}
