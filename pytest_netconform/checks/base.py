"""What every kind of check is made of: parts that ask one question each and judge its answer, purely."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.at import At
from pytest_netconform.matching.compiling import QUANTIFIERS, Context, compile_quantified, compile_value
from pytest_netconform.matching.references import Names, Reference, Scope, Template
from pytest_netconform.matching.rows import Difference, Outcome, Quantified
from pytest_netconform.matching.values import Value, show
from pytest_netconform.questions import Answer, NotHere, Question, Unknown
from pytest_netconform.verdicts import Finding, Judgement, Verdict, erred, skipped

Rows = tuple[Fact, ...]


class Part(Protocol):
    """One question, and what is expected of its answer."""

    @property
    def question(self) -> Question: ...
    @property
    def references(self) -> frozenset[Reference]: ...
    @property
    def grows(self) -> bool: ...
    def bind(self, scope: Scope) -> Part: ...
    def judge(self, rows: Rows, before: Rows | None) -> Judgement: ...
    def select(self, rows: Rows) -> Rows: ...


def filled(question: Question, scope: Scope) -> Question:
    """Put the references' values into what a question is of."""
    return replace(question, of=question.of.fill(scope)) if isinstance(question.of, Template) else question


def references_of(question: Question) -> frozenset[Reference]:
    return question.of.references if isinstance(question.of, Template) else frozenset()


@dataclass(frozen=True)
class TablePart:
    """Rows of a table, judged by the quantifiers."""

    kind: str
    question: Question
    expected: Quantified

    @property
    def references(self) -> frozenset[Reference]:
        return self.expected.references | references_of(self.question)

    @property
    def grows(self) -> bool:
        return self.expected.grows

    def bind(self, scope: Scope) -> TablePart:
        return replace(self, question=filled(self.question, scope), expected=self.expected.bind(scope))

    def judge(self, rows: Rows, before: Rows | None) -> Judgement:
        outcomes = self.expected.outcomes(rows, before or ())
        total = len(self.expected.select(rows))
        return Judgement(tuple(line for outcome in outcomes for line in self._findings(outcome, total)))

    def select(self, rows: Rows) -> Rows:
        return self.expected.select(rows)

    def _findings(self, outcome: Outcome, total: int) -> list[Finding]:
        subject = outcome.rows[0] if outcome.rows else None
        if outcome.holds:
            return [Finding(Verdict.PASS, f"{self.kind}: {outcome.text}", subject)]
        if outcome.quantifier == "each" and outcome.rows:
            return self._grouped(outcome, total)
        text = f"{self.kind}: {outcome.text}"
        if outcome.differing:
            text += f"\n  nearest {show(subject)}: " + "; ".join(map(str, outcome.differing[0]))
        elif outcome.rows:
            text += "".join(f"\n  {show(row)}" for row in outcome.rows[:10])
            text += f"\n  and {len(outcome.rows) - 10} more" if len(outcome.rows) > 10 else ""
        return [Finding(Verdict.FAIL, text, subject)]

    def _grouped(self, outcome: Outcome, total: int) -> list[Finding]:
        """Say once what several rows have wrong in the same way."""
        groups: dict[tuple[str, ...], list[Any]] = {}
        for row, wrong in zip(outcome.rows, outcome.differing, strict=True):
            groups.setdefault(tuple(map(str, wrong)), []).append(row)
        return [
            Finding(Verdict.FAIL, f"{self.kind} {_those(rows, words, total, self.expected.noun)}", rows[0])
            for words, rows in groups.items()
        ]


def _those(rows: Sequence[Fact], words: tuple[str, ...], total: int, noun: str) -> str:
    names = ", ".join(show(row) for row in rows[:8]) + (", ..." if len(rows) > 8 else "")
    several = f"   ({len(rows)} of {total} {noun}: {names})" if total > 1 else ""
    return f"{show(rows[0])} {'; '.join(words)}{several}"


@dataclass(frozen=True)
class ValuePart:
    """One named value, such as a sysctl: each row of the answer, or its absence, must match."""

    kind: str
    name: str
    question: Question
    expected: Value
    because: Callable[[Any], str] = field(default=lambda row: "")  # noqa: ARG005

    @property
    def references(self) -> frozenset[Reference]:
        return self.expected.references | references_of(self.question)

    @property
    def grows(self) -> bool:
        return self.expected.grows

    def bind(self, scope: Scope) -> ValuePart:
        return replace(self, question=filled(self.question, scope), expected=self.expected.bind(scope))

    def judge(self, rows: Rows, before: Rows | None) -> Judgement:
        earlier = [getattr(row, "value", None) for row in before or ()]
        findings = []
        for number, row in enumerate(rows or (None,)):
            value = getattr(row, "value", None)
            holds = self.expected.matches(value, earlier[number] if number < len(earlier) else None)
            seen = show(value) if holds else str(Difference("", str(self.expected), value))
            text = f"{self.kind} {self.name}: {seen}{self.because(row) if row is not None else ''}"
            findings.append(Finding(Verdict.PASS if holds else Verdict.FAIL, text, row))
        return Judgement(tuple(findings))

    def select(self, rows: Rows) -> Rows:
        return tuple(row for row in rows if self.expected.matches(getattr(row, "value", None)))


@dataclass(frozen=True)
class Body:
    """What stands under a kind's name, compiled: one or more parts."""

    kind: Kind
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "references", frozenset().union(*(part.references for part in self.parts)))

    references: frozenset[Reference] = field(init=False, compare=False)

    @property
    def grows(self) -> bool:
        return any(part.grows for part in self.parts)

    def bind(self, scope: Scope) -> Body:
        """Put in what the references stand for.

        Raises: Absent, NotResolved.
        """
        return Body(self.kind, tuple(part.bind(scope) for part in self.parts)) if self.references else self

    def asks(self) -> tuple[Question, ...]:
        """List the questions of a bound body."""
        return tuple(part.question for part in self.parts)

    def judge(self, answers: Mapping[Question, Answer], before: Mapping[Question, Answer] | None = None) -> Judgement:
        """Judge the answers to `asks()`; what could not be observed is an error, whatever is expected."""
        return Judgement.join(self._judge(part, answers, before) for part in self.parts)

    def _judge(self, part: Part, answers: Mapping[Question, Answer], before: Mapping[Question, Answer] | None) -> Judgement:
        answer, earlier = answers[part.question], before[part.question] if before is not None else None
        for found in (answer, earlier):
            if isinstance(found, Unknown):
                return erred(f"{part.question} could not be observed: {found.reason}")
            if isinstance(found, NotHere):
                return skipped(f"{part.question}: {found.reason}")
        return part.judge(answer, earlier)  # type: ignore[arg-type]

    def select(self, answers: Mapping[Question, Answer]) -> Answer:
        """Give the rows that a `for`, a variable or a place selects."""
        rows: list[Fact] = []
        for part in self.parts:
            answer = answers[part.question]
            if not isinstance(answer, tuple):
                return answer
            rows += part.select(answer)
        return tuple(rows)


@dataclass(frozen=True)
class Kind:
    """One kind of question; subclasses change how its spec is read, never how it is judged.

    Shape: *row* is the fact that its table has a row of each, *noun* what several of them are called, *see* makes, from a
    row, the command that shows it to a person.
    """

    name: str
    row: type[Fact]
    noun: str
    see: Callable[[Any], str] = field(default=lambda row: "")  # noqa: ARG005

    def compile(self, spec: Any, at: At, names: Names, *, selecting: bool = False) -> Body | None:
        """Compile a spec; None where it was wrong, and reported."""
        expected = compile_quantified(spec, at, Context(names, self.row, self.noun), selecting=selecting)
        return expected and Body(self, (TablePart(self.name, Question(self.name), expected),))


@dataclass(frozen=True)
class NamedValueKind(Kind):
    """A kind whose short form maps names to values, as `sysctl: {net.ipv4.ip_forward: 1}`."""

    because: Callable[[Any], str] = field(default=lambda row: "")  # noqa: ARG005

    def question(self, name: str) -> Question:
        """Ask for one name, or a pattern of names."""
        return Question(self.name, name)

    def compile(self, spec: Any, at: At, names: Names, *, selecting: bool = False) -> Body | None:
        if isinstance(spec, dict) and not selecting and not any(word in QUANTIFIERS for word in spec):
            return self._compile_values(spec, at, names)
        return self._compile_table(spec, at, names, selecting)

    def _compile_values(self, spec: dict[str, Any], at: At, names: Names) -> Body | None:
        if not spec:
            at.problem(f"nothing is asked of {self.name}; write name: value")
        parts = []
        for name, expected in spec.items():
            value = compile_value(expected, at.child(name), Context(names))
            if wrong := self.misnamed(name):
                at.child(name).problem(wrong, key=True)
            elif value is not None:
                parts.append(ValuePart(self.name, name, self.question(name), value, self.because))
        return Body(self, tuple(parts)) if parts and len(parts) == len(spec) else None

    def _compile_table(self, spec: Any, at: At, names: Names, selecting: bool) -> Body | None:
        expected = compile_quantified(spec, at, Context(names, self.row, self.noun), selecting=selecting)
        if expected is None:
            return None
        name = selected_by(expected, "name")
        if not isinstance(name, (str, Template)):
            at.problem(f"say which: {self.name} needs a name, or a pattern of names, in 'where'")
            return None
        return Body(self, (TablePart(self.name, Question(self.name, name), expected),))

    def misnamed(self, name: str) -> str:  # noqa: ARG002
        """Say what is wrong with a name; empty where nothing is."""
        return ""


def selected_by(expected: Quantified, name: str) -> Any:
    """Give the literal, template or pattern by which a field is selected, if it is."""
    for entry in (expected.where, expected.some):
        literal = entry.literal((name,)) if entry is not None and hasattr(entry, "literal") else None
        if literal is not None:
            return getattr(literal, "value", None)
    return None
