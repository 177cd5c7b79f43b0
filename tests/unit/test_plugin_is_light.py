"""A plugin that is installed but not used costs nothing."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, pytest
before = set(sys.modules)
import pytest_netconform.plugin as plugin
for name in plugin.pytest_plugins:
    __import__(name)
print(*sorted(set(sys.modules) - before))
"""


def test_the_plugin_imports_its_fixtures_and_hooks_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    ours = {"fixtures", "plugin", "report", "report.hooks"}
    assert set(done.stdout.split()) == {"pytest_netconform", *(f"pytest_netconform.{name}" for name in ours)}
