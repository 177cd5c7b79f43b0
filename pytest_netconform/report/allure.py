"""Verdicts and stages as Allure shows them; asked for only where `--alluredir` is given.
PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_netconform.documents.words import harmless_lines
from pytest_netconform.verdicts import Finding, Verdict

MOST_STEPS = 200


class StepFailed(AssertionError):
    """Makes Allure show a step as failed."""


class StepBroken(Exception):
    """What a step was about could not be observed."""


def is_on(config: pytest.Config) -> bool:
    """Say whether results for Allure are written."""
    return config.pluginmanager.has_plugin("allure_listener")


def annotate(item: pytest.Item, *, title: str, suite: str, feature: str, severity: str, why: str, fix: str,
             refs: Iterable[str]) -> None:  # fmt: skip
    """Give an item its title, suite, severity, description and links."""
    item.obj = SimpleNamespace(__allure_display_name__=title.replace("{", "{{").replace("}", "}}"))  # type: ignore[attr-defined]
    for kind, value in (
        ("suite", suite),
        ("epic", "pytest-netconform"),
        ("feature", feature),
        ("severity", severity),
    ):
        item.add_marker(pytest.mark.allure_label(value, label_type=kind))
    description = "\n\n".join(text for text in (why, f"**Fix**\n\n```sh\n{fix}\n```" if fix else "") if text)
    if description:
        item.add_marker(pytest.mark.allure_description(description))
    for ref in refs:
        item.add_marker(pytest.mark.allure_link(ref, link_type="link", name=ref))


def show_findings(findings: Iterable[Finding]) -> None:
    """Show each thing that was judged as a step."""
    import allure

    outcomes: dict[Verdict, type[Exception]] = {Verdict.FAIL: StepFailed, Verdict.ERROR: StepBroken}
    for finding in list(findings)[:MOST_STEPS]:
        try:
            text = harmless_lines(str(finding))
            with allure.step(text):
                if finding.verdict in outcomes:
                    raise outcomes[finding.verdict](text)
        except (StepFailed, StepBroken):
            continue


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show what is done inside as a step."""
    import allure

    with allure.step(title):
        yield
