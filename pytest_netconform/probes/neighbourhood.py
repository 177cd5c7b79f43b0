"""Hosts that probe each other, where the kernel may not have neighbours enough for all of them at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from math import isqrt

from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.icmp import V4, V6, Wire
from pytest_netconform.kernel.probing.neighbour_table import Occupancy, occupancy
from pytest_netconform.kernel.rtsocket import speaking

SMALLEST_BLOCK = 4
Pairs = list[tuple[int, list[int]]]
"""Sources, each with its destinations; both by number."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of those that probe each other."""

    namespaces: Namespaces
    address: str


class Neighbourhood:
    """All members on one link, of one version of IP."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.version = ip_address(members[0].address).version

    @property
    def wire(self) -> Wire:
        return V4 if self.version == 4 else V6

    @cached_property
    def packed(self) -> list[bytes]:
        return [socket.inet_pton(self.wire.family, member.address) for member in self.members]

    @cached_property
    def sockaddrs(self) -> list[tuple[str, int]]:
        return [(member.address, 0) for member in self.members]

    def table(self) -> Occupancy:
        """Read how full the machine's table of neighbours is."""
        return occupancy(self.version)

    def blocks(self) -> list[Pairs]:
        """Pair every host with every other, block by block, so that each finds room in the table.

        Who goes by more than one block must forget each before the next.
        """
        n, room = len(self.members), self.table().room
        needed = n * (n - 1)
        if needed <= room or needed * (1 - self._known()) <= room:
            return list(_blocks(range(n), n))
        return list(_blocks(range(n), max(SMALLEST_BLOCK, isqrt(room // 4))))  # others need neighbours too

    def forget(self, pairs: Pairs) -> set[int]:
        """Have the kernel forget what these learned of each other, and so drop what waits for an address.

        Shape: gives the numbers of all that it concerned.
        """
        numbers = {number for source, own in pairs for number in (source, *own)}
        packed = {self.packed[number] for number in numbers}
        for _, rtnetlink in speaking([self.members[number].namespaces for number in numbers]):
            rtnetlink.forget_neighbours(self.wire.family, packed)
        return numbers

    def forget_all(self) -> set[int]:
        return self.forget([(number, []) for number in range(len(self.members))])

    def _known(self) -> float:
        """Estimate by the first, the middle and the last which part of the others everybody knows already."""
        asked = {0, len(self.members) // 2, len(self.members) - 1}
        known = [
            rtnetlink.count_neighbours(self.wire.family, self.packed)
            for _, rtnetlink in speaking([self.members[number].namespaces for number in asked])
        ]
        return min(known) / max(1, len(self.members) - 1)


def _blocks(everyone: range, size: int) -> Iterator[Pairs]:
    parts = [everyone[start : start + size] for start in range(0, len(everyone), size)]
    for number, one in enumerate(parts):
        yield [(source, [each for each in one if each != source]) for source in one]
        for other in parts[number + 1 :]:
            yield [*((source, list(other)) for source in one), *((source, list(one)) for source in other)]
