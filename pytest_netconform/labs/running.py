"""Running a lab: its stages, each of which must come out exactly as the lab says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from threading import Thread

from pytest_netconform import fabrics
from pytest_netconform.errors import NetconformError
from pytest_netconform.explain.evidence import gather
from pytest_netconform.labs.expecting import Nodes, StageFailed, Verdicts, expect, fix_variables
from pytest_netconform.labs.model import Command, Lab, LabProbe
from pytest_netconform.labs.state import State, differences, differs, state_of
from pytest_netconform.nodes import Net
from pytest_netconform.probes.ping import Ping
from pytest_netconform.suites.library import Library
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.verdicts import Verdict

REPLY_S, LOST_S = 3.0, 0.4
SETTLE_S = 3.0
COMMAND_S = 60.0
POLL_S = 0.05
Step = Callable[[str], AbstractContextManager[None]]


def silent_step(title: str) -> AbstractContextManager[None]:  # noqa: ARG001
    """Report nothing."""
    return nullcontext()


@dataclass
class LabRun:
    """One run of a lab, in a net of its own.

    Shape: *withhold* is `fault` or `fix` to leave it out, or empty; *step* is entered around each stage, for
    reports; *done* lists the stages that came out as they should, *cause* is the sentence that was found in
    one of them, *wrong* what did not come out where something is withheld.
    """

    lab: Lab
    library: Library
    withhold: str = ""
    step: Step = silent_step
    done: list[str] = field(default_factory=list)
    cause: str = ""
    wrong: list[str] = field(default_factory=list)
    _misled_probes: list[LabProbe] = field(default_factory=list)
    _seen: Verdicts = field(default_factory=dict)

    def run(self) -> None:
        """Go through the stages.

        Raises: StageFailed for what does not hold, NetconformError for what could not be done.
        """
        with Net() as net:
            with self._stage("build"):
                options = {name: value for name, value in self.lab.fabric.items() if name != "kind"}
                self.fabric = fabrics.build(net, self.lab.fabric["kind"], **options)
                self.nodes = Nodes(self.lab, self.library, self.fabric)
            with self._stage("before"):
                self._run(self.lab.before)
            self._break_and_mend()

    def _break_and_mend(self) -> None:
        lab = self.lab
        with self._stage("healthy"):
            self._sound(lab.foreseen)
        before = self._states()
        if self.withhold != "fault":
            with self._stage("fault"):
                self._run(lab.fault)
        found = self._diagnose()
        if self.withhold == "fault":
            self.wrong += self._holding("still holds without the fault", self.lab.detected)
            return
        if self.withhold != "fix":
            with self._stage("fix"):
                self._mend(found)
        with self._stage("recovered"):
            self._sound({})
        if self.withhold == "fix":
            self.wrong += self._mended_by_itself()
        with self._stage("restored"):
            self._restored(before)
        if lab.immune and not self.withhold:
            with self._stage("immune"):
                self._run(lab.fault)
                self._probe(lab.healthy)

    def _diagnose(self) -> Verdicts:
        """See the symptoms, the checks that detect the fault, and the cause."""
        found: Verdicts = {}
        with self._stage("symptom"):
            self._probe(self.lab.symptom)
        with self._stage("detected"):
            found = self._settled(self._failing())
        if self.lab.cause is not None:
            with self._stage("cause"):
                self._explain(self.lab.cause.at, self.lab.cause.id)
        return found

    def _holding(self, words: str, failing: Mapping[str, Iterable[str]]) -> Iterator[str]:
        """List the symptoms that were as the lab says, and of these checks the ones that failed.

        A symptom that is answered says what goes on working, and so holds without the fault too.
        """
        for probe in self.lab.symptom:
            if probe.expected != "replied" and not any(probe is each for each in self._misled_probes):
                yield f"symptom: {self.lab.file}:{probe.line} {probe}: {probe.expected}, {words}"
        for node, check_id in _each(failing):
            if self._verdict(node, check_id) is Verdict.FAIL:
                yield f"detected: {node} {check_id}: fails, {words}"

    def _verdict(self, node: str, check_id: str) -> Verdict | None:
        """Give the newest verdict of a check; None where its suite does not apply any more."""
        found = self._seen.get(node, {}).get(check_id)
        return None if found is None else found.verdict

    def _mended_by_itself(self) -> Iterator[str]:
        """List the symptoms that are gone, and the checks that pass again, though nothing was mended."""
        self._misled_probes.clear()
        with suppress(StageFailed):
            self._probe(probe for probe in self.lab.symptom if probe.expected != "replied")
        for probe in self._misled_probes:
            yield f"symptom: {self.lab.file}:{probe.line} {probe}: no longer {probe.expected} without the fix"
        for node, check_id in _each(self._failing()):
            if self._verdict(node, check_id) is Verdict.PASS:
                yield f"detected: {node} {check_id}: passes again without the fix"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Name the stage in what goes wrong; go on where something is withheld, for all of it is wanted."""
        try:
            with self.step(name):
                yield
        except StageFailed as failed:
            if not self.withhold:
                raise StageFailed(failed.lines, name) from None
            self.wrong += [f"{name}: {line}" for line in failed.lines]
        except NetconformError as error:
            raise NetconformError(f"{name}: {error}") from None
        else:
            self.done.append(name)

    # Judging

    def _failing(self) -> Mapping[str, tuple[str, ...]]:
        """Give the checks that must fail while the fault lasts."""
        foreseen, detected = self.lab.foreseen, self.lab.detected
        return {node: (*foreseen.get(node, ()), *detected.get(node, ())) for node in {**foreseen, **detected}}

    def _sound(self, failing: Mapping[str, Iterable[str]]) -> None:
        """Hold that what must be answered is, and that no other check fails; tells all that is wrong."""
        lines: list[str] = []
        for hold in (lambda: self._probe(self.lab.healthy), lambda: self._settled(failing)):
            try:
                hold()
            except StageFailed as failed:
                lines += failed.lines
        if lines:
            raise StageFailed(lines)

    def _settled(self, failing: Mapping[str, Iterable[str]]) -> Verdicts:
        """Wait until exactly these checks fail; gives all verdicts."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            self._seen = {}
            verdicts = self._seen = self.nodes.verdicts()
            try:
                expect(verdicts, failing)
            except StageFailed:
                if time.monotonic() > deadline or self.withhold:
                    raise
                time.sleep(POLL_S)
            else:
                return verdicts

    # Doing

    def _run(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._type(command, command.text, {})

    def _type(self, command: Command, text: str, values: Mapping[str, str]) -> None:
        """Run a text where the command stands; a variable that is not set is a mistake in it."""
        env = {**self.fabric.environment(), **values}
        try:
            self.fabric[command.at].run(["sh", "-uc", text], env=env, timeout_s=COMMAND_S)
        except NetconformError as error:
            raise NetconformError(f"{self.lab.file}:{command.line} {error}") from None

    def _mend(self, found: Verdicts) -> None:
        """Do what the lab says, or what the checks that it names print."""
        for command in self.lab.fix:
            check_id = command.is_fix_of
            if check_id is None:
                self._run([command])
                continue
            suite, _, name = check_id.partition("::")
            check = self.library.suites[suite].checks[name]
            for values in fix_variables(check, found[command.at][check_id]):
                self._type(command, check.fix, values)

    def _probe(self, probes: Iterable[LabProbe]) -> None:
        """Send probes side by side, since a lost one takes all its time; each must end as the lab says."""
        lines: list[str] = []
        senders = [Thread(target=lambda probe=probe: lines.extend(self._misled(probe))) for probe in probes]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        if lines:
            raise StageFailed(sorted(lines))

    def _misled(self, probe: LabProbe) -> Iterator[str]:
        """Send a probe; says what is wrong with its outcome, if anything is."""
        try:
            outcome = self._send(probe, LOST_S if probe.expected == "lost" or self.withhold else REPLY_S)
        except (
            Exception
        ) as error:  # in a thread of its own, whatever it is would be lost, and the probe count as sent
            yield f"{self.lab.file}:{probe.line} {probe}: {type(error).__name__}: {error}"
            return
        if not getattr(outcome, probe.expected):
            self._misled_probes.append(probe)
            yield f"{self.lab.file}:{probe.line} {probe}: expected {probe.expected}, got {outcome!r}"

    def _send(self, probe: LabProbe, timeout_s: float) -> Ping:
        source, to = self.fabric[probe.source], self.fabric.address(probe.to)
        return source.ping(to, timeout_s=timeout_s, **probe.options)

    def _explain(self, at: str, cause_id: str) -> None:
        """Find the cause from the first unanswered symptom alone."""
        unanswered = next((probe for probe in self.lab.symptom if probe.expected != "replied"), None)
        if unanswered is None:
            raise StageFailed(["there is no unanswered symptom to explain"])
        found = gather(self.fabric.places, lambda: self._send(unanswered, LOST_S).replied)
        self.cause = found.sentence
        if (found.id, found.at) != (cause_id, at):
            where = f" at {found.at}" if found.at else ""
            seen = "".join(f"\n{line}" for line in found.evidence)
            raise StageFailed([f"expected {cause_id} at {at}, found {found.id}{where}{seen}"])

    # The state

    def _states(self) -> Mapping[str, State]:
        """Observe every place."""
        found: dict[str, State] = {}
        for name, place in self.fabric.places.items():
            found[name] = state_of(place, LiveTarget(name, place.namespaces, lambda: ()))
        return found

    def _restored(self, before: Mapping[str, State]) -> None:
        after = self._states()
        lines = []
        for name in before:
            allowed = [path for place, path in self.lab.leaves if place == name]
            lines += [f"{name} {line}" for line in differences(before[name], after[name], allowed)]
            for path in allowed:
                if not any(differs(f"file {path}", before[name], after[name])):
                    lines.append(f"{name} file {path}: is as it was, though 'leaves' names it")
        if lines:
            raise StageFailed(lines)


def _each(failing: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    return ((node, check_id) for node, ids in failing.items() for check_id in ids)
