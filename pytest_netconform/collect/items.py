"""Suite and lab files as pytest items. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_netconform.documents.words import harmless_lines
from pytest_netconform.errors import DocumentError, NetconformError
from pytest_netconform.report import allure
from pytest_netconform.report.text import describe
from pytest_netconform.suites.library import LAB_SUFFIX, file_id
from pytest_netconform.suites.loading import SUFFIX
from pytest_netconform.suites.model import Check, Suite
from pytest_netconform.verdicts import Judgement, Verdict

if TYPE_CHECKING:
    from pytest_netconform.collect.session import Run
    from pytest_netconform.suites.judging import Judge

STORY = "netconform story"
"""The property of a lab's report that tells its stages; it comes through from xdist's workers."""


class CheckFailed(AssertionError):
    """A check was judged *fail*."""


class CheckError(NetconformError):
    """What a check needs could not be observed."""


class LabFailed(AssertionError):
    """A stage of a lab did not come out as the lab says."""


class LabError(NetconformError):
    """A lab could not be run."""


TOLD = (CheckFailed, CheckError, LabFailed, LabError)
for _told in TOLD:
    _told.__module__ = "builtins"  # keeps our package's path out of pytest's one-line summary


class NetconformItem(pytest.Item):
    """What suite and lab items share: they are told by their text, and stand in a YAML file."""

    line: int
    title: str
    funcargs: dict[str, Any] = {}

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return told(excinfo) or super().repr_failure(excinfo, style)

    def mark(self, suite: str, severity: str) -> None:
        self.add_marker(pytest.mark.netconform(suite=suite, severity=severity))
        self.extra_keyword_matches.update((suite, severity))


class CheckItem(NetconformItem):
    """One check on one target."""

    def __init__(self, *, check: Check, judge: Judge, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check, self.judge = check, judge
        self.line, self.title = check.line, check.title or check.name
        self.judgement = Judgement()
        self.mark(check.suite, check.severity)
        if allure.is_on(self.config):
            allure.annotate(
                self, title=self.title, suite=judge.suites[check.suite].title, feature=check.suite,
                severity=check.severity, why=check.why, fix=check.fix, refs=check.refs,
            )  # fmt: skip

    def setup(self) -> None:
        self.judgement = self.judge.judge(self.check)
        verdict = self.judgement.verdict
        if allure.is_on(self.config):
            allure.show_findings(self.judgement.findings)
        if verdict is Verdict.ERROR:
            raise CheckError(self.told())
        if verdict is Verdict.SKIP:
            raise pytest.skip.Exception(harmless_lines("; ".join(map(str, self.judgement.telling))))

    def runtest(self) -> None:
        if self.judgement.verdict is Verdict.FAIL:
            raise CheckFailed(self.told())

    def told(self) -> str:
        return describe(self.check, self.judgement, self.judge.target.name)


class WhenItem(NetconformItem):
    """A suite that does not apply though it was named, or of which that could not be read."""

    def __init__(self, *, suite: Suite, judgement: Judgement, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.line, self.title = 1, f"{suite.title}: does it apply?"
        self.suite, self.judgement = suite, judgement
        self.mark(suite.name, "normal")

    def setup(self) -> None:
        if self.judgement.verdict is Verdict.ERROR:
            raise CheckError(self.told("whether it applies could not be observed"))

    def runtest(self) -> None:
        raise CheckFailed(self.told("does not apply, but was named"))

    def told(self, words: str) -> str:
        lines = [f"{self.suite.file}:1 {self.suite.name} {words}"]
        lines += [f"  {line}" for finding in self.judgement.telling for line in str(finding).splitlines()]
        return harmless_lines("\n".join(lines))


def told(excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
    """Represent a verdict by its text, its first finding for the summary; None for anything else."""
    if not isinstance(excinfo.value, TOLD):
        return None
    shown = excinfo.getrepr(style="value")
    if shown.reprcrash is not None:
        shown.reprcrash.message = in_a_line(str(excinfo.value))
    return shown


def in_a_line(text: str) -> str:
    """Give what a failure says first, with what was seen, which may stand in the line below."""
    _, *lines = text.splitlines() if "\n" in text else ("", text)
    first = lines[0].strip()
    if len(lines) < 2 or not lines[1].startswith("    "):
        return first
    if lines[1].strip().startswith("nearest is "):  # lines are cut where the terminal ends
        return f"{first.partition(': ')[0]}: {lines[1].strip()}"
    return f"{first}{' ' if first.endswith(':') else '; '}{lines[1].strip()}"


class SuiteFile(pytest.File):
    """A `*.suite.yaml` file."""

    run: Run

    def collect(self) -> Iterator[pytest.Item]:
        suite = self.run.library.load(self.path)
        for judge in self.run.judges:
            at = "" if judge.target.name == self.run.here else f"@{judge.target.name}"
            yield from self._items(suite, judge, at)

    def _items(self, suite: Suite, judge: Judge, at: str) -> Iterator[pytest.Item]:
        applies = self.run.applies(suite, judge)
        named = self.path in self.run.named
        if applies.verdict is Verdict.ERROR or (named and applies.verdict is not Verdict.PASS):
            for name in self._selected(suite, at) or [f"when{at}"]:
                yield WhenItem.from_parent(self, name=name, suite=suite, judgement=applies)
            return
        reason = "" if applies.verdict is Verdict.PASS else f"{suite.name} does not apply: {why_not(applies)}"
        for check in suite.checks.values():
            item = CheckItem.from_parent(self, name=f"{check.name}{at}", check=check, judge=judge)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
            yield item

    def _selected(self, suite: Suite, at: str) -> list[str]:
        """List the checks that the command line names: what keeps the suite from applying stands for each."""
        names = (f"{name}{at}" for name in suite.checks)
        return [name for name in names if (self.path, name) in self.run.selected]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        return (
            str(excinfo.value) if isinstance(excinfo.value, DocumentError) else super().repr_failure(excinfo)
        )


def why_not(applies: Judgement) -> str:
    """Say in one line why a suite does not apply."""
    return harmless_lines("; ".join(str(finding).splitlines()[0] for finding in applies.telling))


def collect_file(file_path: Path, parent: pytest.Collector, run: Run) -> pytest.File | None:
    """Make a collector of a suite or lab file, under the id that it has wherever it is installed."""
    if file_path.name.endswith(SUFFIX):
        kind: type[pytest.File] = SuiteFile
    elif file_path.name.endswith(LAB_SUFFIX):
        from pytest_netconform.collect.labs import LabFile

        kind = LabFile
    else:
        return None
    name = file_id(file_path, run.config.rootpath)
    node = kind.from_parent(parent, path=file_path, nodeid=name)
    node.run = run  # type: ignore[attr-defined]
    return node
