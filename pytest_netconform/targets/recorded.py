"""What a recording holds of one namespace of a node, as evidence like a live node's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from glob import has_magic

from pytest_netconform.errors import Unreadable, Untold
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.facts.sysctls import parse_sysctl_dump
from pytest_netconform.kernel.observing.evidence import INTERRUPTED, failure, refuse_secret
from pytest_netconform.kernel.observing.tables import COMMANDS, LEGACY, SECRET_SYSCTLS, path_matches
from pytest_netconform.targets.recordings import ABOUT, Recording, unescaped

STATUS = re.compile(r"-?[0-9]{1,5}")
MODE, SIZE = re.compile(r"[0-7]{1,5}"), re.compile(r"[0-9]{1,18}")
TYPES = ("file", "directory", "device", "other")
UNREAD = re.compile(r"\S*grep: /proc/sys/(.+): ([^:]+)")
ONLY_WRITTEN, VANISHED = "Permission denied", "No such file or directory"
SYSCTL_PATH = re.compile(r"/proc/sys/([\w.][\w./-]*)")
DONE_BY_GREP = (0, 1, 2)
"""grep's status is 2 where it read all but what can only be written."""


@dataclass(frozen=True)
class Ran:
    """One command that was run, as commands.tsv tells of it."""

    status: int
    command: str


@dataclass
class RecordedEvidence:
    """What a recording holds of the node itself, or of the namespace whose inode *part* is."""

    recording: Recording
    part: str = "self"

    def text(self, file: str) -> str | None:
        if file in LEGACY and not self._has_legacy_tables(file):
            return None
        return self.output(file)

    def source(self, file: str) -> str:
        return self.recording.shown(f"{self.part}/{file}")

    def output(self, file: str, good: tuple[int, ...] = (0,)) -> str:
        """Give what a command printed.

        Raises: Unreadable where it did not run, or failed.
        """
        ran = self.ran.get(file)
        if ran is None:
            raise Unreadable(f"{self.source('commands.tsv')}: tells nothing of {file}")
        if ran.status not in good:
            command = COMMANDS.get(file, ran.command.split())
            raise Unreadable(f"{failure(command, ran.status, self.said(file))} (when the node was recorded)")
        if INTERRUPTED in self.said(file):
            raise Unreadable(f"{self.source(file)}: {INTERRUPTED} when the node was recorded")
        return self.recording.text(f"{self.part}/{file}")

    def said(self, file: str) -> str:
        """Give what a command complained of."""
        name = f"{self.part}/{file}.err"
        return self.recording.text(name) if self.recording.has(name) else ""

    @cached_property
    def ran(self) -> Mapping[str, Ran]:
        found = {}
        for number, cells in self.recording.rows(f"{self.part}/commands.tsv"):
            if len(cells) < 4 or not STATUS.fullmatch(cells[1]):
                where = self.source("commands.tsv")
                raise Unreadable(f"{where}:{number}: expected file, exit status, ms and command")
            found[cells[0]] = Ran(int(cells[1]), cells[3])
        return found

    def _has_legacy_tables(self, file: str) -> bool:
        if not self.recording.complete:
            return file in self.ran
        return bool(self.output(LEGACY[file]).strip())

    # Sysctls

    def sysctls(self, pattern: str, keys: Collection[str] = ()) -> Mapping[str, str]:
        refuse_secret(pattern)
        if not any(within(pattern, root) for root in self._roots):
            raise Unreadable(f"{self.source('sysctl.txt')}: /proc/sys/{pattern} was not recorded")
        for path, reason in self._unread.items():
            if matches(path, pattern):
                raise Unreadable(f"/proc/sys/{path}: {reason} (when the node was recorded)")
        if not has_magic(pattern):
            return {pattern: self._dump[pattern]} if pattern in self._dump else {}
        wanted = self._dump if not keys else (path for path in self._dump if path.rpartition("/")[2] in keys)
        return {path: self._dump[path] for path in wanted if path_matches(path, pattern)}

    @cached_property
    def _dump(self) -> Mapping[str, str]:
        text = self.output("sysctl.txt", DONE_BY_GREP)
        if not text:
            raise Unreadable(f"{self.source('sysctl.txt')}: is empty: {self.said('sysctl.txt').strip()}")
        try:
            return parse_sysctl_dump(text)
        except Unreadable as error:
            raise Unreadable(f"{self.source('sysctl.txt')}:{error}") from None

    @cached_property
    def _unread(self) -> Mapping[str, str]:
        """Give what is there and could not be read, with the reason; a secret that was never set is such."""
        lines = filter(None, map(UNREAD.fullmatch, self.said("sysctl.txt").split("\n")))
        unread = {line[1]: line[2] for line in lines if line[2] not in (ONLY_WRITTEN, VANISHED)}
        return {path: reason for path, reason in unread.items() if not path.endswith(SECRET_SYSCTLS)}

    @cached_property
    def _roots(self) -> list[str]:
        """List the directories and files that were read whole."""
        return SYSCTL_PATH.findall(self.ran["sysctl.txt"].command) if "sysctl.txt" in self.ran else []

    # Files

    def files(self, pattern: str) -> tuple[File, ...]:
        if not self.recording.complete and not self.recording.has("files.tsv"):
            return self._kept(pattern)
        if not any(covers(looked_for, pattern) for looked_for in self._files.looked_for):
            raise Unreadable(f"{self.recording.shown('files.tsv')}: {pattern} was not looked for")
        for path, reason in self._files.failed.items():
            if covers(path, pattern) or matches(path, pattern):
                raise Unreadable(f"{path}: {reason} (when the node was recorded)")
        found = self._files.found
        return tuple(self._file(path, found[path]) for path in sorted(found) if matches(path, pattern))

    @cached_property
    def _files(self) -> Files:
        return Files.read(self.recording)

    def _file(self, path: str, cells: list[str]) -> File:
        name, outcome, kind, mode, size, target = cells
        text = self.recording.text(f"files{name}") if outcome == "kept" else None
        return file_of(path, kind, int(size), int(mode, 8), text, unescaped(target) or None)

    def _kept(self, path: str) -> tuple[File, ...]:
        """Give a file that was kept: of those that were not, format 0 does not say whether they were there.

        Raises: Untold.
        """
        if has_magic(path) or not self.recording.has(f"files{path}"):
            raise Untold(f"{self.recording.shown(ABOUT)}: a recording of format 0 does not tell of {path}")
        content = self.recording.read(f"files{path}")
        return (file_of(path, "file", len(content), 0o644, content.decode(errors="replace")),)


@dataclass(frozen=True)
class Files:
    """What was looked for on the node's disk, and by path what was found, or why it was not read."""

    looked_for: frozenset[str]
    found: Mapping[str, list[str]]
    failed: Mapping[str, str]

    @classmethod
    def read(cls, recording: Recording) -> Files:
        looked_for: set[str] = set()
        found: dict[str, list[str]] = {}
        failed: dict[str, str] = {}
        for number, cells in recording.rows("files.tsv"):
            path, outcome = unescaped(cells[0]), cells[1] if len(cells) > 1 else ""
            if outcome in ("kept", "seen") and _is_sound(cells):
                found[path] = cells
            elif outcome == "error" and len(cells) == 3:
                failed[path] = cells[2]
            elif outcome not in ("absent", "matched"):
                where = recording.shown("files.tsv")
                raise Unreadable(
                    f"{where}:{number}: expected a path and what became of it, got {outcome[:40]!r}"
                )
            if outcome not in ("kept", "seen"):
                looked_for.add(path)
        return cls(frozenset(looked_for), found, failed)


def _is_sound(cells: list[str]) -> bool:
    return (
        len(cells) == 6
        and cells[2] in TYPES
        and MODE.fullmatch(cells[3]) is not None
        and SIZE.fullmatch(cells[4]) is not None
    )


def matches(path: str, pattern: str) -> bool:
    """Say whether a path is what was asked for."""
    return path_matches(path, pattern) if has_magic(pattern) else path == pattern


def within(pattern: str, root: str) -> bool:
    """Say whether all that a pattern can match is at or below *root*."""
    return pattern == root or (pattern.startswith(f"{root}/") and not has_magic(root))


def covers(looked_for: str, pattern: str) -> bool:
    """Say whether looking for one pattern found all that the other can match; in doubt it did not."""
    if "[" in pattern or "?" in looked_for or "[" in looked_for:
        return looked_for == pattern
    return looked_for == pattern or path_matches(pattern, looked_for)
