"""Judging conditions and `for`: the queries of a check at one look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from pytest_netconform.checks.base import Body
from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.references import Scope, Unresolved
from pytest_netconform.suites.model import Check, Condition, Group, Query
from pytest_netconform.suites.observing import Look, bound, found_by
from pytest_netconform.verdicts import Finding, Judgement, Verdict, erred, failed

MOST_BOUND = 100_000


def judge_condition(condition: Condition, look: Look, scope: Scope) -> Judgement:
    """Judge a query, or several of which any or all must hold."""
    if isinstance(condition, Group):
        return _all(condition, look, scope) if condition.word == "all" else _any(condition, look, scope)
    if condition.is_plain:
        return placed(look.judge(condition.body), look)
    return _judge_query(condition, look, scope)


def _all(group: Group, look: Look, scope: Scope) -> Judgement:
    return Judgement.join(judge_condition(member, look, scope) for member in group.members)


def _any(group: Group, look: Look, scope: Scope) -> Judgement:
    """Take the first that passes; else what kept them from it, of which what cannot be known weighs more."""
    parts = []
    for member in group.members:
        part = judge_condition(member, look, scope)
        if part.verdict is Verdict.PASS:
            return part
        parts.append(part)
    unknown = [part for part in parts if part.verdict is Verdict.SKIP]
    erring = any(part.verdict is Verdict.ERROR for part in parts)
    found = Judgement.join(unknown if unknown and not erring else parts).findings
    if len(group.members) == 1:
        return Judgement(found)
    return Judgement(tuple(replace(each, among=len(group.members)) for each in found))


def _judge_query(query: Query, look: Look, scope: Scope) -> Judgement:
    """Judge a query that looks elsewhere, or goes over the lists that its references stand for."""
    try:
        looks = look.at(query.place, scope)
        scopes = scope.expansions(query.body.references)
    except Unresolved as why:
        return placed(unresolved(why), look)
    if found := still_there(looks, lambda each: _in_scopes(query.body, each, scopes)):
        return Judgement.join(found)
    return failed(f"no namespace is a {query.place}")


def _in_scopes(body: Body, look: Look, scopes: Iterable[Scope]) -> Judgement:
    return Judgement.join(_judge_body(body, look, expanded) for expanded in scopes)


def still_there(looks: Iterable[Look], judge: Callable[[Look], Judgement]) -> list[Judgement]:
    """Judge at each place, but for those that ended meanwhile."""
    found = [(look, judge(look)) for look in looks]
    return [judgement for look, judgement in found if not look.is_gone]


def _judge_body(body: Body, look: Look, scope: Scope) -> Judgement:
    try:
        return placed(look.judge(body.bind(scope)), look)
    except Unresolved as why:
        return placed(unresolved(why), look)


def unresolved(why: Unresolved) -> Judgement:
    """Judge what a reference keeps from being judged."""
    return Judgement((Finding(why.verdict, str(why), untold=getattr(why, "untold", False)),))


def placed(judgement: Judgement, look: Look) -> Judgement:
    """Name the namespace in what was found there."""
    if not look.name:
        return judgement
    return Judgement(tuple(replace(each, place=each.place or look.name) for each in judgement.findings))


def bind(check: Check, look: Look, scope: Scope) -> tuple[list[Scope], Judgement]:
    """Go over what `for` binds, entry by entry; gives the combinations, and what kept others from it."""
    scopes, wrong = [scope], list[Judgement]()
    for name, query in check.bindings:
        outer, scopes = scopes, []
        for each in outer:
            try:
                rows, nothing = _bound_rows(query, look, each)
            except Unresolved as why:
                wrong.append(unresolved(why))
                continue
            if not rows and not check.or_none:
                wrong.append(failed(f"'for' binds no {name}: {nothing}"))
            scopes += [each.with_(name, row) for row in rows]
            if len(scopes) > MOST_BOUND:
                return [], erred(f"'for' binds more than {MOST_BOUND} combinations")
    return scopes, placed(Judgement.join(wrong), look)


def _bound_rows(query: Query, look: Look, scope: Scope) -> tuple[list[Fact], str]:
    """Give the rows that a binding selects, and where there are none, why.

    Raises: Unresolved.
    """
    rows: list[Fact] = []
    nothing = f"no namespace is a {query.place}"
    for each, body in bound(query, look, scope):
        rows += found_by(body, each)
        if not rows and not each.is_gone:
            nothing = "; ".join(map(str, each.judge(body).findings))
    return rows, nothing
