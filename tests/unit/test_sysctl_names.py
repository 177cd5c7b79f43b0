"""Names of sysctls, in either form."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import PASS, Dictionary, checks, judge_one, link, told, write

from pytest_netconform.errors import BuildError
from pytest_netconform.facts.files import file_of
from pytest_netconform.facts.persisted import persisted
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.kernel.sysctls import path_of


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0.rp_filter", "net/ipv4/conf/eth0/rp_filter"),
        ("net.ipv4.conf.eth0.5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net/ipv4/conf/eth0.5/rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net.ipv4.conf.eth0/5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net.ipv6.conf.a.b.c.forwarding", "net/ipv6/conf/a.b.c/forwarding"),
        ("net.ipv4.neigh.eth0.5.proxy_delay", "net/ipv4/neigh/eth0.5/proxy_delay"),
        ("net.netfilter.nf_conntrack_max", "net/netfilter/nf_conntrack_max"),
        ("vm.swappiness", "vm/swappiness"),
    ],
)
def test_a_name_leads_to_its_path(name: str, path: str) -> None:
    assert path_of(name) == path


@pytest.mark.parametrize(
    "name", ["", ".", "/net/ipv4", "net..ipv4", "net/../vm/swappiness", "net.ipv4.", "net/"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="is not the name of a sysctl"):
        path_of(name)


VLAN, ETH0 = "net.ipv4.conf.eth0/5.rp_filter", "net.ipv4.conf.eth0.rp_filter"
FORMS = (VLAN, "net.ipv4.conf.eth0.5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter")
ANSWERS = {
    f"sysctl {VLAN}": (Sysctl(VLAN, "0"),),
    "sysctl net.ipv4.conf.eth0/*.rp_filter": (Sysctl(VLAN, "0"),),
    "sysctl net.ipv4.conf.*.rp_filter": (Sysctl(VLAN, "0"), Sysctl(ETH0, "2")),
    "link": (link("eth0"), link("eth0.5")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "question", ["{%s: 0}", "{some: {name: %s, value: 0}}", "{where: {name: %s}, each: {value: 0}}"]
)
def test_a_suite_names_an_interface_with_a_dot_in_every_form(
    tmp_path: Path, form: str, question: str
) -> None:
    assert judge_one(tmp_path, f"sysctl: {question % form}", Dictionary(ANSWERS)).verdict is PASS


@pytest.mark.parametrize("form", ["net.ipv4.conf.eth0.*.rp_filter", "net/ipv4/conf/eth0.*/rp_filter"])
def test_a_pattern_of_interfaces_with_dots_is_one_too(tmp_path: Path, form: str) -> None:
    body = f"sysctl: {{where: {{name: {form}}}, each: {{value: 0}}}}"
    assert judge_one(tmp_path, body, Dictionary(ANSWERS)).verdict is PASS


@pytest.mark.parametrize(
    "name", ["net.ipv4.conf.${link.ifname}.rp_filter", "net/ipv4/conf/${link.ifname}/rp_filter"]
)
@pytest.mark.parametrize(
    "question", ["{'%s': 0}", "{some: {name: '%s', value: 0}}", "{where: {name: '%s'}, count: 1}"]
)
def test_a_reference_to_an_interface_with_a_dot_leads_to_its_sysctl(
    tmp_path: Path, name: str, question: str
) -> None:
    body = f"for: {{link: {{ifname: eth0.5}}}}\nsysctl: {question % name}"
    assert judge_one(tmp_path, body, Dictionary(ANSWERS)).verdict is PASS


@pytest.mark.parametrize("name", ["eth*", "e[t]h"])
def test_an_interface_that_is_named_like_a_pattern_is_no_pattern(tmp_path: Path, name: str) -> None:
    asked = Dictionary({"link": (link(name),)})
    body = "for: {link: {mtu: absent}}\nsysctl: {where: {name: 'net.ipv4.conf.${link.ifname}.x'}, count: 1}"
    judge_one(tmp_path, body, asked)
    escaped = name.replace("[", "[[]").replace("*", "[*]")
    assert f"sysctl net.ipv4.conf.{escaped}.x" in asked.asked


def test_the_files_of_the_next_boot_are_asked_in_every_form() -> None:
    file = file_of("/etc/sysctl.d/1.conf", "file", 1, 0o644, "net/ipv4/conf/eth0.5/rp_filter = 2")
    for form in FORMS:
        assert {(row.name, row.value) for row in persisted(form, [file])} == {(VLAN, "2")}


@pytest.mark.parametrize(
    ("question", "column"),
    [
        ("sysctl: {where: {name: net.**.rp_filter}, none: {value: 1}}", 13),
        ("sysctl: {where: {name: 'net.**.${v}'}, none: {value: 1}}", 13),
        ("file: {where: {path: /etc/**/x}, none: {mode: 1}}", 11),
    ],
)
def test_a_pattern_of_any_depth_is_refused(tmp_path: Path, question: str, column: int) -> None:
    path = write(tmp_path, checks(f"c:\n  {question}", head="vars:\n  v: a\n"))
    assert told(path) == [
        f"7:{column}: a wildcard reaches over no separator, so '**' finds no more than '*'; "
        "write one '*' for each level"
    ]
