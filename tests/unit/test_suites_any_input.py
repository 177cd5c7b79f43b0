"""Whatever stands in a suite, it is read or refused at a place; whatever is observed, there is a verdict."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from dictionary import NOT_HERE, UNKNOWN, Clock, Dictionary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_netconform.checks.base import Body, KeyedKind, Kind
from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import parse
from pytest_netconform.errors import DocumentError
from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.at import At
from pytest_netconform.matching.compiling import OPERATORS, WORDS
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.references import Scope, Unresolved
from pytest_netconform.matching.shapes import ANYTHING, Shape, fields_of
from pytest_netconform.questions import Answer
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.verdicts import Judgement, Verdict

TEXTS = st.sampled_from([
    "", "*", "eth*", "eth0", "absent", "present", ">= 5", "< -1", "!= ${v.mtu}", "${v.ifname}", "${v}",
    "${w}", "${list}", "${v.flags}", "${v.info.x.y}", "${w + 1}", "x${w}y", "${", "10.0.0.0/8", "fe80::/64",
    "default", "/etc/x", "net.ipv4.x", "net.ipv4.${w}.x", "-s 10.0.0.0/8 -j ACCEPT", "-s ${w} -j X", "[", "(",
    "^a", ".*", "node", "5s", "x::a", "linux::loopback",
])  # fmt: skip
SCALARS = st.one_of(
    TEXTS, st.text(max_size=8), st.none(), st.booleans(), st.integers(-5, 1500), st.integers(), st.floats()
)
FIELDS = sorted({name for kind in kinds().values() for name in fields_of(kind.row)})
KEYS = st.one_of(
    st.sampled_from(sorted({*WORDS, *OPERATORS, *kinds(), "any", "all", "in", "for"})),
    st.sampled_from(FIELDS),
    st.text(max_size=5),
    TEXTS,
)
ANYTHING_AT_ALL = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CHECK_KEYS = ("in", "for", "needs", "eventually", "over", "or_none", "severity", "title", "any", "all")
QUESTIONS = st.dictionaries(st.sampled_from([*kinds(), "in", "any", "all"]), ANYTHING_AT_ALL, max_size=3)
CHECKS = st.dictionaries(st.sampled_from([*kinds(), *CHECK_KEYS]), ANYTHING_AT_ALL, max_size=4)


WORDS_OF_FACTS = ("a", "eth0", "10.0.0.1", "10.0.0.0/8", "default", "5", "/etc/x", "net.ipv4.x", "UP")
WORDLIKE = st.sampled_from(WORDS_OF_FACTS)
LITERALS: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDLIKE | st.sampled_from(["${w}", "${v.ifname}", "${list}", "${v.flags}", "x${w}y"]),
    int: st.integers(0, 5) | st.sampled_from(["> 2", "!= 3", "${w}", "<= ${v.mtu - 50}", "== ${v.ifindex}"]),
    float: st.integers(0, 5),
    bool: st.booleans(),
}


def operated(literal: st.SearchStrategy[Any], shape: Shape) -> st.SearchStrategy[Any]:
    """Make what may be said of a value, with and around its literals."""
    words = st.sampled_from(["absent", "present"]) if shape.optional or shape.listed else literal
    of_text = st.sampled_from([{"match": "^[ae]"}, {"within": "10.0.0.0/8"}, {"contains": "${v.info.local}"}])
    return st.one_of(
        literal,
        words,
        literal.map(lambda one: {"not": one}),
        st.lists(literal, min_size=1, max_size=3).map(lambda some: {"any_of": some}),
        of_text if shape.kind is str else literal,
        st.just({"grew": "> 1"}) if shape.kind is int else literal,
    )


def said_of(shape: Shape) -> st.SearchStrategy[Any]:
    """Make what may be expected where a shape stands."""
    if shape.row is not None:
        rules = st.sampled_from(["-j A", "-s ${v.info.local} -j A", "-d 10.0.0.0/8 -j B"])
        one = rules | rows_of(shape.row)
    elif shape.kind is Mapping:
        value = operated(LITERALS[str], ANYTHING)
        one = st.dictionaries(st.sampled_from("xyz"), value, min_size=1, max_size=2)
    else:
        one = operated(LITERALS[shape.kind or str], shape)
    return one | quantified(one) if shape.listed else one


def quantified(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(one, min_size=1, max_size=3)
    quantifiers = {
        "some": one, "each": one, "none": one, "exactly": several, "in_order": several,
        "count": st.sampled_from([0, 1, ">= 1", {"not": 2}]),
    }  # fmt: skip
    return st.tuples(
        st.fixed_dictionaries({}, optional={"where": one, "or_none": st.just(True)}),
        st.sampled_from(sorted(quantifiers)).flatmap(
            lambda word: quantifiers[word].map(lambda entry: {word: entry})
        ),
    ).map(lambda parts: {**parts[0], **parts[1]})


def rows_of(row: type[Fact]) -> st.SearchStrategy[dict[str, Any]]:
    """Make mappings of fields, with what may be expected of them."""
    shapes = fields_of(row)
    return st.lists(st.sampled_from(sorted(shapes)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: said_of(shapes[name]) for name in names})
    )


def spec_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Make specs that come near to what a kind takes, and others that do not."""
    rows = rows_of(kind.row)
    if isinstance(kind, KeyedKind):
        key, name = kind.key, "/etc/x" if kind.key == "path" else "net.ipv4.x"
        keyed = rows.map(lambda row: {**row, key: name})
        value = operated(LITERALS[str], Shape(str, optional=True))
        short = st.dictionaries(st.sampled_from(["net.ipv4.x", "net.${v.ifname}.y"]), value, min_size=1)
        whole = quantified(rows).map(lambda spec: {**spec, "where": {key: name}})
        return keyed | whole | short | ANYTHING_AT_ALL
    return rows | quantified(rows) | rows.map(lambda row: {"not": row}) | ANYTHING_AT_ALL


def of_shape(shape: Shape) -> st.SearchStrategy[Any]:
    """Make values of a shape."""
    one: st.SearchStrategy[Any]
    if shape.row is not None:
        one = fact_of(shape.row)
    elif shape.kind is Mapping:
        one = st.dictionaries(
            st.sampled_from(["x", "y", "local"]), of_shape(shape.inner or ANYTHING), max_size=3
        )
    elif shape.kind is None:
        one = st.recursive(
            SCALARS | WORDLIKE,
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
            max_leaves=3,
        )
    else:
        one = {
            str: WORDLIKE | TEXTS | st.text(max_size=5), int: st.integers(0, 5) | st.integers(),
            float: st.floats(), bool: st.booleans(),
        }[shape.kind]  # fmt: skip
    if shape.listed:
        one = st.lists(one, max_size=3).map(tuple)
    return st.none() | one if shape.optional else one


def fact_of(row: type[Fact]) -> st.SearchStrategy[Fact]:
    """Make facts with anything that their types allow in some of their fields."""
    made: Any = row
    required = {each.name for each in fields(made) if each.default is each.default_factory is MISSING}
    shapes = fields_of(row)
    return st.fixed_dictionaries(
        {name: of_shape(shapes[name]) for name in required},
        optional={name: of_shape(shape) for name, shape in list(shapes.items())[:25] if name not in required},
    ).map(lambda values: made(**values))


def read(data: Any) -> Library:
    """Load a suite of plain data; raises DocumentError only."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.suite.yaml"
        path.write_text(json.dumps(data))
        library = Library(path.parent)
        with suppress(DocumentError):
            library.load(path)
        return library


HEAD = {"suite": "x", "title": "t", "vars": {"v": {"link": {"ifname": "eth0"}}, "w": 5, "list": ["a", "b"]}}
LO: Any = {"link": {"ifname": "lo"}}


@given(ANYTHING_AT_ALL)
def test_anything_as_a_suite_is_refused_or_read(data: Any) -> None:
    read(data)


@given(CHECKS | ANYTHING_AT_ALL, st.text(max_size=5))
def test_anything_as_a_check_is_refused_or_read(check: Any, name: str) -> None:
    read({**HEAD, "checks": {"a": LO, "b": check, name: LO}})


@given(QUESTIONS | ANYTHING_AT_ALL, ANYTHING_AT_ALL)
def test_anything_elsewhere_in_a_suite_is_refused_or_read(question: Any, other: Any) -> None:
    read({**HEAD, "when": question, "in": other, "checks": {"a": LO}})
    read({**HEAD, "vars": {"v": question, "w": other}, "checks": {"a": LO}})
    read({**HEAD, "checks": {"a": {**LO, "for": {"q": question, "link": other}, "in": other}}})
    read({**HEAD, "checks": {"a": {**LO, "for": other, "needs": other, "over": other, "eventually": other}}})
    read({**HEAD, "checks": {"a": {"all": [question, other]}, "b": {"any": other}}})


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(CHECKS, QUESTIONS, st.data())
def test_whatever_is_read_can_be_judged(check: Any, question: Any, data: st.DataObject) -> None:
    library = read({**HEAD, "when": question, "checks": {"a": check, "b": {**LO, "needs": ["a"]}}})
    if (suite := library.suites.get("x")) is None:
        return
    drawn = ("link", "route", "sysctl", "file", "chain")
    answers = {kind: data.draw(answers_of(kinds()[kind])) for kind in drawn}
    clock = Clock()
    target = Dictionary({**answers, "addr": UNKNOWN, "rule": NOT_HERE}, {"pod1": answers})
    judge = Judge(target, library.suites, clock=clock, wait=clock.wait)
    assert judge.applies(suite).verdict in Verdict
    for each in suite.checks.values():
        assert judge.judge(each).verdict in Verdict


def answers_of(kind: Kind) -> st.SearchStrategy[Answer]:
    rows = st.lists(fact_of(kind.row), max_size=3).map(tuple)
    return rows | st.just(UNKNOWN) | st.just(NOT_HERE)


# Each kind by itself

NAMES = {"v": Shape(kinds()["link"].row), "w": Shape(int), "list": Shape(str, listed=True)}


def compiled(kind: Kind, spec: Any, selecting: bool, watched: bool) -> Body | None:
    try:
        document = parse(json.dumps({"spec": spec}).encode(), "x.yaml")
        at = At(document, ("spec",))
        body = kind.compile(document.data["spec"], at, Context(NAMES, selecting=selecting, watched=watched))
        document.check()
    except DocumentError:
        return None
    assert body is not None, "what could not be compiled was reported"
    return body


@pytest.mark.parametrize("name", kinds())
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.data())
def test_any_spec_is_refused_or_judges_any_facts(name: str, data: st.DataObject) -> None:
    kind = kinds()[name]
    selecting, watched = data.draw(st.booleans()), data.draw(st.booleans())
    body = compiled(kind, data.draw(spec_of(kind)), selecting, watched)
    if body is None:
        return
    link = data.draw(fact_of(NAMES["v"].row or Fact))
    scope = Scope({"v": link, "w": data.draw(SCALARS), "list": ["a", "b"]}.__getitem__)
    rows, before = (data.draw(st.lists(fact_of(kind.row), max_size=4).map(tuple)) for _ in range(2))
    bodies: list[Body] = []
    with suppress(Unresolved):
        bodies += [body.bind(each) for each in scope.expansions(body.references)]
    for each in bodies:
        now, then = dict.fromkeys(each.asks(), rows), dict.fromkeys(each.asks(), before)
        assert isinstance(each.select(now), tuple)
        for judgement in (each.judge(now), each.judge(now, then)):
            assert_told(judgement, selecting)
        assert each.judge(dict.fromkeys(each.asks(), UNKNOWN)).verdict is Verdict.ERROR
        assert each.judge(now, dict.fromkeys(each.asks(), UNKNOWN)).verdict is Verdict.ERROR


@pytest.mark.parametrize("name", [name for name, kind in kinds().items() if not isinstance(kind, KeyedKind)])
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(st.data())
def test_some_and_none_are_never_both_true_or_both_false(name: str, data: st.DataObject) -> None:
    kind = kinds()[name]
    entry = data.draw(rows_of(kind.row))
    some, none = (compiled(kind, {word: entry}, False, False) for word in ("some", "none"))
    rows = data.draw(st.lists(fact_of(kind.row), max_size=4).map(tuple))
    if some is None or none is None or some.references:
        assert (some is None) is (none is None)
        return
    (question,) = some.asks()
    verdicts = {some.judge({question: rows}).verdict, none.judge({question: rows}).verdict}
    assert verdicts == {Verdict.PASS, Verdict.FAIL}


def assert_told(judgement: Judgement, selecting: bool) -> None:
    """A judgement has a verdict, and words of bounded length."""
    assert judgement.findings or selecting
    assert all(finding.verdict in (Verdict.PASS, Verdict.FAIL) for finding in judgement.findings)
    assert all(len(str(finding)) < 20_000 for finding in judgement.findings)
