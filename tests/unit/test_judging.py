"""Judging: what is asked, how often, and what verdict comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dictionary import (
    NOT_HERE,
    UNKNOWN,
    Answers,
    Clock,
    Dictionary,
    checks,
    judge_of,
    judge_one,
    sysctls,
    write,
)

from pytest_netconform.checks.registry import kinds
from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.routes import Route
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.questions import Answer, Unknown
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.verdicts import Judgement, Verdict

PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
FORWARDING = "sysctl net.ipv4.ip_forward"
ON, OFF = ((Sysctl("net.ipv4.ip_forward", value),) for value in ("1", "0"))
KNOWN: Answers = {"sysctl a.pass": sysctls(a_pass=1), "sysctl a.skip": NOT_HERE, "sysctl a.error": UNKNOWN}


def link(name: str, **fields: Any) -> Link:
    return Link(ifindex=len(name), ifname=name, **fields)


ETH0 = link("eth0", mtu=1500, flags=("UP",))
CNI0 = link("cni0", mtu=1450)


def lines(judgement: Judgement) -> list[str]:
    return [f"{finding.verdict} {finding}" for finding in judgement.findings]


# Verdicts


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(ON, PASS), (OFF, FAIL), ((), FAIL), (UNKNOWN, ERROR), (NOT_HERE, SKIP), (Unreadable("broken"), ERROR),
     (PermissionError(13, "Permission denied"), ERROR)],
)  # fmt: skip
def test_each_answer_has_its_verdict(
    tmp_path: Path, answer: Answer | BaseException, verdict: Verdict
) -> None:
    target = Dictionary({FORWARDING: answer})
    assert judge_one(tmp_path, "sysctl: {net.ipv4.ip_forward: 1}", target).verdict is verdict


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ([], PASS),
        (["sysctl: {a.skip: 1}"], SKIP),
        (["sysctl: {a.skip: 1}", "sysctl: {a.fail: 1}"], FAIL),
        (["sysctl: {a.skip: 1}", "sysctl: {a.fail: 1}", "sysctl: {a.error: 1}"], ERROR),
    ],
)
def test_error_beats_fail_beats_skip_beats_pass(tmp_path: Path, others: list[str], verdict: Verdict) -> None:
    members = ", ".join(f"{{{member}}}" for member in ["sysctl: {a.pass: 1}", *others])
    assert judge_one(tmp_path, f"all: [{members}]", Dictionary(KNOWN)).verdict is verdict


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        (("pass",), PASS),
        (("fail", "pass"), PASS),
        (("error", "skip", "fail", "pass"), PASS),
        (("fail", "fail"), FAIL),
        (("fail", "error"), ERROR),
        (("fail", "skip"), SKIP),
        (("skip", "error"), ERROR),
    ],
)
def test_any_passes_with_one_and_knows_nothing_while_one_is_unknown(
    tmp_path: Path, members: tuple[str, ...], verdict: Verdict
) -> None:
    written = ", ".join(f"{{sysctl: {{a.{member}: 1}}}}" for member in members)
    assert judge_one(tmp_path, f"any: [{written}]", Dictionary(KNOWN)).verdict is verdict


def test_any_asks_no_more_than_it_needs(tmp_path: Path) -> None:
    target = Dictionary({"link": (ETH0,)})
    judge_one(tmp_path, "any: [{link: {ifname: eth0}}, {route: {dst: default}}]", target)
    assert target.asked == {"link": 1}


def test_groups_nest(tmp_path: Path) -> None:
    body = "all: [{any: [{link: {ifname: x}}, {link: {ifname: eth0}}]}, {all: [{link: {mtu: 1500}}]}]"
    assert judge_one(tmp_path, body, Dictionary({"link": (ETH0,)})).verdict is PASS
    assert judge_one(tmp_path, body, Dictionary({"link": (CNI0,)})).verdict is FAIL


# What could not be observed is an error, whatever a check asserts of it

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


def test_a_line_about_several_rows_has_them_all(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("a", mtu=1), link("b", mtu=2), link("c", mtu=1), link("d", mtu=3))})
    (one, two) = judge_one(tmp_path, "link: {each: {mtu: {any_of: [2, 4]}}}", target).findings
    assert [[row.label() for row in finding.rows] for finding in (one, two)] == [["a", "c"], ["d"]]
    (finding,) = judge_one(tmp_path, "link: {none: {mtu: '< 3'}}", target).findings
    assert [row.label() for row in finding.rows] == ["a", "b", "c"]
    (finding,) = judge_one(tmp_path, "link: {where: {mtu: 1}, count: 1}", target).findings
    assert [row.label() for row in finding.rows] == ["a"]


# What is asked


def test_each_question_is_asked_once_and_shared(tmp_path: Path) -> None:
    target = Dictionary({"link": (ETH0,), FORWARDING: ON})
    text = checks(
        """
        a: {link: {ifname: eth0}}
        b: {link: {mtu: 1500}, needs: [a]}
        c: {all: [{link: {ifname: eth0}}, {sysctl: {net.ipv4.ip_forward: 1}}]}
        d: {sysctl: {where: {name: net.ipv4.ip_forward}, each: {value: 1}}}
        e: {for: {link: {ifname: eth0}}, link: {ifname: "${link.ifname}", mtu: "${v.mtu}"}}
        """,
        "vars: {v: {link: {ifname: eth0}}}\nwhen: {link: {ifname: eth0}}\n",
    )
    judge = judge_of(tmp_path, text, target)
    suite = judge.suites["x"]
    assert judge.applies(suite).verdict is PASS
    assert {judge.judge(check).verdict for check in suite.checks.values()} == {PASS}
    assert target.asked == {"link": 1, FORWARDING: 1}


def test_a_new_epoch_asks_again(tmp_path: Path) -> None:
    target = Dictionary({FORWARDING: [OFF, ON]})
    judge = judge_of(tmp_path, checks("c: {sysctl: {net.ipv4.ip_forward: 1}}"), target)
    check = judge.suites["x"].checks["c"]
    assert judge.judge(check).verdict is FAIL
    assert judge.judge(check).verdict is FAIL
    judge.renew()
    assert judge.judge(check).verdict is PASS


# Variables and for


def test_a_variable_is_asked_for_when_it_is_used_and_then_only_once(tmp_path: Path) -> None:
    target = Dictionary({"link": (ETH0,), "route": (Route(family="inet", dst="default", dev="eth0"),)})
    text = checks(
        """
        a: {link: {ifname: eth0}}
        b: {link: {ifname: "${gateway.dev}"}}
        c: {link: {ifname: "${uplink.ifname}", mtu: "<= ${uplink.mtu}"}}
        """,
        """
        vars:
          gateway: {route: {dst: default}}
          uplink: {link: {ifname: "${gateway.dev}"}}
          unused: {file: {path: /nowhere}}
        """,
    )
    judge = judge_of(tmp_path, text, target)
    check = judge.suites["x"].checks
    assert judge.judge(check["a"]).verdict is PASS
    assert target.asked == {"link": 1}
    assert judge.judge(check["b"]).verdict is PASS
    assert judge.judge(check["c"]).verdict is PASS
    assert target.asked == {"link": 1, "route": 1}
    assert set(judge.observation.variables[("x", "node1")].known) == {"gateway", "uplink"}


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ((), "fail variable 'gateway' is exactly one route, but none matches"),
        (
            tuple(Route(family="inet", dst="default", dev=dev) for dev in ("eth0", "eth1")),
            "fail variable 'gateway' is exactly one route, but 2 match: default dev eth0, default dev eth1",
        ),
        (UNKNOWN, "error route could not be observed: `tool` is not installed"),
        (NOT_HERE, "skip route: a recording cannot be asked"),
        ((Route(family="inet", dst="default"),), "fail ${gateway.dev} is absent"),
    ],
)
def test_a_variable_is_exactly_one_row(tmp_path: Path, routes: Answer, told: str) -> None:
    head = "vars: {gateway: {route: {dst: default}}, up: {link: {ifname: '${gateway.dev}'}}}\n"
    for body in ("link: {none: {ifname: '${gateway.dev}'}}", "link: {none: {ifname: '${up.ifname}'}}"):
        target = Dictionary({"link": (ETH0,), "route": routes})
        assert lines(judge_one(tmp_path, body, target, head)) == [told]


def test_for_joins_and_each_combination_is_judged(tmp_path: Path) -> None:
    routes = tuple(
        Route(family="inet", dst=f"10.{i}.0.0/16", gateway=f"10.{i}.0.1", dev="vx") for i in range(3)
    )
    neighs = tuple(
        Neigh(family="inet", dst=f"10.{i}.0.1", dev="vx", state=(state,))
        for i, state in enumerate(("PERMANENT", "STALE"))
    )
    body = """
        for: {route: {dev: vx, gateway: present}}
        neigh: {dst: "${route.gateway}", dev: vx, state: PERMANENT}
        """
    found = judge_one(tmp_path, body, Dictionary({"route": routes, "neigh": neighs}))
    assert lines(found) == [
        "pass neigh: 10.0.0.1 dev vx matches",
        "fail neigh: no neighbours match {dst: 10.1.0.1, dev: vx, state: PERMANENT}\n"
        "  nearest is 10.1.0.1 dev vx: state: expected PERMANENT, got STALE",
        "fail neigh: no neighbours match {dst: 10.2.0.1, dev: vx, state: PERMANENT}\n"
        "  there are: 10.0.0.1 dev vx, 10.1.0.1 dev vx",
    ]


def test_a_combination_that_binds_nothing_further_fails_by_itself(tmp_path: Path) -> None:
    links = (link("a", master="br0"), link("b", master="br1"), link("br0"), link("c", mtu=1))
    bound = "{port: {link: {master: present}}, bridge: {link: {ifname: '${port.master}'}}}"
    body = f"for: {bound}\nlink: {{ifname: '${{bridge.ifname}}'}}\n"
    found = judge_one(tmp_path, body, Dictionary({"link": links}))
    assert [line.splitlines()[0] for line in lines(found)] == [
        "fail 'for' binds no bridge: link: no links match {ifname: br1}",
        "pass link: br0 matches",
    ]
    assert judge_one(tmp_path, f"{body}or_none: true", Dictionary({"link": links})).verdict is PASS


def test_for_that_binds_nothing_fails_unless_that_is_allowed(tmp_path: Path) -> None:
    body = "for: {link: {kind: bridge}}\nsysctl: {a.b: 1}"
    target = Dictionary({"link": (ETH0,)})
    found = judge_one(tmp_path, body, target)
    assert lines(found) == [
        "fail 'for' binds no link: link: no links match {kind: bridge}\n  there are: eth0"
    ]
    assert lines(judge_one(tmp_path, f"{body}\nor_none: true", target)) == [
        "pass 'for' binds nothing, as allowed"
    ]


def test_an_absent_reference_in_one_combination_leaves_the_others_judged(tmp_path: Path) -> None:
    links = (link("a", master="a"), link("b"))
    body = "for: {link: {ifname: '?'}}\nlink: {ifname: '${link.master}'}"
    assert lines(judge_one(tmp_path, body, Dictionary({"link": links}))) == [
        "pass link: a matches",
        "fail ${link.master} is absent",
    ]


def test_a_reference_to_a_list_judges_each_element(tmp_path: Path) -> None:
    route = Route(family="inet", dst="default", nexthops=({"dev": "eth0", "gateway": "10.0.0.1"},
                  {"dev": "eth1", "gateway": "10.0.0.2"}))  # fmt: skip
    neigh = Neigh(family="inet", dst="10.0.0.1", dev="eth0")
    body = "neigh: {dst: '${r.nexthops.gateway}', dev: '${r.nexthops.dev}'}"
    found = judge_one(
        tmp_path,
        body,
        Dictionary({"route": (route,), "neigh": (neigh,)}),
        "vars: {r: {route: {dst: default}}}\n",
    )
    assert [finding.verdict for finding in found.findings] == [PASS, FAIL]


def test_names_of_sysctls_take_references(tmp_path: Path) -> None:
    links = (link("eth0.5"),)
    asked = Dictionary({"link": links, "sysctl net.ipv4.conf.eth0/5.rp_filter": sysctls(x=1)})
    body = "for: {link: {ifname: eth*}}\nsysctl: {'net.ipv4.conf.${link.ifname}.rp_filter': 1}"
    found = judge_one(tmp_path, body, asked)
    assert lines(found) == ["pass sysctl net.ipv4.conf.eth0/5.rp_filter: 1"]


# Needs


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


# Time


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


# Places

PODS: dict[str, Answers] = {
    "pod1": {"link": (link("eth0", mtu=1450),)},
    "pod2": {"link": (link("eth0", mtu=1500),)},
    "other": {"link": ()},
}
POD = "{netns: {kind: pod}}"


def test_a_suite_a_check_and_a_question_can_look_elsewhere(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("cni0", mtu=1450),)}, PODS)
    told = [
        "pass pod1: link: eth0 matches",
        "fail pod2: link: no links match {ifname: eth0, mtu: 1450}\n"
        "  nearest is eth0: mtu: expected 1450, got 1500",
    ]  # fmt: skip
    body = "link: {ifname: eth0, mtu: 1450}"
    assert lines(judge_one(tmp_path, body, target, f"in: {POD}\n")) == told
    assert lines(judge_one(tmp_path, f"in: {POD}\n{body}", target)) == told
    assert lines(judge_one(tmp_path, f"all: [{{{body}, in: {POD}}}]", target)) == told
    assert judge_one(tmp_path, f"in: node\n{body}", target, f"in: {POD}\n").verdict is FAIL
    assert (
        judge_one(
            tmp_path, f"all: [{{{body.replace('eth0', 'cni0')}, in: node}}]", target, f"in: {POD}\n"
        ).verdict
        is PASS
    )
    assert judge_one(tmp_path, "in: {netns: '*'}\nlink: {count: '<= 1'}", target).verdict is PASS
    assert len(judge_one(tmp_path, "in: {netns: '*'}\nlink: {count: '<= 1'}", target).findings) == 3


def test_where_no_namespace_is_meant_that_fails_unless_it_is_allowed(tmp_path: Path) -> None:
    target = Dictionary()
    told = "no namespace is a netns {kind: pod}"
    body = "link: {none: {ifname: x}}"
    assert lines(judge_one(tmp_path, f"in: {POD}\n{body}", target)) == [f"fail {told}"]
    assert lines(judge_one(tmp_path, f"all: [{{{body}, in: {POD}}}]", target)) == [f"fail {told}"]
    assert lines(judge_one(tmp_path, f"in: {POD}\nor_none: true\n{body}", target)) == [
        f"pass {told}, as allowed"
    ]
    assert judge_one(tmp_path, body, target, f"in: {POD}\nor_none: true\n").verdict is PASS
    assert judge_one(tmp_path, body, target, f"in: {POD}\n").verdict is FAIL


def test_namespaces_that_cannot_be_listed_are_an_error(tmp_path: Path) -> None:
    target = Dictionary(pods=UNKNOWN)
    none = "link: {none: {ifname: x}}"
    for body in (
        f"in: {POD}\nor_none: true\n{none}",
        f"all: [{{{none}, in: {POD}}}]",
        f"for: {{a: {{link: {{ifname: x}}, in: {POD}}}}}\nor_none: true\n{none}",
    ):
        found = judge_one(tmp_path, body, target)
        assert lines(found) == ["error the network namespaces could not be listed: `tool` is not installed"]


def test_a_reference_in_a_place_says_where(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("cni0", ifalias="pod2"), link("dummy"))}, PODS)
    head = "vars: {v: {link: {ifname: cni0}}, w: {link: {ifname: dummy}}, many: [pod1, pod2]}\n"
    where = "in: {netns: {name: '${%s}'}}\nlink: {ifname: eth0, mtu: 1500}"
    assert lines(judge_one(tmp_path, where % "v.ifalias", target, head)) == ["pass pod2: link: eth0 matches"]
    assert lines(judge_one(tmp_path, where % "w.ifalias", target, head)) == ["fail ${w.ifalias} is absent"]
    assert [finding.place for finding in judge_one(tmp_path, where % "many", target, head).findings] == [
        "pod1",
        "pod2",
    ]


def test_a_suites_variables_are_those_of_the_node_unless_the_suite_looks_elsewhere(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("eth0", mtu=1450),)}, PODS)
    body = "link: {ifname: eth0, mtu: '${v.mtu}'}"
    variable = "vars: {v: {link: {ifname: eth0}}}\n"
    assert [
        each.verdict for each in judge_one(tmp_path, f"in: {POD}\n{body}", target, variable).findings
    ] == [PASS, FAIL]
    assert [
        each.verdict for each in judge_one(tmp_path, body, target, f"in: {POD}\n{variable}").findings
    ] == [PASS, PASS]


def test_for_can_look_from_a_pod_into_the_node(tmp_path: Path) -> None:
    pod = {"link": (link("eth0", mtu=1500, link_index=7),)}
    node = {"link": (Link(ifindex=7, ifname="veth7", mtu=1450), Link(ifindex=8, ifname="veth8", mtu=1500))}
    body = """
        for: {eth0: {link: {ifname: eth0}}, port: {link: {ifindex: "${eth0.link_index}"}, in: node}}
        link: {ifname: eth0, mtu: "${port.mtu}"}
        """
    found = judge_one(tmp_path, body, Dictionary(node, {"pod1": pod}), f"in: {POD}\n")
    assert lines(found) == [
        "fail pod1: link: no links match {ifname: eth0, mtu: 1450}\n"
        "  nearest is eth0: mtu: expected 1450, got 1500"
    ]  # fmt: skip


def test_each_namespace_is_asked_by_itself_and_once(tmp_path: Path) -> None:
    target = Dictionary({"link": (ETH0,)}, PODS)
    text = checks(f"a: {{in: {POD}, link: {{ifname: eth0}}}}\nb: {{in: {POD}, link: {{mtu: present}}}}")
    judge = judge_of(tmp_path, text, target)
    for check in judge.suites["x"].checks.values():
        judge.judge(check)
    assert target.asked == {"places": 1}
    assert {name: inside.asked for name, inside in target.inside.items()} == {
        "pod1": {"link": 1}, "pod2": {"link": 1}, "other": {},
    }  # fmt: skip


# Suites that apply


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        ("{link: {ifname: eth0}}", PASS),
        ("{link: {ifname: eth9}}", FAIL),
        ("{route: {dst: default}}", ERROR),
        ("{any: [{route: {dst: default}}, {link: {ifname: eth0}}]}", PASS),
        ("{any: [{route: {dst: default}}, {link: {ifname: eth9}}]}", ERROR),
        ("{all: [{link: {ifname: eth0}}, {link: {ifname: eth9}}]}", FAIL),
        ("{link: {ifname: '${v}'}}", PASS),
        ("{link: {ifname: '${w.ifname}'}}", FAIL),
        ("{addr: {ifname: eth0}}", SKIP),
        ("{any: [{addr: {ifname: eth0}}, {link: {ifname: eth9}}]}", SKIP),
    ],
)
def test_when_says_whether_a_suite_applies(tmp_path: Path, when: str, verdict: Verdict) -> None:
    target = Dictionary({"link": (ETH0,), "route": UNKNOWN, "addr": NOT_HERE})
    head = f"when: {when}\nvars: {{v: eth0, w: {{link: {{ifname: eth9}}}}}}\n"
    judge = judge_of(tmp_path, checks("c: {link: {ifname: lo}}", head), target)
    assert judge.applies(judge.suites["x"]).verdict is verdict


def test_a_suite_without_when_applies_to_every_node(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, checks("c: {link: {ifname: lo}}"), Dictionary())
    assert judge.applies(judge.suites["x"]).verdict is PASS
    assert Library(tmp_path).get("nope") is None
