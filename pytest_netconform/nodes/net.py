"""A net: namespaces and nodes with the wires between them, gone when its context ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making.fresh import make_netns, make_nodes
from pytest_netconform.kernel.rtnetlink import Interface
from pytest_netconform.kernel.wiring import (
    Several,
    addresses_from,
    check_ifname,
    check_text,
    hosts_of,
    interfaces,
)
from pytest_netconform.nodes.batch import Batch, Pair
from pytest_netconform.nodes.devices import Bridge, Device
from pytest_netconform.nodes.drawing import draw
from pytest_netconform.nodes.hosts import Hosts, lan_of
from pytest_netconform.nodes.namespaces import Netns, Node
from pytest_netconform.nodes.surveying import segments
from pytest_netconform.nodes.virtual import VirtualDevices

ifindexes = count(1001)
"""Above those that the kernel gives by itself; no two devices have the same: nets may share namespaces."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")


class Net(VirtualDevices):
    """Namespaces, nodes and wires; leaving its context destroys them, and so does our own death, of any kind.

    Needs: CAP_SYS_ADMIN, CAP_NET_ADMIN; CAP_NET_RAW for pings.
    """

    def __init__(self) -> None:
        self._members: dict[str, Netns] = {}

    def __enter__(self) -> Net:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Destroy all.

        Raises: BuildError if a daemon crashed, or an impairment was never entered, unless something else went
                wrong before.
        """
        told = [words for netns in self for words in netns.untold()] if kind is None else []
        self.close()
        if told:
            raise BuildError("\n".join(told))

    def __getitem__(self, name: str) -> Netns:
        if name not in self._members:
            raise KeyError(f"no namespace {name!r}, but {', '.join(self._members) or 'none at all'}")
        return self._members[name]

    def __iter__(self) -> Iterator[Netns]:
        return iter(self._members.values())

    def __str__(self) -> str:
        """Draw what joins the namespaces now, as the kernel tells."""
        return draw(segments(self))

    def netns(self, name: str) -> Netns:
        """Make a network namespace; lo is up.

        Raises: BuildError.
        """
        with self.all_or_none({name: "netns"}):
            return self[name]

    def node(self, name: str) -> Node:
        """Make a node, a machine of its own: with /etc, /run, /var/lib, /var/log, hostname and processes.

        Raises: BuildError.
        """
        with self.all_or_none({name: "node"}):
            node = self[name]
        assert isinstance(node, Node)
        return node

    def veth(
        self,
        first: Netns,
        second: Netns,
        *,
        ifnames: tuple[str, str] = ("eth0", "eth0"),
        subnet: Several = None,
        addrs: tuple[Several, Several] | None = None,
        mtu: int | None = None,
    ) -> tuple[Device, Device]:
        """Join two namespaces by a veth pair, and wait until both ends are up.

        Shape:  *addrs* are the addresses of the two ends, one, several or None; by default the first two of
                each subnet.
        Raises: BuildError, and then there is no pair.
        """
        netnses = (first, second)
        self._check_ifnames(netnses, ifnames)
        addresses = interfaces(subnet, addrs)
        if subnet and addrs is None:
            self._check_apart(netnses, addresses)
        ends = (self.device(first, ifnames[0], addresses[0]), self.device(second, ifnames[1], addresses[1]))
        batch = Batch()
        batch.veth(Pair(*ends, mtu=mtu))
        batch.build()
        return ends

    def bridge(
        self, netns: Netns, ifname: str = "br0", *, addr: Several = None, mtu: int | None = None
    ) -> Bridge:
        """Make a bridge, which forwards from the first port on that is attached to it.

        Shape:  *addr* is one or several, each with its prefix length.
        Raises: BuildError.
        """
        self._check_ifnames((netns,), (ifname,))
        bridge = self.planned_bridge(netns, ifname, addresses_from(addr))
        batch = Batch()
        batch.bridge(bridge, mtu)
        batch.build()
        return bridge

    def lan(
        self,
        n: int,
        subnet: str | Sequence[str],
        *,
        name: str = "lan",
        prefix: str = "host",
        mtu: int | None = None,
        permanent_neighs: bool = False,
    ) -> Hosts:
        """Make *n* hosts on one bridge, in one go: `host1` to `hostN`, each with an eth0.

        Shape:  the hosts have the first addresses of each subnet; the bridge, br0, is in a namespace of its
                own, *name*, and its ports are named after the hosts. With *permanent_neighs* every host
                is told of every other, which takes no room in the machine's table of neighbours.
        Raises: BuildError, and then there is none of them.
        """
        addresses = hosts_of(subnet, n)
        names = [f"{prefix}{number}" for number in range(1, n + 1)]
        for host in names:
            check_ifname(host)
        with self.all_or_none(dict.fromkeys([name, *names], "netns")):
            switch, *hosts = (self[each] for each in (name, *names))
            bridge = self.planned_bridge(switch)
            ends = [
                (self.device(switch, netns.name), self.device(netns, "eth0", own))
                for netns, own in zip(hosts, addresses, strict=True)
            ]
            lan_of(bridge, ends, mtu=mtu, permanent_neighs=permanent_neighs).build()
        return Hosts([eth0 for _, eth0 in ends], bridge)

    def close(self) -> None:
        """Destroy everything; processes first, all at once.

        Shape: who was interrupted may go on by calling again.
        """
        with ExitStack() as stack:
            for deed in (self._close, Netns.end):
                for member in self._members.values():
                    stack.callback(deed, member)

    def _close(self, member: Netns) -> None:
        member.close()
        self._members.pop(member.name, None)

    @contextmanager
    def all_or_none(self, kinds: Mapping[str, str]) -> Iterator[None]:
        """Make namespaces by name and kind, `node` or `netns`; should the context fail, they go again.

        Raises: BuildError.
        """
        for name, kind in kinds.items():
            self._check_name(name, of_node=kind == "node")
        try:
            for namespaces in make_netns([name for name, kind in kinds.items() if kind == "netns"]):
                self._join(Netns(namespaces))
            for namespaces in make_nodes([name for name, kind in kinds.items() if kind == "node"]):
                self._join(Node(namespaces))
            yield
        except BaseException:
            for name in kinds:
                if netns := self._members.get(name):
                    self._close(netns)
            raise

    def device(self, netns: Netns, ifname: str, addresses: tuple[Interface, ...] = ()) -> Device:
        """Plan a device, which gets an ifindex that no other of ours has."""
        return Device(netns, ifname, next(ifindexes), addresses)

    def planned_bridge(
        self, netns: Netns, ifname: str = "br0", addresses: tuple[Interface, ...] = ()
    ) -> Bridge:
        """Plan a bridge."""
        return Bridge(netns, ifname, next(ifindexes), addresses)

    def _join(self, netns: Netns) -> None:
        self._members[netns.name] = netns
        netns._siblings = self._members

    def _check_name(self, name: str, *, of_node: bool = False) -> None:
        check_name(name, of_node)
        if name in self._members:
            raise BuildError(f"there is a namespace {name!r} already")

    def _check_ifnames(self, netnses: Sequence[Netns], ifnames: Sequence[str]) -> None:
        for netns in netnses:
            self._check_netns(netns)
        if isinstance(ifnames, str) or len(ifnames) != len(netnses):
            raise BuildError(f"ifnames: expected {len(netnses)}, one for each end, got {ifnames!r}")
        taken: set[tuple[Netns, str]] = set()
        for netns, ifname in zip(netnses, ifnames, strict=True):
            check_ifname(ifname)
            if (netns, ifname) in taken or netns.rtnetlink.has(ifname):
                raise BuildError(f"{netns.name} has a device {ifname!r} already")
            taken.add((netns, ifname))

    def _check_apart(self, netnses: Sequence[Netns], addresses: Sequence[Sequence[Interface]]) -> None:
        """Refuse a subnet that a namespace is in by another device: who would be reached would be chance.

        Who gives the addresses may mean it so.
        """
        for netns, own in zip(netnses, addresses, strict=True):
            for _, there in netns.rtnetlink.addresses():
                for new in own:
                    if there.version == new.version and there.network.overlaps(new.network):
                        raise BuildError(f"{netns.name} is at {there} already: subnet {new.network} overlaps")

    def _check_netns(self, netns: object) -> None:
        if not isinstance(netns, Netns):
            hint = f'; net["{netns}"] is the one of that name' if netns in self._members else ""
            raise BuildError(f"expected a namespace, got {netns!r}{hint}")


def check_name(name: str, of_node: bool) -> None:
    """Refuse what cannot be the name of a namespace; that of a node is its hostname.

    Raises: BuildError.
    """
    check_text("a namespace's name", name)
    if not (HOSTNAME if of_node else NAME).fullmatch(name):
        raise BuildError(
            f"{name!r} is no name for a namespace: expected letters, digits, and - or . between them"
        )
