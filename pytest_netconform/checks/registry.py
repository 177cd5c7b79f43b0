"""The kinds that there are: ours, and those that other packages add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

from pytest_netconform.checks.base import Kind

OURS = (
    *("link", "addr", "route", "rule", "neigh", "fdb", "netconf", "chain"),
    *("sysctl", "persisted", "file", "netns"),
)
RESERVED = frozenset(
    [
        "any",
        "all",
        "in",
        "for",
        "when",
        "vars",
        "title",
        "severity",
        "why",
        "fix",
        "refs",
        "needs",
        "eventually",
        "over",
        "or_none",
    ]
)
"""Words that a suite uses beside the kinds."""
_added: dict[str, Kind] = {}


@cache
def _ours() -> Mapping[str, Kind]:
    modules = (import_module(f"pytest_netconform.checks.{name}") for name in OURS)
    return {module.KIND.name: module.KIND for module in modules}


def kinds() -> Mapping[str, Kind]:
    """Give all kinds by name."""
    return {**_ours(), **_added} if _added else _ours()


def register(kind: Kind) -> Callable[[], None]:
    """Add a kind of another package; gives what takes it away again.

    Raises: ValueError for a name that is taken, or means something else in a suite.
    """
    if kind.name in kinds() or kind.name in RESERVED:
        raise ValueError(f"there is a kind {kind.name!r} already, or suites use the word for something else")
    _added[kind.name] = kind

    def take_away() -> None:
        _added.pop(kind.name, None)

    return take_away
