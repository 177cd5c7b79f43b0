"""What a fix may use of the row that failed: its fields, as shell variables, never spliced into the text."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.suites.model import Check, Query, queries
from pytest_netconform.verdicts import Finding


def all_queries(check: Check) -> list[Query]:
    """List the queries of a check, those that its rows can come from."""
    return [*queries(check.condition), *(query for _, query in check.bindings)]


def variables(check: Check, finding: Finding) -> list[dict[str, str]]:
    """Give the variables that a check's fix uses, once for each failing row.

    A row goes by its kind, `link_ifname` being a link's `ifname`; what `for` bound goes by its name there.
    """
    found: list[dict[str, str]] = []
    for row in finding.rows or (None,):
        named = {**finding.bound, **({_kind(check, row): row} if row is not None else {})}
        values = {name: value for prefix, each in named.items() for name, value in _used(check, prefix, each)}
        if values not in found:
            found.append(values)
    return found


def _kind(check: Check, row: Fact) -> str:
    return next(
        (query.body.kind.name for query in all_queries(check) if isinstance(row, query.body.kind.row)), "row"
    )


def _used(check: Check, prefix: str, row: Fact) -> Iterator[tuple[str, str]]:
    for name in fields_of(type(row)):
        if f"${prefix}_{name}" in check.fix and (value := getattr(row, name)) is not None:
            yield f"{prefix}_{name}", str(value)
