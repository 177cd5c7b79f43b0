"""The systems that labs and tests are built on: one file per system, found by name.

with Net() as net:
    fabric = build(net, "calico", nodes=2, pods=1)
    fabric["node1/pod1"].ping(fabric.address("outside"))
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pytest_netconform.documents.words import shown, suggest
from pytest_netconform.errors import BuildError
from pytest_netconform.fabrics.base import Fabric, Kind
from pytest_netconform.nodes import Net

__all__ = ["Fabric", "Kind", "build", "find", "kinds", "register"]

_added: dict[str, Kind] = {}


@cache
def _ours() -> Mapping[str, Kind]:
    from pytest_netconform.fabrics import calico

    return {module.KIND.name: module.KIND for module in (calico,)}


def kinds() -> Mapping[str, Kind]:
    """Give all kinds of fabric by name: ours, and those that other packages add."""
    return {**_ours(), **_added}


def register(kind: Kind) -> None:
    """Add a kind of another package; a name that is taken is refused.

    Raises: ValueError.
    """
    if kind.name in kinds():
        raise ValueError(f"there is a fabric {kind.name!r} already")
    _added[kind.name] = kind


def find(name: str) -> Kind:
    """Give the kind of that name.

    Raises: BuildError, with the name that was probably meant.
    """
    known = kinds()
    if name not in known:
        raise BuildError(f"unknown fabric {shown(name)}{suggest(name, sorted(known))}")
    return known[name]


def build(net: Net, kind: str, **options: object) -> Fabric:
    """Build a fabric in *net*; it lives as long as the net does.

    Raises: BuildError, with everything wrong in the options at once.
    """
    found = find(kind)
    if wrong := [message for _, message in found.problems(options)]:
        raise BuildError(f"fabric {kind}: {'; '.join(wrong)}")
    return found.function(net, **options)
