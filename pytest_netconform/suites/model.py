"""What a loaded suite consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_netconform.checks.base import Body
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.references import Reference, references_in
from pytest_netconform.suites.shell import names_in


@dataclass(frozen=True)
class Place:
    """Where to look, if not where the surroundings say.

    Shape: the target's own node, or with *which* those of its namespaces that match.
    """

    kind: str
    which: Quantified | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        return references_in(self.which)

    def __str__(self) -> str:
        return self.kind if self.which is None else f"{self.kind} {self.which.where}"


@dataclass(frozen=True)
class Query:
    """A question as a file states it: `{kind: spec}`, with an optional place."""

    body: Body
    place: Place | None = None

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return references_in(self.body, self.place)

    @cached_property
    def is_plain(self) -> bool:
        """Say whether it asks here, and nothing has to be put in."""
        return self.place is None and not self.body.references


@dataclass(frozen=True)
class Group:
    """Several queries, of which any or all must hold."""

    word: str
    members: tuple[Query | Group, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        return references_in(*self.members)


Condition = Query | Group


def queries(condition: Condition) -> Iterator[Query]:
    """Go over the queries of a condition."""
    if isinstance(condition, Query):
        yield condition
    else:
        for member in condition.members:
            yield from queries(member)


@dataclass(frozen=True)
class Check:
    """One declared invariant.

    Units: *eventually_s* and *over_s* are seconds; *line* counts from 1.
    """

    suite: str
    name: str
    file: str
    line: int
    condition: Condition
    title: str = ""
    severity: str = "normal"
    why: str = ""
    fix: str = ""
    refs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    eventually_s: float | None = None
    over_s: float | None = None
    place: Place | None = None
    bindings: tuple[tuple[str, Query], ...] = ()
    or_none: bool = False

    @cached_property
    def fix_uses(self) -> frozenset[str]:
        """List the variables in the fix."""
        return frozenset(names_in(self.fix))

    @cached_property
    def id(self) -> str:
        return f"{self.suite}::{self.name}"


@dataclass(frozen=True)
class Suite:
    """A file of checks."""

    name: str
    title: str
    path: Path
    file: str
    when: Condition | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    or_none: bool = False
    checks: Mapping[str, Check] = field(default_factory=dict)
