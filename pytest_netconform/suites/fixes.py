"""What a fix may use of the row that failed: its fields, as shell variables, never spliced into the text."""

from __future__ import annotations

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.suites.model import Check, Query, queries


def all_queries(check: Check) -> list[Query]:
    """List the queries of a check, those that its rows can come from."""
    return [*queries(check.condition), *(query for _, query in check.bindings)]


def variables(check: Check, row: Fact) -> dict[str, str]:
    """Give the variables that a check's fix uses, of a failing row: `link_ifname` is a link's `ifname`."""
    kind = next(
        (query.body.kind.name for query in all_queries(check) if isinstance(row, query.body.kind.row)), None
    )
    if kind is None:
        return {}
    return {
        f"{kind}_{name}": str(value)
        for name in fields_of(type(row))
        if f"${kind}_{name}" in check.fix and (value := getattr(row, name)) is not None
    }
