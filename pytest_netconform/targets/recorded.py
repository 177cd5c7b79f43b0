"""A recording of a node, as a target: judged without root, and on any machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from glob import has_magic
from pathlib import Path

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.facts.links import Link, parse_links
from pytest_netconform.facts.netns import Netns
from pytest_netconform.facts.sysctls import parse_sysctl_dump
from pytest_netconform.kernel.tables import COMMANDS, LEGACY
from pytest_netconform.questions import Answer, Question, Target, Unknown
from pytest_netconform.targets.observers import OBSERVERS, answer

LARGEST = 256 << 20
FORMATS = ("netconform-recording-0", "netconform-recording-1")
NAMED_NSID = re.compile(r"nsid (\d+) (?:.*)\(iproute2 netns name: (.+)\)")


def read_text(path: Path) -> str:
    """Read a file of a recording.

    Raises: Unreadable.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"{path}: larger than {LARGEST >> 20} MiB")
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Unreadable(f"{path}:{line}: not UTF-8 text") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None


def read_table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Go over the lines of a tab-separated file, with their numbers."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        yield number, line.split("\t")


@dataclass
class RecordedEvidence:
    """What a recording holds of one namespace: *directory* of its tables, *root* of the node's files."""

    directory: Path
    root: Path
    complete: bool

    @cached_property
    def statuses(self) -> Mapping[str, int]:
        """Give the exit status of each command that was run."""
        found = {}
        for number, cells in read_table(self.directory / "commands.tsv"):
            if len(cells) < 2 or not cells[1].lstrip("-").isdecimal():
                raise Unreadable(f"{self.directory / 'commands.tsv'}:{number}: expected file, exit status, ms, command")
            found[cells[0]] = int(cells[1])
        return found

    def text(self, file: str) -> str | None:
        status = self.statuses.get(file)
        command = " ".join(COMMANDS.get(file, (file,)))
        if status is None:
            if file in LEGACY:
                return None
            raise Unreadable(f"the recording does not hold {file}")
        if status:
            why = "is not installed" if status == 127 else f"exited with {status}"
            raise Unreadable(f"`{command}` {why} when the node was recorded{self._said(file)}")
        return read_text(self.directory / file)

    def _said(self, file: str) -> str:
        errors = self.directory / f"{file}.err"
        return f": {' '.join(read_text(errors).split())[:300]}" if errors.is_file() else ""

    @cached_property
    def dump(self) -> Mapping[str, str]:
        path = self.directory / "sysctl.txt"
        try:
            return parse_sysctl_dump(read_text(path))
        except Unreadable as error:
            raise Unreadable(str(error) if str(path) in str(error) else f"{path}:{error}") from None

    def sysctls(self, pattern: str) -> Mapping[str, str]:
        if not has_magic(pattern):
            return {pattern: self.dump[pattern]} if pattern in self.dump else self._not_recorded(pattern)
        return {path: value for path, value in self.dump.items() if _path_matches(path, pattern)}

    def _not_recorded(self, path: str) -> Mapping[str, str]:
        """Tell a sysctl that the node lacks from one that was not looked at, by whether its neighbourhood was."""
        parent = path.rpartition("/")[0]
        if any(known.startswith(f"{parent}/") for known in self.dump):
            return {}
        raise Unreadable(f"the recording does not hold /proc/sys/{parent}")

    @cached_property
    def looked_for(self) -> Mapping[str, list[str]]:
        """Give, for each path that was looked for, its outcome and what else is known of it."""
        path = self.root / "files.tsv"
        return {cells[0]: cells[1:] for _, cells in read_table(path)} if self.complete else {}

    def files(self, pattern: str) -> tuple[File, ...]:
        if self.complete:
            self._was_looked_for(pattern)
            known = [path for path in self.looked_for if _path_matches(path, pattern)]
            return tuple(file for path in sorted(known) if (file := self._file(path, self.looked_for[path])) is not None)
        return tuple(
            file_of(path, "file", size, 0o644, text)
            for path, text in sorted(self._kept().items())
            if _path_matches(path, pattern) and (size := len(text)) >= 0
        )

    def _was_looked_for(self, pattern: str) -> None:
        """Raise Unreadable for what nobody looked for, or where looking failed: it is not known to be absent."""
        covering = [cells for seen, cells in self.looked_for.items() if seen == pattern or _path_matches(pattern, seen)]
        for cells in covering:
            if cells[0] == "error":
                raise Unreadable(f"{pattern}: {' '.join(cells[1:])}, when the node was recorded")
        if not covering:
            raise Unreadable(f"the recording did not look for {pattern}")

    def _file(self, path: str, cells: list[str]) -> File | None:
        if cells[0] == "absent" or has_magic(path):
            return None
        if cells[0] != "present" or len(cells) < 5:
            raise Unreadable(f"{path}: {' '.join(cells)}, when the node was recorded")
        kind, mode, size, target = cells[1:5]
        kept = self.root / "files" / path.lstrip("/")
        text = read_text(kept) if kind == "file" and kept.is_file() else None
        return file_of(path, kind, int(size), int(mode, 8), text, target or None)

    def _kept(self) -> Mapping[str, str]:
        root = self.root / "files"
        paths = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
        return {f"/{path.relative_to(root)}": read_text(path) for path in paths}


def _path_matches(path: str, pattern: str) -> bool:
    """Match as the shell does: a `*` does not reach over a slash."""
    steps, wanted = path.split("/"), pattern.split("/")
    return len(steps) == len(wanted) and all(map(fnmatchcase, steps, wanted))


class RecordedTarget:
    """Answers from a recording; *directory* has `recording`, `self/` and a directory for each other namespace."""

    moves = False

    def __init__(self, name: str, directory: Path, complete: bool, part: str = "self") -> None:
        self.name = name
        self.directory = directory
        self.complete = complete
        self.evidence = RecordedEvidence(directory / part, directory, complete)

    def observe(self, question: Question) -> Answer:
        if question.table == "netns":
            found = self.places()
            return found if isinstance(found, Unknown) else tuple(row for row, _ in found)
        if question.table not in OBSERVERS:
            return Unknown(f"a recording cannot answer questions of {question.table!r}")
        return answer(self.evidence, question)

    def places(self) -> list[tuple[Fact, Target]] | Unknown:
        try:
            return [self._place(row) for row in self._netns()]
        except Unreadable as error:
            return Unknown(str(error))

    def _place(self, row: Netns) -> tuple[Fact, Target]:
        return row, RecordedTarget(f"{self.name}/{row.inode}", self.directory, self.complete, str(row.inode))

    def _veths(self, part: str) -> list[Link]:
        evidence = RecordedEvidence(self.directory / part, self.directory, self.complete)
        return [link for link in parse_links(evidence.text("ip-addr.json") or "") if link.kind == "veth"]

    def _netns(self) -> Iterator[Netns]:
        """Go over the namespaces; a recording tells their numbers by name only, so the others are told by their veths."""
        own = self._veths("self")
        peers, ends = {link.link_netnsid for link in own} - {None}, {(link.link_index, link.ifindex) for link in own}
        numbers = self._numbers()
        for line, cells in list(read_table(self.directory / "netns.tsv"))[1:]:
            inode, name, pid = (*cells, "", "")[:3]
            if not inode.isdecimal():
                raise Unreadable(f"{self.directory / 'netns.tsv'}:{line}: expected the inode of a namespace, got {inode!r}")
            if not (self.directory / inode).is_dir():
                continue
            nsid = numbers.get(name)
            is_pod = nsid in peers or any((link.ifindex, link.link_index) in ends for link in self._veths(inode))
            process = int(pid) if pid.isdecimal() else None
            yield Netns(name or f"pid {pid}", int(inode), "pod" if is_pod else None, nsid, process)

    def _numbers(self) -> Mapping[str, int]:
        path = self.directory / "self" / "nsid.txt"
        text = read_text(path) if path.is_file() else ""
        return {found[2]: int(found[1]) for line in text.splitlines() if (found := NAMED_NSID.match(line))}
