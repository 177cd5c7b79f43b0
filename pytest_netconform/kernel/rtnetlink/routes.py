"""Routes of any type, table and family.

Source: linux/rtnetlink.h; ip-route(8).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, ip, raw, u32
from pytest_netconform.kernel.rtnetlink.base import (
    NEW,
    REPLACE,
    SCOPES,
    Dev,
    Request,
    deed,
    family,
    one_of,
    table_of,
    words,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
RTNH_F_ONLINK, RTPROT_BOOT, RTPROT_KERNEL = 0x4, 3, 2
RT_TABLE_MAIN, RT_TABLE_LOCAL = 254, 255
ROUTE_TYPES = {
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
    "throw": 9,
}
OURS = ("local", "broadcast", "anycast")
"""Types that ip puts into the table local, where it is told no other."""
ROUTE_HEADER, NEXTHOP_HEADER = struct.Struct("=8BI"), struct.Struct("=HBBi")
MOST_WEIGHT = 256


class Rta:
    """Attributes of a route."""

    DST = Attribute(1, raw)
    OIF = Attribute(4, u32)
    GATEWAY = Attribute(5, ip)
    PRIORITY = Attribute(6, u32)
    PREFSRC = Attribute(7, ip)
    METRICS = Attribute(8, raw)
    MULTIPATH = Attribute(9, raw)
    TABLE = Attribute(15, u32)
    VIA = Attribute(18, raw)


class Rtax:
    """Metrics of a route."""

    MTU = Attribute(2, u32)


@dataclass(frozen=True, slots=True)
class Nexthop:
    """One of several ways that a route leads: by a gateway, a device, or both."""

    via: str | None = None
    dev: Dev | None = None
    weight: int = 1
    onlink: bool = False

    def __str__(self) -> str:
        return words(
            "nexthop", ("via", self.via), ("dev", self.dev and self.dev.ifname), ("weight", self.weight)
        )


@deed("route add {}")
def route_add(
    dst: str,
    dev: Dev | None = None,
    *,
    via: str | None = None,
    kind: str = "unicast",
    table: int | str | None = None,
    metric: int | None = None,
    src: str | None = None,
    mtu: int | None = None,
    scope: str | None = None,
    proto: int = RTPROT_BOOT,
    onlink: bool = False,
    nexthops: Sequence[Nexthop] = (),
    inet6: bool | None = None,
    replace: bool = False,
) -> Request:
    """Add a route to a network such as 10.0.0.0/8, to one address, or to `default`.

    Shape: `default` is of the family of what it leads through; without a gateway IPv4's, or as *inet6* says.
    """
    if nexthops and (via is not None or dev is not None):
        raise ValueError(
            "nexthops: each has its own gateway and device, so that there is no via or dev beside them"
        )
    network = network_of(dst, via or next((hop.via for hop in nexthops), None), inet6)
    number = RT_TABLE_LOCAL if kind in OURS else RT_TABLE_MAIN
    header = (
        _table(table, number),
        proto,
        _scope(network, kind, scope, via or nexthops),
        kind,
        onlink,
    )
    body = (
        _header(network, *header)
        + (Rta.OIF(dev.ifindex) if dev else b"")
        + _gateway(network.version, via)
        + Rta.PRIORITY(metric)
        + Rta.PREFSRC(src)
        + Rta.METRICS(Rtax.MTU(mtu) or None)
        + Rta.MULTIPATH(b"".join(_hop(network.version, hop) for hop in nexthops) or None)
    )
    verb = "replace" if replace else "add"
    what = words(_what(verb, dst, dev, via, kind, table, metric), *nexthops)
    return Request(what, RTM_NEWROUTE, REPLACE if replace else NEW, body)


@deed("route delete {}")
def route_delete(
    dst: str,
    dev: Dev | None = None,
    *,
    via: str | None = None,
    kind: str | None = None,
    table: int | str | None = None,
    metric: int | None = None,
    inet6: bool | None = None,
) -> Request:
    """Delete the first route that is so."""
    network = network_of(dst, via, inet6)
    number = RT_TABLE_LOCAL if kind in OURS else RT_TABLE_MAIN
    body = (
        _header(network, _table(table, number), 0, SCOPES["nowhere"], kind, False)
        + (Rta.OIF(dev.ifindex) if dev else b"")
        + _gateway(network.version, via)
        + Rta.PRIORITY(metric)
    )
    return Request(_what("delete", dst, dev, via, kind, table, metric), RTM_DELROUTE, 0, body)


def network_of(dst: str, via: str | None = None, inet6: bool | None = None) -> Network:
    """Read a destination.

    Raises: ValueError, also where *inet6* is not what it, or its gateway, says.
    """
    if dst == "default":
        six = (":" in via) if via else bool(inet6)
    network = ipaddress.ip_network(("::/0" if six else "0.0.0.0/0") if dst == "default" else dst)
    if inet6 is not None and inet6 != (network.version == 6):
        raise ValueError(f"family: {via or dst} is of IPv{network.version}")
    return network


def _table(table: int | str | None, usual: int) -> int:
    number = table_of(table)
    return usual if number is None else number


def _header(network: Network, table: int, proto: int, scope: int, kind: str | None, onlink: bool) -> bytes:
    """Write header, table and destination; only the attribute has room for every table."""
    number = one_of("type", kind, ROUTE_TYPES) if kind else 0
    small = table if 0 <= table < 256 else 0
    flags = RTNH_F_ONLINK if onlink else 0
    header = ROUTE_HEADER.pack(family(network), network.prefixlen, 0, 0, small, proto, scope, number, flags)
    return header + Rta.TABLE(table) + (Rta.DST(network.network_address.packed) if network.prefixlen else b"")


def _scope(network: Network, kind: str, scope: str | None, through: object) -> int:
    """Settle a scope as ip does; IPv6 has none."""
    if scope is not None:
        return one_of("scope", scope, SCOPES)
    if network.version == 6:
        return 0
    if kind == "local":
        return SCOPES["host"]
    direct = kind == "unicast" and not through
    return SCOPES["link" if direct or kind in ("broadcast", "multicast", "anycast") else "global"]


def _gateway(version: int, via: str | None) -> bytes:
    if via is None:
        return b""
    gateway = ipaddress.ip_address(via)
    if gateway.version == version:
        return Rta.GATEWAY(via)
    return Rta.VIA(struct.pack("=H", family(gateway)) + gateway.packed)


def _hop(version: int, hop: Nexthop) -> bytes:
    if not 1 <= hop.weight <= MOST_WEIGHT:
        raise ValueError(f"weight: expected a number from 1 to {MOST_WEIGHT}, got {hop.weight}")
    gateway = _gateway(version, hop.via)
    flags, index = RTNH_F_ONLINK if hop.onlink else 0, hop.dev.ifindex if hop.dev else 0
    return NEXTHOP_HEADER.pack(NEXTHOP_HEADER.size + len(gateway), flags, hop.weight - 1, index) + gateway


def _what(
    verb: str,
    dst: str,
    dev: Dev | None,
    via: str | None,
    kind: str | None,
    table: int | str | None,
    metric: int | None,
) -> str:
    start = f"route {verb} {kind} {dst}" if kind else f"route {verb} {dst}"
    return words(start, ("via", via), ("dev", dev and dev.ifname), ("table", table), ("metric", metric))
