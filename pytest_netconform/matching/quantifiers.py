"""Quantifiers: how many of the rows must be as an expectation says, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.nearest import Rows, listed, nearest
from pytest_netconform.matching.pairing import pair_off
from pytest_netconform.matching.wholes import brief


@dataclass(frozen=True)
class Outcome:
    """What one quantifier came to.

    Shape: *text* says it in a line, *details* in further ones; *rows* are those concerned. Where each row is
           judged by itself, all of them are *wrong*, and *differing* may say in what.
    """

    holds: bool
    text: str
    rows: tuple[Any, ...] = ()
    details: tuple[str, ...] = ()
    wrong: bool = False
    differing: tuple[tuple[Difference, ...], ...] = ()


@dataclass(frozen=True)
class Quantifier:
    """Base of the quantifiers; all but `exactly` and `in_order` have one entry."""

    entries: tuple[Value, ...]
    word: ClassVar[str]
    takes_list: ClassVar[bool] = False

    def outcome(self, rows: Rows) -> Outcome:
        """Hold it against the rows."""
        raise NotImplementedError

    def nearness(self, rows: Sequence[Any]) -> float:
        """Say how near the rows come that do not match, from 0 to 1."""
        near = [max((entry.nearness(row) for row in rows), default=0.0) for entry in self.entries]
        return sum(near) / len(near) if near else 0.0

    def __str__(self) -> str:
        entries = ", ".join(map(str, self.entries))
        return f"{self.word}: [{entries}]" if self.takes_list else f"{self.word}: {entries}"


class Some(Quantifier):
    """A row matches."""

    word = "some"

    def outcome(self, rows: Rows) -> Outcome:
        wanted = self.entries[0]
        for row in rows.rows:
            if rows.match(wanted, row):
                return Outcome(True, f"{brief(row)} matches", (row,))
        found = nearest(wanted, rows)
        return Outcome(False, f"no {rows.noun} match {wanted.brief}{rows.those}", found.rows, found.details)


class Each(Quantifier):
    """Every row matches, and there is one."""

    word = "each"

    def outcome(self, rows: Rows) -> Outcome:
        wanted = self.entries[0]
        if not rows.rows:
            return Outcome(False, f"there are no {rows.noun}")
        found = ((row, wanted.differences(row, rows.before.get(id(row)))) for row in rows.rows)
        wrong = [(row, differing) for row, differing in found if differing]
        if not wrong:
            text = f"all {len(rows.rows)} {rows.noun}{rows.those} match {wanted.brief}"
            return Outcome(True, text, tuple(rows.rows))
        text = f"{len(wrong)} of {len(rows.rows)} {rows.noun}{rows.those} do not match {wanted.brief}"
        those, differing = zip(*wrong, strict=True)
        return Outcome(False, text, those, tuple(_told(wrong)), True, differing)


class NoRow(Quantifier):
    """No row matches."""

    word = "none"

    def outcome(self, rows: Rows) -> Outcome:
        wanted = self.entries[0]
        found = tuple(row for row in rows.rows if rows.match(wanted, row))
        if not found:
            return Outcome(True, f"none of {len(rows.rows)} {rows.noun}{rows.those} match {wanted}")
        text = f"{len(found)} of {len(rows.rows)} {rows.noun}{rows.those} match {wanted}, where none may"
        return Outcome(False, text, found, listed(found), wrong=True)

    def nearness(self, rows: Sequence[Any]) -> float:  # noqa: ARG002
        return 0.0


class Count(Quantifier):
    """So many rows there are."""

    word = "count"

    def outcome(self, rows: Rows) -> Outcome:
        wanted, count = self.entries[0], len(rows.rows)
        if wanted.matches(count):
            return Outcome(True, f"there are {count} {rows.noun}{rows.those}", tuple(rows.rows))
        text = f"expected {wanted} {rows.noun}{rows.those}, got {count}"
        return Outcome(False, text, tuple(rows.rows), listed(rows.rows))

    def nearness(self, rows: Sequence[Any]) -> float:  # noqa: ARG002
        return 0.0


class InOrder(Quantifier):
    """The entries match in this order; others may stand between."""

    word = "in_order"
    takes_list = True

    def outcome(self, rows: Rows) -> Outcome:
        position, missing = 0, list[tuple[Value, int]]()
        for entry in self.entries:
            later = range(position, len(rows.rows))
            found = next((i for i in later if rows.match(entry, rows.rows[i])), None)
            if found is None:
                missing.append((entry, position))
            else:
                position = found + 1
        if not missing:
            text = f"{len(self.entries)} {rows.noun}{rows.those} stand in their order"
            return Outcome(True, text, tuple(rows.rows))
        told = [self._missing(entry, rows, position) for entry, position in missing]
        if len(told) == 1:
            return told[0]
        text = f"{len(told)} of {len(self.entries)} expected {rows.noun} are not there, or not in their order"
        details = (line for each in told for line in (each.text, *(f"  {detail}" for detail in each.details)))
        return Outcome(False, text, told[0].rows, tuple(details))

    def _missing(self, entry: Value, rows: Rows, position: int) -> Outcome:
        """Say what became of an entry that does not stand behind the first *position* rows."""
        earlier = next((i for i in range(position) if rows.match(entry, rows.rows[i])), None)
        if earlier is not None:
            row, last = rows.rows[earlier], brief(rows.rows[position - 1])
            text = f"number {earlier + 1}, {brief(row)}, must stand behind number {position}, {last}"
            return Outcome(False, text, (row,))
        taken = {i for other in self.entries for i, row in enumerate(rows.rows) if rows.match(other, row)}
        free = (i for i in range(len(rows.rows)) if i not in taken)
        found = nearest(entry, rows, among=free)
        behind = f" behind number {position}" if position else ""
        return Outcome(False, f"no {rows.noun} match {entry.brief}{behind}", found.rows, found.details)


class Exactly(Quantifier):
    """Rows and entries pair off, in any order."""

    word = "exactly"
    takes_list = True

    def outcome(self, rows: Rows) -> Outcome:
        fits = [[i for i, row in enumerate(rows.rows) if rows.match(entry, row)] for entry in self.entries]
        owner = pair_off(fits)
        owners = set(owner.values())
        missing = [entry for number, entry in enumerate(self.entries) if number not in owners]
        extra = tuple(row for number, row in enumerate(rows.rows) if number not in owner)
        if not missing and not extra:
            text = f"the {len(rows.rows)} {rows.noun}{rows.those} are exactly those expected"
            return Outcome(True, text, tuple(rows.rows))
        text = f"{rows.noun}{rows.those} are not exactly those expected"
        return Outcome(False, text, extra, tuple(_unpaired(missing, extra)))


def _unpaired(missing: Iterable[Value], extra: Sequence[Any]) -> Iterator[str]:
    for entry in missing:
        yield f"missing: {entry}"
        found = nearest(entry, Rows(extra))
        yield from (f"  {line}" for line in found.details if found.rows)
    yield from (f"unexpected: {line}" for line in listed(extra))


def _told(wrong: Iterable[tuple[Any, tuple[Difference, ...]]]) -> Iterator[str]:
    """Give lines for rows that differ, for where they are not told one by one."""
    for row, differing in list(wrong)[:3]:
        yield f"{brief(row)}: {'; '.join(map(str, differing))}"


QUANTIFIERS: Mapping[str, type[Quantifier]] = {
    kind.word: kind for kind in (Some, Each, NoRow, Exactly, InOrder, Count)
}
