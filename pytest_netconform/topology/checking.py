"""From what is declared to a plan: everything that can be wrong is told before anything is built."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_netconform.documents import Document, KeyPath, suggest
from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.rtnetlink import Interface, rule_add
from pytest_netconform.kernel.sysctls import meant, path_of
from pytest_netconform.kernel.wiring import (
    Network,
    addresses_from,
    check_apart,
    check_ifname,
    host,
    network_of,
    room,
    subnet_of,
    within,
)
from pytest_netconform.nodes.net import check_name
from pytest_netconform.nodes.routing import FAMILIES
from pytest_netconform.topology.envelope import EndModel, LinkModel, NodeModel, RouteModel, TopologyModel
from pytest_netconform.topology.plan import End, Link, Neigh, Route, Topology

T = TypeVar("T")
VERSIONS = {None: (4, 6), "inet": (4,), "inet6": (6,)}
Addresses = dict[str, tuple[Interface, ...]]


def planned(document: Document, model: TopologyModel) -> Topology:
    """Plan a topology; reports to the document what cannot be."""
    return _Checker(document, model).topology()


@dataclass
class _Checker:
    document: Document
    model: TopologyModel
    nodes: dict[str, NodeModel] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    devs: dict[str, set[str]] = field(default_factory=dict)
    problems: int = 0

    def topology(self) -> Topology:
        declared = self.model.nodes
        named = declared if isinstance(declared, dict) else dict.fromkeys(declared)
        if isinstance(declared, list):
            self._only_once(("nodes",), declared)
        self.nodes = {name: node or NodeModel() for name, node in named.items()}
        self.devs = {name: set() for name in self.nodes}
        for name, node in self.nodes.items():
            self._holds(("nodes", name), check_name, name, node.kind == "node", key=True)
        for name, link in self.model.links.items():
            self.links.append(self._link(name, link))
        routes = (
            []
            if self.problems
            else [each for name, node in self.nodes.items() for each in self._routes(name, node)]
        )
        return Topology(
            name=self.model.topology,
            title=self.model.title,
            kinds={name: node.kind for name, node in self.nodes.items()},
            links=tuple(self.links),
            routes=tuple(routes),  # which rest on the links: what is wrong with those would be told twice
            rules=tuple(self._rules()),
            neighs=tuple(self._neighs()),
            loopback=dict(self._loopback()),
            sysctls=tuple(self._sysctls()),
        )

    def _link(self, name: str, model: LinkModel) -> Link:
        at: KeyPath = ("links", name)
        subnets = self._subnets(name, model.subnet)
        declared = model.ends
        if isinstance(declared, list):
            self._only_once((*at, "ends"), declared)
        named = declared if isinstance(declared, dict) else dict.fromkeys(declared)
        if len(named) < 2:
            self._report((*at, "ends"), f"a link has two ends or more, got {len(named)}")
        bridged = model.bridge or len(named) > 2
        if bridged:
            self._holds(at, check_name, name, False, key=True)
            if name in self.nodes:
                self._report(
                    at, f"there is a node {name!r} too, but this link's bridge needs that name", key=True
                )
        chosen = self._chosen(at, named, subnets)
        ends = [End(node, self._dev(at, node, end), chosen.get(node, ())) for node, end in named.items()]
        return Link(name, subnets, tuple(ends), model.mtu, bridged)

    def _subnets(self, name: str, declared: str | list[str]) -> tuple[Network, ...]:
        """Read a link's subnets, which must overlap none that came before."""
        found: list[Network] = []
        for at, text in _each(("links", name, "subnet"), declared):
            network = self._tried(at, subnet_of, text)
            others = [other for link in self.links for other in link.subnets]
            if network and self._holds(at, check_apart, [*others, *found, network]):
                found.append(network)
        return tuple(found)

    def _chosen(
        self, at: KeyPath, ends: Mapping[str, str | EndModel | None], subnets: tuple[Network, ...]
    ) -> Addresses:
        """Give every end its addresses: those declared, else the next that are free in each subnet."""
        declared = {
            node: self._declared((*at, "ends", node, "addr"), end.addr, subnets)
            for node, end in ends.items()
            if isinstance(end, EndModel) and end.addr is not None
        }
        taken = [address.ip for own in declared.values() for address in own]
        for node, own in declared.items():
            for address in own:
                if taken.count(address.ip) > 1:
                    self._report((*at, "ends", node, "addr"), f"address {address.ip} is given twice")
        others = [node for node in ends if node not in declared]
        free = [_free(network, {ip for ip in taken if ip in network}, len(others)) for network in subnets]
        for network, addresses in zip(subnets, free, strict=True):
            if len(addresses) < len(others):
                self._report((*at, "subnet"), f"subnet {network} has no room for {len(ends)} ends")
                return declared
        return declared | dict(
            zip(others, zip(*free, strict=True) if free else [()] * len(others), strict=True)
        )

    def _declared(
        self, at: KeyPath, addr: str | list[str], subnets: tuple[Network, ...]
    ) -> tuple[Interface, ...]:
        tried = [self._tried(where, within, subnets, text) for where, text in _each(at, addr)]
        return tuple(address for address in tried if address)

    def _dev(self, at: KeyPath, node: str, end: str | EndModel | None) -> str:
        """Name the device of an end: as declared, else the first ethN that the node has not."""
        where = (*at, "ends", node)
        if node not in self.nodes:
            self._report(where, f"no node {node!r}{suggest(node, self.nodes)}", key=True)
        taken = self.devs.setdefault(node, set())
        dev = end if isinstance(end, str) else end.dev if end else None
        if dev is None:
            dev = next(name for name in map("eth{}".format, range(len(taken) + 1)) if name not in taken)
        self._holds(where, check_ifname, dev)
        if dev in taken or dev == "lo":
            self._report(where, f"{node} has a device {dev!r} already")
        taken.add(dev)
        return dev

    def _routes(self, name: str, node: NodeModel) -> Iterator[Route]:
        """Give the routes of a node: default ones by its uplinks, the first preferred, and those declared."""
        several = len(node.uplinks) > 1
        for number, neighbour in enumerate(node.uplinks):
            metric = 100 * (number + 1) if several else None
            at: KeyPath = ("nodes", name, "uplinks", number)
            yield from self._route(at, name, RouteModel(dst="default", via=neighbour, metric=metric))
        for number, route in enumerate(node.routes):
            yield from self._route(("nodes", name, "routes", number), name, route)

    def _route(self, at: KeyPath, node: str, model: RouteModel) -> Iterator[Route]:
        """Give a route, or for `default` through a neighbour one for each version of IP they share."""
        via = (*at, "via") if at[-2] == "routes" else at
        options = model.model_dump(
            exclude={"dst", "via", "dev", "type", "family"}, exclude_none=True, exclude_defaults=True
        )
        options |= {"kind": model.type, "inet6": FAMILIES[model.family]}
        network = None if model.dst == "default" else self._tried((*at, "dst"), network_of, model.dst)
        self._has_dev((*at, "dev"), node, model.dev)
        if model.via is None:
            yield from self._tried_route(
                at, Route(node, model.dst, ((None, model.dev),) if model.dev else (), options)
            )
            return
        ways = [way for where, text in _each(via, model.via) for way in self._ways(where, node, text, model)]
        for version in VERSIONS[model.family]:
            own = tuple((str(gateway), dev) for gateway, dev in ways if gateway.version == version)
            if own and (network is None or network.version == version):
                yield from self._tried_route(at, Route(node, model.dst, own, options))
            elif ways and (model.family or (network is not None and network.version == version)):
                self._report(via, f"no IPv{version} address leads to {model.dst}")

    def _ways(
        self, at: KeyPath, node: str, via: str, model: RouteModel
    ) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str | None]]:
        """Find the gateways that an address or a neighbour's name means, and the devices that lead there."""
        shared = [(link, own) for link in self.links if (own := link.of(node))]
        try:
            gateway = ipaddress.ip_address(via)
        except ValueError:
            yield from self._neighbour(at, node, via, shared)
            return
        for link, own in shared:
            if any(gateway in subnet for subnet in link.subnets):
                owners = [end.node for end in link.ends if gateway in (each.ip for each in end.addresses)]
                if node in owners:
                    self._report(at, f"{gateway} is {node}'s own")
                elif not owners and not model.onlink:
                    self._report(
                        at, f"no node has {gateway} on {link.name}; onlink: true takes it all the same"
                    )
                yield gateway, own.dev
                return
        if not model.onlink or model.dev is None:
            self._report(at, f"{gateway} is on no link of {node}")
        yield gateway, model.dev

    def _neighbour(
        self, at: KeyPath, node: str, name: str, shared: list[tuple[Link, End]]
    ) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str | None]]:
        ends = [(end, own) for link, own in shared if name != node and (end := link.of(name))]
        if not ends:
            neighbours = {end.node for link, _ in shared for end in link.ends} - {node}
            self._report(at, f"no neighbour {name!r}{suggest(name, sorted(neighbours))}")
        versions = set()
        for end, own in ends:
            for address in end.addresses:
                if address.version not in versions:  # where several links are shared, the first counts
                    versions.add(address.version)
                    yield address.ip, own.dev
        if ends and not versions:
            self._report(at, f"{name} has no address on a link with {node}")

    def _tried_route(self, at: KeyPath, route: Route) -> Iterator[Route]:
        devices = {dev: _Planned(dev) for _, dev in route.ways if dev}
        if self._tried(at, route.request, devices) is not None:
            yield route

    def _rules(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, node in self.nodes.items():
            for number, rule in enumerate(node.rules):
                at: KeyPath = ("nodes", name, "rules", number)
                options = rule.model_dump(exclude={"source", "to", "family"}, exclude_none=True)
                options |= {"src": rule.source, "dst": rule.to, "inet6": FAMILIES[rule.family]}
                self._has_dev((*at, "iif"), name, rule.iif)
                self._has_dev((*at, "oif"), name, rule.oif)
                if self._tried(at, lambda own: rule_add(**own), options):
                    yield name, options

    def _neighs(self) -> Iterator[Neigh]:
        for name, node in self.nodes.items():
            for number, model in enumerate(node.neighs):
                at: KeyPath = ("nodes", name, "neighs", number)
                self._has_dev((*at, "dev"), name, model.dev)
                neigh = Neigh(name, model.dst, model.lladdr, model.dev)
                if self._tried(at, neigh.request, {model.dev: _Planned(model.dev)}):
                    yield neigh

    def _loopback(self) -> Iterator[tuple[str, tuple[Interface, ...]]]:
        for name, node in self.nodes.items():
            for dev, declared in node.addrs.items():
                found: list[Interface] = []
                for at, text in _each(("nodes", name, "addrs", dev), declared):
                    (address,) = self._tried(at, addresses_from, text) or (None,)
                    if address in found:
                        self._report(at, f"address {address} is given twice")
                    found += [address] if address else []
                yield name, tuple(found)

    def _sysctls(self) -> Iterator[tuple[str, str, str | int]]:
        for name, node in self.nodes.items():
            for sysctl, value in node.sysctl.items():
                at: KeyPath = ("nodes", name, "sysctl", sysctl)
                path = self._tried(at, path_of, sysctl, key=True)
                if path is not None and not path.startswith("net/"):
                    self._report(
                        at, f"{sysctl} belongs to the host; a namespace has only net of its own", key=True
                    )
                elif path is not None and (hint := meant(path)):
                    self._report(at, f"no sysctl {sysctl}{hint}", key=True)
                yield name, sysctl, value

    def _has_dev(self, at: KeyPath, node: str, dev: str | None) -> None:
        devs = sorted({*self.devs.get(node, ()), "lo"})
        if dev is not None and dev not in devs:
            self._report(at, f"{node} has no device {dev!r}{suggest(dev, devs)}")

    def _report(self, at: KeyPath, message: str, *, key: bool = False) -> None:
        self.problems += 1
        self.document.report(at, message, key=key)

    def _only_once(self, at: KeyPath, names: list[str]) -> None:
        for number, name in enumerate(names):
            if name in names[:number]:
                self._report((*at, number), f"{name!r} is named twice")

    def _holds(self, at: KeyPath, check: Callable[..., None], *args: Any, key: bool = False) -> bool:
        """Call what may refuse; reports why it does."""

        def checked() -> bool:
            check(*args)
            return True

        return self._tried(at, checked, key=key) is not None

    def _tried(self, at: KeyPath, make: Callable[..., T], *args: Any, key: bool = False) -> T | None:
        """Call what may refuse its arguments; reports why it does."""
        try:
            return make(*args)
        except BuildError as error:
            self._report(at, str(error), key=key)
            return None


@dataclass(frozen=True)
class _Planned:
    """A device that is not there yet."""

    ifname: str
    ifindex: int = 1


def _each(at: KeyPath, declared: str | list[str]) -> Iterable[tuple[KeyPath, str]]:
    if isinstance(declared, str):
        return [(at, declared)]
    return [((*at, number), text) for number, text in enumerate(declared)]


def _free(network: Network, taken: set[Any], wanted: int) -> list[Interface]:
    """Give the first addresses of a subnet that nobody has."""
    numbers = range(min(room(network), wanted + len(taken)))
    return [address for address in (host(network, number) for number in numbers) if address.ip not in taken][
        :wanted
    ]
