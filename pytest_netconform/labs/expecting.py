"""What a lab expects of its nodes: exactly which checks fail on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_netconform.fabrics import Fabric
from pytest_netconform.kernel.observing.discovery import HeldNetns
from pytest_netconform.labs.model import Lab
from pytest_netconform.suites.fixes import variables
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.suites.model import Check
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.verdicts import Judgement, Verdict

Verdicts = Mapping[str, Mapping[str, Judgement]]
"""The judgement of each check, by node and check id."""


class StageFailed(AssertionError):
    """A stage did not come out as the lab says; holds what was wrong, line by line."""

    def __init__(self, lines: Iterable[str], stage: str = "") -> None:
        self.lines, self.stage = tuple(lines), stage
        super().__init__(f"{stage}: " + "; ".join(self.lines))


class Nodes:
    """The nodes of a lab's fabric, judged by the lab's suites."""

    def __init__(self, lab: Lab, library: Library, fabric: Fabric) -> None:
        self.suites = [library.suites[name] for name in lab.suites]
        self.judges = {name: Judge(_target(fabric, name), library.suites) for name in fabric.nodes}

    def verdicts(self) -> Verdicts:
        """Judge every check of the lab's suites on every node, from a new observation.

        Raises: StageFailed where a suite does not apply.
        """
        return {name: self._on(judge) for name, judge in self.judges.items()}

    def _on(self, judge: Judge) -> dict[str, Judgement]:
        judge.renew()
        found: dict[str, Judgement] = {}
        for suite in self.suites:
            applies = judge.applies(suite)
            if applies.verdict is not Verdict.PASS:
                raise StageFailed(
                    [f"{judge.target.name}: suite {suite.name} does not apply: {_told(applies)}"]
                )
            found |= {check.id: judge.judge(check) for check in suite.checks.values()}
        return found


def _target(fabric: Fabric, name: str) -> LiveTarget:
    pods = [HeldNetns(pod.namespaces) for place, pod in fabric.pods.items() if place.startswith(f"{name}/")]
    return LiveTarget(name, fabric[name].namespaces, lambda: pods)


def expect(verdicts: Verdicts, failing: Mapping[str, Iterable[str]]) -> None:
    """Hold verdicts against exactly those checks that must fail.

    Raises: StageFailed with a line for each that is not as expected.
    """
    lines = [
        f"{node} {check}: {wrong}"
        for node, found in verdicts.items()
        for check, judgement in found.items()
        if (wrong := _misjudged(judgement, check in set(failing.get(node, ()))))
    ]
    if lines:
        raise StageFailed(lines)


def _misjudged(judgement: Judgement, must_fail: bool) -> str:
    """Say what is wrong with a verdict; a skip is right only if a check that fails blocks it."""
    verdict = judgement.verdict
    if must_fail:
        return "" if verdict is Verdict.FAIL else f"expected fail, got {verdict}"
    if verdict is Verdict.PASS or (verdict is Verdict.SKIP and judgement.blocked):
        return ""
    return f"expected pass, got {verdict}: {_told(judgement)}"


def _told(judgement: Judgement) -> str:
    return "; ".join(map(str, judgement.telling))


def fix_variables(check: Check, judgement: Judgement) -> list[dict[str, str]]:
    """Give the variables that a check's fix uses, once for each failing row, or once without any."""
    found: list[dict[str, str]] = []
    for finding in judgement.of(Verdict.FAIL):
        found += [values for values in variables(check, finding) if values not in found]
    return found or [{}]
