"""Places: a suite, a check and a question can look into other namespaces."""

from __future__ import annotations

from pathlib import Path

from dictionary import (
    ERROR,
    ETH0,
    FAIL,
    PASS,
    UNKNOWN,
    Answers,
    Dictionary,
    checks,
    judge_of,
    judge_one,
    lines,
    link,
)

from pytest_netconform.facts.links import Link
from pytest_netconform.questions import Unknown

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


GONE = Unknown("pod2: this network namespace is gone", gone=True)


def test_a_namespace_that_ended_meanwhile_is_left_out(tmp_path: Path) -> None:
    target = Dictionary(pods={"pod1": {"link": (link("eth0"),)}, "pod2": {"link": GONE}})
    alone = Dictionary(pods={"pod2": {"link": GONE}})
    eth0 = "link: {ifname: eth0}"
    for body in (f"in: {POD}\n{eth0}", f"all: [{{{eth0}, in: {POD}}}]"):
        assert lines(judge_one(tmp_path, body, target)) == ["pass pod1: link: eth0 matches"]
        assert lines(judge_one(tmp_path, body, alone)) == ["fail no namespace is a netns {kind: pod}"]
    joined = f"for: {{a: {{link: {{ifname: eth0}}, in: {POD}}}}}\nlink: {{none: {{ifname: '${{a.ifname}}'}}}}"
    assert judge_one(tmp_path, joined, target).verdict is PASS
    assert lines(judge_one(tmp_path, joined, alone)) == [
        "fail 'for' binds no a: no namespace is a netns {kind: pod}"
    ]
    assert judge_one(tmp_path, f"in: {POD}\nor_none: true\n{eth0}", alone).verdict is PASS


def test_a_namespace_that_could_not_be_looked_at_otherwise_is_an_error(tmp_path: Path) -> None:
    target = Dictionary(pods={"pod1": {"link": (link("eth0"),)}, "pod2": {"link": UNKNOWN}})
    assert judge_one(tmp_path, f"in: {POD}\nlink: {{ifname: eth0}}", target).verdict is ERROR
