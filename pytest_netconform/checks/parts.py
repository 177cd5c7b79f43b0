"""Parts of a check: each asks one question and judges its answer, purely."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.nearest import told
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.quantifiers import Outcome
from pytest_netconform.matching.references import NotResolved, Reference, Scope, Template, references_in
from pytest_netconform.matching.rows import Fields
from pytest_netconform.matching.scalars import show
from pytest_netconform.questions import Question
from pytest_netconform.verdicts import Finding, Judgement, Verdict

Rows = tuple[Fact, ...]
MOST_NAMED = 8


class Part(Protocol):
    """One question, and what is expected of its answer."""

    @property
    def question(self) -> Question: ...
    @property
    def references(self) -> tuple[Reference, ...]: ...
    @property
    def grows(self) -> bool: ...
    def bind(self, scope: Scope) -> Part: ...
    def judge(self, rows: Rows, before: Rows | None) -> Judgement: ...
    def select(self, rows: Rows) -> Rows: ...


def filled(question: Question, scope: Scope, *, of_pattern: bool = False) -> Question:
    """Put the references' values into what a question is of; in a pattern they stand for themselves.

    Raises: Unresolved.
    """
    template = question.of
    if not isinstance(template, Template):
        return question
    of = template.fill(scope)
    if not isinstance(of, str):
        raise NotResolved(f"{template} needs a name, but stands for {show(of)}")
    if of_pattern and len(template.parts) > 1:
        of = template.written(scope, lambda value: glob.escape(template.spell(value)))
    elif of_pattern:
        of = glob.escape(of)
    return replace(question, of=of)


@dataclass(frozen=True)
class TablePart:
    """Rows of a table, judged by the quantifiers."""

    kind: str
    question: Question
    expected: Quantified

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return references_in(self.question.of, self.expected)

    @property
    def grows(self) -> bool:
        return self.expected.grows

    def bind(self, scope: Scope) -> TablePart:
        return TablePart(self.kind, filled(self.question, scope, of_pattern=True), self.expected.bind(scope))

    def select(self, rows: Rows) -> Rows:
        return self.expected.select(rows)

    def judge(self, rows: Rows, before: Rows | None) -> Judgement:
        outcomes = self.expected.outcomes(rows, before or ())
        return Judgement(tuple(found for outcome in outcomes for found in self._findings(outcome, rows)))

    def _findings(self, outcome: Outcome, rows: Rows) -> Sequence[Finding]:
        row = outcome.rows[0] if outcome.rows else None
        if outcome.holds:
            return (Finding(Verdict.PASS, f"{self.kind}: {outcome.text}", row),)
        if outcome.differing:
            return self._grouped(outcome, len(self.expected.select(rows)))
        text = "\n  ".join((f"{self.kind}: {outcome.text}", *outcome.details))
        others = outcome.rows[1:] if outcome.wrong else ()
        near = row is not None and not outcome.wrong and not self._names(row)
        return (Finding(Verdict.FAIL, text, row, others=others, near=near),)

    def _names(self, row: Fact) -> bool:
        """Say whether what is expected names this very row, by its identity and not by what it is like."""
        entries = [entry for quantifier in self.expected.quantifiers for entry in quantifier.entries]
        return any(isinstance(entry, Fields) and _is_named(entry, row) for entry in entries)

    def _grouped(self, outcome: Outcome, total: int) -> list[Finding]:
        """Say once what several rows have wrong in the same way."""
        groups: dict[tuple[Difference, ...], list[Fact]] = {}
        for row, wrong in zip(outcome.rows, outcome.differing, strict=True):
            groups.setdefault(wrong, []).append(row)
        return [
            Finding(Verdict.FAIL, self._wrong(wrong, rows, total), rows[0], others=tuple(rows[1:]))
            for wrong, rows in groups.items()
        ]

    def _wrong(self, wrong: tuple[Difference, ...], rows: Sequence[Fact], total: int) -> str:
        first, *more = told(wrong) if len(wrong) == 1 else ("; ".join(map(str, wrong)),)
        text = f"{self.kind} {show(rows[0])} {first}"
        if total > 1:
            names = ", ".join(map(show, rows[:MOST_NAMED])) + (", ..." if len(rows) > MOST_NAMED else "")
            text += f"   ({len(rows)} of {total} {self.expected.noun}: {names})"
        return "\n  ".join((text, *more))


def _is_named(entry: Fields, row: Fact) -> bool:
    matchers = {name: entry.field(name) for name in type(row).identity}
    return all(
        matcher is not None and matcher.matches(getattr(row, name)) for name, matcher in matchers.items()
    )


def of_nothing(row: Fact) -> str:  # noqa: ARG001
    """Say nothing more of a row."""
    return ""


@dataclass(frozen=True)
class ValuePart:
    """One named value, such as a sysctl: each row of the answer, or its absence, must match."""

    kind: str
    name: str | Template
    question: Question
    expected: Value
    because: Callable[[Any], str] = field(default=of_nothing)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return references_in(self.question.of, self.name, self.expected)

    @property
    def grows(self) -> bool:
        return self.expected.grows

    def bind(self, scope: Scope) -> ValuePart:
        question, expected = filled(self.question, scope), self.expected.bind(scope)
        name = str(question.of)
        if glob.has_magic(name):
            raise NotResolved(f"{self.name} needs one name, but stands for the pattern {show(name)}")
        return ValuePart(self.kind, name, question, expected, self.because)

    def select(self, rows: Rows) -> Rows:
        return tuple(row for row in rows if self.expected.matches(getattr(row, "value", None)))

    def judge(self, rows: Rows, before: Rows | None) -> Judgement:
        then = [getattr(row, "value", None) for row in before or ()]
        then += [None] * (len(rows) + 1 - len(then))
        return Judgement(tuple(map(self._finding, rows or (None,), then)))

    def _finding(self, row: Fact | None, before: Any) -> Finding:
        value = getattr(row, "value", None)
        reason = self.because(row) if row is not None else ""
        if wrong := self.expected.differences(value, before):
            return Finding(Verdict.FAIL, f"{self.kind} {show(self.name)}: {wrong[0]}{reason}", row)
        return Finding(Verdict.PASS, f"{self.kind} {show(self.name)}: {show(value)}{reason}", row)
