"""Helpers: suites written as YAML, and a target that answers from a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from pytest_netconform.errors import DocumentError
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.netns import Netns
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.questions import Answer, NotHere, Question, Target, Unknown
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.suites.model import Suite
from pytest_netconform.verdicts import Judgement, Verdict

Answers = Mapping[str, Answer | BaseException | list[Answer]]


class Dictionary:
    """A target that answers from a dictionary, by table or by `table of`; it counts what it is asked.

    Shape: a list has an answer for each time that it is asked, the last one for all further times. *pods* are
           the answers of the namespaces beside the node's own, *inside* the targets made of them.
    """

    def __init__(
        self,
        answers: Answers | None = None,
        pods: Mapping[str, Answers] | Unknown | None = None,
        name: str = "node1",
        moves: bool = True,
    ) -> None:
        self.name, self.moves = name, moves
        self.answers = dict(answers or {})
        self.pods = pods or {}
        self.asked: Counter[str] = Counter()
        self.inside: dict[str, Dictionary] = {}

    def observe(self, question: Question) -> Answer:
        """Answer; a table that is not in the dictionary is empty, an exception in it is raised."""
        key = str(question) if str(question) in self.answers else question.table
        self.asked[str(question)] += 1
        found = self.answers.get(key, ())
        if isinstance(found, list):
            found = found[min(self.asked[str(question)], len(found)) - 1]
        if isinstance(found, BaseException):
            raise found
        return found

    def places(self) -> Iterable[tuple[Fact, Target]] | Unknown:
        self.asked["places"] += 1
        if isinstance(self.pods, Unknown):
            return self.pods
        return [
            self._place(number, name, answers) for number, (name, answers) in enumerate(self.pods.items())
        ]

    def _place(self, number: int, name: str, answers: Answers) -> tuple[Fact, Target]:
        kind = "pod" if name.startswith("pod") else None
        there = self.inside.setdefault(name, Dictionary(answers, name=f"{self.name}/{name}"))
        return Netns(name, 4026532000 + number, kind, number, None), there


class Clock:
    """Time that passes only while something waits; what is due by then happens."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


def sysctls(**values: Any) -> tuple[Sysctl, ...]:
    """Make facts: `sysctls(a_b=1)` is a.b = 1."""
    return tuple(Sysctl(name.replace("_", "."), str(value)) for name, value in values.items())


def write(directory: Path, text: str, name: str = "x") -> Path:
    """Write a suite file."""
    path = directory / f"{name}.suite.yaml"
    path.write_text(dedent(text).lstrip("\n"))
    return path


def checks(text: str, head: str = "", name: str = "x") -> str:
    """Write a suite around checks, and what stands above them."""
    body = indent(dedent(text).strip("\n"), "  ")
    return f"suite: {name}\ntitle: A suite\n{dedent(head).lstrip(chr(10))}checks:\n{body}\n"


def load_all(paths: Iterable[Path], here: Path | None = None) -> Mapping[str, Suite]:
    """Load several suite files as one library."""
    library = Library(here)
    return {suite.name: suite for suite in [library.load(path) for path in paths]}


def judge_of(directory: Path, text: str, target: Target, name: str = "x", **kwargs: Any) -> Judge:
    """Load a suite, and make a judge of it."""
    library = Library(directory)
    library.load(write(directory, text, name))
    return Judge(target, library.suites, **kwargs)


def judge_one(directory: Path, body: str, target: Target, head: str = "", **kwargs: Any) -> Judgement:
    """Judge a suite's one check `c`."""
    judge = judge_of(
        directory, checks(f"c:\n{indent(dedent(body).strip(chr(10)), '  ')}", head), target, **kwargs
    )
    return judge.judge(judge.suites["x"].checks["c"])


def told(path: Path) -> list[str]:
    """List what is told of a broken suite file, less its name."""
    with pytest.raises(DocumentError) as caught:
        Library(path.parent).load(path)
    return [str(problem).partition(".suite.yaml:")[2] for problem in caught.value.problems]


UNKNOWN = Unknown("`tool` is not installed")
NOT_HERE = NotHere("a recording cannot be asked")


def link(name: str, **fields: Any) -> Link:
    """Make a link."""
    return Link(**{"ifindex": len(name), "ifname": name, **fields})


def lines(judgement: Judgement) -> list[str]:
    """Give a judgement's findings, each with its verdict."""
    return [f"{finding.verdict} {finding}" for finding in judgement.findings]


PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
FORWARDING = "sysctl net.ipv4.ip_forward"
ON, OFF = ((Sysctl("net.ipv4.ip_forward", value),) for value in ("1", "0"))
ETH0, CNI0 = link("eth0", mtu=1500, flags=("UP",)), link("cni0", mtu=1450)
