"""Judging suites: ask, observe, judge; a check's needs first, and again for as long as it may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.references import Scope, Template, Unresolved
from pytest_netconform.questions import Target
from pytest_netconform.suites.conditions import bind, judge_condition, placed, still_there, unresolved
from pytest_netconform.suites.model import Check, Suite, queries
from pytest_netconform.suites.observing import Look, Observation
from pytest_netconform.verdicts import Judgement, Verdict, blocked, failed, passed, skipped

POLL_S = 0.05
ONE_OBSERVATION = "a recording holds one observation, so nothing in it can be seen to grow"


@dataclass
class Judge:
    """Judges the checks of some suites on one target.

    Shape: *suites* are all that a `need` may name. *observation* is the newest: `eventually` and `grew` look
           anew, and what is judged after them is judged from what they saw last.
    """

    target: Target
    suites: Mapping[str, Suite]
    observation: Observation = field(default_factory=Observation)
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def renew(self) -> Observation:
        """Forget what was seen: the next judgement looks anew."""
        self.observation = Observation()
        return self.observation

    def applies(self, suite: Suite) -> Judgement:
        """Judge a suite's `when`."""
        if suite.when is None:
            return passed("applies to every node")
        judged, key = self.observation.judged, f"{suite.name}::"
        if key not in judged:
            look = Look(self.observation, self.target, self.target)
            judged[key] = as_evidence(judge_condition(suite.when, look, Scope(look.variables_of(suite))))
        return judged[key]

    def judge(self, check: Check) -> Judgement:
        """Judge a check: first its needs, from the same facts; then itself, for as long as it may take."""
        found: dict[str, Judgement] = {}
        waiting = [check]
        while waiting:
            here = waiting[-1]
            need = self._open_need(here, found) if here.needs else None
            if isinstance(need, Check):
                waiting.append(need)
            else:
                found[here.id] = need or self._judge(here)
                waiting.pop()
        return found[check.id]

    def _open_need(self, check: Check, found: Mapping[str, Judgement]) -> Check | Judgement | None:
        """Give the first need still to be judged, or the judgement that one blocks; None if all are met."""
        for need in check.needs:
            suite, _, name = need.partition("::")
            applies = self.applies(self.suites[suite])
            if applies.verdict is Verdict.ERROR:
                return blocked(f"blocked by {need}: whether {suite} applies could not be observed")
            if applies.verdict is not Verdict.PASS:
                continue
            if need not in found:
                return self.suites[suite].checks[name]
            if (verdict := found[need].verdict) is not Verdict.PASS:
                return blocked(f"blocked by {need} ({verdict})")
        return None

    def _judge(self, check: Check) -> Judgement:
        """Judge a check whose needs are met, until it passes or its time is up."""
        if check.id in self.observation.judged:
            return self.observation.judged[check.id]
        if check.over_s is not None and not self.target.moves:
            return skipped(ONE_OBSERVATION)
        deadline = self.clock() + check.eventually_s if check.eventually_s and self.target.moves else None
        judgement = self._look(check)
        while deadline is not None and judgement.verdict in (Verdict.FAIL, Verdict.ERROR):
            if (left_s := deadline - self.clock()) <= 0:
                break
            self.wait(min(POLL_S, left_s))
            self.renew()
            judgement = self._look(check)
        self.observation.judged[check.id] = judgement
        return judgement

    def _look(self, check: Check) -> Judgement:
        """Look once, or twice with the check's time between, where something is to be seen growing."""
        if check.over_s is None:
            return self._judge_places(check, Look(self.observation, self.target, self.target))
        before = self.renew()
        first = Look(before, self.target, self.target)
        self._judge_places(check, first)
        for query in queries(check.condition):  # also those that nothing is bound for as yet
            if not any(isinstance(question.of, Template) for question in query.body.asks()):
                first.answers(query.body)
        self.wait(check.over_s)
        return self._judge_places(check, Look(self.renew(), self.target, self.target, before=before))

    def _judge_places(self, check: Check, look: Look) -> Judgement:
        suite = self.suites[check.suite]
        place = check.place or suite.place
        if place is None:
            return self._judge_here(check, suite, look)
        try:
            looks = look.at(place, Scope(look.variables_of(suite)))
        except Unresolved as why:
            return unresolved(why)
        found = still_there(looks, lambda each: self._judge_here(check, suite, each))
        if found:
            return Judgement.join(found)
        return nothing(f"no namespace is a {place}", check.or_none or suite.or_none)

    @staticmethod
    def _judge_here(check: Check, suite: Suite, look: Look) -> Judgement:
        scope = Scope(look.variables_of(suite))
        if not check.bindings:
            return judge_condition(check.condition, look, scope)
        scopes, wrong = bind(check, look, scope)
        if not scopes and not wrong.findings:
            return placed(nothing("'for' binds nothing", check.or_none), look)
        judgements = (bearing(judge_condition(check.condition, look, each), each.bound) for each in scopes)
        return Judgement.join([wrong, *judgements])


def as_evidence(judgement: Judgement) -> Judgement:
    """Take for no evidence what a recording is silent on; all else that was not observed stays an error."""
    return Judgement(
        tuple(replace(each, verdict=Verdict.FAIL) if each.untold else each for each in judgement.findings)
    )


def bearing(judgement: Judgement, bound: Mapping[str, Fact]) -> Judgement:
    """Keep, with what failed, the rows that were bound then: a fix may use them."""
    if judgement.verdict is Verdict.PASS:
        return judgement
    return Judgement(tuple(replace(finding, bound=bound) for finding in judgement.findings))


def nothing(text: str, allowed: bool) -> Judgement:
    """Judge that there is nothing to judge."""
    return passed(f"{text}, as allowed") if allowed else failed(text)
