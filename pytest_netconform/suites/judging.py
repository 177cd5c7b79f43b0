"""Judging suites: ask, observe, judge; every question asked once for each observation, and shared by all checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.references import Absent, NeverKnown, NotResolved, Scope
from pytest_netconform.questions import Answer, NotHere, Question, Target, Unknown
from pytest_netconform.suites.model import Check, Condition, Group, Place, Query, Suite
from pytest_netconform.verdicts import Judgement, Verdict, erred, failed, passed, skipped

POLL_S = 0.05


class Observation:
    """What was seen in one epoch: each question is put to each target once."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, Question], Answer] = {}
        self._places: dict[str, tuple[tuple[Fact, Target], ...] | Unknown] = {}
        self.judged: dict[str, Judgement] = {}

    def ask(self, target: Target, question: Question) -> Answer:
        key = (target.name, question)
        if key not in self._answers:
            self._answers[key] = target.observe(question)
        return self._answers[key]

    def places(self, target: Target) -> tuple[tuple[Fact, Target], ...] | Unknown:
        if target.name not in self._places:
            found = target.places()
            self._places[target.name] = found if isinstance(found, Unknown) else tuple(found)
        return self._places[target.name]


@dataclass(frozen=True)
class Look:
    """Where one judgement looks: a place of a target, in an observation, and the one before where growth is judged."""

    now: Observation
    node: Target
    here: Target
    name: str = ""
    before: Observation | None = None

    def answers(self, query: Query) -> Mapping[Question, Answer]:
        return {question: self.now.ask(self.here, question) for question in query.body.asks()}

    def earlier(self, query: Query) -> Mapping[Question, Answer] | None:
        if self.before is None:
            return None
        return {question: self.before.ask(self.here, question) for question in query.body.asks()}

    def at(self, place: Place | None, scope: Scope) -> list[Look]:
        """Give the looks at a place.

        Raises: NotResolved where the target's namespaces could not be listed.
        """
        if place is None:
            return [self]
        if place.which is None:
            return [replace(self, here=self.node, name="")]
        found = self.now.places(self.node)
        if isinstance(found, Unknown):
            raise NotResolved(f"the network namespaces could not be listed: {found.reason}")
        which = place.which.bind(scope)
        targets = {id(row): target for row, target in found}
        chosen = which.select([row for row, _ in found])
        return [replace(self, here=targets[id(row)], name=row.label()) for row in chosen]


def judge_condition(condition: Condition, look: Look, scope: Scope) -> Judgement:
    """Judge a query, or several of which any or all must hold."""
    if isinstance(condition, Query):
        return _judge_query(condition, look, scope)
    parts = [judge_condition(member, look, scope) for member in condition.members]
    return Judgement.join(parts) if condition.word == "all" else _any(condition, parts)


def _any(group: Group, parts: list[Judgement]) -> Judgement:
    """Take what passed, if anything did; else all that was found."""
    holding = [part for part in parts if part.verdict is Verdict.PASS]
    return holding[0] if holding else Judgement.join(parts)


def _judge_query(query: Query, look: Look, scope: Scope) -> Judgement:
    try:
        looks = look.at(query.place, scope)
        if not looks:
            return failed(f"no namespace is a {query.place}")
        return Judgement.join(_judge_here(query, each, scope) for each in looks)
    except Absent as absent:
        return _placed(failed(str(absent)), look)
    except NotResolved as unreadable:
        return _placed(erred(str(unreadable)), look)
    except NeverKnown as never:
        return _placed(skipped(str(never)), look)


def _judge_here(query: Query, look: Look, scope: Scope) -> Judgement:
    parts = []
    for expanded in scope.expansions(query.references) if query.references else (scope,):
        bound = Query(query.body.bind(expanded))
        parts.append(bound.body.judge(look.answers(bound), look.earlier(bound)))
    return _placed(Judgement.join(parts), look)


def _placed(judgement: Judgement, look: Look) -> Judgement:
    if not look.name:
        return judgement
    return Judgement(tuple(replace(each, place=each.place or look.name) for each in judgement.findings))


def select(query: Query, look: Look, scope: Scope) -> tuple[Fact, ...]:
    """Give the rows that a binding or a variable selects.

    Raises: Absent, NotResolved where they could not be observed, NeverKnown.
    """
    rows: list[Fact] = []
    for each in look.at(query.place, scope):
        for expanded in scope.expansions(query.references):
            bound = Query(query.body.bind(expanded))
            found = bound.body.select(each.answers(bound))
            if isinstance(found, Unknown):
                raise NotResolved(f"{bound.body.asks()[0]} could not be observed: {found.reason}")
            if isinstance(found, NotHere):
                raise NeverKnown(f"{bound.body.asks()[0]}: {found.reason}")
            rows += found
    return tuple(rows)


def scope_of(suite: Suite, look: Look) -> Scope:
    """Make the scope of a suite's variables, each asked when it is first used."""
    bound: dict[str, Any] = {}
    scope = Scope(bound)
    for name, variable in suite.variables.items():
        bound[name] = partial(_variable, name, variable, look, scope) if isinstance(variable, Query) else variable
    return scope


def _variable(name: str, query: Query, look: Look, scope: Scope) -> Fact | None:
    rows = select(query, look, scope)
    if len(rows) > 1:
        seen = ", ".join(row.label() for row in rows[:4])
        raise Absent(f"variable {name!r} needs exactly one row, but {len(rows)} match: {seen}")
    return rows[0] if rows else None


def bindings(check: Check, look: Look, scope: Scope, number: int = 0) -> Iterator[Scope]:
    """Go over the combinations that a check's `for` binds."""
    if number == len(check.bindings):
        yield scope
        return
    name, query = check.bindings[number]
    for row in select(query, look, scope):
        yield from bindings(check, look, scope.with_(name, row), number + 1)


@dataclass
class Judge:
    """Judges the checks of some suites on one target.

    Shape: *suites* are all that a `need` may name.
    """

    target: Target
    suites: Mapping[str, Suite]
    observation: Observation = field(default_factory=Observation)
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def applies(self, suite: Suite) -> Judgement:
        """Judge a suite's `when`."""
        if suite.when is None:
            return passed("applies to every node")
        key = f"{suite.name}::"
        if key not in self.observation.judged:
            look = Look(self.observation, self.target, self.target)
            self.observation.judged[key] = judge_condition(suite.when, look, scope_of(suite, look))
        return self.observation.judged[key]

    def judge(self, check: Check) -> Judgement:
        """Judge a check: first its needs, from the same facts; then itself, for as long as it may take."""
        if (blocked := self._blocked(check)) is not None:
            return blocked
        if check.over_s is not None:
            return self._watch(check, check.over_s)
        judgement = self._once(check)
        if check.eventually_s is None or not self.target.moves:
            return judgement
        deadline = self.clock() + check.eventually_s
        while judgement.verdict is not Verdict.PASS and self.clock() < deadline:
            self.wait(POLL_S)
            judgement = self._afresh(check)
        return judgement

    def _blocked(self, check: Check) -> Judgement | None:
        for need in check.needs:
            suite, _, name = need.partition("::")
            applies = self.applies(self.suites[suite]).verdict
            if applies in (Verdict.FAIL, Verdict.SKIP):
                continue
            verdict = applies if applies is Verdict.ERROR else self.judge(self.suites[suite].checks[name]).verdict
            if verdict is not Verdict.PASS:
                return skipped(f"blocked by {need} ({verdict})")
        return None

    def _once(self, check: Check) -> Judgement:
        if check.id not in self.observation.judged:
            self.observation.judged[check.id] = self._look(check, self.observation, None)
        return self.observation.judged[check.id]

    def _afresh(self, check: Check) -> Judgement:
        return self._look(check, Observation(), None)

    def _watch(self, check: Check, over_s: float) -> Judgement:
        if not self.target.moves:
            return skipped("a recording holds one observation, so nothing in it can be seen to grow")
        before = Observation()
        self._look(check, before, None)
        self.wait(over_s)
        return self._look(check, Observation(), before)

    def _look(self, check: Check, now: Observation, before: Observation | None) -> Judgement:
        suite = self.suites[check.suite]
        look = Look(now, self.target, self.target, before=before)
        place = check.place or suite.place
        try:
            looks = look.at(place, scope_of(suite, look))
        except NotResolved as unreadable:
            return erred(str(unreadable))
        if not looks:
            return self._nothing(f"no namespace is a {place}", check.or_none or suite.or_none)
        return Judgement.join(self._look_at(check, each) for each in looks)

    def _look_at(self, check: Check, look: Look) -> Judgement:
        scope = scope_of(self.suites[check.suite], look)
        try:
            scopes = list(bindings(check, look, scope))
        except Absent as absent:
            return _placed(failed(str(absent)), look)
        except NotResolved as unreadable:
            return _placed(erred(str(unreadable)), look)
        except NeverKnown as never:
            return _placed(skipped(str(never)), look)
        if not scopes:
            return _placed(self._nothing("'for' selects nothing", check.or_none), look)
        return Judgement.join(judge_condition(check.condition, look, each) for each in scopes)

    @staticmethod
    def _nothing(text: str, allowed: bool) -> Judgement:
        return passed(f"{text}, as allowed") if allowed else failed(text)

