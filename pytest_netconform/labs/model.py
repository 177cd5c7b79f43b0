"""What a loaded lab consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Command:
    """What a person would type, and where; a text with `::` is the fix of that check."""

    at: str
    text: str
    line: int

    @property
    def is_fix_of(self) -> str | None:
        return self.text if "::" in self.text and " " not in self.text.strip() else None


@dataclass(frozen=True)
class LabProbe:
    """A probe from one place to another, and the one outcome that it must have."""

    kind: str
    source: str
    to: str
    expected: str
    line: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.source} -> {self.to}"


@dataclass(frozen=True)
class CauseExpected:
    """The cause that the evidence must lead to."""

    at: str
    id: str


@dataclass(frozen=True)
class Lab:
    """One failure: how to get there, how it shows, what must detect it, what mends it.

    Shape: *foreseen* and *detected* map a node to the ids of the checks that must fail there; *leaves* are
    the files, by node, in which the mended node may differ from the healthy one.
    """

    name: str
    title: str
    path: Path
    file: str
    fabric: Mapping[str, Any]
    suites: tuple[str, ...]
    healthy: tuple[LabProbe, ...]
    fault: tuple[Command, ...]
    symptom: tuple[LabProbe, ...]
    detected: Mapping[str, tuple[str, ...]]
    fix: tuple[Command, ...]
    before: tuple[Command, ...] = ()
    foreseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cause: CauseExpected | None = None
    leaves: tuple[tuple[str, str], ...] = ()
    immune: bool = False
    refs: tuple[str, ...] = ()
    story: str = ""
    severity: str = "critical"
