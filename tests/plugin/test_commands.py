"""The commands beside pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "suite: mine\ntitle: A suite of mine\nchecks: {up: {link: {ifname: lo, flags: UP}, why: Because.}}\n"


def netconform(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_netconform.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["collect", "list"])
def test_whoever_reads_only_the_first_line_is_no_error(tmp_path: Path, command: str) -> None:
    line = f"{sys.executable} -m pytest_netconform.cli {command}; echo status $? >&2"
    done = subprocess.run(["sh", "-c", f"({line}) | true"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr in ("status 0\n", "status 141\n")


def test_the_help_of_check_is_its_own(tmp_path: Path) -> None:
    done = netconform("check", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: netconform check [PATH ...] [option ...]")
    assert "--netconform-replay PATH" in done.stdout
    assert "All other options are pytest's own" in done.stdout
    assert len(done.stdout.splitlines()) < 50


def test_suites_of_ones_own_are_listed(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "mine.suite.yaml").write_text(SUITE)
    (tmp_path / "other.txt").touch()
    for name in ("below/mine.suite.yaml", "below"):
        done = netconform("list", name, cwd=tmp_path)
        assert done.stdout == (
            "mine: A suite of mine\n\nmine::up   normal   below/mine.suite.yaml:3\n  why  Because.\n"
        ), done.stderr
    for name, said in (
        ("other.txt", "other.txt: is no suite (*.suite.yaml) and no lab (*.lab.yaml)"),
        ("linx", "there is no suite or kind 'linx' (did you mean 'linux'?)"),
    ):
        done = netconform("list", name, cwd=tmp_path)
        assert done.stderr.rstrip().endswith(said)
        assert done.returncode == 2
