"""What could not be observed is an error, and what can never be known a skip, whatever a check asserts."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import (
    ERROR,
    ETH0,
    NOT_HERE,
    SKIP,
    UNKNOWN,
    Dictionary,
    checks,
    judge_of,
    judge_one,
    lines,
)

from pytest_netconform.checks.registry import kinds

ASSERTIONS = (
    "{some}", "{{some: {some}}}", "{{none: {some}}}", "{{where: {some}, count: 0}}", "{{exactly: []}}",
    "{{where: {some}, none: {some}, or_none: true}}", "{{where: {some}, count: '>= 1'}}",
    "{{where: {some}, each: {some}}}", "{{not: {some}}}",
)  # fmt: skip
SOME = {
    "link": "{ifname: eth0}", "addr": "{ifname: eth0}", "route": "{dst: default}", "rule": "{table: main}",
    "neigh": "{dst: 10.0.0.1}", "fdb": "{mac: 52:54:00:00:00:01}", "netconf": "{ifname: eth0}",
    "chain": "{name: FORWARD}", "file": "{path: /etc/hosts}", "netns": "{kind: pod}",
    "sysctl": "{name: net.ipv4.ip_forward}", "persisted": "{name: net.ipv4.ip_forward}",
}  # fmt: skip
NAMELESS = ("{{exactly: []}}", "{{not: {some}}}")
NO_TABLE = ("{some}", *NAMELESS)


def every_assertion() -> list[str]:
    unfit = {"file": NAMELESS, "sysctl": NO_TABLE, "persisted": NO_TABLE}
    tables = [
        f"{kind}: {form.format(some=some)}"
        for kind, some in SOME.items()
        for form in ASSERTIONS
        if form not in unfit.get(kind, ())
    ]
    values = [f"{kind}: {{net.ipv4.ip_forward: {value}}}" for kind in ("sysctl", "persisted")
              for value in ("1", "absent", "{not: 1}", "{any_of: [absent, 0]}")]  # fmt: skip
    return [*tables, *values]


def test_every_kind_is_among_them() -> None:
    assert set(SOME) == set(kinds())


def nothing_known() -> Dictionary:
    return Dictionary(dict.fromkeys(SOME, UNKNOWN), pods=UNKNOWN)


@pytest.mark.parametrize("body", every_assertion())
def test_a_reader_that_fails_is_an_error_whatever_is_asserted(tmp_path: Path, body: str) -> None:
    target = nothing_known()
    assert judge_one(tmp_path, body, target).verdict is ERROR
    assert judge_one(tmp_path, f"any: [{{{body}}}]", target).verdict is ERROR
    assert judge_one(tmp_path, f"all: [{{{body}}}]", target).verdict is ERROR
    assert judge_one(tmp_path, f"in: node\n{body}", target).verdict is ERROR
    assert judge_one(tmp_path, f"or_none: true\n{body}", target).verdict is ERROR


@pytest.mark.parametrize("body", every_assertion())
def test_what_a_recording_can_never_know_is_a_skip_whatever_is_asserted(tmp_path: Path, body: str) -> None:
    target = Dictionary(dict.fromkeys(SOME, NOT_HERE))
    assert judge_one(tmp_path, body, target).verdict is SKIP


@pytest.mark.parametrize("body", every_assertion())
def test_what_a_suite_applies_by_is_an_error_if_it_cannot_be_read(tmp_path: Path, body: str) -> None:
    judge = judge_of(tmp_path, checks("c: {link: {ifname: lo}}", f"when: {{{body}}}\n"), nothing_known())
    assert judge.applies(judge.suites["x"]).verdict is ERROR


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("or_none", [True, False])
def test_what_for_binds_is_an_error_if_it_cannot_be_read(tmp_path: Path, kind: str, or_none: bool) -> None:
    body = f"for: {{{kind}: {SOME[kind]}}}\nor_none: {str(or_none).lower()}\nlink: {{none: {{ifname: eth0}}}}"
    assert judge_one(tmp_path, body, nothing_known()).verdict is ERROR


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize(
    "body",
    ["link: {{none: {{ifname: '${{v.{f}}}'}}}}", "link: {{where: {{ifname: '${{v.{f}}}'}}, count: 0}}"],
)
def test_a_variable_is_an_error_if_it_cannot_be_read(tmp_path: Path, kind: str, body: str) -> None:
    field = SOME[kind].strip("{").partition(":")[0]
    target = Dictionary({**dict.fromkeys(SOME, UNKNOWN), "link": (ETH0,)}, pods=UNKNOWN)
    if kind != "link":
        head = f"vars: {{v: {{{kind}: {SOME[kind]}}}}}\n"
        assert judge_one(tmp_path, body.format(f=field), target, head).verdict is ERROR


@pytest.mark.parametrize("body", every_assertion())
def test_a_need_that_cannot_be_read_blocks(tmp_path: Path, body: str) -> None:
    text = checks(f"a: {{{body}}}\nb: {{needs: [a], sysctl: {{x.y: absent}}}}")
    judge = judge_of(tmp_path, text, Dictionary({**nothing_known().answers, "sysctl x.y": ()}, pods=UNKNOWN))
    found = judge.judge(judge.suites["x"].checks["b"])
    assert lines(found) == ["skip blocked by x::a (error)"]
    assert found.blocked
