"""What a lab went through, in words: for those who watch it run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_netconform.documents.words import harmless_lines
from pytest_netconform.labs.model import Command, Lab, LabProbe

INDENT = 11


def story(lab: Lab, done: list[str], cause: str) -> str:
    """Tell the stages that came out as the lab says.

    Shape: *cause* is the sentence that the evidence led to.
    """
    told = {
        "before": commands(lab.before),
        "healthy": [*probes(lab.healthy), *failing("foreseen", lab.foreseen)],
        "fault": commands(lab.fault),
        "symptom": probes(lab.symptom),
        "detected": failing("fails", lab.detected),
        "cause": [f"{lab.cause.id}: {cause}"] if lab.cause else [],
        "fix": commands(lab.fix),
        "recovered": [*probes(lab.healthy), "every check passes"],
        "restored": [f"as before, but for {path} on {place}" for place, path in lab.leaves] or ["as before"],
        "immune": ["the same fault again, and all is still answered"],
    }
    lines = [f"{lab.name}: {lab.title}"]
    lines += [line for stage in done for line in lay_out(stage, told.get(stage, []))]
    return harmless_lines("\n".join(lines))


def lay_out(stage: str, lines: list[str]) -> Iterator[str]:
    """Put a stage's lines beside its name."""
    for number, line in enumerate(lines):
        yield f"  {stage if number == 0 else '':{INDENT}}{line}"


def commands(given: tuple[Command, ...]) -> list[str]:
    return [f"{command.at}: {command.text}" for command in given]


def probes(given: tuple[LabProbe, ...]) -> list[str]:
    return [f"{probe}: {probe.expected}" for probe in given]


def failing(word: str, checks: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{word} on {node}: {', '.join(ids)}" for node, ids in checks.items()]
