"""The row that comes nearest to an expectation, and in what it differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.rows import Fields
from pytest_netconform.matching.wholes import brief

MOST_LISTED = 8
NEAR_ENOUGH = 0.3


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that something is expected of.

    Shape: *before* has each row's earlier observation by its id(); *noun* and *those* name the rows in words.
    """

    rows: Sequence[Any]
    before: Mapping[int, Any] = field(default_factory=dict)
    noun: str = "entries"
    those: str = ""

    def match(self, wanted: Value, row: Any) -> bool:
        return wanted.matches(row, self.before.get(id(row)))


@dataclass(frozen=True)
class Nearest:
    """What was found, if anything comes near: *rows* has one row, or none; *details* say it in lines."""

    rows: tuple[Any, ...]
    details: tuple[str, ...]


def nearest(wanted: Value, rows: Rows, among: Iterable[int] | None = None) -> Nearest:
    """Find the row that comes nearest; where none does, say what there is.

    Shape: *among* are the numbers of the rows to consider, and asks for the number in the words.
    """
    numbers = range(len(rows.rows)) if among is None else list(among)
    near = {i: wanted.nearness(rows.rows[i], rows.before.get(id(rows.rows[i]))) for i in numbers}
    best = max(near, key=near.__getitem__, default=None)
    if best is None or near[best] < NEAR_ENOUGH:
        return Nearest((), tuple(_there(wanted, rows.rows)))
    row = rows.rows[best]
    name = brief(row) if among is None else f"number {best + 1}, {brief(row)}"
    lines = tuple(told(wanted.differences(row, rows.before.get(id(row)))))
    if len(lines) == 1:
        return Nearest((row,), (f"nearest is {name}: {lines[0]}",))
    return Nearest((row,), (f"nearest is {name}", *(f"  {line}" for line in lines)))


def told(differences: Iterable[Difference]) -> Iterator[str]:
    """Write differences in lines."""
    for difference in differences:
        yield str(difference)
        yield from (f"  {line}" for line in difference.details)


def _there(wanted: Value, rows: Sequence[Any]) -> Iterator[str]:
    """Say what there is instead, where that is not too much."""
    like, found = wanted.alike(rows) if isinstance(wanted, Fields) else ("", [])
    if not rows:
        yield "there are none at all"
    elif 0 < len(found) <= MOST_LISTED and len(found) < len(rows):
        yield f"with {like} there are: {', '.join(map(brief, found))}"
    elif len(rows) <= MOST_LISTED:
        yield f"there are: {', '.join(map(brief, rows))}"


def listed(rows: Sequence[Any]) -> tuple[str, ...]:
    """Write rows in lines, the first few of many."""
    lines = tuple(brief(row) for row in rows[:MOST_LISTED])
    return (*lines, f"and {len(rows) - MOST_LISTED} more") if len(rows) > MOST_LISTED else lines
