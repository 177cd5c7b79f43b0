"""Time: what is awaited is looked at anew, and what grows is looked at twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import (
    ERROR,
    ETH0,
    FAIL,
    FORWARDING,
    NOT_HERE,
    OFF,
    ON,
    PASS,
    SKIP,
    UNKNOWN,
    Clock,
    Dictionary,
    checks,
    judge_of,
    lines,
    link,
)

from pytest_netconform.facts.links import Link
from pytest_netconform.facts.routes import Route
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.questions import Answer
from pytest_netconform.suites.judging import Judge
from pytest_netconform.verdicts import Verdict


def watched(tmp_path: Path, text: str, target: Dictionary) -> tuple[Judge, Clock]:
    clock = Clock()
    return judge_of(tmp_path, checks(text), target, clock=clock, wait=clock.wait), clock


def test_eventually_looks_anew_until_it_passes(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [OFF, UNKNOWN, (), ON], "link": (ETH0,)})
    judge, clock = watched(
        tmp_path, "c: {eventually: 5s, sysctl: {net.ipv4.ip_forward: 1}}\nd: {link: {ifname: eth0}}", target
    )
    check = judge.suites["x"].checks
    assert judge.judge(check["c"]).verdict is PASS
    assert target.asked[FORWARDING] == 4
    assert len(clock.waits) == 3
    assert clock.now_s < 1


def test_eventually_ends_and_gives_the_last_verdict(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [OFF, UNKNOWN]})
    judge, clock = watched(tmp_path, "c: {eventually: 500ms, sysctl: {net.ipv4.ip_forward: 1}}", target)
    assert judge.judge(judge.suites["x"].checks["c"]).verdict is ERROR
    assert clock.now_s == pytest.approx(0.5)


def test_eventually_does_not_wait_for_what_can_never_be_known_or_change(tmp_path: Path) -> None:
    for target in (Dictionary({FORWARDING: NOT_HERE}), Dictionary({FORWARDING: OFF}, moves=False)):
        judge, clock = watched(tmp_path, "c: {eventually: 5s, sysctl: {net.ipv4.ip_forward: 1}}", target)
        assert judge.judge(judge.suites["x"].checks["c"]).verdict in (SKIP, FAIL)
        assert clock.waits == []
        judge.suites.clear()  # type: ignore[attr-defined]


def test_eventually_passes_at_once_from_what_was_seen_already(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [ON, OFF]})
    text = "a: {sysctl: {net.ipv4.ip_forward: 1}}\nb: {eventually: 5s, sysctl: {net.ipv4.ip_forward: 1}}"
    judge, clock = watched(tmp_path, text, target)
    assert [judge.judge(check).verdict for check in judge.suites["x"].checks.values()] == [PASS, PASS]
    assert target.asked[FORWARDING] == 1
    assert clock.waits == []


def test_what_needs_something_that_came_true_later_is_judged_from_what_was_seen_then(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [OFF, ON]})
    text = """
        a: {eventually: 5s, sysctl: {net.ipv4.ip_forward: 1}}
        b: {needs: [a], sysctl: {net.ipv4.ip_forward: 1}}
        """
    judge, _ = watched(tmp_path, text, target)
    assert judge.judge(judge.suites["x"].checks["b"]).verdict is PASS
    assert target.asked[FORWARDING] == 2


def counter(errors: int) -> tuple[Link, ...]:
    return (link("eth0", stats={"rx": {"errors": errors}}),)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(counter(5), counter(5), PASS), (counter(5), counter(6), FAIL), (counter(5), UNKNOWN, ERROR),
     (UNKNOWN, counter(5), ERROR), (counter(5), NOT_HERE, SKIP), (NOT_HERE, counter(5), SKIP),
     ((), counter(3), FAIL)],
)  # fmt: skip
def test_growth_is_judged_over_two_epochs(
    tmp_path: Path, first: Answer, second: Answer, verdict: Verdict
) -> None:
    target = Dictionary({"link": [first, second]})
    text = "c: {over: 2s, link: {ifname: eth0, stats: {rx: {errors: {grew: 0}}}}}"
    judge, clock = watched(tmp_path, text, target)
    found = judge.judge(judge.suites["x"].checks["c"])
    assert found.verdict is verdict
    assert clock.waits == [2.0]
    assert target.asked["link"] == 2
    if verdict is FAIL:
        assert "stats.rx.errors: expected grown by 0, grew by" in str(found.telling[0])


def test_growth_can_be_awaited(tmp_path: Path) -> None:
    target = Dictionary({"link": [counter(5), counter(5), counter(6), counter(9)]})
    text = "c: {over: 1s, eventually: 10s, link: {ifname: eth0, stats: {rx: {errors: {grew: '> 2'}}}}}"
    judge, _ = watched(tmp_path, text, target)
    assert judge.judge(judge.suites["x"].checks["c"]).verdict is PASS


def test_in_a_recording_nothing_grows(tmp_path: Path) -> None:
    text = "c: {over: 2s, link: {ifname: eth0, stats: {rx: {errors: {grew: 0}}}}}"
    judge, clock = watched(tmp_path, text, Dictionary({"link": counter(5)}, moves=False))
    found = judge.judge(judge.suites["x"].checks["c"])
    assert lines(found) == ["skip a recording holds one observation, so nothing in it can be seen to grow"]
    assert clock.waits == []


def test_what_was_not_looked_at_before_cannot_be_said_to_have_grown(tmp_path: Path) -> None:
    text = """
        c:
          over: 1s
          for: {route: {dst: default}}
          sysctl: {"net.x.${route.dev}.count": {grew: 0}}
        """
    route = Route(family="inet", dst="default", dev="eth0")
    target = Dictionary({"route": [(), (route,)], "sysctl": (Sysctl("net.x.eth0.count", "5"),)})
    judge, _ = watched(tmp_path, text, target)
    assert lines(judge.judge(judge.suites["x"].checks["c"])) == [
        "error sysctl net.x.eth0.count could not be observed: it was not looked at when the watch began"
    ]


def test_a_bound_row_is_that_of_the_same_epoch(tmp_path: Path) -> None:
    target = Dictionary(
        {"link": [counter(1), counter(1)], "route": [(), (Route(family="inet", dst="default", dev="eth0"),)]}
    )
    text = """
        c:
          over: 1s
          for: {route: {dst: default}}
          link: {ifname: "${route.dev}", stats: {rx: {errors: {grew: 0}}}}
        """
    judge, _ = watched(tmp_path, text, target)
    assert judge.judge(judge.suites["x"].checks["c"]).verdict is PASS
