"""Questions and answers: the seam between what a check needs to know and how a target finds it out.

A kind says which questions it asks and judges their answers; a target answers them from the kernel, from a
recording, or in a test from a dictionary. Neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pytest_netconform.documents.words import harmless
from pytest_netconform.facts.base import Fact


@dataclass(frozen=True, slots=True)
class Question:
    """Ask for one table of facts: `Question("route")`, `Question("file", "/etc/resolv.conf")`.

    Shape: *of* narrows tables that cannot be read as a whole, such as files and sysctls.
    """

    table: str
    of: Hashable = None

    def __str__(self) -> str:
        return self.table if self.of is None else harmless(f"{self.table} {self.of}")


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer of a target that could not observe; always makes the verdict *error*.

    Shape: *reason* is one line, whatever names it has in it; *untold* says that a recording is silent on it,
           *gone* that the place that was to be looked at has ended.
    """

    reason: str
    untold: bool = False
    gone: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", harmless(self.reason))


@dataclass(frozen=True, slots=True)
class NotHere:
    """The answer of a target that can never know, as a recording asked for a probe; makes it a *skip*."""

    reason: str


Answer = tuple[Fact, ...] | Unknown | NotHere
Ask = Callable[[Question], Answer]


class Target(Protocol):
    """Where a check looks."""

    @property
    def name(self) -> str: ...

    @property
    def moves(self) -> bool:
        """Say whether a later look can differ: a live node moves, a recording does not."""
        ...

    def observe(self, question: Question) -> Answer:
        """Answer one question; never raises for what could not be read."""
        ...

    def places(self) -> Iterable[tuple[Fact, Target]] | Unknown:
        """List the network namespaces beside its own: each one's row, and a target to look there."""
        ...
