"""Values to match a single field by: literals, comparisons, networks, expressions and their combinations."""

from __future__ import annotations

import glob
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Any

from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.references import NotResolved, Scope, Template
from pytest_netconform.matching.scalars import network, number, sameness, show, spell
from pytest_netconform.matching.searching import finds

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Literal(Value):
    """A plain value, or a text with references that become one.

    Shape: *globs* says that `*` in a text is a pattern.
    """

    value: Any
    globs: bool = False

    @cached_property
    def _form(self) -> Any:
        return sameness(self.value)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        is_glob = self.globs and isinstance(self.value, str) and glob.has_magic(self.value)
        return re.compile(translate(self.value)) if is_glob else None

    def inner(self) -> Iterable[Template]:
        return (self.value,) if isinstance(self.value, Template) else ()

    def bound(self, scope: Scope) -> Literal:
        value = self.value.fill(scope)
        if not self.globs or not isinstance(value, str):
            return Literal(value)
        spelt = self.value.spell if len(self.value.parts) > 1 else spell
        return Literal(self.value.written(scope, lambda each: glob.escape(spelt(each))), globs=True)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        expected = self.value
        if type(expected) is bool or type(value) is bool:
            return expected is value
        if self.globs and self._pattern is not None:
            return isinstance(value, str) and self._pattern.fullmatch(value) is not None
        if expected == value:
            return True
        if isinstance(expected, str):
            return self._form is not None and self._form == sameness(value)
        return bool(number(value) == expected)

    def __str__(self) -> str:
        return str(self.value) if isinstance(self.value, Template) else show(self.value)


@dataclass(frozen=True)
class Comparison(Value):
    """`">= 1450"`: a number, or numeric text, on this side of another."""

    sign: str
    operand: Any

    def inner(self) -> Iterable[Template]:
        return (self.operand,) if isinstance(self.operand, Template) else ()

    def bound(self, scope: Scope) -> Comparison:
        value = self.operand.fill(scope)
        operand = number(value)
        if operand is None:
            raise NotResolved(f"{self.operand} needs a number to compare with, but stands for {show(value)}")
        return Comparison(self.sign, operand)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        found = number(value)
        return found is not None and COMPARISONS[self.sign](found, self.operand)

    def __str__(self) -> str:
        return f"{self.sign} {self.operand}"


@dataclass(frozen=True)
class AnyOf(Value):
    """`{any_of: [absent, 0]}`."""

    options: tuple[Value, ...]

    def inner(self) -> Iterable[Value]:
        return self.options

    def bound(self, scope: Scope) -> AnyOf:
        return AnyOf(tuple(option.bind(scope) for option in self.options))

    def matches(self, value: Any, before: Any = None) -> bool:
        return any(option.matches(value, before) for option in self.options)

    def nearness(self, value: Any, before: Any = None) -> float:
        return max(option.nearness(value, before) for option in self.options)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.options))


@dataclass(frozen=True)
class Not(Value):
    """`{not: x}`: there is a value, and it does not match; of a list, none of its elements does."""

    wrong: Value

    def inner(self) -> Iterable[Value]:
        return (self.wrong,)

    def bound(self, scope: Scope) -> Not:
        return Not(self.wrong.bind(scope))

    def matches(self, value: Any, before: Any = None) -> bool:
        return value is not None and not self.wrong.matches(value, before)

    def __str__(self) -> str:
        return f"not {self.wrong}"


@dataclass(frozen=True)
class Regex(Value):
    """`{match: regex}`: found anywhere in the text."""

    pattern: re.Pattern[str]

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            return False
        return finds(self.pattern, str(value))

    def __str__(self) -> str:
        return f"text matching /{show(self.pattern.pattern)}/"


@dataclass(frozen=True)
class Cidr(Value):
    """`{within: cidr}` and `{contains: cidr}`: an address or network inside, or around, another."""

    word: str
    cidr: Any

    def inner(self) -> Iterable[Template]:
        return (self.cidr,) if isinstance(self.cidr, Template) else ()

    def bound(self, scope: Scope) -> Cidr:
        value = self.cidr.fill(scope)
        cidr = network(value)
        if cidr is None:
            raise NotResolved(f"{self.cidr} needs an address or network, but stands for {show(value)}")
        return Cidr(self.word, cidr)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        found = network(value)
        if found is None or found.version != self.cidr.version:
            return False
        inner, outer = (found, self.cidr) if self.word == "within" else (self.cidr, found)
        return inner.prefixlen >= outer.prefixlen and inner.network_address in outer

    def __str__(self) -> str:
        return f"{'a network around' if self.word == 'contains' else 'within'} {self.cidr}"


@dataclass(frozen=True)
class Presence(Value):
    """`absent` or `present`; an empty list is absent."""

    present: bool

    def matches(self, value: Any, before: Any = None) -> bool:  # noqa: ARG002
        there = value is not None and not (isinstance(value, (tuple, list)) and not value)
        return there is self.present

    def __str__(self) -> str:
        return "present" if self.present else "absent"


@dataclass(frozen=True)
class Grew(Value):
    """`{grew: 0}`: by how much a counter grew while it was watched; what was not there before began at 0."""

    by: Value

    def inner(self) -> Iterable[Value]:
        return (self.by,)

    @cached_property
    def grows(self) -> bool:
        return True

    def bound(self, scope: Scope) -> Grew:
        return Grew(self.by.bind(scope))

    def one(self, value: Any, before: Any) -> bool:
        growth = grown(value, before)
        return growth is not None and self.by.matches(growth)

    def differences(self, value: Any, before: Any = None) -> tuple[Difference, ...]:
        if self.matches(value, before):
            return ()
        growth = grown(value, before)
        if growth is None:
            return (Difference("", f"expected {self}, got {show(value)}, which is no counter"),)
        return (Difference("", f"expected {self}, grew by {show(growth)} to {show(value)}"),)

    def __str__(self) -> str:
        return f"grown by {self.by}"


def grown(value: Any, before: Any) -> int | float | None:
    """Say by how much a number grew; None for what is none."""
    now, then = number(value), 0 if before is None else number(before)
    return None if now is None or then is None else now - then
