"""Hosts on one bridge, and what became of a probe from each to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from itertools import permutations
from typing import Any, overload

from pytest_netconform.documents import suggest
from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.driving import drive
from pytest_netconform.kernel.rtnetlink import neigh_replace
from pytest_netconform.kernel.wiring import lladdr
from pytest_netconform.nodes.batch import Batch, Pair
from pytest_netconform.nodes.devices import Bridge, Device
from pytest_netconform.nodes.namespaces import Netns
from pytest_netconform.probes import registry
from pytest_netconform.probes.mesh import Mesh, ranges
from pytest_netconform.probes.neighbourhood import Member, Neighbourhood
from pytest_netconform.probes.outcome import Outcome
from pytest_netconform.probes.sweep import Sweep


class Hosts(Sequence[Netns]):
    """Hosts on one bridge, in the order of their addresses."""

    def __init__(self, eth0s: Sequence[Device], bridge: Bridge) -> None:
        self._hosts, self.bridge = tuple(eth0.netns for eth0 in eth0s), bridge
        self._addresses = [eth0.addresses for eth0 in eth0s]

    def __repr__(self) -> str:
        return f"<{len(self)} hosts on {self.bridge!r}>"

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[Netns]:
        return iter(self._hosts)

    @overload
    def __getitem__(self, at: int | str) -> Netns: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Netns]: ...
    def __getitem__(self, at: int | str | slice) -> Netns | Sequence[Netns]:
        """Give a host by its place, from 0, or by its name: `hosts["host7"]`."""
        if isinstance(at, str):
            found = next((host for host in self._hosts if host.name == at), None)
            if found is None:
                raise KeyError(f"{self!r} have no {at!r}, but {ranges(host.name for host in self)}")
            return found
        return self._hosts[at]

    def mesh(
        self,
        probe: str | Callable[..., Outcome] = "ping",
        *args: Any,
        version: int | None = None,
        timeout_s: float = 1.0,
        **options: Any,
    ) -> Mesh:
        """Probe from each host to each other, and say what became of it all.

        Shape:  *probe* is one of a namespace's, by name or as `Netns.tcp`; *args* and *options* are its own;
                *version* is that of IP, by default of the first subnet.
        Units:  what is lost is given up *timeout_s* after the last was sent.
        Raises: ProbeError, as the probe does, and where the machine has no room for so many neighbours.
        """
        name = probe if isinstance(probe, str) else probe.__name__
        _check_options(name, *args, timeout_s=timeout_s, **options)
        members = self._members(version)
        if name == "ping":
            return Sweep(members, timeout_s=timeout_s, **options).run()
        outcomes = self._probed(name, Neighbourhood(members), *args, timeout_s=timeout_s, **options)
        return Mesh.of(name, [host.name for host in self], outcomes)

    def _probed(
        self, name: str, hood: Neighbourhood, *args: Any, **options: Any
    ) -> dict[tuple[str, str], Outcome]:
        """Probe block by block, where the table of neighbours has no room for all at once."""
        attempt, blocks = registry.probe(name), hood.blocks()
        outcomes: dict[tuple[str, str], Outcome] = {}
        refused = hood.table().refused
        for block in blocks:
            pairs = [(hood.members[one], hood.members[other]) for one, own in block for other in own]
            found = drive(attempt(one.namespaces, other.address, *args, **options) for one, other in pairs)
            names = ((one.namespaces.name, other.namespaces.name) for one, other in pairs)
            outcomes.update(zip(names, found, strict=True))
            if len(blocks) > 1:
                hood.forget(block)
        table, silent = hood.table(), any(each.lost or each.rejected for each in outcomes.values())
        if silent and table.refused > refused:  # it says nothing about the path
            raise ProbeError(f"{name} between {len(self)} hosts: {table.said_full()}")
        return outcomes

    def _members(self, version: int | None) -> list[Member]:
        """Give each host with the address that it is reached at.

        Raises: ProbeError if they have none of this version.
        """
        reached = [
            next((str(own.ip) for own in each if version in (None, own.version)), "")
            for each in self._addresses
        ]
        if not all(reached):
            raise ProbeError(f"{self!r} have no IPv{version} addresses")
        return [Member(host.namespaces, address) for host, address in zip(self, reached, strict=True)]


def _check_options(name: str, *args: Any, **options: Any) -> None:
    """Refuse what a probe does not take.

    Raises: ProbeError.
    """
    takes = signature(registry.probe(name))
    for option in options:
        if option not in takes.parameters:
            raise ProbeError(
                f"mesh of {name}: no option {option!r}{suggest(option, list(takes.parameters)[2:])}"
            )
    try:
        takes.bind(None, None, *args, **options)
    except TypeError as error:
        raise ProbeError(f"mesh of {name}: {error}") from error


def lan_of(
    bridge: Bridge, ends: Sequence[tuple[Device, Device]], *, mtu: int | None, permanent_neighs: bool
) -> Batch:
    """Plan a bridge with hosts on it; *ends* are the port and the host's device of each."""
    batch = Batch()
    batch.bridge(bridge, mtu)
    for port, eth0 in ends:
        batch.veth(Pair(port, eth0, mtu=mtu, master=bridge))
    if permanent_neighs:
        for (_, one), (_, other) in permutations(ends, 2):
            for address in other.addresses:
                batch.later(one.netns, neigh_replace(str(address.ip), lladdr(other.ifindex), one))
    return batch
