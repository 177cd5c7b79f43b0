"""Needs: what a check needs is judged first, from the same facts, and blocks it unless it passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import (
    ETH0,
    FORWARDING,
    NOT_HERE,
    OFF,
    ON,
    PASS,
    SKIP,
    UNKNOWN,
    Dictionary,
    checks,
    judge_of,
    lines,
    write,
)

from pytest_netconform.questions import Answer, Unknown
from pytest_netconform.verdicts import Verdict


def test_a_need_that_fails_blocks_and_one_that_passes_does_not(tmp_path: Path) -> None:
    text = checks(
        """
        up: {link: {ifname: eth0}}
        gone: {link: {ifname: eth9}}
        a: {needs: [up], sysctl: {a.b: absent}}
        b: {needs: [up, gone], sysctl: {a.b: absent}}
        c: {needs: [b], sysctl: {a.b: absent}}
        """
    )
    judge = judge_of(tmp_path, text, Dictionary({"link": (ETH0,)}))
    check = judge.suites["x"].checks
    assert judge.judge(check["a"]).verdict is PASS
    assert lines(judge.judge(check["b"])) == ["skip blocked by x::gone (fail)"]
    assert lines(judge.judge(check["c"])) == ["skip blocked by x::b (skip)"]


def test_after_the_first_need_that_blocks_no_other_is_judged(tmp_path: Path) -> None:
    target = Dictionary()
    text = checks(
        """
        gone: {link: {ifname: eth9}}
        slow: {eventually: 1m, route: {dst: default}}
        a: {needs: [gone, slow], sysctl: {a.b: absent}}
        """
    )
    judge = judge_of(tmp_path, text, target)
    assert judge.judge(judge.suites["x"].checks["a"]).blocked
    assert target.asked == {"link": 1}


@pytest.mark.parametrize(
    ("eth0", "verdict"), [((ETH0,), SKIP), ((), PASS), (UNKNOWN, SKIP), (NOT_HERE, PASS)]
)  # fmt: skip
def test_a_need_in_another_suite_blocks_only_where_that_applies(
    tmp_path: Path, eth0: Answer, verdict: Verdict
) -> None:
    write(tmp_path, checks("fails: {sysctl: {a.b: 1}}", "when: {link: {ifname: eth0}}\n", name="two"), "two")
    text = checks("a: {needs: [two::fails], sysctl: {a.b: absent}}")
    judge = judge_of(tmp_path, text, Dictionary({"link": eth0}))
    found = judge.judge(judge.suites["x"].checks["a"])
    assert found.verdict is verdict
    if isinstance(eth0, Unknown):
        assert lines(found) == ["skip blocked by two::fails: whether two applies could not be observed"]


def test_a_need_is_judged_from_the_same_facts(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [ON, OFF]})
    text = checks(
        "need: {sysctl: {net.ipv4.ip_forward: 1}}\na: {needs: [need], sysctl: {net.ipv4.ip_forward: 1}}"
    )
    judge = judge_of(tmp_path, text, target)
    assert judge.judge(judge.suites["x"].checks["a"]).verdict is PASS
    assert target.asked[FORWARDING] == 1


def test_a_long_chain_of_needs_is_judged(tmp_path: Path) -> None:
    links = "".join(f"c{i}: {{needs: [c{i + 1}], sysctl: {{a.b: absent}}}}\n" for i in range(3000))
    judge = judge_of(tmp_path, checks(f"{links}c3000: {{sysctl: {{a.b: absent}}}}"), Dictionary())
    assert judge.judge(judge.suites["x"].checks["c0"]).verdict is PASS
