"""The recording script as a text: it asks for all that checks ask for, and is sound in any POSIX shell."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_netconform.kernel.observing.tables import (
    COMMANDS,
    LEGACY,
    SECRET_FILES,
    SECRET_SYSCTLS,
    is_secret,
)
from pytest_netconform.recording import asked, script
from pytest_netconform.suites.library import builtin_suites
from pytest_netconform.suites.loading import load_suite
from pytest_netconform.targets.recordings import unescaped

SHELLS = [shell for shell in ("dash", "bash --posix", "busybox sh") if shutil.which(shell.split()[0])]
SCRIPT = script()
FUNCTIONS = SCRIPT.removesuffix('main "$@"\n')


def sh(shell: str, text: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*shell.split(), "-c", text, "sh", *words], capture_output=True, cwd=cwd)


def test_nothing_is_left_to_be_filled_in() -> None:
    assert "#@" not in SCRIPT
    assert SCRIPT.endswith('\nmain "$@"\n')


def test_every_command_that_a_live_look_runs_is_recorded() -> None:
    for file, command in COMMANDS.items():
        how = f"legacy {LEGACY[file]}" if file in LEGACY else "record"
        assert f"\t{how} {file} {' '.join(command)}\n" in SCRIPT


def test_every_file_that_a_built_in_suite_asks_for_is_looked_for() -> None:
    wanted = list(asked("file", [load_suite(path) for path in builtin_suites()]))
    assert "/run/flannel/subnet.env" in wanted
    for path in wanted:
        assert f"\tlook {shlex.quote(path)}\n" in SCRIPT


SUITE = """\
suite: mine
title: A suite of a test
checks:
  file: {file: {path: "/etc/my agent/it's; touch pwned"}}
  files: {file: {where: {path: "/etc/$(touch pwned)/*.conf"}, count: 1}}
  value: {sysctl: {vm.max_map_count: ">= 1", "fs.inotify.max_user_instances": 128}}
  values: {sysctl: {where: {name: "kernel.sched*"}, each: {value: 1}, or_none: true}}
  of-net: {sysctl: {net.ipv4.ip_forward: 1}}
"""


def test_a_suite_of_ones_own_adds_what_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.suite.yaml"
    path.write_text(SUITE)
    text = script([path])
    for line in (
        "\tlook '/etc/my agent/it'\"'\"'s; touch pwned'\n",
        "\tlook '/etc/$(touch pwned)/*.conf'\n",
        '\tset -- "$@" /proc/sys/vm/max_map_count\n',
        '\tset -- "$@" /proc/sys/fs/inotify/max_user_instances\n',
        '\tset -- "$@" /proc/sys/kernel\n',
    ):
        assert line in text, line
    assert "/proc/sys/net/ipv4" not in text


@pytest.mark.parametrize("name", SECRET_SYSCTLS + SECRET_FILES)
def test_what_is_secret_is_left_out(name: str) -> None:
    assert f"/{name}:" in SCRIPT or f"\t{name}) return 0 ;;\n" in SCRIPT


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_it(shell: str) -> None:
    done = subprocess.run([*shell.split(), "-n"], input=SCRIPT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-"], input=SCRIPT, capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_was_cut_off_does_nothing(shell: str, tmp_path: Path) -> None:
    lines = SCRIPT.splitlines(keepends=True)
    for end in range(1, len(lines) - 1, 9):
        done = sh(shell, "".join(lines[:end]), cwd=tmp_path)
        assert done.stdout == b""
        assert b"recording" not in done.stderr
    assert not any(tmp_path.iterdir())


TEXT = st.text(st.sampled_from("ab\\\t\nn*?[]$'\"`; \r\x1b\x7fé-"), max_size=20)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40)
@given(text=TEXT)
def test_any_name_stays_in_its_cell_and_comes_back(shell: str, text: str) -> None:
    done = sh(shell, f'{FUNCTIONS}\nescape "$1"\nprintf %s "$escaped"', text)
    assert done.stderr == b""
    assert not re.search(rb"[\t\n]", done.stdout)
    assert unescaped(done.stdout.decode()) == text


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "path", ["/etc/cni/net.d/calico-kubeconfig", "/etc/kubernetes/kubelet.conf", "/etc/etcd/peer.key"]
)
def test_secret_files_are_known_by_their_path(shell: str, path: str) -> None:
    assert sh(shell, f'{FUNCTIONS}\nis_secret "$1"', path).returncode == 0
    assert is_secret(path)
    assert sh(shell, f'{FUNCTIONS}\nis_secret "$1"', "/etc/cni/net.d/10-calico.conflist").returncode == 1
    assert not is_secret("/etc/cni/net.d/10-calico.conflist")
