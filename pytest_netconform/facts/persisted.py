"""What a sysctl will be after the next boot or network restart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.files import File
from pytest_netconform.facts.sysctl_files import READERS, assignments, winner
from pytest_netconform.facts.sysctls import path_of, to_name

COMMENTED = re.compile(r"(-?\d+(?:\s+-?\d+)*)\s+[#;].*")


@dataclass(frozen=True, slots=True)
class Persisted(Fact):
    """What one reader of the sysctl files makes of one name.

    Shape: *reader* is `systemd-sysctl` or `sysctl --system`; *value*, *file* and *line* are absent where no
           file that it reads sets the name.
    """

    identity: ClassVar[tuple[str, ...]] = ("name", "reader")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"reader": Vocabulary(READERS)}

    name: str
    reader: str
    value: str | None = None
    file: str | None = None
    line: int | None = None


def persisted(name: str, files: Iterable[File]) -> tuple[Persisted, ...]:
    """Say what each reader makes of *name*; *files* are all that stand in the sysctl directories.

    Raises: Unreadable for a file whose text is not known, ValueError for what is no name.
    """
    texts, links = {}, {}
    for file in files:
        if file.text is None and file.type == "file":
            raise Unreadable(f"{file.path}: too large, or not text")
        texts[file.path] = file.text or ""
        if file.target is not None:
            links[file.path] = file.target
    path = path_of(name)
    return tuple(settled(path, reader, texts, links) for reader in READERS)


def settled(path: str, reader: str, texts: dict[str, str], links: dict[str, str]) -> Persisted:
    found = winner(assignments(reader, texts, links), path)
    if found is None or found.value is None:
        return Persisted(to_name(path), reader)
    commented = COMMENTED.fullmatch(found.value)  # the kernel takes the numbers, and no notice of the rest
    value = commented[1] if commented else found.value
    return Persisted(to_name(path), reader, " ".join(value.split()), found.file, found.line)
