"""Verdicts in words: what was expected, what was seen, why it matters, how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from pytest_netconform.documents.words import harmless_lines, quoted
from pytest_netconform.suites.fixes import all_queries, variables
from pytest_netconform.suites.model import Check
from pytest_netconform.verdicts import Finding, Judgement, Verdict

MOST_LINES = 20


def describe(check: Check, judgement: Judgement, target: str) -> str:
    """Write a verdict that is not a pass; its first line can be clicked."""
    lines = [f"{check.file}:{check.line} {check.id} on {target}"]
    telling = judgement.telling
    lines += [f"  {line}" for line in findings_told(telling[:MOST_LINES])]
    if len(telling) > MOST_LINES:
        lines.append(f"  and {len(telling) - MOST_LINES} more")
    if check.why:
        lines.append(f"  why  {check.why}")
    if check.fix and judgement.verdict is Verdict.FAIL:
        lines += [f"  fix  {line}" for line in (*assignments(check, telling), *check.fix.splitlines())]
    if see := commands_to_see(check, telling):
        lines += [f"  see  {command}" for command in see[:3]]
    return harmless_lines("\n".join(lines))


def findings_told(findings: Iterable[Finding]) -> Iterator[str]:
    """Write findings in lines; those of an `any` stand under what they are together."""
    for (verdict, among), group in groupby(findings, lambda each: (each.verdict, each.among)):
        if among:
            yield (
                f"none of {among} holds:"
                if verdict is Verdict.FAIL
                else f"of {among}, none of which is known:"
            )
        indent = "  " if among else ""
        yield from (f"{indent}{line}" for finding in group for line in str(finding).splitlines())


def assignments(check: Check, findings: Iterable[Finding]) -> list[str]:
    """Give the variables that a fix uses, of the first failing row, quoted: `link_ifname=eth0`."""
    first = next((values for finding in findings for values in variables(check, finding)), {})
    return [f"{name}={quoted(value)}" for name, value in first.items()]


def commands_to_see(check: Check, findings: Iterable[Finding]) -> list[str]:
    """Give the commands that show the failing rows to a person."""
    found: dict[str, None] = {}
    for finding in findings:
        if finding.row is None:
            continue
        see = next(
            (
                query.body.kind.see
                for query in all_queries(check)
                if isinstance(finding.row, query.body.kind.row)
            ),
            None,
        )
        if see is not None and (command := see(finding.row)):
            found[command] = None
    return list(found)
