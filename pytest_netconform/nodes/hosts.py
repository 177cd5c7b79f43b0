"""Hosts on one bridge, and what became of a probe from each to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from pytest_netconform.nodes.devices import Bridge
from pytest_netconform.nodes.namespaces import Netns


class Hosts(Sequence[Netns]):
    """Hosts on one bridge, in the order of their addresses."""

    def __init__(self, hosts: Sequence[Netns], bridge: Bridge) -> None:
        self._hosts, self.bridge = tuple(hosts), bridge

    def __repr__(self) -> str:
        return f"<{len(self)} hosts on {self.bridge!r}>"

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[Netns]:
        return iter(self._hosts)

    @overload
    def __getitem__(self, at: int) -> Netns: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Netns]: ...
    def __getitem__(self, at: int | slice) -> Netns | Sequence[Netns]:
        return self._hosts[at]
