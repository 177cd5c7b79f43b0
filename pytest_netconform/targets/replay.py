"""A recording of a node as a target: judged without root, and on any machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.netns import Netns
from pytest_netconform.questions import Answer, NotHere, Question, Target, Unknown
from pytest_netconform.targets.observers import FROM_INSIDE, OBSERVERS, answer, netns_rows, veths
from pytest_netconform.targets.recorded import RecordedEvidence
from pytest_netconform.targets.recordings import Recording, recordings_at, unescaped

NUMBER = re.compile(r"[0-9]{1,10}")
LSNS = re.compile(r"^([0-9]{1,10}) (?:([0-9]{1,10})|\S+)$", re.MULTILINE)
NAMED_NSID = r"^nsid ([0-9]{1,10}) .*\(iproute2 netns name: %s\)$"


@dataclass(frozen=True)
class Numbers:
    """By which numbers a node knows its namespaces: what lsns and `ip netns list-id` printed, if they ran."""

    lsns: str | None
    names: str | None

    def of(self, inode: int, name: str) -> tuple[bool, int | None]:
        """Say whether it is told, and the number; what is known by none is not wired to the node."""
        if inode in self._by_inode:
            return True, self._by_inode[inode]
        if not name or self.names is None:
            return False, None
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        found = re.search(NAMED_NSID % re.escape(shown), self.names, re.MULTILINE)
        return True, int(found[1]) if found else None

    @cached_property
    def _by_inode(self) -> Mapping[int, int | None]:
        return {int(inode): int(nsid) if nsid else None for inode, nsid in LSNS.findall(self.lsns or "")}


class RecordedPlace:
    """One network namespace of a recorded node."""

    moves = False

    def __init__(self, name: str, evidence: RecordedEvidence) -> None:
        self.name, self.evidence = name, evidence

    def observe(self, question: Question) -> Answer:
        """Answer what was recorded; what only a live node can answer is not here."""
        if question.table == "netns":
            return netns_rows(self)
        if question.table not in OBSERVERS:
            return NotHere("only a live node can answer this, and this is a recording")
        return answer(self.evidence, question)

    def places(self) -> list[tuple[Fact, Target]] | Unknown:
        return FROM_INSIDE


class RecordedTarget(RecordedPlace):
    """A recorded node."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording.node, RecordedEvidence(recording))
        self.recording = recording

    def places(self) -> list[tuple[Fact, Target]] | Unknown:
        try:
            rows = sorted(self._netns(), key=lambda row: row.inode)
            return [(row, self._place(row)) for row in rows]
        except Unreadable as error:
            return Unknown(str(error))

    def _place(self, row: Netns) -> RecordedPlace:
        return RecordedPlace(f"{self.name}/{row.inode}", self._inside(row.inode))

    def _inside(self, inode: int) -> RecordedEvidence:
        return RecordedEvidence(self.recording, str(inode))

    def _netns(self) -> Iterator[Netns]:
        """Go over the namespaces beside the node's own, which has neither name nor process in the list."""
        peers = {link.link_netnsid for link in veths(self.evidence)} - {None}
        for line, cells in list(self.recording.rows("netns.tsv"))[1:]:
            inode, name, pid = (*map(unescaped, cells), "", "")[:3]
            if inode == "incomplete":
                raise Unreadable("some processes could not be looked at when the node was recorded")
            if not NUMBER.fullmatch(inode) or (pid and not NUMBER.fullmatch(pid)):
                where = self.recording.shown("netns.tsv")
                raise Unreadable(
                    f"{where}:{line}: expected the inode of a namespace, its name, and a process"
                )
            if name or pid:
                told, number = self._numbers.of(int(inode), name)
                is_pod = number in peers if told else self._is_wired(int(inode))
                kind, process = "pod" if is_pod else None, int(pid) if pid else None
                yield Netns(name or f"pid {pid}", int(inode), kind, number, process)

    def _is_wired(self, inode: int) -> bool:
        """Say whether a veth in a namespace and one in the node name each other as their peers."""
        ends = {(link.link_index, link.ifindex) for link in veths(self.evidence)}
        return any((link.ifindex, link.link_index) in ends for link in veths(self._inside(inode)))

    @cached_property
    def _numbers(self) -> Numbers:
        return Numbers(self._printed("lsns.txt"), self._printed("nsid.txt"))

    def _printed(self, file: str) -> str | None:
        """Give what a command printed, if it ran."""
        ran = self.evidence.ran.get(file)
        return self.evidence.output(file) if ran is not None and not ran.status else None


def open_recordings(paths: Iterable[Path]) -> list[RecordedTarget]:
    """Open recordings: tar files, packed by gzip or not, and directories, each with one or several.

    Raises: NetconformError naming what is no recording; two of the same node.
    """
    return [RecordedTarget(recording) for recording in recordings_at(paths)]
