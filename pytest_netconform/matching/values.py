"""Values to match a single field by: literals, comparisons, networks, expressions and their combinations."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, ClassVar

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.references import NotResolved, Reference, Scope, Template

Network = IPv4Network | IPv6Network
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
NUMERIC = re.compile(r"[-+]?(0x[0-9a-fA-F]+|\d+(\.\d+)?)")
ADDRESS_LIKE = re.compile(r"[0-9a-fA-F:.]+(/\d+)?")


class Value:
    """Base of the matchers of one value; *before* is the same field in the observation before, where there was one."""

    references: ClassVar[frozenset[Reference]] | frozenset[Reference] = frozenset()

    def bind(self, scope: Scope) -> Value:  # noqa: ARG002 - most hold no reference
        """Put in what the references stand for."""
        return self

    def matches(self, value: Any, before: Any = None) -> bool:
        """Say whether a field's value matches; of a list, whether one of its elements does."""
        if isinstance(value, (list, tuple)):
            return any(self.one(element, before) for element in value)
        return self.one(value, before)

    def one(self, value: Any, before: Any) -> bool:
        """Say whether one value, which is not a list, matches."""
        raise NotImplementedError

    @property
    def grows(self) -> bool:
        """Say whether it needs an observation before."""
        return False


def number(value: Any) -> int | float | None:
    """Read a number, also from numeric text such as "1450" or "0x4000"; None for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and len(value) < 64 and NUMERIC.fullmatch(value):
        return float(value) if "." in value else int(value, 16 if "x" in value else 10)
    return None


@lru_cache(maxsize=4096)
def network(text: str) -> Network | None:
    """Read an address or a network; a single address is a network of one."""
    if not ADDRESS_LIKE.fullmatch(text) or not (":" in text or text.count(".") == 3):
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def same(expected: Any, found: Any) -> bool:
    """Say whether two values are equal in the field's sense: 10.1.1.1 is 10.1.1.1/32, "1450" is 1450, a MAC has no case."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if expected == found:
        return True
    if isinstance(expected, str) and isinstance(found, str):
        if expected.lower() == found.lower() and expected.count(":") == 5:
            return True
        if "." in expected or ":" in expected:
            left = network(expected)
            if left is not None:
                return "/" in expected + found and _strict(expected) and left == network(found)
    left_number = number(expected)
    return left_number is not None and left_number == number(found)


def _strict(text: str) -> bool:
    """Say whether a network's text has no bits set beyond its prefix, so that it names the network and not a host in it."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def show(value: Any) -> str:
    """Write a value as a suite would have it, on one line, whatever it contains."""
    match value:
        case None:
            return "absent"
        case bool():
            return str(value).lower()
        case str():
            return value if value.isprintable() and value == value.strip() and value else repr(value)
        case Fact():
            return show(getattr(value, "text", None) or value.label())
        case list() | tuple():
            return "[" + ", ".join(map(show, value)) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key}: {show(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


@dataclass(frozen=True)
class Literal(Value):
    """A plain value, or a text with references that become one."""

    value: Any
    glob: re.Pattern[str] | None = None

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return self.value.references if isinstance(self.value, Template) else frozenset()

    def bind(self, scope: Scope) -> Value:
        return Literal(self.value.fill(scope)) if isinstance(self.value, Template) else self

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        if self.glob is not None:
            return isinstance(value, str) and self.glob.fullmatch(value) is not None
        return same(self.value, value)

    def __str__(self) -> str:
        return str(self.value) if isinstance(self.value, Template) else show(self.value)


@dataclass(frozen=True)
class Comparison(Value):
    """`">= 1450"`: a number, or numeric text, on this side of another."""

    sign: str
    operand: Any

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return self.operand.references if isinstance(self.operand, Template) else frozenset()

    def bind(self, scope: Scope) -> Value:
        if not isinstance(self.operand, Template):
            return self
        filled = number(self.operand.fill(scope))
        if filled is None:
            raise NotResolved(f"{self.operand} needs a number to compare with, but stands for "
                              f"{show(self.operand.fill(scope))}")  # fmt: skip
        return Comparison(self.sign, filled)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        found = number(value)
        return found is not None and COMPARISONS[self.sign](found, self.operand)

    def __str__(self) -> str:
        return f"{self.sign} {self.operand}"


@dataclass(frozen=True)
class AnyOf(Value):
    """`{any_of: [absent, 0]}`."""

    options: tuple[Value, ...]

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return frozenset().union(*(option.references for option in self.options))

    def bind(self, scope: Scope) -> Value:
        return AnyOf(tuple(option.bind(scope) for option in self.options)) if self.references else self

    def matches(self, value: Any, before: Any = None) -> bool:
        return any(option.matches(value, before) for option in self.options)

    @property
    def grows(self) -> bool:
        return any(option.grows for option in self.options)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.options))


@dataclass(frozen=True)
class Not(Value):
    """`{not: x}`: the row has the field, and it does not match."""

    inner: Value

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return self.inner.references

    def bind(self, scope: Scope) -> Value:
        return Not(self.inner.bind(scope)) if self.references else self

    def matches(self, value: Any, before: Any = None) -> bool:
        return value is not None and not self.inner.matches(value, before)

    @property
    def grows(self) -> bool:
        return self.inner.grows

    def __str__(self) -> str:
        return f"not {self.inner}"


@dataclass(frozen=True)
class Regex(Value):
    """`{match: regex}`: found anywhere in the text."""

    pattern: re.Pattern[str]

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        if value is None or isinstance(value, (bool, Mapping)):
            return False
        return self.pattern.search(str(value)) is not None

    def __str__(self) -> str:
        return f"matching /{self.pattern.pattern}/"


@dataclass(frozen=True)
class Cidr(Value):
    """`{within: cidr}` and `{contains: cidr}`: an address or network inside, or around, another."""

    word: str
    cidr: Any

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return self.cidr.references if isinstance(self.cidr, Template) else frozenset()

    def bind(self, scope: Scope) -> Value:
        if not isinstance(self.cidr, Template):
            return self
        filled = network(str(self.cidr.fill(scope)))
        if filled is None:
            raise NotResolved(f"{self.cidr} needs a network, but stands for {show(self.cidr.fill(scope))}")
        return Cidr(self.word, filled)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        found = network(value) if isinstance(value, str) else None
        if value == "default":
            found = network("::/0" if self.cidr.version == 6 else "0.0.0.0/0")
        if found is None or found.version != self.cidr.version:
            return False
        inner, outer = (found, self.cidr) if self.word == "within" else (self.cidr, found)
        return bool(inner.subnet_of(outer))

    def __str__(self) -> str:
        return f"{self.word} {self.cidr}"


@dataclass(frozen=True)
class Presence(Value):
    """`absent` or `present`."""

    present: bool

    def matches(self, value: Any, before: Any = None) -> bool:  # noqa: ARG002
        return (value is not None and value != () and value != []) is self.present

    def __str__(self) -> str:
        return "present" if self.present else "absent"


@dataclass(frozen=True)
class Grew(Value):
    """`{grew: 0}`: by how much a counter grew while the check watched."""

    by: Value

    @property
    def references(self) -> frozenset[Reference]:  # type: ignore[override]
        return self.by.references

    def bind(self, scope: Scope) -> Value:
        return Grew(self.by.bind(scope)) if self.references else self

    def one(self, value: Any, before: Any) -> bool:
        now, then = number(value), number(before)
        return now is not None and self.by.matches(now - (then or 0))

    @property
    def grows(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"grown by {self.by}"
