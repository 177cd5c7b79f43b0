"""Recordings on disk: directories or tar files, one node each or several."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_netconform.errors import NetconformError, Unreadable
from pytest_netconform.targets.recorded import FORMATS, RecordedTarget, read_table

LARGEST_UNPACKED = 2 << 30
MOST_MEMBERS = 200_000
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4


def open_recordings(paths: Iterable[Path], at_end: Callable[[Callable[[], None]], None]) -> list[RecordedTarget]:
    """Open recordings, unpacking what is packed; *at_end* is given what removes it again.

    Raises: NetconformError naming what is no recording; two of the same node.
    """
    targets: dict[str, RecordedTarget] = {}
    for path in paths:
        for directory in _directories(path, at_end):
            target = open_recording(directory)
            if target.name in targets:
                raise NetconformError(f"{path}: there is a recording of {target.name} already")
            targets[target.name] = target
    return list(targets.values())


def open_recording(directory: Path) -> RecordedTarget:
    """Open one recording by its directory."""
    try:
        about = {cells[0]: cells[1] for _, cells in read_table(directory / "recording") if len(cells) > 1}
    except Unreadable as error:
        raise NetconformError(str(error)) from None
    if about.get("format") not in FORMATS:
        known = ", ".join(FORMATS)
        raise NetconformError(f"{directory / 'recording'}:1: format {about.get('format')!r} is not one of {known}")
    return RecordedTarget(about.get("node") or directory.name, directory, complete=about["format"] != FORMATS[0])


def _directories(path: Path, at_end: Callable[[Callable[[], None]], None]) -> Iterator[Path]:
    if path.is_file():
        path = _unpacked(path, at_end)
    if not path.is_dir():
        raise NetconformError(f"{path}: no such recording")
    found = [path] if (path / "recording").is_file() else sorted(each.parent for each in path.rglob("recording"))
    if not found:
        raise NetconformError(f"{path}: is no recording: there is no file 'recording' in it")
    yield from found


def _unpacked(path: Path, at_end: Callable[[Callable[[], None]], None]) -> Path:
    directory = tempfile.TemporaryDirectory(prefix="netconform-")
    at_end(directory.cleanup)
    try:
        with tarfile.open(path) as archive:
            archive.extractall(directory.name, members=_harmless(archive, path), **SAFELY)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NetconformError(f"{path}: cannot be unpacked: {error}") from None
    return Path(directory.name)


def _harmless(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Go over the members, up to what a recording may hold; it holds files and directories, and leads nowhere else."""
    size = 0
    for number, member in enumerate(archive):
        size += member.size
        if size > LARGEST_UNPACKED or number > MOST_MEMBERS:
            raise NetconformError(f"{path}: holds more than a recording may")
        if not (member.isfile() or member.isdir()) or ".." in Path(member.name).parts or member.name.startswith("/"):
            raise NetconformError(f"{path}: holds {member.name!r}, which is not a file inside it")
        yield member
