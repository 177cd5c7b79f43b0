"""What users of the fixtures see of them in pytest's own output. PYTEST_DONT_REWRITE

Imports stand in the bodies: a plugin that is installed but not used must cost nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

DOCUMENTS = (".suite.yaml", ".lab.yaml")
WAY_OUT = "netconform_userns"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Say what lacks where a suite or lab is asked for by name, and would only not be found."""
    asked = file_path.name.endswith(DOCUMENTS) and parent.session.isinitpath(file_path)
    if asked and not (parent.config.option.netconform or parent.config.option.netconform_replay):
        raise pytest.UsageError(f"{file_path.name}: suites and labs are run with --netconform")


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    if op != "==" or "pytest_netconform.probes.mesh" not in sys.modules:
        return None
    from pytest_netconform.probes.mesh import compared

    return compared(left, right)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    if call.excinfo and "pytest_netconform.errors" in sys.modules and not item.config.option.fulltrace:
        from pytest_netconform.report.tracebacks import shorten

        shorten(call.excinfo)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say why, where tests were skipped for want of namespaces: pytest itself would not without -rs."""
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()) if report.longrepr]
    if ours := [reason for reason in reasons if WAY_OUT in reason]:
        terminalreporter.write_line(f"netconform: {len(ours)} skipped: {ours[0].removeprefix('Skipped: ')}")
