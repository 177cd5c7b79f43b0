"""What a fix may use of the row that failed: its fields, as shell variables, never spliced into the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.suites.model import Check, Query, queries
from pytest_netconform.verdicts import Finding


def variable(prefix: str, field: str) -> str:
    """Name the variable of a row's field: `link_ifname`."""
    return f"{prefix.replace('-', '_')}_{field}"


def known_variables(queries: Iterable[Query], bindings: Iterable[tuple[str, Query]]) -> list[str]:
    """List the variables that a fix may use: the fields of rows that are judged, and of those bound."""
    rows = {query.body.kind.name: query.body.kind.row for query in queries}
    rows |= {name: query.body.kind.row for name, query in bindings}
    return [variable(prefix, field) for prefix, row in rows.items() for field in fields_of(row)]


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
        if variable(prefix, name) in check.fix_uses and (value := getattr(row, name)) is not None:
            yield variable(prefix, name), str(value)
