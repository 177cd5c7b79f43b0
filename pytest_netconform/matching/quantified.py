"""What is expected of many rows: of a table, or of a list inside one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.nearest import Rows, nearest
from pytest_netconform.matching.pairing import paired
from pytest_netconform.matching.quantifiers import Outcome, Quantifier
from pytest_netconform.matching.references import Scope


@dataclass(frozen=True)
class Quantified(Value):
    """Rows that `where` selects, and what quantifiers say of them; as a value, it matches a list."""

    where: Value | None = None
    quantifiers: tuple[Quantifier, ...] = ()
    or_none: bool = False
    noun: str = field(default="entries", compare=False)

    def inner(self) -> Iterable[Value]:
        entries = (entry for quantifier in self.quantifiers for entry in quantifier.entries)
        return (*([self.where] if self.where is not None else []), *entries)

    def bind(self, scope: Scope) -> Quantified:
        return self.bound(scope) if self.references else self

    def bound(self, scope: Scope) -> Quantified:
        quantifiers = tuple(
            type(quantifier)(tuple(entry.bind(scope) for entry in quantifier.entries))
            for quantifier in self.quantifiers
        )
        return Quantified(self.where and self.where.bind(scope), quantifiers, self.or_none, self.noun)

    def select(self, rows: Iterable[Any]) -> tuple[Any, ...]:
        """Give the rows that `where` selects."""
        where = self.where
        return tuple(rows) if where is None else tuple(row for row in rows if where.matches(row))

    def outcomes(self, rows: Sequence[Any], before: Sequence[Any] = ()) -> list[Outcome]:
        """Hold each quantifier against the rows."""
        selected = self.select(rows)
        if not selected and (nothing := self._nothing(rows)) is not None:
            return [nothing]
        earlier = paired(rows, before) if before else {}
        those = f" with {self.where.brief}" if self.where is not None else ""
        chosen = Rows(selected, earlier, self.noun, those)
        return [quantifier.outcome(chosen) for quantifier in self.quantifiers]

    def _nothing(self, rows: Sequence[Any]) -> Outcome | None:
        """Judge that nothing is selected; None where the quantifiers themselves do."""
        if self.or_none:
            those = f" match {self.where}" if self.where is not None else ""
            return Outcome(True, f"no {self.noun}{those}, as allowed")
        if self.where is None or any(quantifier.word == "count" for quantifier in self.quantifiers):
            return None
        found = nearest(self.where, Rows(rows))
        return Outcome(False, f"no {self.noun} match {self.where.brief}", found.rows, found.details)

    def matches(self, value: Any, before: Any = None) -> bool:
        if not isinstance(value, (tuple, list)):
            return False
        return all(outcome.holds for outcome in self.outcomes(value, before or ()))

    def differences(self, value: Any, before: Any = None) -> tuple[Difference, ...]:
        if not isinstance(value, (tuple, list)):
            return super().differences(value, before)
        failed = [outcome for outcome in self.outcomes(value, before or ()) if not outcome.holds]
        return tuple(Difference("", outcome.text, outcome.details) for outcome in failed)

    def nearness(self, value: Any, before: Any = None) -> float:
        if not isinstance(value, (tuple, list)):
            return 0.0
        if self.matches(value, before):
            return 1.0
        rows = self.select(value)
        return max((quantifier.nearness(rows) for quantifier in self.quantifiers), default=0.0) * 0.9

    def __str__(self) -> str:
        words = [str(quantifier) for quantifier in self.quantifiers]
        if self.where is None and not self.or_none and len(words) == 1 and words[0].startswith("some: "):
            return words[0].removeprefix("some: ")
        where = [f"where: {self.where}"] if self.where is not None else []
        return "{" + ", ".join([*where, *words, *(["or_none: true"] if self.or_none else [])]) + "}"
