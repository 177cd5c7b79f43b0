"""Verdicts, and the findings that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pytest_netconform.facts.base import Fact


class Verdict(Enum):
    """Four words that are never collapsed; of several, the strongest counts: error, fail, skip, pass.

    So what passes was known in all its parts.
    """

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"

    def __str__(self) -> str:
        return self.value


STRENGTH = (Verdict.ERROR, Verdict.FAIL, Verdict.SKIP, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a verdict: what was judged, and what was seen of it.

    Shape: *row* is the fact it is about, if there is one, *others* are more with the same thing wrong;
           *place* is the namespace, if it is not the target's own; *blocked* marks a skip that a failed need
           is the reason of; *bound* are the rows that the check's `for` bound. *near* says that *row* is not
           what failed, but what comes nearest to what is missing: nothing may be done to it. *untold* marks
           an error on which a recording is silent. *among* is the number of questions in the `any` whose
           failure this is a part of.
    """

    verdict: Verdict
    text: str
    row: Fact | None = None
    place: str = ""
    blocked: bool = False
    others: tuple[Fact, ...] = ()
    bound: Mapping[str, Fact] = field(default_factory=dict)
    near: bool = False
    untold: bool = False
    among: int = 0

    @property
    def rows(self) -> tuple[Fact, ...]:
        """List all that failed."""
        if self.near:
            return ()
        return self.others if self.row is None else (self.row, *self.others)

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check came to: its findings, and the verdict that they add up to."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Give the strongest verdict; a judgement that found nothing proves nothing, and is an error."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in STRENGTH if verdict in found), Verdict.ERROR)

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict is verdict)

    @property
    def telling(self) -> tuple[Finding, ...]:
        """List the findings that made the verdict."""
        return self.of(self.verdict)

    @property
    def blocked(self) -> bool:
        """Say whether a failed need kept this from being judged."""
        return any(finding.blocked for finding in self.findings)

    @classmethod
    def join(cls, parts: Iterable[Judgement]) -> Judgement:
        return cls(tuple(finding for part in parts for finding in part.findings))


def judged(verdict: Verdict, text: str, row: Fact | None = None) -> Judgement:
    """Make a judgement of a single finding."""
    return Judgement((Finding(verdict, text, row),))


def passed(text: str) -> Judgement:
    return judged(Verdict.PASS, text)


def failed(text: str, row: Fact | None = None) -> Judgement:
    return judged(Verdict.FAIL, text, row)


def erred(text: str) -> Judgement:
    return judged(Verdict.ERROR, text)


def skipped(text: str) -> Judgement:
    return judged(Verdict.SKIP, text)


def blocked(text: str) -> Judgement:
    return Judgement((Finding(Verdict.SKIP, text, blocked=True),))
