"""Evidence around a second try of a probe: what every namespace counted meanwhile, and how it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.explain.causes import Cause, Evidence, Observation, find_cause
from pytest_netconform.kernel.syscalls import CLONE_NEWNET
from pytest_netconform.kernel.threads import inside
from pytest_netconform.nodes import Netns

T = TypeVar("T")
COUNTERS = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
CONF = Path("/proc/sys/net/ipv4/conf")


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


def read_counters() -> dict[str, int]:
    """Read the protocols' counters of the calling thread's namespace, by nstat's names."""
    return {name: value for path in COUNTERS for name, value in parse_counters(Path(path).read_text())}


def parse_counters(text: str) -> Iterator[tuple[str, int]]:
    """Give the counters of a text of lines in pairs: names, then values, each after the protocol."""
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, _, columns = names.partition(":")
        for column, value in zip(columns.split(), values.partition(":")[2].split(), strict=True):
            yield protocol + column, int(value)


def read_forwarding() -> dict[str, bool]:
    """Read what the kernel uses for each interface of the calling thread's namespace, IPv4."""
    found = {}
    for path in CONF.iterdir():
        if path.name not in ("all", "default"):
            found[path.name] = (path / "forwarding").read_text().strip() != "0"
    return found
