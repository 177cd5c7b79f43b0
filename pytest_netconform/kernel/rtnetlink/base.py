"""What all requests have in common: a deed in the words of ip(8), and the message that asks for it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from pytest_netconform.errors import BuildError

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
P = ParamSpec("P")

NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NEW = NLM_F_CREATE | NLM_F_EXCL
REPLACE = NLM_F_CREATE | NLM_F_REPLACE
APPEND = NLM_F_CREATE | NLM_F_APPEND
SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}


class Dev(Protocol):
    """A network device, by the name for people and the number for the kernel."""

    @property
    def ifname(self) -> str: ...

    @property
    def ifindex(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be done: the message's type, its flags, and its body of header and attributes.

    Shape: *what* names the deed in an error.
    """

    what: str
    type: int
    flags: int
    body: bytes = field(repr=False)

    def encoded(self) -> tuple[int, int, bytes]:
        return self.type, self.flags, self.body


def deed(what: str) -> Callable[[Callable[P, Request]], Callable[P, Request]]:
    """Have a function that builds a request say which one, where its arguments are no good.

    Shape: {} in *what* is the first argument, or its ifname.
    """

    def decorated(build: Callable[P, Request]) -> Callable[P, Request]:
        @wraps(build)
        def built(*args: P.args, **kwargs: P.kwargs) -> Request:
            try:
                return build(*args, **kwargs)
            except (ValueError, OverflowError) as error:
                of = getattr(args[0], "ifname", args[0]) if args else ""
                raise BuildError(f"{what.format(of).rstrip()}: {error}") from error

        return built

    return decorated


TABLES = {"main": 254, "local": 255, "default": 253}


def table_of(table: int | str | None) -> int | None:
    """Give a routing table's number, also of those that have a name everywhere.

    Raises: ValueError.
    """
    if isinstance(table, str) and table not in TABLES:
        raise ValueError(f"table: expected a number, or {', '.join(TABLES)}, got {table!r}")
    return TABLES[table] if isinstance(table, str) else table


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


def family(address: _Versioned) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


V = TypeVar("V")


def one_of(name: str, value: str, known: Mapping[str, V]) -> V:
    """Look up a word.

    Raises: ValueError that lists those there are.
    """
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return known[value]


def words(*parts: object) -> str:
    """Join the words of a deed; pairs of a name and a value are left out where there is no value."""
    said = []
    for part in parts:
        if not isinstance(part, tuple):
            said.append(str(part))
        elif part[1] is not None:
            said.append(f"{part[0]} {part[1]}")
    return " ".join(said)
