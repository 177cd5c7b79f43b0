"""A net: namespaces and nodes with the wires between them, gone when its context ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making import make_netns, make_node
from pytest_netconform.kernel.rtnetlink import Request, addr_add, bridge_add, link_delete, link_up, veth_add
from pytest_netconform.kernel.wiring import check_ifname, interfaces
from pytest_netconform.nodes.devices import Bridge, Device
from pytest_netconform.nodes.namespaces import Netns, Node

FIRST_IFINDEX = 1001
"""Above those that the kernel gives by itself; each device of a net has an ifindex of its own."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")


class Net:
    """Namespaces, nodes and wires; leaving its context destroys them, and so does our own death, of any kind.

    Needs: CAP_SYS_ADMIN, CAP_NET_ADMIN; CAP_NET_RAW for pings.
    """

    def __init__(self) -> None:
        self._members: dict[str, Netns] = {}
        self._ifindexes = count(FIRST_IFINDEX)

    def __enter__(self) -> Net:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> Netns:
        if name not in self._members:
            raise KeyError(f"no namespace {name!r}, but {', '.join(self._members) or 'none at all'}")
        return self._members[name]

    def __iter__(self) -> Iterator[Netns]:
        return iter(self._members.values())

    def netns(self, name: str) -> Netns:
        """Make a network namespace; lo is up.

        Raises: BuildError.
        """
        self._check_name(name, NAME)
        self._members[name] = made = Netns(make_netns([name])[0])
        return made

    def node(self, name: str) -> Node:
        """Make a node, a machine of its own: with /etc, /run, /var/lib, /var/log, hostname and processes.

        Raises: BuildError.
        """
        self._check_name(name, HOSTNAME)
        self._members[name] = made = Node(make_node(name))
        return made

    def veth(
        self,
        first: Netns,
        second: Netns,
        *,
        ifnames: tuple[str, str] = ("eth0", "eth0"),
        subnet: str | Sequence[str] | None = None,
        addrs: tuple[str | None, str | None] | None = None,
        mtu: int | None = None,
    ) -> tuple[Device, Device]:
        """Join two namespaces by a veth pair, and wait until both ends are up.

        Shape:  *addrs* are the addresses of the two ends; by default the first two of each subnet.
        Raises: BuildError, and then there is no pair.
        """
        addresses = interfaces(subnet, addrs)
        netnses = (first, second)
        self._check_ifnames(netnses, ifnames)
        ends = [
            Device(netns, ifname, next(self._ifindexes), own)
            for netns, ifname, own in zip(netnses, ifnames, addresses, strict=True)
        ]
        first.rtnetlink.do(veth_add(ends[0], _fd(first), ends[1], _fd(second), mtu))
        with _deleted_on_error(ends[0]):
            _bring_up(ends)
        return ends[0], ends[1]

    def bridge(
        self, netns: Netns, ifname: str = "br0", *, addr: str | None = None, mtu: int | None = None
    ) -> Bridge:
        """Make a bridge, which forwards from the first port on that is attached to it.

        Raises: BuildError.
        """
        addresses, _ = interfaces(None, (addr, None))
        self._check_ifnames((netns,), (ifname,))
        bridge = Bridge(netns, ifname, next(self._ifindexes), addresses)
        netns.rtnetlink.do(bridge_add(ifname, index=bridge.ifindex, mtu=mtu, up=True))
        with _deleted_on_error(bridge), netns.rtnetlink.watching():
            netns.rtnetlink.do(*_addresses(bridge))
            netns.rtnetlink.await_addresses(bridge, bridge.addresses)
        return bridge

    def close(self) -> None:
        """Destroy everything; processes first, all at once."""
        with ExitStack() as stack:
            for deed in (Netns.close, Netns.end):
                for member in self._members.values():
                    stack.callback(deed, member)
            self._members = {}

    def _check_name(self, name: str, form: re.Pattern[str]) -> None:
        if not form.fullmatch(name):
            raise BuildError(
                f"{name!r} is no name for a namespace: expected letters, digits, and - or . between them"
            )
        if name in self._members:
            raise BuildError(f"there is a namespace {name!r} already")

    def _check_ifnames(self, netnses: Sequence[Netns], ifnames: Sequence[str]) -> None:
        taken = set()
        for netns, ifname in zip(netnses, ifnames, strict=True):
            check_ifname(ifname)
            if (netns.name, ifname) in taken or netns.rtnetlink.has(ifname):
                raise BuildError(f"{netns.name} has a device {ifname!r} already")
            taken.add((netns.name, ifname))


def _fd(netns: Netns) -> int:
    assert netns.namespaces.net is not None
    return netns.namespaces.net


@contextmanager
def _deleted_on_error(device: Device) -> Iterator[None]:
    try:
        yield
    except BaseException:
        device.netns.rtnetlink.do(link_delete(device))
        raise


def _addresses(device: Device) -> list[Request]:
    return [addr_add(device, address) for address in device.addresses]


def _bring_up(ends: Sequence[Device]) -> None:
    """Give both ends of a pair their addresses, set them up and wait until they are."""
    with ExitStack() as watches:
        for device in ends:
            watches.enter_context(device.netns.rtnetlink.watching())
        for device in ends:
            device.netns.rtnetlink.do(*_addresses(device), link_up(device))
        for device in ends:
            device.netns.rtnetlink.await_up(device)
            device.netns.rtnetlink.await_addresses(device, device.addresses)
