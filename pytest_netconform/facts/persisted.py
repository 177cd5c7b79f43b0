"""What a sysctl will be after the next boot or network restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.files import File
from pytest_netconform.facts.sysctl_files import READERS, assignments, winner


@dataclass(frozen=True, slots=True)
class Persisted(Fact):
    """What one reader of the sysctl files makes of one name.

    Shape: *reader* is `systemd-sysctl` or `sysctl --system`; *value*, *file* and *line* are absent where no file that it
    reads sets the name.
    """

    identity: ClassVar[tuple[str, ...]] = ("name", "reader")

    name: str
    reader: str
    value: str | None = None
    file: str | None = None
    line: int | None = None


def persisted(name: str, files: Iterable[File]) -> tuple[Persisted, ...]:
    """Say what each reader of the sysctl files makes of a name.

    Raises: Unreadable for a file of which the text is not known.
    """
    found = tuple(files)
    for file in found:
        if file.type == "file" and file.text is None:
            raise Unreadable(f"{file.path}: too large to be read")
    texts = {file.path: file.text or "" for file in found if file.type == "file"}
    links = {file.path: file.target for file in found if file.target is not None}
    return tuple(_of_reader(reader, name, texts, links) for reader in READERS)


def _of_reader(reader: str, name: str, texts: Mapping[str, str], links: Mapping[str, str]) -> Persisted:
    last = winner(assignments(reader, texts, links), name)
    if last is None:
        return Persisted(name, reader)
    return Persisted(name, reader, last.value, last.file, last.line)
