"""Recordings: finding them on disk, one node each or several, and noticing what was damaged since."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pytest_netconform.errors import NetconformError, Unreadable
from pytest_netconform.targets.stores import Archive, Directory, Store, members_of

FORMATS = ("netconform-recording-0", "netconform-recording-1")
ABOUT, SUMS = "recording", "SHA256SUMS"
SUM = re.compile(r"(\\?)([0-9a-f]{64}) [ *](?:\./)?(.+)")
ESCAPED = re.compile(r"\\([\\tnr])")
ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
UNFIT = re.compile(r"[^\w.-]")
DEEPEST = 4
PACKED = (".tar", ".tar.gz", ".tgz")


def unescaped(cell: str) -> str:
    """Give what a cell stands for, which is on one line."""
    return ESCAPED.sub(lambda found: ESCAPES[found[1]], cell)


@dataclass(frozen=True)
class Recording:
    """What was recorded of one node.

    Shape: *complete* says that all that was looked for is written down, found or not; *sums* has for each
           file the digest of its contents, and the line where it stands, if they were written down.
    """

    store: Store
    node: str
    complete: bool
    sums: Mapping[str, tuple[str, int]] | None = field(default=None, repr=False)

    def has(self, name: str) -> bool:
        """Say whether a file was recorded, be it still there or not."""
        return self.store.has(name) or (self.sums is not None and name in self.sums)

    def read(self, name: str) -> bytes:
        """Read a file, if it is still what was recorded.

        Raises: Unreadable.
        """
        content = self.store.read(name)
        if self.sums is not None:
            digest, line = self.sums.get(name, ("", 0))
            if not digest:
                raise Unreadable(f"{self.shown(name)}: is not in {SUMS}, so it was not recorded")
            if sha256(content).hexdigest() != digest:
                raise Unreadable(f"{self.shown(name)}: is not what was recorded ({SUMS}:{line})")
        return content

    def text(self, name: str) -> str:
        """Read a file as text, as the output of a command is read on a live node."""
        return self.read(name).decode(errors="replace")

    def rows(self, name: str) -> Iterator[tuple[int, list[str]]]:
        """Go over the lines of a tab-separated file, with their numbers; the cells are escaped."""
        yield from rows_of(self.read(name))

    def shown(self, name: str) -> str:
        return self.store.shown(name)


def rows_of(content: bytes) -> Iterator[tuple[int, list[str]]]:
    lines = content.decode(errors="surrogateescape").split("\n")
    return ((number, line.split("\t")) for number, line in enumerate(lines, 1) if line)


def recordings_at(paths: Iterable[Path]) -> list[Recording]:
    """Open recordings: tar files, packed by gzip or not, and directories, each with one or several.

    Raises: NetconformError naming what is no recording; two of the same node.
    """
    found: dict[str, Recording] = {}
    for path in paths:
        for store in stores_at(path):
            recording = opened(store)
            if recording.node in found:
                other = found[recording.node].shown(ABOUT)
                raise NetconformError(
                    f"{store.shown(ABOUT)}: there is one of {recording.node} already: {other}"
                )
            found[recording.node] = recording
    return list(found.values())


def opened(store: Store) -> Recording:
    """Open one recording.

    Raises: NetconformError.
    """
    where = store.shown(ABOUT)
    try:
        about = {cells[0]: cells[1] for _, cells in rows_of(store.read(ABOUT)) if len(cells) > 1}
        if about.get("format") not in FORMATS:
            known = ", ".join(FORMATS)
            raise Unreadable(f"{where}:1: format {about.get('format')!r} is not one of {known}")
        node = UNFIT.sub("_", unescaped(about.get("node", "")))[:100]
        if not node:
            raise Unreadable(f"{where}: does not say of which node it is")
        sums = sums_of(store) if "sums" in about or store.has(SUMS) else None
        recording = Recording(store, node, about["format"] != FORMATS[0], sums)
        recording.read(ABOUT)
    except Unreadable as error:
        raise NetconformError(str(error)) from None
    return recording


def sums_of(store: Store) -> Mapping[str, tuple[str, int]]:
    """Read what sha256sum wrote down of all files.

    Raises: Unreadable.
    """
    found = {}
    for line, cells in rows_of(store.read(SUMS)):
        taken = SUM.fullmatch("\t".join(cells))
        if taken is None:
            raise Unreadable(f"{store.shown(SUMS)}:{line}: expected a checksum and the name of a file")
        found[unescaped(taken[3]) if taken[1] else taken[3]] = (taken[2], line)
    return found


def stores_at(path: Path) -> Iterator[Store]:
    """Find the recordings that a path leads to.

    Raises: NetconformError where there is none.
    """
    if path.suffix == ".yaml":
        raise NetconformError(f"{path}: is no recording")
    try:
        found = list(_stores(path, DEEPEST, named=True))
    except OSError as error:
        raise NetconformError(f"{path}: {error.strerror}") from None
    if not found:
        raise NetconformError(f"{path}: is no recording: there is no file 'recording' in it")
    yield from found


def _stores(path: Path, depth: int, *, named: bool = False) -> Iterator[Store]:
    if path.is_dir():
        if (path / ABOUT).is_file():
            yield Directory(path)
        elif depth:
            for inner in sorted(path.iterdir()):
                if not inner.is_symlink():
                    yield from _stores(inner, depth - 1)
    elif path.is_file():
        if named or path.name.endswith(PACKED):
            members = members_of(path)
            tops = (name.removesuffix(ABOUT) for name in members if name.split("/")[-1] == ABOUT)
            yield from (Archive(path, top, members) for top in sorted(tops))
    elif named:
        raise NetconformError(f"{path}: no such recording")
