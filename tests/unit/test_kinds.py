"""Every kind: what it asks, and how a person sees what it saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import ETH0, Dictionary, checks, judge_of, judge_one, lines, link, sysctls

from pytest_netconform.checks.registry import kinds
from pytest_netconform.facts.addrs import Addr
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.chains import Chain
from pytest_netconform.facts.fdb import Fdb
from pytest_netconform.facts.files import File
from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.netconf import Netconf
from pytest_netconform.facts.netns import Netns
from pytest_netconform.facts.persisted import Persisted
from pytest_netconform.facts.routes import Route
from pytest_netconform.facts.rules import Rule
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.suites.fixes import variables
from pytest_netconform.verdicts import Verdict

LO = Addr(ifindex=1, ifname="lo", family="inet", local="127.0.0.1", prefixlen=8)
SEEN: list[tuple[str, Fact, str]] = [
    ("link", ETH0, "ip -d link show dev eth0"),
    ("addr", LO, "ip addr show dev lo"),
    ("route", Route(family="inet", dst="default"), "ip route show table main default"),
    ("route", Route(family="inet6", dst="::1", table="local"), "ip -6 route show table local ::1"),
    ("rule", Rule(family="inet", priority=0), "ip rule show priority 0"),
    ("rule", Rule(family="inet6", priority=9), "ip -6 rule show priority 9"),
    ("neigh", Neigh(family="inet", dst="10.0.0.1", dev="eth0"), "ip neigh show 10.0.0.1 dev eth0"),
    ("fdb", Fdb(mac="52:54:00:00:00:01", dev="vx"), "bridge -d fdb show dev vx"),
    ("netconf", Netconf(family="inet", ifname="eth0"), "ip netconf show dev eth0"),
    ("netconf", Netconf(family="inet6", ifname="eth0"), "ip -6 netconf show dev eth0"),
    ("chain", Chain(family="ip", backend="nft", table="nat", name="X"), "iptables -t nat -vnL X"),
    ("chain", Chain(family="ip6", backend="nft", table="nat", name="X"), "ip6tables -t nat -vnL X"),
    ("sysctl", Sysctl("net.ipv4.ip_forward", "1"), "sysctl net.ipv4.ip_forward"),
    ("persisted", Persisted("a.b", "systemd-sysctl"), "systemd-analyze cat-config sysctl.d"),
    ("persisted", Persisted("a.b", "sysctl --system"),
     "cat /run/sysctl.d/*.conf /etc/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf /etc/sysctl.conf"),
    ("file", File(path="/etc/x", type="file", size=1, mode=0o644), "cat /etc/x"),
    ("netns", Netns("pod1", 4026531999, pid=77), "nsenter --net=/proc/77/ns/net ip addr"),
    ("netns", Netns("pod1", 4026531999), "ip netns list"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "row", "command"), SEEN)
def test_each_kind_says_how_a_person_sees_its_row(kind: str, row: Fact, command: str) -> None:
    assert kinds()[kind].see(row) == command


def test_every_kind_is_among_them() -> None:
    assert {kind for kind, _, _ in SEEN} == set(kinds())


def test_what_is_persisted_names_the_reader_file_and_line_that_win(tmp_path: Path) -> None:
    rows = (
        Persisted("a.b", "systemd-sysctl", "1", "/etc/sysctl.d/90.conf", 3),
        Persisted("a.b", "sysctl --system"),
    )
    assert lines(judge_one(tmp_path, "persisted: {a.b: 1}", Dictionary({"persisted a.b": rows}))) == [
        "pass persisted a.b: 1   (systemd-sysctl takes it from /etc/sysctl.d/90.conf:3)",
        "fail persisted a.b: expected 1, got absent   (sysctl --system reads no file that sets it)",
    ]


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ("link: {ifname: x}", ["link"]),
        ("sysctl: {a.b: 1, c.d: 2}", ["sysctl a.b", "sysctl c.d"]),
        ("sysctl: {where: {name: a.*.b}, each: {value: 1}}", ["sysctl a.*.b"]),
        ("sysctl: {where: {value: 1}, some: {name: a.b}}", ["sysctl a.b"]),
        ("file: {path: /a}", ["file /a"]),
        ("file: {none: {path: /a}}", ["file /a"]),
        ("file: {where: {path: /a/*}, count: 0}", ["file /a/*"]),
        ("persisted: {a.b: 1}", ["persisted a.b"]),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_asked_for_by_name(
    tmp_path: Path, body: str, asked: list[str]
) -> None:
    target = Dictionary()
    judge_one(tmp_path, body, target)
    assert sorted(target.asked) == asked


def test_a_fix_has_the_fields_of_each_failing_row_and_of_what_for_bound(tmp_path: Path) -> None:
    text = """
        a: {link: {each: {mtu: 1}}, fix: 'ip link set "$link_ifname" mtu 1 # $link_master'}
        b: {for: {port: {link: {ifname: x}}}, sysctl: {a.b: 1}, fix: "echo $port_ifname $sysctl_name"}
        c: {sysctl: {a.b: 1}, fix: echo}
        """
    links = (link("x", mtu=2), link("y", mtu=2, master="br"))
    judge = judge_of(tmp_path, checks(text), Dictionary({"link": links, "sysctl a.b": sysctls(a_b=2)}))

    def found(name: str) -> list[dict[str, str]]:
        check = judge.suites["x"].checks[name]
        (finding,) = judge.judge(check).of(Verdict.FAIL)
        return variables(check, finding)

    assert found("a") == [{"link_ifname": "x"}, {"link_ifname": "y", "link_master": "br"}]
    assert found("b") == [{"port_ifname": "x", "sysctl_name": "a.b"}]
    assert found("c") == [{}]
