"""Judging: what verdict comes of the answers, and how often is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import (
    CNI0,
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
    Answers,
    Dictionary,
    checks,
    judge_of,
    judge_one,
    lines,
    link,
    sysctls,
)

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.files import file_of
from pytest_netconform.matching import searching
from pytest_netconform.questions import Answer, Unknown
from pytest_netconform.suites.library import Library
from pytest_netconform.verdicts import Verdict

KNOWN: Answers = {"sysctl a.pass": sysctls(a_pass=1), "sysctl a.skip": NOT_HERE, "sysctl a.error": UNKNOWN}


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


def test_several_named_values_are_several_findings(tmp_path: Path) -> None:
    found = judge_one(tmp_path, "sysctl: {a.pass: 1, a.fail: 1, a.skip: 1}", Dictionary(KNOWN))
    assert lines(found) == [
        "pass sysctl a.pass: 1",
        "fail sysctl a.fail: expected 1, got absent",
        "skip sysctl a.skip: a recording cannot be asked",
    ]


def test_groups_nest(tmp_path: Path) -> None:
    body = "all: [{any: [{link: {ifname: x}}, {link: {ifname: eth0}}]}, {all: [{link: {mtu: 1500}}]}]"
    assert judge_one(tmp_path, body, Dictionary({"link": (ETH0,)})).verdict is PASS
    assert judge_one(tmp_path, body, Dictionary({"link": (CNI0,)})).verdict is FAIL


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


def test_a_line_about_several_rows_has_them_all(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("a", mtu=1), link("b", mtu=2), link("c", mtu=1), link("d", mtu=3))})
    (one, two) = judge_one(tmp_path, "link: {each: {mtu: {any_of: [2, 4]}}}", target).findings
    assert [[row.caption() for row in finding.rows] for finding in (one, two)] == [["a", "c"], ["d"]]
    (finding,) = judge_one(tmp_path, "link: {none: {mtu: '< 3'}}", target).findings
    assert [row.caption() for row in finding.rows] == ["a", "b", "c"]
    (finding,) = judge_one(tmp_path, "link: {where: {mtu: 1}, count: 1}", target).findings
    assert not finding.rows


def test_what_only_comes_nearest_has_not_failed_and_a_fix_may_not_touch_it(tmp_path: Path) -> None:
    target = Dictionary({"link": (link("eth0", mtu=1500, kind="veth"),)})
    (finding,) = judge_one(tmp_path, "link: {kind: wireguard, mtu: 1500}", target).findings
    assert finding.row is not None
    assert finding.row.caption() == "eth0"
    assert not finding.rows
    (finding,) = judge_one(tmp_path, "link: {ifname: eth0, kind: wireguard}", target).findings
    assert [row.caption() for row in finding.rows] == ["eth0"]


def test_what_is_kept_out_of_a_file_is_not_known_to_be_absent(tmp_path: Path) -> None:
    secret = file_of("/etc/kubernetes/kubelet.conf", "file", 9, 0o600, None)
    target = Dictionary({"file": (secret,)})
    path = "path: /etc/kubernetes/kubelet.conf"
    for asked in ("text: absent", "lines: {none: {match: insecure}}", "env: absent", "json: {a: 1}"):
        judgement = judge_one(tmp_path, f"file: {{{path}, {asked}}}", target)
        assert judgement.verdict is Verdict.ERROR, asked
    assert judge_one(tmp_path, f"file: {{{path}, size: 9}}", target).verdict is Verdict.PASS


def test_what_a_pipe_would_say_is_not_known_to_be_absent(tmp_path: Path) -> None:
    target = Dictionary({"file": (file_of("/run/pipe", "other", 0, 0o644, None),)})
    (finding,) = judge_one(tmp_path, "file: {path: /run/pipe, text: absent}", target).findings
    assert str(finding) == "file /run/pipe: its content is not read, since it is a pipe or a socket"
    assert finding.verdict is Verdict.ERROR
    directory = Dictionary({"file": (file_of("/run/d", "directory", 0, 0o755, None),)})
    assert judge_one(tmp_path, "file: {path: /run/d, text: absent}", directory).verdict is Verdict.PASS


def test_what_a_recording_is_silent_on_is_no_evidence_but_an_error_of_a_check(tmp_path: Path) -> None:
    silent = Unknown("a recording of format 0 does not tell of /x", untold=True)
    text = checks("c: {file: {none: {path: /x}}}", "when: {file: {path: /x}}\n")
    judge = judge_of(tmp_path, text, Dictionary({"file": silent}))
    suite = judge.suites["x"]
    assert judge.applies(suite).verdict is Verdict.FAIL
    assert judge.judge(suite.checks["c"]).verdict is Verdict.ERROR
    unread = judge_of(tmp_path, text, Dictionary({"file": UNKNOWN}))
    assert unread.applies(unread.suites["x"]).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    "body",
    [
        "link: {none: {ifalias: {match: '(a+)+$'}}}",
        "for: {link: {ifalias: {match: '(a+)+$'}}}\nor_none: true\nlink: {ifname: eth0}",
    ],
)
def test_what_cannot_be_judged_in_time_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(searching, "LONGEST_S", 0.05)
    target = Dictionary({"link": (link("eth0", ifalias="a" * 40 + "b"),)})
    (finding,) = judge_one(tmp_path, body, target).findings
    assert finding.verdict is Verdict.ERROR
    assert "searching for /(a+)+$/ in a text of 41 characters took more than" in finding.text
