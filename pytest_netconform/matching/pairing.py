"""Pairs: entries with the rows that they fit, and rows with what they were in the observation before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from pytest_netconform.facts.base import Fact


def pair_off(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """Pair as many entries with rows as possible, each once.

    Shape:  *fits* has for each entry the numbers of the rows that it fits; the result maps a row's number to
            its entry's.
    Source: the augmenting paths of Kuhn's algorithm.
    """
    owner: dict[int, int] = {}
    for entry in range(len(fits)):
        owner.update(_moves(entry, fits, owner))
    return owner


def _moves(entry: int, fits: Sequence[Sequence[int]], owner: dict[int, int]) -> dict[int, int]:
    """Say which rows get which owners when one more entry gets a row; nothing where there is no way."""
    came_from: dict[int, int] = {}
    held: dict[int, int] = {}
    waiting = [entry]
    for here in waiting:
        for row in fits[here]:
            if row in came_from:
                continue
            came_from[row] = here
            if row not in owner:
                return dict(_way_back(row, entry, came_from, held))
            held[owner[row]] = row
            waiting.append(owner[row])
    return {}


def _way_back(
    row: int, entry: int, came_from: dict[int, int], held: dict[int, int]
) -> Iterator[tuple[int, int]]:
    while True:
        mover = came_from[row]
        yield row, mover
        if mover == entry:
            return
        row = held[mover]


def paired(rows: Iterable[Any], before: Iterable[Any]) -> dict[int, Any]:
    """Find for each row, by its id(), what the same thing was in the observation before.

    Shape: things of the same name are told apart by their order.
    """
    earlier = dict(_named(before))
    return {id(row): earlier.get(name) for name, row in _named(rows)}


def _named(rows: Iterable[Any]) -> Iterator[tuple[Hashable, Any]]:
    seen: Counter[Hashable] = Counter()
    for row in rows:
        name: Hashable = (type(row), row.caption()) if isinstance(row, Fact) else None
        seen[name] += 1
        yield (name, seen[name]), row
