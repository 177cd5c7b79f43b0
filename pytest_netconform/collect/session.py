"""One run: its targets, its suites, and which of them apply; the controller decides, so that workers agree.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import platform
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform.collect.arguments import (
    path_of,
    recordings_apart,
    rooted,
    suite_files,
    with_builtin,
)
from pytest_netconform.collect.items import STORY, TOLD, NetconformItem, collect_file, told, why_not
from pytest_netconform.errors import DocumentError, NetconformError
from pytest_netconform.questions import Target
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library, builtin_suites
from pytest_netconform.suites.model import Suite
from pytest_netconform.verdicts import Finding, Judgement, Verdict

WORKERINPUT = "netconform"
MOST_NAMED = 8
WIDTH = 120
"""How much of a reason a header has room for; naming the suite tells all of it."""


class Run:
    """What `--netconform` sets up; registered as a plugin for the length of a run.

    Shape: *named* are the suite files that the command line names one by one, and *selected* the items of
    them, if it names these; *decided* holds, for each suite file and target, whether it applies.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        if config.getoption("netconform_replay"):
            self._take_recordings()
        self.here = "" if config.getoption("netconform_replay") else platform.node() or "localhost"
        self.library = Library(here=config.invocation_params.dir)
        self.judges = [Judge(target, Needs(self.library)) for target in self._targets()]
        self.decided: dict[tuple[str, str], Judgement] = {}
        self.named: set[Path] = set()
        self.selected: set[tuple[Path, str]] = set()
        self.silent: list[tuple[Suite, str]] = []
        if (workerinput := getattr(config, "workerinput", None)) is not None:
            self._take(workerinput[WORKERINPUT])
        else:
            self._decide()

    def _take_recordings(self) -> None:
        """Take the arguments that are recordings for what they are: `--netconform-replay one.tar two.tar`."""
        here = self.config.invocation_params.dir
        rooted(self.config)
        if self.config.args_source is pytest.Config.ArgsSource.ARGS:
            more, self.config.args[:] = recordings_apart(self.config.args, here)
            self.config.option.netconform_replay = [*self.config.getoption("netconform_replay"), *more]

    def _targets(self) -> list[Target]:
        replayed = self.config.getoption("netconform_replay")
        if replayed:
            from pytest_netconform.targets.replay import open_recordings

            return [*open_recordings(map(Path, replayed))]
        from pytest_netconform.kernel.namespaces import Namespaces
        from pytest_netconform.targets.live import LiveTarget

        return [LiveTarget(self.here, Namespaces.here(self.here))]

    def _decide(self) -> None:
        """Settle which suites there are and whether they apply, before anything is collected."""
        if self.config.args_source is not pytest.Config.ArgsSource.ARGS or not self.config.args:
            self.config.args[:] = [str(path) for path in builtin_suites() if self._applies_somewhere(path)]
            return
        here = self.config.invocation_params.dir
        self.config.args[:] = [with_builtin(argument, here) for argument in self.config.args]
        files = suite_files(self.config.args, here)
        arguments = [(path_of(argument, here), argument.partition("::")[2]) for argument in self.config.args]
        self.named = {path for path, _ in arguments if path in files}
        self.selected = {(path, name) for path, name in arguments if path in files and name}
        for path in files:
            self._applies_somewhere(path)

    def _applies_somewhere(self, path: Path) -> bool:
        """Say whether a suite is worth collecting: it applies to some target, or cannot be read."""
        try:
            suite = self.library.load(path)
        except DocumentError:
            return True
        found = [self.applies(suite, judge) for judge in self.judges]
        if all(each.verdict is Verdict.FAIL for each in found):
            self.silent.append((suite, why_not(found[0])))
            return False
        return True

    def applies(self, suite: Suite, judge: Judge) -> Judgement:
        """Say whether a suite applies to a target."""
        key = (str(suite.path), judge.target.name)
        if key not in self.decided:
            self.decided[key] = judge.applies(suite)
        return self.decided[key]

    def given(self) -> dict[str, Any]:
        """Put what was decided into plain values, for xdist's workers."""
        decided = [
            (file, target, str(each.verdict), [str(finding) for finding in each.telling])
            for (file, target), each in self.decided.items()
        ]
        return {
            "decided": decided,
            "named": [str(path) for path in self.named],
            "selected": [(str(path), name) for path, name in self.selected],
            "args": list(self.config.args),
        }

    def _take(self, given: dict[str, Any]) -> None:
        for file, target, verdict, findings in given["decided"]:
            found = tuple(Finding(Verdict(verdict), text) for text in findings)
            self.decided[file, target] = Judgement(found)
        self.named = {Path(path) for path in given["named"]}
        self.selected = {(Path(path), name) for path, name in given["selected"]}
        self.config.args[:] = given["args"]

    # What follows are pytest's hooks.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[WORKERINPUT] = self.given()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.File | None:
        return collect_file(file_path, parent, self)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is not None and isinstance(call.excinfo.value, TOLD):
            # It is told by its text; pytest would read and parse the source of every entry before.
            call.excinfo.traceback = call.excinfo.traceback[-1:]
        report = yield
        if isinstance(item, NetconformItem) and call.excinfo is not None:
            if report.skipped:
                report.longrepr = (str(item.path), item.line, f"Skipped: {call.excinfo.value}")
            elif (shown := told(call.excinfo)) is not None:
                report.longrepr = shown
        return report

    def pytest_report_header(self) -> list[str]:
        lines = [f"netconform: {self._where()}"]
        if suites := sorted(self.library.suites):
            applying = [name for name in suites if name not in {suite.name for suite, _ in self.silent}]
            lines.append(f"suites: {', '.join(applying) or 'none'}")
        lines += [
            f"  not {suite.name}: {reason if len(reason) < WIDTH else reason[:WIDTH] + ' ...'}"
            for suite, reason in self.silent
        ]
        return lines

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell, with -v, what the labs that passed went through; those that failed say so themselves."""
        if self.config.getoption("verbose") < 1:
            return
        reports = terminalreporter.getreports("passed")
        stories = [text for report in reports for name, text in report.user_properties if name == STORY]
        if stories:
            terminalreporter.section("labs")
            for text in stories:
                terminalreporter.line(text)

    def _where(self) -> str:
        """Say what is looked at, and as whom."""
        targets = ", ".join(judge.target.name for judge in self.judges[:MOST_NAMED])
        if more := len(self.judges[MOST_NAMED:]):
            targets += f" and {more} more"
        if self.config.getoption("netconform_replay"):
            return f"recordings of {targets}"
        uid = os.geteuid()
        user = f"uid {uid}, without root: what may not be read is an error" if uid else "root"
        return f"kernel {platform.release()}, {targets}, as {user}"


def activate(config: pytest.Config) -> None:
    """Set up a run and register it.

    Raises: pytest.UsageError for what cannot be set up, in its own words.
    """
    try:
        config.pluginmanager.register(Run(config), "netconform-run")
    except NetconformError as error:
        raise pytest.UsageError(str(error)) from None


class Needs(dict[str, Suite]):
    """The suites that a `need` may name, loaded when one does."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library

    def __missing__(self, name: str) -> Suite:
        found = self.library.get(name)
        if found is None:
            raise NetconformError(f"there is no suite {name!r}")
        return found
