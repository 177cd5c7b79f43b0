"""A topology that was checked, and how it is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_netconform.kernel.rtnetlink import (
    Dev,
    Interface,
    Nexthop,
    Request,
    neigh_replace,
    route_add,
    rule_add,
)
from pytest_netconform.kernel.wiring import LONGEST, Network
from pytest_netconform.nodes import Device, Net, Netns
from pytest_netconform.nodes.batch import Batch, Pair
from pytest_netconform.nodes.drawing import Segment, Side, draw

LO = 1
"""The ifindex of lo, everywhere."""


@dataclass(frozen=True)
class End:
    """A node's device on a link, and its addresses there."""

    node: str
    dev: str
    addresses: tuple[Interface, ...] = ()


@dataclass(frozen=True)
class Link:
    """What joins nodes; where *bridged*, by a bridge in a namespace of the link's name."""

    name: str
    subnets: tuple[Network, ...]
    ends: tuple[End, ...]
    mtu: int | None = None
    bridged: bool = False

    def of(self, node: str) -> End | None:
        return next((end for end in self.ends if end.node == node), None)


@dataclass(frozen=True)
class Route:
    """A route of a node; *ways* are gateway and device of each way that it leads."""

    node: str
    dst: str
    ways: tuple[tuple[str | None, str | None], ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def request(self, devices: Mapping[str, Dev]) -> Request:
        hops = [(via, devices[dev] if dev else None) for via, dev in self.ways]
        if len(hops) > 1:
            onlink = self.options.get("onlink", False)
            options = {name: value for name, value in self.options.items() if name != "onlink"}
            nexthops = [Nexthop(via, dev, onlink=onlink) for via, dev in hops]
            return route_add(self.dst, nexthops=nexthops, **options)
        via, dev = hops[0] if hops else (None, None)
        return route_add(self.dst, dev, via=via, **self.options)


@dataclass(frozen=True)
class Neigh:
    """A permanent neighbour of a node."""

    node: str
    dst: str
    lladdr: str
    dev: str

    def request(self, devices: Mapping[str, Dev]) -> Request:
        return neigh_replace(self.dst, self.lladdr, devices[self.dev])


@dataclass(frozen=True)
class Topology:
    """Nodes and what joins them; `str` draws it.

    Shape: *kinds* says of each node whether it is a `node` or a `netns`, *loopback* what its lo is to have.
    """

    name: str
    title: str
    kinds: Mapping[str, str]
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    neighs: tuple[Neigh, ...] = ()
    loopback: Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    sysctls: tuple[tuple[str, str, str | int], ...] = ()

    def __str__(self) -> str:
        return "\n".join([": ".join(filter(None, (self.name, self.title))), draw(self._segments())])

    def build(self, net: Net) -> Net:
        """Build everything in a net, in one go.

        Raises: BuildError, and then the net has nothing of it.
        """
        bridged = [link.name for link in self.links if link.bridged]
        with net.all_or_none({**self.kinds, **dict.fromkeys(bridged, "netns")}):
            devices = {name: {"lo": Device(net[name], "lo", LO)} for name in self.kinds}
            batch = Batch()
            for link in self.links:
                for end, device in zip(link.ends, _laid(link, net, batch), strict=True):
                    devices[end.node][end.dev] = device
            for node, addresses in self.loopback.items():
                batch.give(Device(net[node], "lo", LO, addresses))
            for route in self.routes:
                batch.later(net[route.node], route.request(devices[route.node]))
            for neigh in self.neighs:
                batch.later(net[neigh.node], neigh.request(devices[neigh.node]))
            for node, rule in self.rules:
                batch.later(net[node], rule_add(**rule))
            batch.build()
            for node, name, value in self.sysctls:
                net[node].sysctl[name] = value
        return net

    def _segments(self) -> Iterator[Segment]:
        for link in self.links:
            sides = tuple(Side(end.node, end.dev, tuple(map(str, end.addresses))) for end in link.ends)
            yield Segment(link.name, tuple(map(str, link.subnets)), sides, link.mtu)


def _laid(link: Link, net: Net, batch: Batch) -> list[Device]:
    """Plan a link; gives the devices of its ends."""
    ends = [net.device(net[end.node], end.dev, end.addresses) for end in link.ends]
    if not link.bridged:
        batch.veth(Pair(ends[0], ends[1], link.mtu))
        return ends
    switch: Netns = net[link.name]
    bridge = net.planned_bridge(switch)
    batch.bridge(bridge, link.mtu)
    for number, end in enumerate(ends, 1):
        name = end.netns.name
        port = (
            name
            if len(name) <= LONGEST and "/" not in name and name not in ("lo", "br0")
            else f"port{number}"
        )
        batch.veth(Pair(net.device(switch, port), end, link.mtu, bridge))
    return ends
