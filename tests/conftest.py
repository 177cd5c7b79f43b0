"""What all tests share: who may run them, and how hypothesis searches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

with suppress(
    ImportError
):  # who runs the suites from a checkout reads this file too, and needs no hypothesis
    from hypothesis import settings

    # A deadline per example would be a timed test, and this machine may be slow
    settings.register_profile("netconform", deadline=None)
    settings.load_profile("netconform")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs root, saying so."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root, for namespaces on the real kernel")


@pytest.fixture
def recordings() -> Path:
    """Give the directory of the recordings that tests carry."""
    return Path(__file__).parent / "data"


AS_NOBODY = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
number=0
for path in $NEEDED; do
    mkdir "/mnt/$number"
    mount --bind "$path" "/mnt/$number"
    number=$((number + 1))
done
for path in $CLOSED; do
    mount -t tmpfs -o mode=755 tmpfs "$path"
done
number=0
for path in $NEEDED; do
    mkdir -p "$path"
    mount --bind "/mnt/$number" "$path"
    number=$((number + 1))
done
cd "$WHERE"
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
"""
"""In a mount namespace of its own, opens what is needed to everybody, at its own path."""


def closed_above(path: Path) -> Path | None:
    """Give the topmost directory above a path that not everybody may enter."""
    return next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)


@pytest.fixture
def nobody(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in tmp_path as a user without any rights; as ourselves, if we have none."""
    needed = sorted({Path(__file__).parents[1], Path(sys.prefix), Path(sys.base_prefix), tmp_path})
    covered = {path: closed for path in needed if (closed := closed_above(path))}
    checkout = str(Path(__file__).parents[1])

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": checkout}
        env |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        start: list[str] = []
        if os.geteuid() == 0:
            os.chown(tmp_path, 65534, 65534)
            start = ["unshare", "--mount", "sh", "-c", AS_NOBODY, "sh"]
            env |= {"NEEDED": " ".join(map(str, covered)), "CLOSED": " ".join(map(str, {*covered.values()}))}
            env |= {"WHERE": str(tmp_path)}
        return subprocess.run([*start, *command], cwd=tmp_path, env=env, capture_output=True, text=True)

    return run
