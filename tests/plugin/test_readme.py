"""The examples of the README, and the tests of the reference, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_netconform.nodes import Net
from pytest_netconform.topology import load_topology

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for word, text in BLOCKS if word == language]


def file_of(text: str) -> str:
    """Give the name that an example's first line says."""
    found = re.match(r"# (\S+)\n", text)
    assert found is not None, text
    return found[1]


@pytest.mark.namespaces
@pytest.mark.parametrize("text", blocks("yaml"), ids=file_of)
def test_its_suites_and_labs_pass(pytester: pytest.Pytester, text: str) -> None:
    (pytester.path / file_of(text)).write_text(text)
    result = pytester.runpytest_subprocess("--netconform", file_of(text))
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}


@pytest.mark.namespaces
def test_its_lab_tells_what_stands_there(pytester: pytest.Pytester) -> None:
    shown = next(text for text in blocks("console") if "== labs ==" in text)
    result = pytester.runpytest_subprocess("--netconform", "labs/network-restart.lab.yaml", "-v")
    told = shown.partition("== labs ==")[2].partition("\n")[2].rstrip()
    assert told in result.stdout.str()


REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
IN_REFERENCE = [
    text for text in re.findall(r"```python\n(.*?)```", REFERENCE, re.DOTALL) if "def test_" in text
]


@pytest.mark.namespaces
@pytest.mark.parametrize("text", [*blocks("python"), *IN_REFERENCE])
def test_its_tests_pass(pytester: pytest.Pytester, text: str) -> None:
    pytester.makepyfile(text)
    assert set(pytester.runpytest_subprocess().parseoutcomes()) == {"passed"}


@pytest.mark.namespaces
def test_the_topology_of_the_reference_can_be_built(tmp_path: Path) -> None:
    text = next(
        text for text in re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL) if "topology:" in text
    )
    path = tmp_path / file_of(text)
    path.write_text(text)
    with Net() as net:
        load_topology(path).build(net)
        assert net["node1"].ping(net["node2"]).replied


def test_its_make_targets_are_there() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    named = set(re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)) | set(
        re.findall(r"`make (\w+)`", README)
    )
    assert {"conform", "test", "help"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_its_options_are_there(pytester: pytest.Pytester) -> None:
    known = pytester.runpytest("--help").stdout.str()
    for option in set(re.findall(r"--netconform[a-z-]*", README)):
        assert f"  {option}" in known, option


@pytest.mark.parametrize("command", ["list", "collect"])
def test_its_commands_are_there(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_netconform.cli", command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"netconform {command}" in README
