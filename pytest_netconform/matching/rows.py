"""Rows against expectations: the subset match of a mapping, and the quantifiers over many rows.

The same quantifiers serve a table of facts and a list inside one fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pytest_netconform.facts.base import Fact, value_at
from pytest_netconform.matching.references import Reference, Scope
from pytest_netconform.matching.values import Value, show


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as expected."""

    path: str
    expected: str
    found: Any

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, got {show(self.found)}"


def differences(matcher: Value, row: Any, before: Any = None) -> list[Difference]:
    """Say in what a row is not what a matcher expects; nothing where it matches."""
    if isinstance(matcher, Fields) and not isinstance(row, (list, tuple)):
        return matcher.differences(row, before)
    return [] if matcher.matches(row, before) else [Difference("", str(matcher), row)]


@dataclass(frozen=True)
class Fields(Value):
    """A mapping: a row matches if each named field does; what is not named does not matter."""

    wanted: tuple[tuple[tuple[str, ...], Value], ...]

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return frozenset().union(*(value.references for _, value in self.wanted))

    def bind(self, scope: Scope) -> Fields:
        if not self.references:
            return self
        return Fields(tuple((path, value.bind(scope)) for path, value in self.wanted))

    def one(self, value: Any, before: Any) -> bool:
        if value is None:
            return False
        return all(wanted.matches(value_at(value, path), value_at(before, path)) for path, wanted in self.wanted)

    def differences(self, row: Any, before: Any = None) -> list[Difference]:
        return [
            Difference(".".join((*path, inner.path)) if inner.path else ".".join(path), inner.expected, inner.found)
            for path, wanted in self.wanted
            for inner in differences(wanted, value_at(row, path), value_at(before, path))
        ]

    @property
    def grows(self) -> bool:
        return any(value.grows for _, value in self.wanted)

    def literal(self, path: tuple[str, ...]) -> Any:
        """Give the value that a field is matched by, if it is named."""
        return next((value for named, value in self.wanted if named == path), None)

    def __str__(self) -> str:
        return "{" + ", ".join(f"{'.'.join(path)}: {value}" for path, value in self.wanted) + "}"


@dataclass(frozen=True)
class Whole(Value):
    """A text that stands for a whole row, such as a rule as iptables-save prints it."""

    text: Any
    row: type[Fact]

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return getattr(self.text, "references", frozenset())

    def bind(self, scope: Scope) -> Value:
        return Whole(self.text.fill(scope), self.row) if self.references else self

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        return value is not None and value.spells(self.text)

    def __str__(self) -> str:
        return str(self.text)


@dataclass(frozen=True)
class Outcome:
    """What one quantifier came to: whether it holds, the words for it, the rows concerned and in what they differ."""

    quantifier: str
    holds: bool
    text: str
    rows: tuple[Any, ...] = ()
    differing: tuple[tuple[Difference, ...], ...] = ()


@dataclass(frozen=True)
class Quantified(Value):
    """`where`, then `some`, `each`, `none`, `exactly`, `in_order`, `count`: as a value, it matches a list."""

    where: Fields | None = None
    some: Value | None = None
    each: Value | None = None
    none: Value | None = None
    exactly: tuple[Value, ...] | None = None
    in_order: tuple[Value, ...] | None = None
    count: Value | None = None
    or_none: bool = False
    noun: str = field(default="entries", compare=False)

    def _parts(self) -> Iterable[Value]:
        for entry in (self.where, self.some, self.each, self.none, self.count):
            if entry is not None:
                yield entry
        yield from self.exactly or ()
        yield from self.in_order or ()

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return frozenset().union(*(part.references for part in self._parts()))

    @property
    def grows(self) -> bool:
        return any(part.grows for part in self._parts())

    def bind(self, scope: Scope) -> Quantified:
        if not self.references:
            return self
        bound: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Value):
                value = value.bind(scope)
            elif isinstance(value, tuple):
                value = tuple(entry.bind(scope) for entry in value)
            bound[each.name] = value
        return Quantified(**bound)

    def select(self, rows: Iterable[Any]) -> tuple[Any, ...]:
        """Give the rows that `where` selects."""
        return tuple(row for row in rows if self.where is None or self.where.matches(row))

    def matches(self, value: Any, before: Any = None) -> bool:
        rows = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
        return all(outcome.holds for outcome in self.outcomes(rows, before or ()))

    def outcomes(self, rows: Sequence[Any], before: Sequence[Any] = ()) -> list[Outcome]:
        """Hold each quantifier against the rows."""
        selected = self.select(rows)
        earlier = paired(selected, before) if before else {}
        if self.where is not None and not selected and not (self.or_none or self.count is not None):
            return [Outcome("where", False, f"no {self.noun} match {self.where}", *nearest(self.where, rows))]
        if not selected and self.or_none:
            return [Outcome("where", True, f"no {self.noun}{_of(self.where)}, as allowed")]
        judges = (
            (self.some, self._some), (self.each, self._each), (self.none, self._none),
            (self.exactly, self._exactly), (self.in_order, self._in_order), (self.count, self._count),
        )  # fmt: skip
        return [judge(wanted, selected, earlier) for wanted, judge in judges if wanted is not None]

    def _some(self, wanted: Value, rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:
        for row in rows:
            if wanted.matches(row, before.get(id(row))):
                return Outcome("some", True, f"{show(row)} matches", (row,))
        return Outcome("some", False, f"no {self.noun} match {wanted}{_of(self.where)}", *nearest(wanted, rows))

    def _each(self, wanted: Value, rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:
        if not rows:
            return Outcome("each", False, f"there are no {self.noun}")
        wrong = [(row, diff) for row in rows if (diff := tuple(differences(wanted, row, before.get(id(row)))))]
        if not wrong:
            return Outcome("each", True, f"all {len(rows)} {self.noun} match {wanted}", tuple(rows))
        found = tuple(row for row, _ in wrong)
        text = f"{len(wrong)} of {len(rows)} {self.noun} do not match {wanted}"
        return Outcome("each", False, text, found, tuple(diff for _, diff in wrong))

    def _none(self, wanted: Value, rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:
        found = tuple(row for row in rows if wanted.matches(row, before.get(id(row))))
        if not found:
            return Outcome("none", True, f"none of {len(rows)} {self.noun} match {wanted}")
        return Outcome("none", False, f"{len(found)} of {len(rows)} {self.noun} match {wanted}, where none may", found)

    def _count(self, wanted: Value, rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:  # noqa: ARG002
        text = f"{len(rows)} {self.noun}{_of(self.where)}"
        if wanted.matches(len(rows)):
            return Outcome("count", True, text, tuple(rows))
        return Outcome("count", False, f"expected {wanted} {self.noun}{_of(self.where)}, got {len(rows)}", tuple(rows))

    def _in_order(self, wanted: Sequence[Value], rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:
        position = 0
        for entry in wanted:
            found = next((i for i in range(position, len(rows)) if entry.matches(rows[i], before.get(id(rows[i])))), None)
            if found is None:
                return self._out_of_order(entry, rows, position)
            position = found + 1
        return Outcome("in_order", True, f"{len(wanted)} {self.noun} stand in their order", tuple(rows))

    def _out_of_order(self, entry: Value, rows: Sequence[Any], position: int) -> Outcome:
        after = f" after number {position}" if position else ""
        earlier = next((i for i in range(position) if entry.matches(rows[i])), None)
        if earlier is not None:
            text = f"expected {entry}{after}, but it stands before, as number {earlier + 1} of {len(rows)}"
            return Outcome("in_order", False, text, (rows[earlier],))
        return Outcome("in_order", False, f"no {self.noun} match {entry}{after}", *nearest(entry, rows[position:]))

    def _exactly(self, wanted: Sequence[Value], rows: Sequence[Any], before: Mapping[int, Any]) -> Outcome:
        partner = pair_off([[entry.matches(row, before.get(id(row))) for row in rows] for entry in wanted])
        missing = [entry for number, entry in enumerate(wanted) if number not in partner.values()]
        extra = tuple(row for number, row in enumerate(rows) if number not in partner)
        if not missing and not extra:
            return Outcome("exactly", True, f"{len(rows)} {self.noun} are exactly those expected", tuple(rows))
        words = [f"missing {entry}" for entry in missing] + [f"unexpected {show(row)}" for row in extra]
        return Outcome("exactly", False, f"{self.noun} are not exactly those expected: " + "; ".join(words), extra)

    def __str__(self) -> str:
        words = []
        for each in fields(self)[:-1]:
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                words.append(f"{each.name}: [{', '.join(map(str, value))}]")
            elif value is not None and value is not False:
                words.append(f"{each.name}: {show(value) if value is True else value}")
        return str(self.some) if len(words) == 1 and self.some is not None else "{" + ", ".join(words) + "}"


def _of(where: Fields | None) -> str:
    return f" among those with {where}" if where is not None else ""


def pair_off(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Pair as many entries with rows as possible, each once.

    Shape: *fits* has a list for each entry, saying which rows it fits; the result maps a row's number to its entry's.
    """
    partner: dict[int, int] = {}

    def place(entry: int, tried: set[int]) -> bool:
        for row, fit in enumerate(fits[entry]):
            if fit and row not in tried:
                tried.add(row)
                if row not in partner or place(partner[row], tried):
                    partner[row] = entry
                    return True
        return False

    for entry in range(len(fits)):
        place(entry, set())
    return partner


def paired(rows: Iterable[Any], before: Iterable[Any]) -> dict[int, Any]:
    """Find for each row what the same thing was in the observation before: by identity, by place for what has none."""
    known = {(type(row), row.label()): row for row in before if isinstance(row, Fact)}
    return {id(row): known.get((type(row), row.label())) for row in rows if isinstance(row, Fact)}


def nearest(wanted: Value, rows: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[tuple[Difference, ...], ...]]:
    """Find the row that comes nearest to a matcher, and in what it differs; nothing where none comes near.

    A field that names the thing weighs more than any number of others: a route of another network is no near miss.
    """
    best: tuple[float, Any, tuple[Difference, ...]] | None = None
    for row in rows:
        found = tuple(differences(wanted, row))
        score = _nearness(wanted, row, found)
        if score > 0 and (best is None or score > best[0]):
            best = score, row, found
    return ((best[1],), (best[2],)) if best else ((), ())


def _nearness(wanted: Value, row: Any, found: Sequence[Difference]) -> float:
    if isinstance(wanted, Whole):
        return float(row.likeness(wanted.text)) if isinstance(row, Fact) and hasattr(row, "likeness") else 0.0
    if not isinstance(wanted, Fields):
        return 0.0
    wrong = {difference.path.split(".")[0] for difference in found}
    identity = type(row).identity if isinstance(row, Fact) else ()
    return float(sum(10 if path[0] in identity else 1 for path, _ in wanted.wanted if path[0] not in wrong))
