"""What systemd-sysctl and `sysctl --system` each make of the files that set sysctls.

```python
order = assignments(SYSTEMD, {"/etc/sysctl.d/90-forwarding.conf": "net.ipv4.ip_forward = 1"})
winner(order, "net.ipv4.ip_forward")        # value "1", file "/etc/sysctl.d/90-forwarding.conf", line 1
```

The two differ: systemd-sysctl does not read /etc/sysctl.conf, keeps the place of a key that is set to the
same value again, moves one that is set to another, and writes nothing that stands so already;
`sysctl --system` writes everything in its order, /etc/sysctl.conf last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from posixpath import dirname, join, normpath

from pytest_netconform.facts.sysctls import to_path

SYSTEMD = "systemd-sysctl"
PROCPS = "sysctl --system"
PROCPS_3_3 = "sysctl --system (procps 3.3)"
READERS = (SYSTEMD, PROCPS)
DIRECTORIES = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
CONF = "/etc/sysctl.conf"
BLANK = " \t\n\r"
SPACE = " \t\n\r\v\f"
DEEPEST_LINK = 8


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line of a file as its reader takes it.

    Shape: *path* is below /proc/sys, and may be a pattern. A *value* of None sets nothing, and takes *path*
           out of patterns. *file* is where the line stands, which a symlink in sysctl.d may lead to.
    """

    path: str
    value: str | None
    file: str
    line: int
    reader: str
    ignored_errors: bool = False

    @property
    def is_pattern(self) -> bool:
        return any(character in self.path for character in "*?[")


def assignments(
    reader: str, files: Mapping[str, str], links: Mapping[str, str] | None = None
) -> tuple[Assignment, ...]:
    """List what *reader* writes, in its order.

    Shape:  *files* holds texts by absolute path; *links* the targets of those that are symlinks. A link to
            /dev/null and an empty file mask the same name in later directories.
    Source: sysctl.d(5); systemd 252 src/sysctl/sysctl.c; procps 4.0.2 and 3.3.17 sysctl.c.
    """
    links = links or {}
    take = {SYSTEMD: systemd_line, PROCPS: procps_line, PROCPS_3_3: procps_3_3_line}[reader]
    found = []
    for listed in listing(reader, {*files, *links}):
        file = followed(listed, links)
        text = "" if file == "/dev/null" else files.get(file, files.get(listed, ""))
        for number, line in enumerate(
            re.split(r"\r\n|[\r\n\0]", text) if reader == SYSTEMD else text.split("\n"), 1
        ):
            if (taken := take(line)) is not None:
                key, value, ignored = taken
                found.append(Assignment(to_path(key), value, file, number, reader, ignored))
    if reader == PROCPS_3_3:
        return tuple(one for one in found if not one.is_pattern)
    return tuple(merged(found) if reader == SYSTEMD else found)


def listing(reader: str, paths: set[str]) -> Iterator[str]:
    """List the files that a reader reads: by base name, of which the first directory's counts."""
    found: dict[str, str] = {}
    for directory in DIRECTORIES:
        for path in paths:
            base = path.rpartition("/")[2]
            hidden = base.startswith(".") and reader == SYSTEMD
            if path == f"{directory}/{base}" and base.endswith(".conf") and not hidden:
                found.setdefault(base, path)
    yield from (found[base] for base in sorted(found, key=lambda base: base.encode(errors="surrogateescape")))
    if reader != SYSTEMD and CONF in paths:
        yield CONF


def followed(path: str, links: Mapping[str, str]) -> str:
    for _ in range(DEEPEST_LINK):
        if path not in links:
            break
        path = normpath(join(dirname(path), links[path]))
    return path


Taken = tuple[str, str | None, bool]


def systemd_line(line: str) -> Taken | None:
    line = line.strip(BLANK)
    if not line or line[0] in "#;":
        return None
    key, equals, value = line.partition("=")
    if not equals and line[0] != "-":
        return None
    return key.removeprefix("-").strip(BLANK), value.strip(BLANK) if equals else None, line[0] == "-"


def procps_line(line: str) -> Taken | None:
    line = line.lstrip(SPACE)
    if len(line) < 2 or line[0] in "#;":
        return None
    key, equals, value = line.partition("=")
    if not equals and line[0] != "-":
        return None
    dash = key.startswith("-")
    return key.removeprefix("-").rstrip(SPACE), value.strip(SPACE) if equals else None, dash


def procps_3_3_line(line: str) -> Taken | None:
    """Take a line as procps 3.3 does, which knows neither patterns nor exclusions, and no empty value."""
    taken = procps_line(line.strip(BLANK))
    return taken if taken and taken[1] else None


def merged(found: Sequence[Assignment]) -> Iterator[Assignment]:
    """Keep one assignment for each key, in the place that systemd gives it."""
    places: dict[str, Assignment] = {}
    for one in found:
        before = places.get(one.path)
        if before is not None and before.value == one.value:
            places[one.path] = replace(before, ignored_errors=before.ignored_errors or one.ignored_errors)
        else:
            places.pop(one.path, None)
            places[one.path] = one
    yield from places.values()


FORWARDING = frozenset({"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"})
CONF_KEY = re.compile(r"net/(ipv[46])/conf/([^/]+)/(.+)")
HANDED_DOWN = frozenset({"forwarding", "disable_ipv6", "ignore_routes_with_linkdown", "addr_gen_mode"})
"""Keys of net.ipv6.conf.all that the kernel hands to every interface and to default."""


def winner(order: Sequence[Assignment], name: str) -> Assignment | None:
    """Find the assignment that the value of *name* comes from, once all in *order* are written.

    It knows what the kernel does with a write: net.ipv4.ip_forward and net.ipv4.conf.all.forwarding are one,
    and changing it, from 0 at boot, changes every interface's; a later conf.eth0.forwarding changes eth0's
    alone; an interface for which nothing is set has what is set for default.
    """
    path = to_path(name)
    own, above, default = family_of(path)
    explicit = frozenset(one.path for one in order)
    found = fallback = None
    value = 0
    for one in order:
        if sets(one, own, explicit):
            found = one
        if sets(one, above, explicit):
            before, value = value, whole(one.value, value)
            if value != before or (above != FORWARDING and one.reader != SYSTEMD):
                found = one
        if sets(one, default, explicit):
            fallback = one
    return found or fallback


Paths = frozenset[str]


def family_of(path: str) -> tuple[Paths, Paths, Paths]:
    """Name the paths that are *path* itself, those whose change is handed down to it, and its default."""
    none: Paths = frozenset()
    if path in FORWARDING:
        return FORWARDING, none, none
    key = CONF_KEY.fullmatch(path)
    if key is None or key[2] == "all":
        return frozenset({path}), none, none
    above = FORWARDING if (key[1], key[3]) == ("ipv4", "forwarding") else none
    if key[1] == "ipv6" and key[3] in HANDED_DOWN:
        above = frozenset({f"net/ipv6/conf/all/{key[3]}"})
    default = frozenset({f"net/{key[1]}/conf/default/{key[3]}"}) if key[2] != "default" else none
    return frozenset({path}), above, default


def sets(one: Assignment, paths: Paths, explicit: Paths) -> bool:
    """Say whether an assignment writes one of *paths*; a pattern leaves out those that stand by name."""
    if one.value is None:
        return False
    if not one.is_pattern:
        return one.path in paths
    return any(path not in explicit and matches(one.path, path) for path in paths)


def matches(pattern: str, path: str) -> bool:
    """Match as glob(3) does: no wildcard matches a slash."""
    parts, names = pattern.replace("[^", "[!").split("/"), path.split("/")
    return len(parts) == len(names) and all(map(fnmatchcase, names, parts))


def whole(text: str | None, otherwise: int) -> int:
    """Read a number as the kernel does; one that it refuses changes nothing."""
    try:
        return int((text or "").split()[0], 0)
    except (ValueError, IndexError):
        return otherwise
