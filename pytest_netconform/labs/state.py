"""The state of a place, to compare before and after: what configures it, without what moves by itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact, field_names
from pytest_netconform.nodes import Netns, Node
from pytest_netconform.questions import Question, Unknown
from pytest_netconform.targets.live import LiveTarget

State = Mapping[str, str]

TABLES: Mapping[str, frozenset[str]] = {
    "link": frozenset({"stats", "promiscuity", "operstate"}),
    "addr": frozenset({"valid_life_time", "preferred_life_time"}),
    "route": frozenset({"expires", "cacheinfo"}),
    "rule": frozenset(),
}
"""The tables that make a state, and the fields in them that move by themselves."""

VOLATILE_SYSCTLS = ("nf_conntrack_count", "stable_secret", "tcp_fastopen_key")
PRIVATE = ("/etc", "/run", "/var/lib")
VOLATILE_FILES = ("/run/xtables.lock", "/etc/mtab")
LARGEST_FILE = 1 << 20


def state_of(place: Netns, target: LiveTarget) -> State:
    """Observe the state of a place: one line by its name for each thing that is configured.

    Raises: Unreadable.
    """
    lines = [*_tables(target), *_fixed_entries(target), *_chains(target), *_sets(place), *place.call(lambda: list(_sysctls()))]
    if isinstance(place, Node):
        lines += place.call(lambda: list(_files()))
    return dict(lines)


def differences(before: State, after: State, allowed: Iterable[str] = ()) -> list[str]:
    """Say in what a state differs from the one before."""
    allowed = {f"file {path}" for path in allowed}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name) and name not in allowed]
    return [f"{name}: was {before.get(name, 'absent')}, is {after.get(name, 'absent')}" for name in sorted(names)]


def _rows(target: LiveTarget, table: str) -> tuple[Fact, ...]:
    answer = target.observe(Question(table))
    if not isinstance(answer, tuple):
        raise Unreadable(answer.reason if isinstance(answer, Unknown) else f"{table} cannot be observed")
    return answer


def _tables(target: LiveTarget) -> Iterator[tuple[str, str]]:
    for table, volatile in TABLES.items():
        seen: dict[str, int] = {}
        for row in _rows(target, table):
            name = f"{table} {row.label()}"
            seen[name] = seen.get(name, 0) + 1
            yield (name if seen[name] == 1 else f"{name} #{seen[name]}"), _told(row, volatile)


def _told(row: Fact, volatile: frozenset[str]) -> str:
    told = [f"{name}={value}" for name in field_names(type(row)) if name not in volatile and (value := getattr(row, name)) is not None]
    return " ".join(told)


def _fixed_entries(target: LiveTarget) -> Iterator[tuple[str, str]]:
    """Give neighbours and FDB entries that somebody set; what the kernel learnt comes and goes."""
    for neigh in _rows(target, "neigh"):
        if "PERMANENT" in neigh.state and neigh.lladdr:  # type: ignore[attr-defined]
            yield f"neigh {neigh.label()}", str(neigh.lladdr)  # type: ignore[attr-defined]
    for entry in _rows(target, "fdb"):
        if entry.state in ("permanent", "static"):  # type: ignore[attr-defined]
            yield f"fdb {entry.label()}", str(entry.flags)  # type: ignore[attr-defined]


def _chains(target: LiveTarget) -> Iterator[tuple[str, str]]:
    for chain in _rows(target, "chain"):
        rules = " ; ".join(rule.text for rule in chain.rules)  # type: ignore[attr-defined]
        yield f"chain {chain.label()}", f"{chain.policy or '-'} {rules}"  # type: ignore[attr-defined]


def _sets(place: Netns) -> Iterator[tuple[str, str]]:
    saved = place.run(["ipset", "save"], check=False).stdout
    for line in sorted(saved.splitlines()):
        yield f"ipset {line}", "present"


def _sysctls() -> Iterator[tuple[str, str]]:
    for directory, _, names in os.walk("/proc/sys/net"):
        for name in names:
            if name in VOLATILE_SYSCTLS:
                continue
            path = Path(directory, name)
            try:
                yield f"sysctl {path.relative_to('/proc/sys')}", path.read_text().strip()
            except OSError:
                continue


def _files() -> Iterator[tuple[str, str]]:
    for top in PRIVATE:
        for directory, _, names in os.walk(top):
            for name in names:
                path = Path(directory, name)
                if str(path) not in VOLATILE_FILES and (told := _file(path)):
                    yield f"file {path}", told


def _file(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return ""
        return f"{path.stat().st_mode & 0o7777:o} {sha256(path.read_bytes()).hexdigest()[:12]}"
    except OSError:
        return ""
