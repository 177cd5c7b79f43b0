"""Evidence around a second try of a probe: what every namespace counted meanwhile, and how it is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.explain.causes import Cause, Evidence, Observation, find_cause
from pytest_netconform.kernel.observing.counters import read_counters, read_forwarding
from pytest_netconform.kernel.syscalls import CLONE_NEWNET
from pytest_netconform.kernel.threads import inside
from pytest_netconform.nodes import Netns

T = TypeVar("T")


def gather(places: Mapping[str, Netns], retry: Callable[[], bool]) -> Cause:
    """Gather evidence around a second try, and give the cause that it shows.

    Shape: *retry* sends the probe once more, and says whether it was answered.
    """
    return find_cause(observe_around(places, retry))


def observe_around(places: Mapping[str, Netns], retry: Callable[[], bool]) -> Evidence:
    """Call *retry*, and observe what changed in every place; reads only.

    Raises: Unreadable.
    """
    before = {name: _in_net(place, read_counters) for name, place in places.items()}
    answered = retry()
    return Evidence(answered, tuple(_observed(name, place, before[name]) for name, place in places.items()))


def _observed(name: str, place: Netns, before: Mapping[str, int]) -> Observation:
    after = _in_net(place, read_counters)
    grew = {counter: by for counter, value in after.items() if (by := value - before.get(counter, 0))}
    return Observation(name, grew, _in_net(place, read_forwarding))


def _in_net(place: Netns, fn: Callable[[], T]) -> T:
    """Call *fn* in the network namespace alone: a node's own /proc does not know our threads."""
    net = place.namespaces.net
    try:
        return fn() if net is None else inside([(net, CLONE_NEWNET)], fn)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{place.name}: {error}") from error
