"""Network devices, as `ip link` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row, object_at
from pytest_netconform.facts.vocabularies import LINK_FLAGS, OPERSTATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Fact):
    """One network device.

    Shape: *kind*, *info* are linkinfo's info_kind, info_data, and *slave_kind*, *slave* what its master knows
           of it, as the kernel has them. *link* is the lower device or peer in the same netns; a peer in
           another one shows as *link_index* and *link_netnsid* only. *stats* is {rx: {...}, tx: {...}}.
    """

    identity: ClassVar[tuple[str, ...]] = ("ifname",)
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"operstate": OPERSTATE, "flags": LINK_FLAGS}

    ifindex: int
    ifname: str
    flags: tuple[str, ...] = ()
    mtu: int | None = None
    operstate: str | None = None
    address: str | None = None
    broadcast: str | None = None
    permaddr: str | None = None
    group: str | None = None
    txqlen: int | None = None
    link_type: str | None = None
    linkmode: str | None = None
    qdisc: str | None = None
    master: str | None = None
    link: str | None = None
    link_index: int | None = None
    link_netnsid: int | None = None
    link_pointtopoint: bool | None = None
    kind: str | None = None
    info: Mapping[str, Any] | None = None
    slave_kind: str | None = None
    slave: Mapping[str, Any] | None = None
    xdp: Mapping[str, Any] | None = None
    inet6_addr_gen_mode: str | None = None
    promiscuity: int | None = None
    allmulti: int | None = None
    min_mtu: int | None = None
    max_mtu: int | None = None
    num_tx_queues: int | None = None
    num_rx_queues: int | None = None
    gso_max_size: int | None = None
    gso_max_segs: int | None = None
    gso_ipv4_max_size: int | None = None
    tso_max_size: int | None = None
    tso_max_segs: int | None = None
    gro_max_size: int | None = None
    gro_ipv4_max_size: int | None = None
    parentbus: str | None = None
    parentdev: str | None = None
    phys_port_id: str | None = None
    phys_port_name: str | None = None
    phys_switch_id: str | None = None
    proto_down: bool | None = None
    altnames: tuple[str, ...] = ()
    ifalias: str | None = None
    stats: Mapping[str, Any] | None = None


READER = Reader(Link)
LINKINFO = {
    "info_kind": "kind",
    "info_data": "info",
    "info_slave_kind": "slave_kind",
    "info_slave_data": "slave",
}


def parse_links(text: str) -> tuple[Link, ...]:
    """Read the links out of what `ip -s -d -j addr` or `ip -d -j link` printed.

    Raises: Unreadable.
    """
    return tuple(READER.read(flattened(row)) for row in READER.rows(text))


def flattened(row: Row) -> Row:
    """Put what stands under `linkinfo` and `stats64` where Link has it."""
    linkinfo = object_at(row, "linkinfo")
    return (
        row
        | {name: linkinfo.get(key) for key, name in LINKINFO.items()}
        | {"stats": row.get("stats64", row.get("stats"))}
    )
