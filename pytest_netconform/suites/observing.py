"""Observing: every question is asked once in each epoch, and its answer shared by all checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_netconform.checks.base import Body
from pytest_netconform.errors import NetconformError
from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.references import Absent, NeverKnown, NotResolved, Scope, Unresolved
from pytest_netconform.matching.scalars import show
from pytest_netconform.questions import Answer, NotHere, Question, Target, Unknown
from pytest_netconform.suites.model import Place, Query, Suite
from pytest_netconform.verdicts import Judgement

Places = tuple[tuple[Fact, Target], ...]


class Observation:
    """What was seen in one epoch: each question is put to each target once.

    Shape: *judged* and *variables* are what was made of it, by check and by suite and place.
    """

    def __init__(self) -> None:
        self._answers: dict[str, dict[Question, Answer]] = {}
        self._places: dict[str, Places | Unknown] = {}
        self._gone: set[str] = set()
        self.judged: dict[str, Judgement] = {}
        self.variables: dict[tuple[str, str], Variables] = {}

    def ask(self, target: Target, question: Question) -> Answer:
        """Give a target's answer; what it could not read is Unknown, however it says so."""
        answers = self._answers.setdefault(target.name, {})
        if question not in answers:
            try:
                answers[question] = target.observe(question)
            except (NetconformError, OSError) as error:
                answers[question] = Unknown(str(error))
        answer = answers[question]
        if isinstance(answer, Unknown) and answer.gone:
            self._gone.add(target.name)
        return answer

    def is_gone(self, target: Target) -> bool:
        """Say whether a place has ended since it was listed: it is to be left out of what is judged."""
        return target.name in self._gone

    def asked(self, target: Target, question: Question) -> Answer:
        """Give an answer of an epoch that is over; what was not asked then cannot be known any more."""
        not_seen = Unknown("it was not looked at when the watch began")
        return self._answers.get(target.name, {}).get(question, not_seen)

    def places(self, target: Target) -> Places | Unknown:
        """List the network namespaces beside a target's own."""
        if target.name not in self._places:
            try:
                found = target.places()
                self._places[target.name] = found if isinstance(found, Unknown) else tuple(found)
            except (NetconformError, OSError) as error:
                self._places[target.name] = Unknown(str(error))
        return self._places[target.name]


@dataclass(frozen=True, slots=True)
class Look:
    """Where one judgement looks.

    Shape: *here* is a place of the target *node*, and *name* what it goes by if it is not the node's own;
           *now* is the observation, *before* the one before it where growth is judged.
    """

    now: Observation
    node: Target
    here: Target
    name: str = ""
    before: Observation | None = None

    def answers(self, body: Body) -> Mapping[Question, Answer]:
        return {question: self.now.ask(self.here, question) for question in body.asks()}

    def earlier(self, body: Body) -> Mapping[Question, Answer] | None:
        if self.before is None:
            return None
        return {question: self.before.asked(self.here, question) for question in body.asks()}

    def judge(self, body: Body) -> Judgement:
        """Judge a body whose references are put in."""
        return body.judge(self.answers(body), self.earlier(body))

    @property
    def is_gone(self) -> bool:
        """Say whether the place has ended meanwhile."""
        return self.here is not self.node and self.now.is_gone(self.here)

    def at(self, place: Place | None, scope: Scope) -> list[Look]:
        """Give the looks at a place.

        Raises: Unresolved.
        """
        if place is None:
            return [self]
        if place.which is None:
            return [self.on_node()]
        found = self.now.places(self.node)
        if isinstance(found, Unknown):
            raise NotResolved(f"the network namespaces could not be listed: {found.reason}")
        bound = [place.which.bind(each) for each in scope.expansions(place.references)]
        chosen = [(row, there) for row, there in found if any(which.select((row,)) for which in bound)]
        return [replace(self, here=there, name=show(row)) for row, there in chosen]

    def variables_of(self, suite: Suite) -> Variables:
        """Give what a suite's variables stand for: on the node, or where the suite itself looks."""
        here = self.node if suite.place is None else self.here
        key = (suite.name, here.name)
        if key not in self.now.variables:
            self.now.variables[key] = Variables(suite, self if here is self.here else self.on_node())
        return self.now.variables[key]

    def on_node(self) -> Look:
        return replace(self, here=self.node, name="")


class Variables:
    """What a suite's variables stand for at one place, each asked when it is first used."""

    def __init__(self, suite: Suite, look: Look) -> None:
        self.suite, self.look = suite, look
        self.known: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        """Give a variable's value.

        Raises: Unresolved.
        """
        if name not in self.known:
            try:
                self.known[name] = self._value(name)
            except Unresolved as why_not:
                self.known[name] = why_not
        found = self.known[name]
        if isinstance(found, Unresolved):
            raise found.with_traceback(None)
        return found

    def _value(self, name: str) -> Any:
        variable = self.suite.variables[name]
        if not isinstance(variable, Query):
            return variable
        rows = select(variable, self.look, Scope(self))
        if len(rows) != 1:
            what = f"variable {name!r} is exactly one {variable.body.kind.name}"
            seen = f"{len(rows)} match: {', '.join(map(show, rows[:4]))}" if rows else "none matches"
            raise Absent(f"{what}, but {seen}")
        return rows[0]


def select(query: Query, look: Look, scope: Scope) -> list[Fact]:
    """Give the rows that a binding or a variable selects.

    Raises: Unresolved.
    """
    return [row for each, body in bound(query, look, scope) for row in found_by(body, each)]


def bound(query: Query, look: Look, scope: Scope) -> Iterator[tuple[Look, Body]]:
    """Go over the places where a query looks, and over the lists that its references stand for.

    Raises: Unresolved.
    """
    for each in look.at(query.place, scope):
        for expanded in scope.expansions(query.body.references):
            yield each, query.body.bind(expanded)


def found_by(body: Body, look: Look) -> tuple[Fact, ...]:
    """Give the rows that a bound body selects; none where the place has ended.

    Raises: Unresolved.
    """
    try:
        return selected(body, look)
    except NotResolved:
        if look.is_gone:
            return ()
        raise


def selected(body: Body, look: Look) -> tuple[Fact, ...]:
    found = body.select(look.answers(body))
    if isinstance(found, Unknown):
        raise NotResolved(f"{body.asks()[0]} could not be observed: {found.reason}", found.untold)
    if isinstance(found, NotHere):
        raise NeverKnown(f"{body.asks()[0]}: {found.reason}")
    return found
