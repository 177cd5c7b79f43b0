"""Network namespaces, as seen from a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.vocabularies import NETNS_KIND


@dataclass(frozen=True, slots=True)
class Netns(Fact):
    """One network namespace that is not the node's own.

    Shape: *kind* is `pod` where a veth in it has its peer in the node, else absent; *pid* a process that
    lives in it.
    Source: /proc/PID/ns/net, /run/netns, RTM_GETNSID.
    """

    identity: ClassVar[tuple[str, ...]] = ("name",)
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"kind": NETNS_KIND}

    name: str
    inode: int
    kind: str | None = None
    nsid: int | None = None
    pid: int | None = None
