"""Neighbours, and the forwarding databases of bridges and VXLAN devices, which are the same message.

Source: linux/neighbour.h; ip-neighbour(8), bridge(8).
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, be16, ip, mac, station, u16, u24, u32
from pytest_netconform.kernel.rtnetlink.base import (
    APPEND,
    NEW,
    REPLACE,
    Dev,
    Request,
    deed,
    family,
    one_of,
    words,
)

RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
NUD_REACHABLE, NUD_NOARP, NUD_PERMANENT = 0x02, 0x40, 0x80
NTF_SELF, NTF_MASTER, NTF_PROXY, NTF_ROUTER = 0x2, 0x4, 0x8, 0x80
NEIGHBOUR_HEADER = struct.Struct("=BxxxiHBB")
STATES = {
    "none": 0x00,
    "incomplete": 0x01,
    "reachable": 0x02,
    "stale": 0x04,
    "delay": 0x08,
    "probe": 0x10,
    "failed": 0x20,
    "noarp": 0x40,
    "permanent": 0x80,
}
FDB_STATES = {
    "permanent": NUD_NOARP | NUD_PERMANENT,
    "static": NUD_NOARP | NUD_REACHABLE,
    "dynamic": NUD_REACHABLE,
}
"""What an entry of a forwarding database can be; a permanent one of a bridge is the bridge itself."""
EVERY = "00:00:00:00:00:00"
"""The address under which a VXLAN device finds where to send what it knows no place for."""


class Nda:
    """Attributes of a neighbour, and of an entry of a forwarding database."""

    DST = Attribute(1, ip)
    VLAN = Attribute(5, u16)
    PORT = Attribute(6, be16)
    VNI = Attribute(7, u24)
    IFINDEX = Attribute(8, u32)


class NdaNeigh:
    """Whose a neighbour's address is: one station's."""

    LLADDR = Attribute(2, station)


class NdaFdb:
    """Where an entry is for: also a group's."""

    LLADDR = Attribute(2, mac)


@deed("neigh replace {}")
def neigh_replace(
    dst: str,
    lladdr: str | None,
    dev: Dev,
    *,
    state: int | str = NUD_PERMANENT,
    router: bool = False,
    proxy: bool = False,
) -> Request:
    """Set a neighbour, for good by default: permanent ones do not count against the table's size."""
    number = one_of("state", state, STATES) if isinstance(state, str) else state
    flags = (NTF_ROUTER if router else 0) | (NTF_PROXY if proxy else 0)
    body = _header(dst, dev, number, flags) + Nda.DST(dst) + NdaNeigh.LLADDR(lladdr)
    what = words(f"neigh replace {dst}", ("lladdr", lladdr), ("dev", dev.ifname))
    return Request(what, RTM_NEWNEIGH, REPLACE, body)


@deed("neigh delete {}")
def neigh_delete(dst: str, dev: Dev, *, proxy: bool = False) -> Request:
    body = _header(dst, dev, 0, NTF_PROXY if proxy else 0) + Nda.DST(dst)
    return Request(f"neigh delete {dst} dev {dev.ifname}", RTM_DELNEIGH, 0, body)


@deed("fdb add {}")
def fdb_add(
    lladdr: str,
    dev: Dev,
    *,
    dst: str | None = None,
    vni: int | None = None,
    port: int | None = None,
    via: Dev | None = None,
    vlan: int | None = None,
    state: str = "permanent",
    master: bool = False,
    append: bool = False,
    replace: bool = False,
) -> Request:
    """Add an entry to a device's own forwarding database, or with *master* to that of its bridge.

    Shape: *append* adds one more *dst* to those that a MAC address has already, *replace* takes their place.
    """
    if append and replace:
        raise ValueError("append and replace exclude each other")
    body = _bridge_header(dev, one_of("state", state, FDB_STATES), master) + (
        NdaFdb.LLADDR(lladdr)
        + Nda.DST(dst)
        + Nda.VNI(vni)
        + Nda.PORT(port)
        + Nda.IFINDEX(via.ifindex if via else None)
        + Nda.VLAN(vlan)
    )
    verb, flags = ("append", APPEND) if append else ("replace", REPLACE) if replace else ("add", NEW)
    return Request(_fdb_words(verb, lladdr, dev, dst, vni), RTM_NEWNEIGH, flags, body)


@deed("fdb delete {}")
def fdb_delete(
    lladdr: str,
    dev: Dev,
    *,
    dst: str | None = None,
    vni: int | None = None,
    vlan: int | None = None,
    master: bool = False,
) -> Request:
    body = (
        _bridge_header(dev, 0, master) + NdaFdb.LLADDR(lladdr) + Nda.DST(dst) + Nda.VNI(vni) + Nda.VLAN(vlan)
    )
    return Request(_fdb_words("delete", lladdr, dev, dst, vni), RTM_DELNEIGH, 0, body)


def _header(dst: str, dev: Dev, state: int, flags: int) -> bytes:
    return NEIGHBOUR_HEADER.pack(family(ipaddress.ip_address(dst)), dev.ifindex, state, flags, 0)


def _bridge_header(dev: Dev, state: int, master: bool) -> bytes:
    return NEIGHBOUR_HEADER.pack(socket.AF_BRIDGE, dev.ifindex, state, NTF_MASTER if master else NTF_SELF, 0)


def _fdb_words(verb: str, lladdr: str, dev: Dev, dst: str | None, vni: int | None) -> str:
    return words(f"fdb {verb} {lladdr}", ("dst", dst), ("vni", vni), ("dev", dev.ifname))
