"""The wheel: what is in it, and that pytest finds the plugin where only the wheel is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

CHECKOUT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it printed; a failure shows it."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built once; the build's own tools come from the package index."""
    place = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-input",
        "--wheel-dir",
        place,
        CHECKOUT,
        cwd=place,
    )
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a fresh environment with the wheel; what it depends on is the running one's."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place)
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=place)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip()
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"


@pytest.mark.parametrize("kind", ["suites", "labs"])
def test_the_suites_and_labs_travel_inside_the_wheel(wheel: Path, kind: str) -> None:
    wanted = {f"pytest_netconform/builtin/{kind}/{path.name}" for path in (CHECKOUT / kind).glob("*.yaml")}
    with ZipFile(wheel) as archive:
        assert wanted
        assert wanted <= set(archive.namelist())


def test_pytest_finds_the_plugin_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    shown = run(installed / "python", "-m", "pytest", "--trace-config", cwd=tmp_path)
    (line,) = [
        line for line in shown.splitlines() if "pytest_netconform/plugin.py" in line and " at " in line
    ]
    assert str(installed.parent) in line


def test_the_installed_command_finds_the_built_in_suites(installed: Path, tmp_path: Path) -> None:
    assert "kubernetes-node" in run(installed / "netconform", "list", cwd=tmp_path)
    collected = run(installed / "netconform", "check", "--collect-only", "-q", cwd=tmp_path)
    assert "suites/linux.suite.yaml::loopback" in collected
    assert not any(tmp_path.iterdir())
