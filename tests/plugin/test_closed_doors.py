"""`netconform check` in a directory that somebody else has prepared: run as root, it trusts nothing there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "suite: mine\ntitle: A suite of a test\nchecks:\n  up: {link: {ifname: lo, flags: UP}}\n"
SPRING = "import pathlib\npathlib.Path({sprung!r}).open('a').write(__file__ + '\\n')\n"
MODULES = (
    *("conftest", "__init__", "test_x", "x_test", "sitecustomize", "usercustomize", "evil"),
    *("pytest", "pluggy", "xdist", "execnet", "allure", "yaml", "pydantic", "pytest_netconform"),
    *("argparse", "json", "os", "queue", "socket", "struct", "traceback", "typing"),
)
SETTINGS = {
    "pytest.ini": "[pytest]\naddopts = --collect-only -p evil\npython_files = *.py\n",
    "pytest.toml": "[pytest]\naddopts = ['--collect-only', '-p', 'evil']\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--collect-only -p evil'\n",
    "tox.ini": "[pytest]\naddopts = --collect-only -p evil\n",
    "setup.cfg": "[tool:pytest]\naddopts = --collect-only -p evil\n",
}
RUNS = {
    "this node": [],
    "a suite": ["mine.suite.yaml"],
    "a suite of the directory above": ["../mine.suite.yaml"],
    "a directory": ["."],
    "this node, with workers": ["-n", "2"],
    "a suite, with workers": ["mine.suite.yaml", "-n", "2"],
    "a directory, with workers": [".", "-n", "2"],
}


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """Set traps in a directory and in one inside it; gives the file that tells which have sprung."""
    sprung = tmp_path / "sprung"
    for directory in (tmp_path / "top", tmp_path / "top" / "sub"):
        directory.mkdir()
        for module in MODULES:
            (directory / f"{module}.py").write_text(SPRING.format(sprung=str(sprung)))
        (directory / "mine.suite.yaml").write_text(SUITE)
    return sprung


def check(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as its console script does: without the current directory among its modules."""
    command = [sys.executable, "-P", "-m", "pytest_netconform.cli", "check", *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True)


@pytest.mark.parametrize("settings", [None, *SETTINGS])
@pytest.mark.parametrize("run", ["this node", "a suite"])
def test_settings_and_python_files_are_not_heeded(
    tmp_path: Path, sprung: Path, run: str, settings: str | None
) -> None:
    for directory in (tmp_path / "top", tmp_path / "top" / "sub"):
        if settings:
            (directory / settings).write_text(SETTINGS[settings])
    before = sorted(tmp_path.rglob("*"))
    done = check(tmp_path / "top" / "sub", *RUNS[run])
    assert done.returncode == 0, done.stdout
    assert " passed in " in done.stdout
    assert not sprung.exists(), sprung.read_text()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("run", RUNS)
def test_no_way_of_running_it_executes_what_stands_there(tmp_path: Path, sprung: Path, run: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = check(tmp_path / "top" / "sub", *RUNS[run])
    assert done.returncode == 0, done.stdout
    assert " passed in " in done.stdout
    assert not sprung.exists(), sprung.read_text()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_python_file_is_not_run_even_if_it_is_named(tmp_path: Path, sprung: Path) -> None:
    assert check(tmp_path / "top", "test_x.py").returncode == pytest.ExitCode.USAGE_ERROR
    assert not sprung.exists()


def test_the_traps_do_spring_where_pytest_is_run_as_it_is(tmp_path: Path, sprung: Path) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "--netconform", "."]
    subprocess.run(command, cwd=tmp_path / "top" / "sub", capture_output=True)
    told = {Path(line).name for line in sprung.read_text().splitlines()}
    assert told >= {"conftest.py", "test_x.py", "__init__.py"}
