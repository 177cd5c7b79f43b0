"""What needs itself, and how far needs lead: of variables, and of checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping

Needs = Mapping[str, Collection[str]]


def depths(needs: Needs) -> dict[str, int]:
    """Say for each name how many others it needs one after the other; leaves out what leads into a circle."""
    waiting = {name: len(needed) for name, needed in needs.items()}
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for each in needed:
            users[each].append(name)
    found = {name: 0 for name, count in waiting.items() if not count}
    ready = list(found)
    for name in ready:
        for user in users[name]:
            waiting[user] -= 1
            if not waiting[user]:
                found[user] = 1 + max(found[each] for each in needs[user])
                ready.append(user)
    return found


def circles(needs: Needs) -> list[list[str]]:
    """List the circles that names are in or lead into, each once: `[a, b, a]`."""
    sound = depths(needs)
    seen: set[str] = set()
    found = []
    for start in needs:
        way: list[str] = []
        here = start
        while here not in sound and here not in seen:
            seen.add(here)
            way.append(here)
            here = next(each for each in needs[here] if each not in sound)
        if here in way:
            found.append([*way[way.index(here) :], here])
    return found
