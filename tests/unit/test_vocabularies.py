"""Fields that hold one of known words: another one could never be met, and a negative of it always would."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import checks, told, write
from expecting import refused, rows_of

from pytest_netconform.checks.registry import kinds
from pytest_netconform.facts.addrs import Addr
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.chains import Chain
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.routes import Route
from pytest_netconform.matching.shapes import ANYTHING, fields_of
from pytest_netconform.questions import Question
from pytest_netconform.targets.replay import open_recordings

CLUSTER = Path(__file__).parents[1] / "data" / "flannel-cluster" / "vxlan"


@pytest.mark.parametrize(
    ("expected", "row", "problem"),
    [
        ("{none: {family: ipv4}}", Route, "family is never 'ipv4' (known: inet, inet6)"),
        ("{none: {family: 4}}", Route, "family is never '4' (known: inet, inet6)"),
        ("{family: {not: inet4}}", Addr, "family is never 'inet4' (did you mean 'inet'?)"),
        ("{where: {family: ip*4}, count: 0}", Route, "family is never 'ip*4' (known: inet, inet6)"),
        ("{none: {type: blakhole}}", Route, "type is never 'blakhole' (did you mean 'blackhole'?)"),
        ("{none: {protocol: kernal}}", Route, "protocol is never 'kernal' (did you mean 'kernel'?)"),
        ("{none: {state: failed}}", Neigh, "state is never 'failed' (did you mean 'FAILED'?)"),
        ("{flags: {none: dadfail}}", Addr, "flags is never 'dadfail' (did you mean 'dadfailed'?)"),
        ("{none: {scope: gobal}}", Addr, "scope is never 'gobal' (did you mean 'global'?)"),
        ("{none: {operstate: Down}}", Link, "operstate is never 'Down' (did you mean 'DOWN'?)"),
        ("{none: {policy: REJECT}}", Chain, "policy is never 'REJECT' (known: ACCEPT, DROP, QUEUE, RETURN)"),
        ("{none: {family: {any_of: [ip, inet]}}}", Chain, "family is never 'inet' (known: ip, ip6)"),
        ("{none: {rules: {none: {table: ant}}}}", Chain, "table is never 'ant' (did you mean 'nat'?)"),
        ("{none: {family: {match: v4}}}", Route, "family never matches 'v4' (known: inet, inet6)"),
    ],
)  # fmt: skip
def test_a_word_that_the_field_never_holds_is_refused(expected: str, row: type[Fact], problem: str) -> None:
    (found,) = refused(rows_of, expected, row)
    assert found.partition(": ")[2] == problem


@pytest.mark.parametrize(
    ("expected", "row"),
    [
        ("{where: {family: inet*}, count: 1}", Route),
        ("{none: {scope: 200}}", Addr),
        ("{none: {protocol: {any_of: [80, '0x10', {match: mine}]}}}", Route),
        ("{state: {any_of: [PERMANENT, absent]}}", Neigh),
        ("{family: '${x}'}", Route),
        ("{policy: {match: '^A'}}", Chain),
    ],
)
def test_what_the_field_may_hold_is_taken(expected: str, row: type[Fact]) -> None:
    assert rows_of(expected, row, names={"x": ANYTHING})


def test_what_real_nodes_have_is_in_the_vocabularies() -> None:
    (node,) = open_recordings([CLUSTER / "node1"])
    tables = [name for name in kinds() if name not in ("sysctl", "file", "persisted", "dns")]
    for table in tables:
        answer, row = node.observe(Question(table)), kinds()[table].row
        assert isinstance(answer, tuple), answer
        for field, vocabulary in row.vocabularies.items():
            assert field in fields_of(row)
            found = {getattr(each, field) for each in answer} - {None, ""}
            words = {word for each in found for word in (each if isinstance(each, tuple) else (each,))}
            assert words <= set(vocabulary.words), table


def test_it_is_told_where_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path, checks("c:\n  route: {none: {family: ipv4, dst: default}}"))
    assert told(path) == ["5:28: family is never 'ipv4' (known: inet, inet6)"]
