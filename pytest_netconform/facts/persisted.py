"""What a sysctl will be after the next boot or network restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.facts.base import Fact


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
