"""Rows against expectations: the subset match of a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.references import Scope
from pytest_netconform.matching.scalars import EVERYWHERE

NAMING = frozenset({"ifname", "name", "path", "dst", "local", "mac"})
"""Fields that say, where they are part of a fact's identity, which thing is meant."""
NAME_WEIGHT = 100.0
LONGEST_BRIEF = 120


@dataclass(frozen=True)
class Fields(Value):
    """A mapping: a row matches if each named field does; what is not named does not matter."""

    wanted: tuple[tuple[str, Value], ...]

    def inner(self) -> Iterable[Value]:
        return (value for _, value in self.wanted)

    def bound(self, scope: Scope) -> Fields:
        return Fields(tuple((name, value.bind(scope)) for name, value in self.wanted))

    def one(self, value: Any, before: Any) -> bool:
        if not isinstance(value, (Fact, dict)):
            return False
        for name, wanted in self.wanted:
            then = None if before is None else at(before, name)
            if not wanted.matches(at(value, name), then):
                return False
        return True

    def differences(self, value: Any, before: Any = None) -> tuple[Difference, ...]:
        if not isinstance(value, (Fact, dict)):
            return super().differences(value, before)
        return tuple(
            difference.under(name)
            for name, wanted in self.wanted
            for difference in wanted.differences(at(value, name), at(before, name))
        )

    def nearness(self, value: Any, before: Any = None) -> float:
        """Give the share of fields that match; what has another name than the one meant is no near miss."""
        if not isinstance(value, (Fact, dict)):
            return 0.0
        naming = NAMING.intersection(getattr(type(value), "identity", ()))
        got = asked = 0.0
        for name, wanted in self.wanted:
            weight = NAME_WEIGHT if name in naming else 1.0
            asked += weight
            got += weight * wanted.nearness(at(value, name), at(before, name))
        return got / asked

    def alike(self, rows: Sequence[Any]) -> tuple[str, list[Any]]:
        """Find the rows that have all that is asked for and to be had, but for names; says what that is."""
        others = [each for each in self.wanted if each[0] not in NAMING]
        had = [each for each in others if any(each[1].matches(at(row, each[0])) for row in rows)]
        same = Fields(tuple(had))
        return same.brief, [row for row in rows if had and same.matches(row)]

    @property
    def brief(self) -> str:
        text = str(self)
        if len(text) <= LONGEST_BRIEF:
            return text
        words = ((name, str(value)) for name, value in self.wanted)
        short = (f"{name}: {word if len(word) <= LONGEST_BRIEF // 3 else '...'}" for name, word in words)
        return "{" + ", ".join(short) + "}"

    def field(self, name: str) -> Value | None:
        """Give what a field is matched by, if it is named."""
        return next((value for named, value in self.wanted if named == name), None)

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {value}" for name, value in self.wanted) + "}"


def at(row: Any, name: str) -> Any:
    """Give a field of a row; None where it has none of that name."""
    if isinstance(row, Fact):
        value = getattr(row, name, None)
        if (name == "dst" or name == "src") and (value == "default" or value == "all"):
            return EVERYWHERE.get((value, getattr(row, "family", "")), value)
        return value
    return row.get(name) if isinstance(row, dict) else None
