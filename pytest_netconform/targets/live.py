"""A live node, or one namespace of it, as a target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.links import parse_links
from pytest_netconform.facts.netns import Netns
from pytest_netconform.kernel.discovery import find_netns, nsid_of
from pytest_netconform.kernel.evidence import LiveEvidence
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.questions import Answer, Question, Target, Unknown
from pytest_netconform.targets.observers import answer

Others = Callable[[], Iterable[tuple[Namespaces, int | None]]]


def found_on_this_node() -> list[tuple[Namespaces, int | None]]:
    """Open the network namespaces that processes of this node live in, or that have a name."""
    return [
        (Namespaces.opened(each.name or f"pid {each.pid}", each.path), each.pid) for each in find_netns()
    ]


class LiveTarget:
    """Answers from the kernel, now.

    Shape: *others* lists the network namespaces beside the node's own, each with a process that lives in it, if one is known.
    """

    moves = True

    def __init__(self, name: str, namespaces: Namespaces, others: Others = found_on_this_node) -> None:
        self.name = name
        self.namespaces = namespaces
        self.evidence = LiveEvidence(namespaces)
        self._others = others

    def observe(self, question: Question) -> Answer:
        if question.table == "netns":
            found = self.places()
            return found if isinstance(found, Unknown) else tuple(row for row, _ in found)
        return answer(self.evidence, question)

    def places(self) -> list[tuple[Fact, Target]] | Unknown:
        try:
            return self.namespaces.call(self._places)
        except (Unreadable, OSError) as error:
            return Unknown(str(error))

    def _places(self) -> list[tuple[Fact, Target]]:
        return [self._place(namespaces, pid, self._peers()) for namespaces, pid in self._others()]

    def _peers(self) -> set[int]:
        """Give the namespaces, by the numbers that the node knows them by, that a veth of the node has its peer in."""
        links = parse_links(self.evidence.text("ip-addr.json") or "")
        return {link.link_netnsid for link in links if link.kind == "veth" and link.link_netnsid is not None}

    def _place(self, namespaces: Namespaces, pid: int | None, peers: set[int]) -> tuple[Fact, Target]:
        assert namespaces.net is not None, "a namespace beside the node's own is always an opened one"
        nsid = nsid_of(namespaces.net)
        kind = "pod" if nsid in peers else None
        row = Netns(namespaces.name, os.fstat(namespaces.net).st_ino, kind, nsid, pid)
        return row, LiveTarget(f"{self.name}/{row.inode}", namespaces, lambda: ())
