"""What every kind of check is made of: it says what it asks and judges the answers, and never looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_netconform.checks.parts import Part, TablePart, of_nothing
from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.at import At
from pytest_netconform.matching.base import Value
from pytest_netconform.matching.compiling import compile_quantified
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.references import NotResolved, Reference, Scope, Template, references_in
from pytest_netconform.matching.rows import Fields
from pytest_netconform.matching.values import Literal
from pytest_netconform.questions import Answer, NotHere, Question, Unknown
from pytest_netconform.verdicts import Finding, Judgement, Verdict, erred, skipped

Answers = Mapping[Question, Answer]
NO_DEPTH = (
    "a wildcard reaches over no separator, so '**' finds no more than '*'; write one '*' for each level"
)


@dataclass(frozen=True)
class Body:
    """What stands under a kind's name, compiled: one or more parts."""

    kind: Kind
    parts: tuple[Part, ...]

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return references_in(*self.parts)

    @cached_property
    def grows(self) -> bool:
        """Say whether it needs an observation before."""
        return any(part.grows for part in self.parts)

    def bind(self, scope: Scope) -> Body:
        """Put in what the references stand for.

        Raises: Unresolved.
        """
        if not self.references:
            return self
        parts = tuple(part.bind(scope) for part in self.parts)
        for part in parts:
            if wrong := self.kind.misnamed(part.question.of):
                raise NotResolved(wrong)
        return Body(self.kind, parts)

    def asks(self) -> tuple[Question, ...]:
        """List the questions of a bound body."""
        return tuple(part.question for part in self.parts)

    def judge(self, answers: Answers, before: Answers | None = None) -> Judgement:
        """Judge the answers to `asks()`; what could not be observed is an error, whatever is expected."""
        try:
            if len(self.parts) == 1:
                return _judged(self.parts[0], answers, before)
            return Judgement.join(_judged(part, answers, before) for part in self.parts)
        except Unreadable as error:
            return erred(f"{self.kind.name} could not be judged: {error}")

    def select(self, answers: Answers) -> Answer:
        """Give the rows that a `for`, a variable or a place selects."""
        rows: list[Fact] = []
        for part in self.parts:
            answer = answers[part.question]
            if not isinstance(answer, tuple):
                return answer
            try:
                rows += part.select(answer)
            except Unreadable as error:
                return Unknown(str(error))
        return tuple(rows)


def _judged(part: Part, answers: Answers, before: Answers | None) -> Judgement:
    answer, earlier = answers[part.question], before[part.question] if before is not None else None
    if isinstance(answer, tuple) and (earlier is None or isinstance(earlier, tuple)):
        return part.judge(answer, earlier)
    found = earlier if isinstance(answer, tuple) else answer
    if isinstance(found, Unknown):
        text = f"{part.question} could not be observed: {found.reason}"
        return Judgement((Finding(Verdict.ERROR, text, untold=found.untold),))
    assert isinstance(found, NotHere), "an answer is rows, or the reason why there are none"
    return skipped(f"{part.question}: {found.reason}")


@dataclass(frozen=True)
class Kind:
    """One kind of question; subclasses change how its spec is read, never how it is judged.

    Shape: *row* is the fact that its table has a row of each, *noun* what several of them are called, *see*
           makes, from a row, the command that shows it to a person.
    """

    name: str
    row: type[Fact]
    noun: str
    see: Callable[[Any], str] = field(default=of_nothing)

    def compile(self, spec: Any, at: At, context: Context) -> Body | None:
        """Compile a spec; None where it was wrong, and reported."""
        expected = compile_quantified(spec, at, context.table(self.row, self.noun))
        question = None if expected is None else self.question(expected, at)
        if expected is None or question is None:
            return None
        return Body(self, (TablePart(self.name, question, expected),))

    def question(self, expected: Quantified, at: At) -> Question | None:  # noqa: ARG002
        """Say what to ask for what is expected; None where that cannot be told, and was reported."""
        return Question(self.name)

    def misnamed(self, name: Any) -> str:  # noqa: ARG002
        """Say what is wrong with what a question is of; empty where nothing is."""
        return ""


@dataclass(frozen=True)
class KeyedKind(Kind):
    """A kind whose table cannot be read as a whole: its spec must say which rows, by name or by a pattern.

    Shape: *key* is the field that names a row.
    """

    key: str = "name"

    def question(self, expected: Quantified, at: At) -> Question | None:
        name = named_by(expected, self.key)
        if name is None:
            at.problem(f"say which: {self.name} needs a {self.key}, or in 'where' a pattern of them")
            return None
        wrong = self.misnamed(name) if isinstance(name, str) else NO_DEPTH if "**" in str(name) else ""
        if wrong:
            at.problem(wrong)
            return None
        return Question(self.name, name)


def named_by(expected: Quantified, field: str) -> str | Template | None:
    """Give the one name, or pattern of names, of all rows that something is expected of; None without one."""
    entries = [entry for quantifier in expected.quantifiers for entry in quantifier.entries]
    names = [_literal(expected.where, field)] if expected.where is not None else []
    if not names or names[0] is None:
        names = [_literal(entry, field) for entry in entries]
    return names[0] if names and all(name == names[0] for name in names) else None


def _literal(entry: Value, name: str) -> str | Template | None:
    literal = entry.field(name) if isinstance(entry, Fields) else None
    found = literal.value if isinstance(literal, Literal) else None
    return found if isinstance(found, (str, Template)) else None
