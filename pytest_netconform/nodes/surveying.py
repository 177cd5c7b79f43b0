"""What joins the namespaces of a net, as the kernel tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_netconform.facts.links import Link
from pytest_netconform.nodes.drawing import Segment, Side
from pytest_netconform.nodes.namespaces import Netns

Place = tuple[str, str]
"""A namespace and a device in it, by name."""


def segments(members: Iterable[Netns]) -> list[Segment]:
    """Find out which devices a frame of each can reach: over veth pairs, bridges, and the same VXLAN."""
    links = {
        (netns.name, link.ifname): link for netns in members for link in netns.links if link.ifname != "lo"
    }
    addresses: dict[Place, list[str]] = defaultdict(list)
    for netns in members:
        for addr in netns.addrs:
            if addr.scope == "global":
                addresses[netns.name, addr.ifname].append(f"{addr.local}/{addr.prefixlen}")
    found: dict[Any, list[Place]] = defaultdict(list)
    circles = _circles(links)
    for place, circle in circles.items():
        found[circle].append(place)
    return [_segment(places, links, addresses) for places in found.values()]


def _circles(links: dict[Place, Link]) -> dict[Place, Place]:
    """Give each device the first of those that it is joined with."""
    first = {place: place for place in links}

    def root(place: Place) -> Place:
        while first[place] != place:
            place = first[place]
        return place

    for one, other in _joined(links):
        first[root(one)] = root(other)
    return {place: root(place) for place in links}


def _joined(links: dict[Place, Link]) -> Iterator[tuple[Place, Place]]:
    by_ifindex: dict[int, Place] = {
        link.ifindex: place for place, link in links.items() if link.kind == "veth"
    }
    tunnels: dict[Any, Place] = {}
    for place, link in links.items():
        name, _ = place
        if link.kind == "veth" and link.link_index in by_ifindex:
            yield place, by_ifindex[link.link_index]
        if link.master and (name, link.master) in links:
            yield place, (name, link.master)
        if link.kind == "vxlan" and link.info:
            yield place, tunnels.setdefault(link.info.get("id"), place)
        if link.kind in ("macvlan", "vlan") and link.link and (name, link.link) in links:
            yield place, (name, link.link)


def _segment(places: list[Place], links: dict[Place, Link], addresses: dict[Place, list[str]]) -> Segment:
    """Show a segment's ends; a port is none, nor a bridge without an address, for both only hand on."""
    bridges = [place for place in places if links[place].kind == "bridge"]
    vnis = {(links[place].info or {}).get("id") for place in places if links[place].kind == "vxlan"}
    sides = tuple(
        Side(*place, tuple(addresses[place]))
        for place in places
        if not links[place].master and (links[place].kind != "bridge" or addresses[place])
    )
    name = (
        f"{bridges[0][1]} of {bridges[0][0]}"
        if bridges
        else "".join(f"vxlan {vni}" for vni in vnis) or "veth"
    )
    mtus = {links[place].mtu for place in places}
    mtu = mtus.pop() if len(mtus) == 1 else None
    return Segment(name, (), sides, mtu if mtu != 1500 else None)
