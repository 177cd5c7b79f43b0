"""Variables, and what `for` binds: asked for when used, joined in order, each combination judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import (
    ETH0,
    FAIL,
    NOT_HERE,
    PASS,
    UNKNOWN,
    Dictionary,
    checks,
    judge_of,
    judge_one,
    lines,
    link,
    sysctls,
)

from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.routes import Route
from pytest_netconform.questions import Answer


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
        "  with {dev: vx, state: PERMANENT} there are: 10.0.0.1 dev vx",
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


@pytest.mark.parametrize(
    ("value", "body", "told"),
    [
        ("'*'", "sysctl: {'net.${v}.x': 1}", "net.${v}.x needs one name, but stands for the pattern net.*.x"),
        ("a b", "sysctl: {'net.${v}.x': 1}", "a name is such as net.ipv4.ip_forward, not 'net.a b.x'"),
        ("5", "file: {path: '${v}'}", "${v} needs a name, but stands for 5"),
        ("x/y", "file: {path: '${v}'}", "a file's path starts with '/', got 'x/y'"),
        ("'*'", "persisted: {where: {name: 'net.${v}'}, count: 1}",
         "persisted needs a name, not a pattern of names such as 'net.[*]'"),
    ],
)  # fmt: skip
def test_a_reference_that_makes_no_name_is_an_error(tmp_path: Path, value: str, body: str, told: str) -> None:
    found = judge_one(tmp_path, body, Dictionary(), f"vars: {{v: {value}}}\n")
    assert lines(found) == [f"error {told}"]


def test_names_of_sysctls_take_references(tmp_path: Path) -> None:
    links = (link("eth0.5"),)
    asked = Dictionary({"link": links, "sysctl net.ipv4.conf.eth0/5.rp_filter": sysctls(x=1)})
    body = "for: {link: {ifname: eth*}}\nsysctl: {'net.ipv4.conf.${link.ifname}.rp_filter': 1}"
    found = judge_one(tmp_path, body, asked)
    assert lines(found) == ["pass sysctl net.ipv4.conf.eth0/5.rp_filter: 1"]
