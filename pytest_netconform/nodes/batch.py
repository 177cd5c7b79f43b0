"""Build devices together: all of them, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pytest_netconform.kernel.rtnetlink import (
    Request,
    addr_add,
    bridge_add,
    bridge_set,
    link_delete,
    link_up,
    veth_add,
)
from pytest_netconform.kernel.rtsocket import Rtnetlink, speaking
from pytest_netconform.kernel.wiring import lladdr
from pytest_netconform.nodes.devices import Bridge, Device
from pytest_netconform.nodes.namespaces import Netns

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """A veth pair to be made; its first end becomes a port of *master*."""

    first: Device
    second: Device
    mtu: int | None = None
    master: Bridge | None = None


@dataclass(frozen=True)
class Single:
    """A device to be made by a request to *asked*, which for one upon another is where that other is."""

    device: Device
    request: Request
    asked: Netns


class Batch:
    """Bridges, veth pairs, other devices, and what comes after, such as routes; `build` does it all."""

    def __init__(self) -> None:
        self._bridges: list[tuple[Bridge, int | None]] = []
        self._singles: list[Single] = []
        self._pairs: list[Pair] = []
        self._there: list[Device] = []
        self._later: dict[Netns, list[Request]] = defaultdict(list)
        self._made: list[Device] = []

    def bridge(self, bridge: Bridge, mtu: int | None = None) -> None:
        self._bridges.append((bridge, mtu))

    def veth(self, pair: Pair) -> None:
        self._pairs.append(pair)

    def link(self, device: Device, request: Request, asked: Netns | None = None) -> None:
        """Have a device of any other kind made; it may stand upon one of the pairs."""
        self._singles.append(Single(device, request, asked or device.netns))

    def give(self, device: Device) -> None:
        """Have a device that is there already be given its addresses."""
        self._there.append(device)

    def later(self, netns: Netns, *requests: Request) -> None:
        """Have requests carried out when all links are up and all addresses can be used."""
        self._later[netns] += requests

    def build(self) -> None:
        """Carry everything out.

        Raises: BuildError for the first device that failed, with the kernel's own words; then none is left.
        """
        try:
            self._create()
            _do(_by_netns(self._settings()))
            _do(_by_netns(self._forwarding()))
            self._await()
            _do(self._later)
        except BaseException:
            self._delete()
            raise

    def _create(self) -> None:
        """Make the devices, and keep in mind which were made: those that could not be may be somebody else's.

        What was never answered counts as made.
        """
        for rtnetlink, own in _speaking(_by_netns(self._creations())):
            self._made += (device for device, _ in own)
            refused = rtnetlink.attempt(*(request for _, request in own))
            for position in refused:
                self._made.remove(own[position][0])
            for error in refused.values():
                raise error

    def _creations(self) -> Iterator[tuple[Netns, tuple[Device, Request]]]:
        """Make all devices, ports as ports: a further request for each would take half as long again."""
        for bridge, mtu in self._bridges:
            pinned = lladdr(bridge.ifindex)  # or it would take another with each port
            request = bridge_add(
                bridge.ifname,
                index=bridge.ifindex,
                mtu=mtu,
                address=pinned,
                stp=False,
                mcast_snooping=False,
            )
            yield bridge.netns, (bridge, request)
        for pair in self._pairs:
            nets = (pair.first.netns.namespaces.net, pair.second.netns.namespaces.net)
            assert nets[0] is not None
            assert nets[1] is not None
            made = veth_add(
                pair.first,
                nets[0],
                pair.second,
                nets[1],
                pair.mtu,
                addresses=(lladdr(pair.first.ifindex), lladdr(pair.second.ifindex)),
                master=pair.master,
                up=True,
            )
            yield pair.first.netns, (pair.first, made)
        for single in self._singles:
            yield single.asked, (single.device, single.request)

    def _settings(self) -> Iterator[tuple[Netns, Request]]:
        """Give every device its addresses, and set up what is not yet."""
        for device in self._devices():
            for address in device.addresses:
                yield device.netns, addr_add(device, address)
        for pair in self._pairs:
            yield pair.second.netns, link_up(pair.second)

    def _forwarding(self) -> Iterator[tuple[Netns, Request]]:
        """Set up the bridges, and have them look after multicasts, as all do, when their ports are there.

        Or each port that comes up would make its bridge look at all the others, and flood them with what IPv6
        says of the newcomer.
        """
        for bridge, _ in self._bridges:
            yield bridge.netns, link_up(bridge)
            yield bridge.netns, bridge_set(bridge, mcast_snooping=True)

    def _await(self) -> None:
        ends = [end for pair in self._pairs for end in (pair.first, pair.second)]
        for rtnetlink, own in _speaking(_by_netns((end.netns, end) for end in ends)):
            rtnetlink.await_up(*own)
        for rtnetlink, own in _speaking(_by_netns((each.netns, each) for each in self._devices())):
            for device in own:
                rtnetlink.await_addresses(device, device.addresses)

    def _devices(self) -> Iterator[Device]:
        yield from (bridge for bridge, _ in self._bridges)
        for pair in self._pairs:
            yield from (pair.first, pair.second)
        yield from (single.device for single in self._singles)
        yield from self._there

    def _delete(self) -> None:
        """Delete what was made; the other end of a pair goes with the first."""
        upper_first = reversed(self._made)
        for rtnetlink, own in _speaking(_by_netns((each.netns, each) for each in upper_first)):
            for device in own:
                if rtnetlink.ifindex(device.ifname) == device.ifindex:  # else it went with another
                    rtnetlink.do(link_delete(device))


def _by_netns(pairs: Iterable[tuple[Netns, T]]) -> Mapping[Netns, list[T]]:
    found: dict[Netns, list[T]] = defaultdict(list)
    for netns, each in pairs:
        found[netns].append(each)
    return found


def _do(requests: Mapping[Netns, list[Request]]) -> None:
    for rtnetlink, own in _speaking(requests):
        rtnetlink.do(*own)


def _speaking(work: Mapping[Netns, list[T]]) -> Iterator[tuple[Rtnetlink, list[T]]]:
    """Give route netlink of each namespace with its part of the work; what was not open is closed again."""
    silent = {netns.namespaces: own for netns, own in work.items() if not netns._speaks}
    for netns, own in work.items():
        if netns._speaks:
            yield netns.rtnetlink, own
    for namespaces, rtnetlink in speaking(list(silent)):
        yield rtnetlink, silent[namespaces]
