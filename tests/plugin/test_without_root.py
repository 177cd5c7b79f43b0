"""`pytest --netconform` as a user without rights: what may be read is judged, what may not is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.suites.library import builtin

Nobody = Callable[..., subprocess.CompletedProcess[str]]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
HEAD = "suite: mine\ntitle: A suite of a test\nchecks:\n"
READABLE = """
  loopback: {link: {ifname: lo, flags: UP}}
  address: {addr: {ifname: lo, local: 127.0.0.1}}
  local: {route: {table: local, dst: 127.0.0.1}}
  policy: {rule: {table: local}}
  no-such-neighbour: {neigh: {none: {dst: 203.0.113.77}}}
  no-such-entry: {fdb: {none: {mac: "02:00:00:00:00:77"}}}
  conf: {netconf: {ifname: lo, family: inet}}
  conf6: {netconf: {where: {family: inet6}, each: {accept_dad: "<= 2"}, or_none: true}}
  value: {sysctl: {net.ipv4.ip_forward: {any_of: [0, 1]}}}
  file: {file: {path: /etc/os-release, type: file}}
  persisted: {persisted: {net.ipv4.no_such_thing: absent}}
"""


@pytest.fixture
def check(nobody: Nobody, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Write a suite of these checks and judge this machine by it."""

    def run(checks: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "mine.suite.yaml").write_text(HEAD + checks)
        return nobody(*PYTEST, "--netconform", "mine.suite.yaml", *options)

    return run


def test_the_built_in_suites_are_judged_and_the_header_says_who_looks(nobody: Nobody) -> None:
    done = nobody(*PYTEST, "--netconform")
    uid = os.geteuid() or 65534
    assert f", as uid {uid}, without root: what may not be read is an error" in done.stdout
    assert "suites/linux.suite.yaml ." in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_what_everybody_may_read_is_judged(check: Nobody, workers: tuple[str, ...]) -> None:
    done = check(READABLE, *workers)
    assert " 11 passed" in done.stdout, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (
            "chain: {none: {table: nat}}",
            "`iptables-nft-save -c` exited with 4: *Permission denied (you must be root)",
        ),
        ("netns: {none: {name: no-such}}", "/proc/*/ns/net: Permission denied; run as root"),
        ("sysctl: {net.core.bpf_jit_harden: absent}", "/proc/sys/net/core/bpf_jit_harden: Permission denied"),
        ("file: {none: {path: /etc/shadow, text: x}}", "/etc/shadow: Permission denied"),
        (
            "in: {netns: {kind: pod}}, or_none: true, link: {ifname: lo}",
            "/proc/*/ns/net: Permission denied; run as root",
        ),
    ],
    ids=["firewall", "namespaces", "sysctl", "file", "inside pods"],
)
def test_what_only_root_may_read_is_an_error_whatever_is_asserted(
    check: Nobody, question: str, said: str
) -> None:
    done = check(f"  one: {{{question}}}\n  other: {{link: {{ifname: lo}}}}\n")
    assert "1 passed, 1 error" in done.stdout, done.stdout
    pytest.LineMatcher(done.stdout.splitlines()).fnmatch_lines([f"*could not be *: {said}*"])


def test_a_lab_is_skipped_and_says_what_it_needs(nobody: Nobody, tmp_path: Path) -> None:
    (tmp_path / "network-restart.lab.yaml").write_text(
        (builtin("labs") / "network-restart.lab.yaml").read_text()
    )
    done = nobody(*PYTEST, "--netconform", "network-restart.lab.yaml", "-rs")
    assert (
        "network-restart.lab.yaml:1: a lab needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for namespaces: "
        in done.stdout
    )
    assert "1 skipped" in done.stdout


def test_recordings_are_judged_as_root_would_judge_them(nobody: Nobody, recordings: Path) -> None:
    cluster = recordings / "flannel-cluster" / "vxlan"
    done = nobody(*PYTEST, "--netconform-replay", str(cluster), "-v")
    for node in ("node1", "node2", "node3"):
        assert f"suites/flannel-vxlan.suite.yaml::masquerade@{node} PASSED" in done.stdout
    assert done.returncode == 0, done.stdout
