"""Runs of pytest inside tests: each in a directory of its own, with suites written there."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from textwrap import dedent

import pytest

import pytest_netconform

# pytester forgets what a run inside a test imports; half of a package imported twice does not fit together
for module in walk_packages(pytest_netconform.__path__, "pytest_netconform."):
    import_module(module.name)

Write = Callable[[str, str], Path]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Write:
    """Write a suite file: `suite("name", checks)` adds the head; gives its path."""

    def write(name: str, checks: str, head: str = "") -> Path:
        body = "".join(f"  {line}\n" if line else "\n" for line in dedent(checks).strip().splitlines())
        path = pytester.path / f"{name}.suite.yaml"
        path.write_text(f"suite: {name}\ntitle: A suite of a test\n{dedent(head)}checks:\n{body}")
        return path

    return write  # type: ignore[return-value]
