"""The kinds that there are: ours, and those that other packages add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pytest_netconform.checks.base import Kind

_added: dict[str, Kind] = {}


@cache
def _ours() -> Mapping[str, Kind]:
    from pytest_netconform.checks import addr, chain, fdb, file, link, neigh, netconf, netns, persisted, route, rule, sysctl

    modules = (link, addr, route, rule, neigh, fdb, netconf, chain, sysctl, persisted, file, netns)
    return {module.KIND.name: module.KIND for module in modules}


def kinds() -> Mapping[str, Kind]:
    """Give all kinds by name."""
    return {**_ours(), **_added} if _added else _ours()


def register(kind: Kind) -> None:
    """Add a kind of another package; a name that is taken is refused.

    Raises: ValueError.
    """
    if kind.name in kinds():
        raise ValueError(f"there is a kind {kind.name!r} already")
    _added[kind.name] = kind
