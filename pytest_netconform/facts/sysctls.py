"""Kernel parameters: their two ways of writing a name, and dumps of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact

SWAP = str.maketrans("./", "/.")
PER_DEVICE = ("conf", "neigh")
"""Directories of net.ipv4 and its like that have one directory for each interface."""


@dataclass(frozen=True, slots=True)
class Sysctl(Fact):
    """One kernel parameter.

    Shape: *name* is as sysctl(8) prints it, where a dot in an interface's name is a slash:
           `net.ipv4.conf.eth0/5.forwarding`. *value* has one blank between the numbers of a list.
    """

    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    value: str

    @classmethod
    def at(cls, path: str, text: str) -> Sysctl:
        """Make the fact of what reading /proc/sys/*path* gave."""
        return cls(to_name(path), "\n".join(" ".join(line.split()) for line in text.strip("\n").split("\n")))


def to_path(name: str) -> str:
    """Give the path below /proc/sys that sysctl(8), systemd and their files mean by *name*.

    If the first separator is a slash, it is a path already. Otherwise dots and slashes change places.
    Source: sysctl.d(5); sysctl_normalize in systemd's src/basic/sysctl-util.c.
    """
    first = next((character for character in name if character in "./"), "/")
    path = name.translate(SWAP) if first == "." else name
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def path_of(name: str) -> str:
    """Give the path below /proc/sys of a name as a person writes it, which may also be a pattern.

    Beyond what sysctl(8) takes, an interface's dots may stand as they are: net.ipv4.conf.eth0.5.forwarding
    is net/ipv4/conf/eth0.5/forwarding, since conf has one level of interfaces. After a slash, dots are dots.

    Raises: ValueError for what is no such name.
    """
    parts = name.split("/") if "/" in name.partition(".")[0] else name.replace("/", "\0").split(".")
    if parts[0] == "net" and len(parts) > 5 and parts[2] in PER_DEVICE:
        parts = [*parts[:3], ".".join(parts[3:-1]), parts[-1]]
    if not all(parts) or ".." in parts:
        raise ValueError(f"{name!r} is not the name of a sysctl")
    return "/".join(part.replace("\0", ".") for part in parts)


def to_name(path: str) -> str:
    """Give the name that sysctl(8) prints for a path below /proc/sys."""
    return path.translate(SWAP)


def parse_sysctl_dump(text: str) -> dict[str, str]:
    """Read `path:value` lines, as `grep -r . /proc/sys/net` prints them, into values by path below /proc/sys.

    Shape:  the lines of a value of several lines stand under each other, joined by a newline. An empty value
            has no line, and so no entry.
    Raises: Unreadable, with the line's number.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith(("grep: ", "Binary file ")):
            continue
        path, colon, value = line.removeprefix("/proc/sys/").partition(":")
        if not colon or "/" not in path or path.startswith("/") or " " in path:
            raise Unreadable(f"{number}: expected `net/ipv4/ip_forward:1`, got {line[:60]!r}")
        values[path] = f"{values[path]}\n{value}" if path in values else value
    return values
