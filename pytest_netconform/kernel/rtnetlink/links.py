"""Links: of any kind added, changed and deleted.

Source: linux/if_link.h, linux/rtnetlink.h; ip-link(8).
"""

from __future__ import annotations

import struct

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, raw, station, text, u32
from pytest_netconform.kernel.rtnetlink.base import NEW, Dev, Request, deed, words

RTM_NEWLINK, RTM_DELLINK, IFF_UP = 16, 17, 0x1
INFO_HEADER = struct.Struct("=BxHiII")


class Ifla:
    """Attributes of any link."""

    ADDRESS = Attribute(1, station)
    IFNAME = Attribute(3, text)
    MTU = Attribute(4, u32)
    LINK = Attribute(5, u32)
    MASTER = Attribute(10, u32)
    TXQLEN = Attribute(13, u32)
    LINKINFO = Attribute(18, raw)
    NET_NS_FD = Attribute(28, u32)


class Info:
    """Attributes of a link's kind, and of what it is a port of."""

    KIND = Attribute(1, text)
    DATA = Attribute(2, raw)
    SLAVE_KIND = Attribute(4, text)
    SLAVE_DATA = Attribute(5, raw)


VETH_INFO_PEER = Attribute(1, raw)


@deed("link add {}")
def link_add(
    ifname: str,
    kind: str,
    *,
    index: int = 0,
    link: Dev | None = None,
    master: Dev | None = None,
    netns: int | None = None,
    mtu: int | None = None,
    address: str | None = None,
    up: bool = False,
    info: bytes = b"",
) -> Request:
    """Add a link; with *netns*, a descriptor, in another namespace.

    Shape: *link* is the device below, in the namespace that is asked; *info* holds the kind's own attributes.
    """
    body = (
        _header(index, up or None)
        + Ifla.IFNAME(ifname)
        + Ifla.MTU(mtu)
        + Ifla.ADDRESS(address)
        + Ifla.LINK(link.ifindex if link else None)
        + Ifla.MASTER(master.ifindex if master else None)
        + Ifla.NET_NS_FD(netns)
        + Ifla.LINKINFO(Info.KIND(kind) + Info.DATA(info or None))
    )
    return Request(f"link add {ifname} type {kind}", RTM_NEWLINK, NEW, body)


@deed("link add {} type veth")
def veth_add(
    first: Dev,
    first_net: int,
    second: Dev,
    second_net: int,
    mtu: int | None = None,
    *,
    addresses: tuple[str | None, str | None] = (None, None),
    master: Dev | None = None,
    up: bool = False,
) -> Request:
    """Add a veth pair, each end directly in the namespace of its descriptor.

    They must differ in ifindex: where they do not, the kernel takes a second to notice that they are up.

    Shape: *addresses* are MAC addresses; *master* and *up* are of the first end, for the kernel opens the
           second before it knows the first.
    """
    peer = (
        _header(second.ifindex, None)
        + Ifla.IFNAME(second.ifname)
        + Ifla.NET_NS_FD(second_net)
        + Ifla.MTU(mtu)
        + Ifla.ADDRESS(addresses[1])
    )
    return link_add(
        first.ifname,
        "veth",
        index=first.ifindex,
        netns=first_net,
        mtu=mtu,
        address=addresses[0],
        master=master,
        up=up,
        info=VETH_INFO_PEER(peer),
    )


@deed("link set {}")
def link_set(
    dev: Dev,
    *,
    up: bool | None = None,
    mtu: int | None = None,
    address: str | None = None,
    master: Dev | None = None,
    netns: int | None = None,
    name: str | None = None,
    txqlen: int | None = None,
) -> Request:
    """Change a link; *netns* is the descriptor of the namespace that it moves to."""
    what = words(
        f"link set {dev.ifname}",
        *(() if up is None else ("up" if up else "down",)),
        ("mtu", mtu),
        ("address", address),
        ("master", master and master.ifname),
        *(() if netns is None else ("netns",)),
        ("name", name),
        ("txqueuelen", txqlen),
    )
    body = (
        _header(dev.ifindex, up)
        + Ifla.MTU(mtu)
        + Ifla.ADDRESS(address)
        + Ifla.MASTER(master.ifindex if master else None)
        + Ifla.NET_NS_FD(netns)
        + Ifla.IFNAME(name)
        + Ifla.TXQLEN(txqlen)
    )
    return Request(what, RTM_NEWLINK, 0, body)


def link_up(dev: Dev) -> Request:
    return link_set(dev, up=True)


def link_master(dev: Dev, master: Dev) -> Request:
    """Make a link a port of a bridge."""
    return link_set(dev, master=master)


def link_nomaster(dev: Dev) -> Request:
    """Take a link out of its bridge."""
    return Request(
        f"link set {dev.ifname} nomaster", RTM_NEWLINK, 0, _header(dev.ifindex, None) + Ifla.MASTER(0)
    )


def link_delete(dev: Dev) -> Request:
    """Delete a link, and so its peer if it has one."""
    return Request(f"link delete {dev.ifname}", RTM_DELLINK, 0, _header(dev.ifindex, None))


def kind_set(dev: Dev, kind: str, what: str, data: bytes) -> Request:
    """Change what a link has as one of its *kind*."""
    body = _header(dev.ifindex, None) + Ifla.LINKINFO(Info.KIND(kind) + Info.DATA(data))
    return Request(f"link set {dev.ifname} type {kind} {what}", RTM_NEWLINK, 0, body)


def slave_set(dev: Dev, kind: str, what: str, data: bytes) -> Request:
    """Change a link as the port that it is, of a *kind* of master."""
    body = _header(dev.ifindex, None) + Ifla.LINKINFO(Info.SLAVE_KIND(kind) + Info.SLAVE_DATA(data))
    return Request(f"link set {dev.ifname} type {kind}_slave {what}", RTM_NEWLINK, 0, body)


def _header(index: int, up: bool | None) -> bytes:
    return INFO_HEADER.pack(0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)
