"""Labs, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_netconform.suites.library import builtin

pytestmark = pytest.mark.namespaces
LAB = str(builtin("labs") / "network-restart.lab.yaml")
HEAD = """
lab: mine
title: A lab of a test
fabric: {kind: calico, nodes: 1, pods: 1}
suites: [calico]
healthy: [{ping: {from: node1/pod1, to: outside}}]
symptom: [{ping: {from: node1, to: outside, is: rejected}}]
detected: {node1: ["calico::way-out"]}
"""
MEND = "fix: [{node1: ip route add default via $ROUTER_IP dev eth0}]\n"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--netconform", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def lab(tmp_path: Path):
    """Write a lab file and run it."""

    def write_and_run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "mine.lab.yaml").write_text(text)
        return run("mine.lab.yaml", *options, cwd=tmp_path)

    return write_and_run


def test_a_network_restart_is_reproduced_detected_explained_and_mended(tmp_path: Path) -> None:
    done = run(LAB, "-v", cwd=tmp_path)
    assert "labs/network-restart.lab.yaml::network-restart PASSED" in done.stdout, done.stdout
    assert "  cause      forwarding-off: node1 drops packets that are not for itself" in done.stdout


def test_without_its_fault_every_symptom_and_every_detected_entry_fails(tmp_path: Path) -> None:
    done = run(LAB, "--netconform-withhold", "fault", cwd=tmp_path)
    assert "1 failed" in done.stdout
    for wrong in (
        "ping node1/pod1 -> outside: expected lost, got Ping(",
        "ping node2 -> node1/pod1: expected lost, got Ping(",
        "detected: node1 kubernetes-node::forwarding: expected fail, got pass",
        "cause: expected forwarding-off at node1, found not-reproduced",
    ):
        assert wrong in done.stdout, done.stdout


def test_without_its_fix_nothing_recovers(tmp_path: Path) -> None:
    done = run(LAB, "--netconform-withhold", "fix", cwd=tmp_path)
    assert "1 failed" in done.stdout
    for wrong in (
        "recovered: labs/network-restart.lab.yaml:13 ping node1/pod1 -> outside: expected replied, got Ping(",
        "recovered: node1 kubernetes-node::forwarding: expected pass, got fail",
        "recovered: node1 kubernetes-node::forwarding-survives: expected pass, got fail",
    ):
        assert wrong in done.stdout, done.stdout


def test_labs_run_in_parallel_and_beside_themselves(tmp_path: Path) -> None:
    for name in ("first", "second"):
        text = Path(LAB).read_text().replace("lab: network-restart", f"lab: {name}")
        (tmp_path / f"{name}.lab.yaml").write_text(text)
    done = run("first.lab.yaml", "second.lab.yaml", LAB, "-n", "2", cwd=tmp_path)
    assert "3 passed" in done.stdout, done.stdout


def test_a_lab_whose_stages_hold_passes(lab) -> None:
    done = lab(HEAD + "fault: [{node1: ip route del default}]\n" + MEND)
    assert "1 passed" in done.stdout, done.stdout


def test_a_fault_that_leaves_more_behind_than_the_fix_mends_is_told_by_what_differs(lab) -> None:
    fault = "fault: [{node1: 'ip route del default; ip link set lo mtu 1400; touch /etc/forgotten'}]\n"
    done = lab(HEAD + fault + MEND)
    assert "1 failed" in done.stdout
    assert "node1 link lo mtu: was 65536, is 1400" in done.stdout
    assert "node1 file /etc/forgotten: was not there" in done.stdout


def test_whatever_is_left_behind_is_told(lab) -> None:
    ruleset = "nft add table inet mine; nft add chain inet mine c; nft add rule inet mine c tcp dport 1 drop"
    files = "head -c 2000000 /dev/zero >/etc/large; mkdir -p /etc/empty/below"
    done = lab(f"{HEAD}fault: [{{node1: '{ruleset}; {files}; ip route del default'}}]\n{MEND}")
    assert "1 failed" in done.stdout
    for left in (
        "nft table inet mine chain c",
        "file /etc/large",
        "file /etc/empty",
        "file /etc/empty/below",
    ):
        assert f"node1 {left}: was not there" in done.stdout, done.stdout


def test_a_large_file_that_changed_is_told(lab) -> None:
    before = "before: [{node1: head -c 2000000 /dev/zero >/etc/large}]\n"
    fault = "fault: [{node1: 'echo >>/etc/large; ip route del default'}]\n"
    done = lab(HEAD + before + fault + MEND)
    assert "node1 file /etc/large content: was 644 " in done.stdout, done.stdout


def test_what_a_lab_leaves_must_be_left_and_its_directories_may_be(lab) -> None:
    fault = "fault: [{node1: 'mkdir -p /etc/a/b; touch /etc/a/b/c; ip route del default'}]\n"
    done = lab(f"{HEAD}{fault}{MEND}leaves: [{{node1: /etc/a/b/c}}]\n")
    assert "1 passed" in done.stdout, done.stdout
    done = lab(f"{HEAD}{fault}{MEND}leaves: [{{node1: /etc/a/b/c}}, {{node1: /etc/nothing}}]\n")
    assert "node1 file /etc/nothing: is as it was, though 'leaves' names it" in done.stdout, done.stdout


def test_what_cannot_be_observed_of_a_state_is_an_error(lab) -> None:
    tool = "mount --bind /bin/false /usr/sbin/ipset"
    done = lab(f"{HEAD}before: [{{node1: '{tool}'}}]\nfault: [{{node1: ip route del default}}]\n{MEND}")
    assert "`ipset save` exited with 1" in done.stdout, done.stdout


def test_what_holds_without_the_fault_is_named(lab) -> None:
    text = HEAD + "before: [{node1: ip route del default}]\nfault: [{node1: 'true'}]\n" + MEND
    done = lab(text, "--netconform-withhold", "fault")
    assert "1 failed" in done.stdout
    for said in (
        "symptom: mine.lab.yaml:7 ping node1 -> outside: rejected, still holds without the fault",
        "detected: node1 calico::way-out: fails, still holds without the fault",
    ):
        assert said in done.stdout, done.stdout


def test_what_recovers_without_the_fix_is_named(lab) -> None:
    done = lab(HEAD + "fault: [{node1: 'true'}]\n" + MEND, "--netconform-withhold", "fix")
    assert "1 failed" in done.stdout
    for said in (
        "symptom: mine.lab.yaml:7 ping node1 -> outside: no longer rejected without the fix",
        "detected: node1 calico::way-out: passes again without the fix",
    ):
        assert said in done.stdout, done.stdout


@pytest.mark.parametrize("withheld", ["fault", "fix"])
def test_a_withheld_run_whose_suite_does_not_apply_says_so(lab, withheld: str) -> None:
    gone = "rm /etc/cni/net.d/*; for i in /sys/class/net/cali*; do ip link del ${i##*/}; done"
    text = f"{HEAD}before: [{{node1: '{gone}'}}]\nfault: [{{node1: 'true'}}]\n{MEND}"
    done = lab(text, "--netconform-withhold", withheld)
    assert "node1: suite calico does not apply" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
    assert "Traceback" not in done.stdout
    assert "Error" not in done.stdout


def test_a_check_that_fails_though_no_one_said_so_fails_the_lab(lab) -> None:
    down = "for i in /sys/class/net/cali*; do ip link set ${i##*/} down; done"
    fault = f"fault: [{{node1: '{down}; ip route del default'}}]\n"
    done = lab(HEAD + fault + MEND)
    assert "1 failed" in done.stdout
    assert "node1 calico::host-sides-are-up: expected pass, got fail" in done.stdout


def test_a_fault_command_that_fails_stops_the_lab_with_its_output(lab) -> None:
    done = lab(HEAD + "fault: [{node1: 'echo what is wrong >&2; exit 3'}]\n" + MEND)
    command = "sh -uc 'echo what is wrong >&2; exit 3'"
    assert f"fault: mine.lab.yaml:9 node1: `{command}` exited with 3" in done.stdout
    assert "what is wrong" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_broken_lab_file_tells_all_its_problems(lab) -> None:
    text = (
        HEAD.replace("calico, nodes: 1", "calico, ndoes: 1")
        .replace("way-out", "way-uot")
        .replace("rejected", "regected")
    )
    done = lab(text.replace("suites: [calico]", "suites: [calica]") + "fault: [{node1: x}]\n" + MEND)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    for problem in (
        "mine.lab.yaml:4:24: unknown option 'ndoes' (did you mean 'nodes'?)",
        "mine.lab.yaml:5:10: unknown suite 'calica' (did you mean 'calico'?)",
        "mine.lab.yaml:7:49: is: expected one of",
        "mine.lab.yaml:8:20: unknown check 'way-uot' of suite calico (did you mean 'way-out'?)",
    ):
        assert problem in done.stdout, done.stdout
    assert "Traceback" not in done.stdout


def test_unknown_places_are_refused_with_the_place_that_was_meant(lab) -> None:
    done = lab(HEAD.replace("to: outside}}]", "to: outsied}}]", 1) + "fault: [{nod1: x}]\n" + MEND)
    assert "mine.lab.yaml:6:41: unknown place 'outsied' (did you mean 'outside'?)" in done.stdout, done.stdout
    assert "mine.lab.yaml:9:10: unknown place 'nod1' (did you mean 'node1'?)" in done.stdout, done.stdout


def test_allure_shows_the_stages_as_steps(lab, tmp_path: Path) -> None:
    lab(HEAD + "fault: [{node1: ip route del default}]\n" + MEND, "--alluredir", "results")
    (file,) = (tmp_path / "results").glob("*-result.json")
    result = json.loads(file.read_text())
    assert [step["name"] for step in result["steps"]] == [
        "build", "before", "healthy", "fault", "symptom", "detected", "fix", "recovered", "restored"
    ]  # fmt: skip
    assert {step["status"] for step in result["steps"]} == {"passed"}


def processes_below(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from processes_below(int(child))


def alive(pid: int) -> bool:
    """Say whether a process still has memory; one without only waits for whoever adopted it to take
    notice.
    """
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("moment", [1, 4, 10, 25, 50])
def test_sigkill_to_a_running_lab_leaves_nothing(tmp_path: Path, moment: int) -> None:
    """Kill when the lab has started so many processes; each lives in a namespace of the lab's and would keep
    it.
    """
    mounts = Path("/proc/self/mountinfo").read_text()
    command = [sys.executable, "-m", "pytest", "--netconform", "-p", "no:cacheprovider", LAB]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 30
    seen: set[int] = set()
    while len(seen) < moment and time.monotonic() < deadline and started.poll() is None:
        try:
            seen |= set(processes_below(started.pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert seen, "the lab has started no process"
    started.send_signal(signal.SIGKILL)
    started.wait()
    deadline = time.monotonic() + 1
    while (left := [pid for pid in seen if alive(pid)]) and time.monotonic() < deadline:
        os.sched_yield()
    assert not left
    assert Path("/proc/self/mountinfo").read_text() == mounts
