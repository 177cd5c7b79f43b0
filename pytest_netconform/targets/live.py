"""A live node, or one namespace of it, as a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.netns import Netns
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.observing.discovery import NetnsGone, find_netns, nsid_of
from pytest_netconform.kernel.observing.evidence import LiveEvidence, PlaceEvidence
from pytest_netconform.questions import Answer, Question, Target, Unknown
from pytest_netconform.targets.observers import FROM_INSIDE, answer, netns_rows, veths


class Other(Protocol):
    """A network namespace beside a node's own, which can be entered for a while."""

    @property
    def inode(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    def entered(self) -> AbstractContextManager[Namespaces]: ...


class LiveTarget:
    """Answers from the kernel, now.

    Shape: *others* lists the network namespaces beside the node's own; by default, all of this machine.
    """

    moves = True

    def __init__(
        self, name: str, namespaces: Namespaces, others: Callable[[], Iterable[Other]] | None = None
    ) -> None:
        self.name = name
        self.namespaces = namespaces
        self.evidence = LiveEvidence(namespaces)
        self._others = others or partial(find_netns, namespaces.inode)

    def observe(self, question: Question) -> Answer:
        return netns_rows(self) if question.table == "netns" else answer(self.evidence, question)

    def places(self) -> list[tuple[Fact, Target]] | Unknown:
        """List the other network namespaces; one that goes away meanwhile is none of them."""
        try:
            peers = {link.link_netnsid for link in veths(self.evidence)} - {None}
            return [place for other in self._others() if (place := self._place(other, peers)) is not None]
        except (Unreadable, OSError) as error:
            return Unknown(str(error))

    def _place(self, other: Other, peers: set[int | None]) -> tuple[Fact, Target] | None:
        try:
            with other.entered() as namespaces:
                nsid = self.namespaces.call_in_net(nsid_of, namespaces.net)
        except NetnsGone:
            return None
        row = Netns(other.label, other.inode, "pod" if nsid in peers else None, nsid, other.pid)
        evidence = PlaceEvidence(self.evidence, other.entered)
        return row, LivePlace(f"{self.name}/{other.inode}", evidence)


class LivePlace:
    """One network namespace of a live node; it is entered for each look, and kept alive by none."""

    moves = True

    def __init__(self, name: str, evidence: PlaceEvidence) -> None:
        self.name, self.evidence = name, evidence

    def observe(self, question: Question) -> Answer:
        return FROM_INSIDE if question.table == "netns" else answer(self.evidence, question)

    def places(self) -> Unknown:
        return FROM_INSIDE
