"""A plugin that is installed but not used costs nothing."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, pytest
before = set(sys.modules)
import pytest_netconform.plugin
print(*sorted(set(sys.modules) - before))
"""


def test_the_plugin_imports_its_fixtures_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    ours = {"pytest_netconform", "pytest_netconform.fixtures", "pytest_netconform.plugin"}
    assert set(done.stdout.split()) <= ours
