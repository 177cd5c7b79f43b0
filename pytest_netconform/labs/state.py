"""The state of a place, to compare before and after: what configures it, without what moves by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pytest_netconform.errors import CommandFailed, Unreadable
from pytest_netconform.facts.base import Fact
from pytest_netconform.kernel.observing.snapshots import files_below, net_sysctls
from pytest_netconform.matching.scalars import show
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.nodes import Netns, Node
from pytest_netconform.questions import Question, Unknown
from pytest_netconform.targets.live import LiveTarget

Thing = tuple[str, Mapping[str, str]]
State = Mapping[str, Mapping[str, str]]
"""What is configured, each thing by its name, with its fields; a thing that is just there has none."""

TABLES: Mapping[str, frozenset[str]] = {
    "link": frozenset({"stats", "promiscuity", "operstate"}),
    "addr": frozenset({"valid_life_time", "preferred_life_time"}),
    "route": frozenset({"expires"}),
    "rule": frozenset(),
}
"""The tables that make a state, and the fields in them that move by themselves."""

MOVING = re.compile(r".*_timer|topology_change.*|config_pending")
"""What moves by itself in a bridge and its ports."""

VOLATILE_SYSCTLS = ("nf_conntrack_count", "stable_secret", "tcp_fastopen_key")
PRIVATE = ("/etc", "/run", "/var/lib")
VOLATILE_FILES = ("/run/xtables.lock", "/etc/mtab")


def state_of(place: Netns, target: LiveTarget) -> State:
    """Observe the state of a place.

    Raises: Unreadable.
    """
    things = [
        *_tables(target),
        *_fixed_entries(target),
        *_chains(target),
        *_native_rules(place),
        *_sets(place),
        *place.call(lambda: list(_sysctls())),
    ]
    if isinstance(place, Node):
        things += place.call(lambda: list(_files()))
    return dict(things)


def differences(before: State, after: State, allowed: Iterable[str] = ()) -> list[str]:
    """Say in what a state differs from the one before; *allowed* are paths of files that may."""
    expected = {f"file {each}" for path in allowed for each in (path, *PurePosixPath(path).parents)}
    return [
        line
        for name in sorted({**before, **after})
        if name not in expected
        for line in differs(name, before, after)
    ]


def differs(name: str, before: State, after: State) -> Iterator[str]:
    """Say in what one thing differs."""
    if name not in after and name not in before:
        return
    if name not in after:
        yield f"{name}: was there, is gone"
    elif name not in before:
        yield f"{name}: was not there"
    else:
        was, now = before[name], after[name]
        for field in sorted({**was, **now}):
            if was.get(field) != now.get(field):
                yield f"{name} {field}: was {was.get(field, 'absent')}, is {now.get(field, 'absent')}"


def _rows(target: LiveTarget, table: str) -> tuple[Fact, ...]:
    answer = target.observe(Question(table))
    if not isinstance(answer, tuple):
        raise Unreadable(answer.reason if isinstance(answer, Unknown) else f"{table} cannot be observed")
    return answer


def _tables(target: LiveTarget) -> Iterator[Thing]:
    for table, volatile in TABLES.items():
        seen: dict[str, int] = {}
        for row in _rows(target, table):
            name = f"{table} {row.caption()}"
            seen[name] = seen.get(name, 0) + 1
            yield (name if seen[name] == 1 else f"{name} #{seen[name]}"), _fields(row, volatile)


def _fields(row: Fact, volatile: frozenset[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name in fields_of(type(row)):
        value = getattr(row, name)
        if name in volatile or value is None:
            continue
        if isinstance(value, Mapping):
            found |= {
                f"{name}.{key}": str(inner) for key, inner in value.items() if not MOVING.fullmatch(key)
            }
        else:
            found[name] = show(value)
    return found


def _fixed_entries(target: LiveTarget) -> Iterator[Thing]:
    """Give neighbours and FDB entries that somebody set; what the kernel learnt comes and goes."""
    for neigh in _rows(target, "neigh"):
        if "PERMANENT" in neigh.state and neigh.lladdr:  # type: ignore[attr-defined]
            yield f"neigh {neigh.caption()}", {"lladdr": neigh.lladdr}  # type: ignore[attr-defined]
    for entry in _rows(target, "fdb"):
        if entry.state in ("permanent", "static"):  # type: ignore[attr-defined]
            yield f"fdb {entry.caption()}", {"flags": show(entry.flags)}  # type: ignore[attr-defined]


def _chains(target: LiveTarget) -> Iterator[Thing]:
    for chain in _rows(target, "chain"):
        rules = {f"rule {rule.index}": rule.text for rule in chain.rules}  # type: ignore[attr-defined]
        yield f"chain {chain.caption()}", {"policy": show(chain.policy), **rules}  # type: ignore[attr-defined]


def _sets(place: Netns) -> Iterator[Thing]:
    for line in sorted(_printed(place, "ipset", "save").splitlines()):
        yield f"ipset {line}", {}


def _native_rules(place: Netns) -> Iterator[Thing]:
    """Give what nft shows of each table, chain by chain; iptables-save leaves out what nft alone made."""
    table = block = ""
    lines: dict[str, str] = {}
    for line in _printed(place, "nft", "--stateless", "list", "ruleset").splitlines():
        depth = len(line) - len(line.lstrip("\t"))
        if depth == 0:
            table = line.removesuffix(" {") if line.startswith("table ") else ""
        elif depth == 1 and line.endswith("{"):
            block, lines = line.strip(" \t{"), {}
        elif depth == 1 and line.strip() == "}":
            yield f"nft {table} {block}", lines
        elif depth > 1:
            lines[f"line {len(lines) + 1}"] = line.strip()


def _printed(place: Netns, *command: str) -> str:
    try:
        return place.run(list(command)).stdout
    except CommandFailed as failed:
        raise Unreadable(str(failed)) from None


def _sysctls() -> Iterator[Thing]:
    for path, value in net_sysctls():
        if path.rpartition("/")[2] not in VOLATILE_SYSCTLS:
            yield f"sysctl {path}", {"value": value}


def _files() -> Iterator[Thing]:
    for top in PRIVATE:
        for path, content in files_below(top):
            if path not in VOLATILE_FILES:
                yield f"file {path}", {"content": content}
