"""Forwarding databases of bridges and VXLAN devices, as `bridge fdb` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row
from pytest_netconform.facts.vocabularies import FDB_STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fdb(Fact):
    """One entry: behind which port, or remote *dst*, a MAC address lives.

    Shape: *ifname* is bridge's own key, *dev* the same by the name that it has in every other table, so that
           `fdb: {dev: flannel.1}` reads like `neigh: {dev: flannel.1}`. *via* is what bridge calls viaIf.
           *state* is permanent, static, stale, or empty for a learned entry. *flags* are self, master,
           extern_learn, offload, sticky, locked.
    """

    identity: ClassVar[tuple[str, ...]] = ("mac", "dev", "dst", "vlan", "vni")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"state": FDB_STATE}

    mac: str
    ifname: str | None = None
    dev: str | None = None
    dst: str | None = None
    vlan: int | None = None
    vni: int | None = None
    src_vni: int | None = None
    port: int | None = None
    via: str | None = None
    nhid: int | None = None
    link_netnsid: int | None = None
    master: str | None = None
    state: str | None = None
    flags: tuple[str, ...] = ()
    used: int | None = None
    updated: int | None = None

    def caption(self) -> str:
        words = [self.mac]
        for word, value in (("dev", self.dev), ("dst", self.dst), ("vlan", self.vlan), ("vni", self.vni)):
            words += [word, str(value)] if value is not None else []
        return " ".join(words)


READER = Reader(Fdb)
RENAMED = {"viaIf": "via", "linkNetNsId": "link_netnsid", "ifname": "dev"}


def parse_fdb(text: str) -> tuple[Fdb, ...]:
    """Read what `bridge -d -j fdb` printed.

    Raises: Unreadable.
    """
    return tuple(READER.read(renamed(row)) for row in READER.rows(text))


def renamed(row: Row) -> Row:
    return row | {name: row.get(key) for key, name in RENAMED.items()}
