"""The variables of a fix: fields of the failing row by name, and nothing that a typo would leave empty."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from dictionary import Dictionary, checks, judge_of, link, told, write

from pytest_netconform.suites.fixes import variables
from pytest_netconform.suites.shell import assigned_in, names_in

FIXES = {
    "ip link set $a up": {"a"},
    'ip link set "${a}x" up': {"a"},
    "echo ${#a} ${a:-b} ${a%%.*}": {"a"},
    "echo '$a' \\$a": set(),
    'echo "it\'s $a"': {"a"},
    "awk '{print $1, $a}' x | sh -c 'echo $b' $c": {"c"},
    "echo $$ $1 $? $": set(),
    "echo $a_b$c": {"a_b", "c"},
}


@pytest.mark.parametrize("fix", FIXES)
def test_the_variables_are_those_that_a_shell_puts_in(fix: str) -> None:
    assert set(names_in(fix)) == FIXES[fix]
    for name in FIXES[fix]:
        unset = {**dict.fromkeys(FIXES[fix], "1"), "PATH": os.environ["PATH"]}
        del unset[name]
        done = subprocess.run(["sh", "-uc", fix], env=unset, capture_output=True, text=True)
        assert done.returncode != 0, name


def test_a_fix_may_set_variables_of_its_own() -> None:
    assert assigned_in("a=1; for b in x; do read -r c; done; d=$e f=2 env") == {"a", "b", "c", "d", "f"}


@pytest.mark.parametrize(
    ("fix", "problem"),
    [
        ("ip link set ${link_ifnam} up", "unknown variable $link_ifnam: * (did you mean 'link_ifname'?)"),
        ("ip link set $lnk_ifname up", "unknown variable $lnk_ifname: * (did you mean 'link_ifname'?)"),
        ("ip route del $route_dst", "unknown variable $route_dst: no row that this check judges has it"),
        ("echo $port_ifname", "unknown variable $port_ifname: * (did you mean 'link_ifname'?)"),
    ],
)
def test_a_variable_that_no_row_has_is_refused(tmp_path: Path, fix: str, problem: str) -> None:
    path = write(tmp_path, checks(f"c:\n  link: {{ifname: lo}}\n  fix: {fix}"))
    begin, _, end = problem.partition("*")
    (said,) = told(path)
    assert said.startswith(f"6:10: {begin}")
    assert said.endswith(end)


@pytest.mark.parametrize(
    "fix",
    [
        'ip link set "${link_ifname}" up',
        "link_wanted=1; echo $link_wanted $HOME $NODE1_IP $i",
        "awk '{print $link_nothing}'",
        "echo $up_port_ifname $up_port_mtu",
    ],
)
def test_other_variables_are_the_shells(tmp_path: Path, fix: str) -> None:
    head = "c:\n  for: {up-port: {link: {ifname: eth0}}}\n  link: {ifname: lo}\n  fix: "
    path = write(tmp_path, checks(f"{head}|\n    {fix}"))
    from pytest_netconform.suites.library import Library

    assert Library(tmp_path).load(path)


def test_a_variable_in_braces_gets_its_value(tmp_path: Path) -> None:
    question = "{where: {ifname: eth*}, each: {flags: UP}}"
    body = f"c:\n  link: {question}\n  fix: ip link set ${{link_ifname}} mtu $link_mtu"
    target = Dictionary({"link": (link("eth0", mtu=1500), link("eth1", mtu=1500))})
    judge = judge_of(tmp_path, checks(body), target)
    check = judge.suites["x"].checks["c"]
    found = [each for finding in judge.judge(check).findings for each in variables(check, finding)]
    assert found == [{"link_ifname": name, "link_mtu": "1500"} for name in ("eth0", "eth1")]
