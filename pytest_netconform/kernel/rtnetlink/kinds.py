"""Links of the kinds that have options: bridge and its ports, vxlan, macvlan, vlan.

Source: linux/if_link.h; ip-link(8), bridge(8).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, be16, ip, u8, u12, u24, u32
from pytest_netconform.kernel.rtnetlink.base import Dev, Request, deed, one_of
from pytest_netconform.kernel.rtnetlink.links import kind_set, link_add, slave_set

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
CENTISECONDS = 100


class Br:
    """Attributes of a bridge."""

    FORWARD_DELAY = Attribute(1, u32)
    AGEING_TIME = Attribute(4, u32)
    STP_STATE = Attribute(5, u32)
    VLAN_FILTERING = Attribute(7, u8)
    MCAST_SNOOPING = Attribute(23, u8)


class Brport:
    """Attributes of a port of a bridge."""

    COST = Attribute(3, u32)
    HAIRPIN = Attribute(4, u8)
    LEARNING = Attribute(8, u8)
    FLOOD = Attribute(9, u8)
    PROXY_ARP = Attribute(10, u8)
    MCAST_FLOOD = Attribute(27, u8)
    BCAST_FLOOD = Attribute(30, u8)
    NEIGH_SUPPRESS = Attribute(32, u8)
    ISOLATED = Attribute(33, u8)


PORT = {
    name.lower(): attribute for name, attribute in vars(Brport).items() if isinstance(attribute, Attribute)
}
"""What a port can be told, as ip and bridge call it."""


class Vxlan:
    """Attributes of a VXLAN device."""

    ID = Attribute(1, u24)
    GROUP = Attribute(2, ip)
    LINK = Attribute(3, u32)
    LOCAL = Attribute(4, ip)
    TTL = Attribute(5, u8)
    LEARNING = Attribute(7, u8)
    DSTPORT = Attribute(15, be16)
    GROUP6 = Attribute(16, ip)
    LOCAL6 = Attribute(17, ip)


class Vlan:
    """Attributes of a VLAN."""

    ID = Attribute(1, u12)


MACVLAN_MODE = Attribute(1, u32)


@deed("link add {} type bridge")
def bridge_add(
    ifname: str,
    *,
    index: int = 0,
    mtu: int | None = None,
    address: str | None = None,
    up: bool = False,
    stp: bool | None = None,
    forward_delay_s: float | None = None,
    ageing_time_s: float | None = None,
    vlan_filtering: bool | None = None,
    mcast_snooping: bool | None = None,
) -> Request:
    """Add a bridge; one that is given its MAC address keeps it, whatever ports come and go."""
    info = (
        Br.STP_STATE(stp)
        + Br.FORWARD_DELAY(_centiseconds(forward_delay_s))
        + Br.AGEING_TIME(_centiseconds(ageing_time_s))
        + Br.VLAN_FILTERING(vlan_filtering)
        + Br.MCAST_SNOOPING(mcast_snooping)
    )
    return link_add(ifname, "bridge", index=index, mtu=mtu, address=address, up=up, info=info)


@deed("link set {} type bridge")
def bridge_set(dev: Dev, *, mcast_snooping: bool) -> Request:
    """Change a bridge."""
    what = f"mcast_snooping {int(mcast_snooping)}"
    return kind_set(dev, "bridge", what, Br.MCAST_SNOOPING(mcast_snooping))


@deed("link set {} type bridge_slave")
def port_set(dev: Dev, **options: int) -> Request:
    """Change a port of a bridge: `port_set(dev, hairpin=True, learning=False)`."""
    data = b"".join(one_of("port", name, PORT)(int(value)) for name, value in options.items())
    said = " ".join(f"{name} {int(value)}" for name, value in options.items())
    return slave_set(dev, "bridge", said, data)


@deed("link add {} type vxlan")
def vxlan_add(
    ifname: str,
    id: int,
    *,
    index: int = 0,
    dev: Dev | None = None,
    local: str | None = None,
    remote: str | None = None,
    group: str | None = None,
    dstport: int | None = None,
    learning: bool | None = None,
    ttl: int | None = None,
    mtu: int | None = None,
    address: str | None = None,
    up: bool = False,
) -> Request:
    """Add a VXLAN device; it sends what it knows no place for to *remote*, or to the multicast *group*.

    Units: without *mtu* it has that of *dev* less what goes around a packet; more is cut down to it.
    """
    if remote is not None and group is not None:
        raise ValueError("remote and group exclude each other")
    if group is not None and not ipaddress.ip_address(group).is_multicast:
        raise ValueError(f"group: {group} is no multicast address; one peer is a remote")
    if remote is not None and ipaddress.ip_address(remote).is_multicast:
        raise ValueError(f"remote: {remote} is a multicast address, and so a group")
    info = (
        Vxlan.ID(id)
        + Vxlan.LINK(dev.ifindex if dev else None)
        + _of_family(Vxlan.LOCAL, Vxlan.LOCAL6, local)
        + _of_family(Vxlan.GROUP, Vxlan.GROUP6, remote or group)
        + Vxlan.DSTPORT(dstport)
        + Vxlan.LEARNING(learning)
        + Vxlan.TTL(ttl)
    )
    return link_add(ifname, "vxlan", index=index, mtu=mtu, address=address, up=up, info=info)


@deed("link add {} type macvlan")
def macvlan_add(ifname: str, link: Dev, *, mode: str = "bridge", **common: Any) -> Request:
    """Add a device of its own MAC address upon *link*.

    Shape: *common* as of link_add.
    """
    info = MACVLAN_MODE(one_of("mode", mode, MACVLAN_MODES))
    return link_add(ifname, "macvlan", link=link, info=info, **common)


@deed("link add {} type vlan")
def vlan_add(ifname: str, link: Dev, id: int, **common: Any) -> Request:
    """Add the VLAN of a number upon *link*.

    Shape: *common* as of link_add.
    """
    return link_add(ifname, "vlan", link=link, info=Vlan.ID(id), **common)


def _of_family(four: Attribute[str], six: Attribute[str], address: str | None) -> bytes:
    return (six if address and ":" in address else four)(address)


def _centiseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * CENTISECONDS)
