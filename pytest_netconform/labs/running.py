"""Running a lab: its stages, each of which must come out exactly as the lab says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from pytest_netconform import fabrics
from pytest_netconform.errors import NetconformError
from pytest_netconform.explain.causes import Cause
from pytest_netconform.explain.evidence import gather
from pytest_netconform.fabrics import Fabric
from pytest_netconform.labs.model import Command, Lab, LabProbe
from pytest_netconform.labs.state import State, differences, state_of
from pytest_netconform.nodes import Net
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.suites.model import Check
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.verdicts import Judgement, Verdict

STAGES = ("build", "before", "healthy", "fault", "symptom", "detected", "cause", "fix", "recovered", "restored", "immune")
REPLY_S, LOST_S = 3.0, 0.4
SETTLE_S = 3.0
POLL_S = 0.05
Step = Callable[[str], AbstractContextManager[None]]


class StageFailed(Exception):  # noqa: N818 - what a lab says does not hold; nothing went wrong in us
    """A stage did not come out as the lab says; holds what was wrong, line by line."""

    def __init__(self, stage: str, lines: Iterable[str]) -> None:
        self.stage, self.lines = stage, tuple(lines)
        super().__init__(f"{stage}: " + "; ".join(self.lines))


Verdicts = Mapping[str, Judgement]


@dataclass
class LabRun:
    """One run of a lab, in a net of its own.

    Shape: *withhold* is `fault` or `fix` to leave it out, or empty; *step* is entered around each stage, for reports; *done*
    lists the stages that came out as they should.
    """

    lab: Lab
    library: Library
    withhold: str = ""
    step: Step = field(default=lambda title: nullcontext())  # noqa: ARG005
    done: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Go through the stages.

        Raises: StageFailed for what does not hold, NetconformError for what could not be done.
        """
        with Net() as net:
            with self._stage("build"):
                options = {name: value for name, value in self.lab.fabric.items() if name != "kind"}
                self.fabric = fabrics.build(net, self.lab.fabric["kind"], **options)
                self.judges = {name: self._judge(name) for name in self.fabric.nodes}
            self._through()

    def _through(self) -> None:
        lab = self.lab
        with self._stage("before"):
            self._run(lab.before)
        with self._stage("healthy"):
            self._sound(lambda: self._probe(lab.healthy), lambda: self._expect(self._verdicts(), lab.foreseen))
        before = self._states()
        with self._stage("fault"):
            if self.withhold != "fault":
                self._run(lab.fault)
        found: Mapping[str, Verdicts] = {}
        with self._stage("symptom"):
            self._probe(lab.symptom)
        with self._stage("detected"):
            found = self._await(self._all_failing())
        self._explain()
        if self.withhold == "fault":
            return
        with self._stage("fix"):
            if self.withhold != "fix":
                self._mend(found)
        with self._stage("recovered"):
            self._sound(lambda: self._probe(lab.healthy), lambda: self._await({}))
        with self._stage("restored"):
            self._restored(before)
        if lab.immune and not self.wrong:
            with self._stage("immune"):
                self._run(lab.fault)
                self._probe(lab.healthy)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Name the stage in all that goes wrong in it; where something is withheld, all of it is wanted, so go on."""
        with self.step(name):
            try:
                yield
            except StageFailed as failed:
                self.wrong += [f"{name}: {line}" for line in failed.lines]
                if not self.withhold:
                    raise StageFailed(name, failed.lines) from None
                return
            except NetconformError as error:
                raise type(error)(f"{name}: {error}") if type(error) is NetconformError else NetconformError(
                    f"{name}: {error}"
                ) from None
        self.done.append(name)

    @staticmethod
    def _sound(*holds: Callable[[], object]) -> None:
        """Hold several things at once, and tell all that is wrong."""
        lines: list[str] = []
        for hold in holds:
            try:
                hold()
            except StageFailed as failed:
                lines += failed.lines
        if lines:
            raise StageFailed("", lines)

    # Judging

    def _judge(self, name: str) -> Judge:
        node = self.fabric[name]
        pods = [(pod.namespaces, None) for place, pod in self.fabric.pods.items() if place.startswith(f"{name}/")]
        return Judge(LiveTarget(name, node.namespaces, lambda: pods), self.library.suites)

    def _checks(self) -> Iterator[Check]:
        """Go over the state checks of the lab's suites, and the others that the lab names."""
        for name in self.lab.suites:
            suite = self.library.get(name)
            assert suite is not None, "the lab was read with this library"
            yield from suite.checks.values()

    def _verdicts(self) -> Mapping[str, Verdicts]:
        """Judge every check of the lab's suites on every node, from a new observation."""
        return {name: self._verdicts_on(judge) for name, judge in self.judges.items()}

    def _verdicts_on(self, judge: Judge) -> Verdicts:
        judge.renew()
        found: dict[str, Judgement] = {}
        for name in self.lab.suites:
            suite = self.library.suites[name]
            applies = judge.applies(suite)
            if applies.verdict is not Verdict.PASS:
                raise StageFailed("", [f"{judge.target.name}: suite {name} does not apply: {_first(applies)}"])
            found |= {check.id: judge.judge(check) for check in suite.checks.values()}
        return found

    def _all_failing(self) -> Mapping[str, tuple[str, ...]]:
        nodes = {**self.lab.foreseen, **self.lab.detected}
        return {node: (*self.lab.foreseen.get(node, ()), *self.lab.detected.get(node, ())) for node in nodes}

    def _expect(self, verdicts: Mapping[str, Verdicts], failing: Mapping[str, Iterable[str]]) -> None:
        """Hold verdicts against exactly those that must fail."""
        lines = []
        for node, found in verdicts.items():
            expected = set(failing.get(node, ()))
            for check, judgement in found.items():
                if wrong := _misjudged(judgement, check in expected):
                    lines.append(f"{node} {check}: {wrong}")
        if lines:
            raise StageFailed("", lines)

    def _await(self, failing: Mapping[str, Iterable[str]]) -> Mapping[str, Verdicts]:
        """Wait until exactly these checks fail; gives all verdicts."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            verdicts = self._verdicts()
            try:
                self._expect(verdicts, failing)
            except StageFailed:
                if time.monotonic() > deadline or self.withhold:
                    raise
                time.sleep(POLL_S)
            else:
                return verdicts

    # Doing

    def _run(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self.fabric[command.at].run(command.text, env=self.fabric.environment())

    def _mend(self, found: Mapping[str, Verdicts]) -> None:
        for command in self.lab.fix:
            check_id = command.is_fix_of
            if check_id is None:
                self._run([command])
                continue
            suite, _, name = check_id.partition("::")
            check = self.library.suites[suite].checks[name]
            for variables in fix_variables(check, found[command.at][check_id]):
                self.fabric[command.at].run(check.fix, env={**self.fabric.environment(), **variables})

    def _probe(self, probes: Iterable[LabProbe]) -> None:
        lines = [wrong for probe in probes if (wrong := self._probe_wrong(probe))]
        if lines:
            raise StageFailed("", lines)

    def _probe_wrong(self, probe: LabProbe) -> str:
        """Send a probe; says what is wrong with its outcome, if anything is."""
        timeout_s = LOST_S if probe.expected == "lost" or self.withhold else REPLY_S
        outcome = self._send(probe, timeout_s)
        if getattr(outcome, probe.expected):
            return ""
        return f"{self.lab.file}:{probe.line} {probe}: expected {probe.expected}, got {outcome!r}"

    def _send(self, probe: LabProbe, timeout_s: float) -> object:
        source, to = self.fabric[probe.source], self.fabric.address(probe.to)
        return source.ping(to, timeout_s=timeout_s, **probe.options)

    # Explaining

    def _explain(self) -> None:
        if self.lab.cause is None:
            return
        expected = self.lab.cause
        with self._stage("cause"):
            found = self._cause()
            if (found.id, found.at) != (expected.id, expected.at):
                seen = "".join(f"\n{line}" for line in found.evidence)
                where = f" at {found.at}" if found.at else ""
                raise StageFailed("", [f"expected {expected.id} at {expected.at}, found {found.id}{where}{seen}"])

    def _cause(self) -> Cause:
        """Find the cause from the first unanswered symptom alone."""
        unanswered = next((probe for probe in self.lab.symptom if probe.expected != "replied"), None)
        if unanswered is None:
            raise StageFailed("", ["there is no unanswered symptom to explain"])
        return gather(self.fabric.places, lambda: bool(getattr(self._send(unanswered, LOST_S), "replied")))

    # The state

    def _states(self) -> Mapping[str, State]:
        return {name: self._state(name) for name in self.fabric.places}

    def _state(self, name: str) -> State:
        place = self.fabric[name]
        return state_of(place, LiveTarget(name, place.namespaces, lambda: ()))

    def _restored(self, before: Mapping[str, State]) -> None:
        after = self._states()
        lines = []
        for name in before:
            allowed = [path for place, path in self.lab.leaves if place == name]
            lines += [f"{name} {line}" for line in differences(before[name], after[name], allowed)]
        if lines:
            raise StageFailed("", lines)


def _first(judgement: Judgement) -> str:
    return "; ".join(map(str, judgement.telling))


def _misjudged(judgement: Judgement, must_fail: bool) -> str:
    """Say what is wrong with a verdict; a skip is right only if a check that fails blocks it."""
    verdict = judgement.verdict
    if must_fail:
        return "" if verdict is Verdict.FAIL else f"expected fail, got {verdict}"
    if verdict is Verdict.PASS or (verdict is Verdict.SKIP and judgement.blocked):
        return ""
    return f"expected pass, got {verdict}: {_first(judgement)}"


def fix_variables(check: Check, judgement: Judgement) -> list[dict[str, str]]:
    """Give, for each failing row, the variables that a check's fix uses; once without any where it uses none."""
    from pytest_netconform.suites.fixes import variables

    found: list[dict[str, str]] = []
    for finding in judgement.of(Verdict.FAIL):
        if finding.row is not None and (values := variables(check, finding.row)) not in found:
            found.append(values)
    return found or [{}]
