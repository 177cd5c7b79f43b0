"""What all tests share: who may run them, and how hypothesis searches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.making import userns

with suppress(
    ImportError
):  # who runs the suites from a checkout reads this file too, and needs no hypothesis
    from hypothesis import settings

    # A deadline per example would be a timed test, and this machine may be slow
    settings.register_profile("netconform", deadline=None)
    settings.load_profile("netconform")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs root, or namespaces, where there is none, saying so."""
    if (mark := item.get_closest_marker("root")) and not (os.geteuid() == 0 and syscalls.in_first_userns()):
        pytest.skip(f"needs root: {mark.args[0]}")
    if item.get_closest_marker("namespaces") and (reason := userns.why_not()):
        pytest.skip(reason)


@pytest.fixture
def recordings() -> Path:
    """Give the directory of the recordings that tests carry."""
    return Path(__file__).parent / "data"


AS_NOBODY = Path(__file__).parents[1] / "scripts" / "as-nobody"


@pytest.fixture
def nobody(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in tmp_path as a user without any rights; as ourselves, if we have none.

    Shape: *covering* is a shell command that covers parts of what that user sees.
    """
    checkout = Path(__file__).parents[1]

    def run(*command: str, covering: str = "true") -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(checkout)}
        env |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        start: list[str] = []
        if os.geteuid() == 0:
            os.chown(tmp_path, 65534, 65534)
            needed = sorted({checkout, Path(sys.prefix), Path(sys.base_prefix), tmp_path})
            start = ["unshare", "--mount", "sh", "-c", f'{covering} && exec "$@"', "sh", str(AS_NOBODY)]
            start += [*map(str, needed), "--"]
        return subprocess.run([*start, *command], cwd=tmp_path, env=env, capture_output=True, text=True)

    return run
