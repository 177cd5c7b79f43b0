"""References: `${name.field}`, with `± number`, and texts that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cache
from ipaddress import ip_interface
from itertools import product
from typing import Any, get_args, get_origin, get_type_hints

from pytest_netconform.documents import suggest
from pytest_netconform.facts.base import Fact, field_names
from pytest_netconform.matching.at import At

OPENING = re.compile(r"\$\{([^}]*)\}")
INSIDE = re.compile(r"\s*([A-Za-z_][\w-]*)((?:\.[\w/-]+)*)\s*(?:([+-])\s*(\d+))?\s*")
CIDR_PARTS: Mapping[str, Callable[[Any], Any]] = {
    "ip": lambda interface: str(interface.ip),
    "network": lambda interface: str(interface.network),
    "prefixlen": lambda interface: interface.network.prefixlen,
}

Names = Mapping[str, type[Fact] | None]
"""What a file's references may name: the type of the row that stands behind a name, None for a plain value."""


class Absent(Exception):  # noqa: N818 - a fact, not an error
    """A reference leads to something that is not there; fails the check."""


class NotResolved(Exception):  # noqa: N818 - carries why, not what went wrong in us
    """A reference leads to something that could not be read, or is of no use there; makes the check an error."""


class NeverKnown(Exception):  # noqa: N818
    """A reference leads to something that this target can never know; makes the check a skip."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${...}`.

    Shape: *name* is what is bound, *path* the fields to follow from there, *offset* is added to the number found.
    """

    name: str
    path: tuple[str, ...] = ()
    offset: int = 0

    def __str__(self) -> str:
        dotted = ".".join((self.name, *self.path))
        return "${" + dotted + (f" {'+' if self.offset > 0 else '-'} {abs(self.offset)}" if self.offset else "") + "}"


class Scope:
    """What the names of a file stand for while one check is judged.

    Bound values are rows and plain values; what a name stands for may be a function, called when the name is first used.
    """

    __slots__ = ("bound", "fixed")

    def __init__(self, bound: Mapping[str, Any], fixed: Mapping[Reference, Any] | None = None) -> None:
        self.bound = bound
        self.fixed = fixed or {}

    def with_(self, name: str, value: Any) -> Scope:
        return Scope({**self.bound, name: value}, self.fixed)

    def resolve(self, reference: Reference) -> Any:
        """Give the one value that a reference stands for.

        Raises: Absent, NotResolved.
        """
        if reference in self.fixed:
            return self.fixed[reference]
        found = self._found(reference)
        if len(found) > 1:
            raise NotResolved(f"{reference} stands for {len(found)} values where one is needed")
        if not found:
            raise Absent(f"{reference} is absent")
        return found[0]

    def _found(self, reference: Reference) -> list[Any]:
        value = self.bound[reference.name]
        if callable(value):
            value = value()
        found = [_shifted(reference, leaf) for leaf in _leaves(value, reference.path)]
        return [leaf for leaf in found if leaf is not None]

    def expansions(self, references: Iterable[Reference]) -> Iterator[Scope]:
        """Go over the lists that references stand for: one scope for each combination of their elements.

        Raises: Absent where one of them stands for nothing, NotResolved.
        """
        several: dict[Reference, list[Any]] = {}
        for reference in references:
            if reference in self.fixed:
                continue
            found = self._found(reference)
            if not found:
                raise Absent(f"{reference} is absent")
            if len(found) > 1:
                several[reference] = found
        if not several:
            yield self
            return
        for chosen in product(*several.values()):
            yield Scope(self.bound, {**self.fixed, **dict(zip(several, chosen, strict=True))})


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Follow a path, going over every list on the way."""
    if isinstance(value, (list, tuple)):
        for element in value:
            yield from _leaves(element, path)
        return
    if not path or value is None:
        yield value
        return
    name, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        yield from _leaves(value.get(name), rest)
    elif isinstance(value, str) and name in CIDR_PARTS:
        yield from _leaves(_cidr_part(value, name), rest)
    else:
        yield from _leaves(getattr(value, name, None), rest)


def _cidr_part(text: str, part: str) -> Any:
    try:
        return CIDR_PARTS[part](ip_interface(text))
    except ValueError:
        raise NotResolved(f"{text!r} is no address, so it has no .{part}") from None


def _shifted(reference: Reference, value: Any) -> Any:
    if not reference.offset or value is None:
        return value
    try:
        return int(value) + reference.offset
    except (TypeError, ValueError):
        raise NotResolved(f"{reference} needs a number, but found {value!r}") from None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with references in it."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> frozenset[Reference]:
        return frozenset(part for part in self.parts if isinstance(part, Reference))

    def fill(self, scope: Scope) -> Any:
        """Put the values in; a reference alone keeps its value's type."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Reference):
            return scope.resolve(self.parts[0])
        return "".join(part if isinstance(part, str) else str(scope.resolve(part)) for part in self.parts)

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def parse_text(text: str, at: At, names: Names) -> str | Template:
    """Find the references in a text; reports those that lead nowhere, at their place."""
    if "${" not in text:
        return text
    parts: list[str | Reference] = []
    end = 0
    for found in OPENING.finditer(text):
        if found.start() > end:
            parts.append(text[end : found.start()])
        if (reference := _parse_reference(found[0], found[1], at, names)) is not None:
            parts.append(reference)
        end = found.end()
    if "${" in text[end:]:
        at.problem(f"a reference is not closed: {text[end:]!r}")
    if text[end:]:
        parts.append(text[end:])
    return Template(tuple(parts))


def _parse_reference(whole: str, inside: str, at: At, names: Names) -> Reference | None:
    found = INSIDE.fullmatch(inside)
    if found is None:
        at.problem(f"{whole} is not a reference; write ${{name.field}}, ${{name.field + 1}} or ${{name.field - 1}}")
        return None
    name, path, sign, number = found.groups()
    if name not in names:
        at.problem(f"unknown variable {name!r} in {whole}{suggest(name, list(names))}")
        return None
    steps = tuple(path.split(".")[1:])
    row = names[name]
    if row is not None and (wrong := wrong_field(row, steps)):
        at.problem(f"{wrong} in {whole}")
        return None
    offset = int(number) * (-1 if sign == "-" else 1) if number else 0
    return Reference(name, steps, offset)


@cache
def hints(row: type[Fact]) -> dict[str, Any]:
    """Give the type of each field of a fact."""
    known = get_type_hints(row)
    return {field.name: known[field.name] for field in dataclass_fields(row)}  # type: ignore[arg-type]


def element(hint: Any) -> tuple[Any, bool]:
    """Take apart a field's type: what stands in it, and whether in a list."""
    options = [option for option in get_args(hint) if option is not type(None)]
    if get_origin(hint) is tuple:
        return element(options[0])[0], True
    if get_origin(hint) in (None, Mapping, dict) or not options:
        return get_origin(hint) or hint, False
    return element(options[0]) if len(options) == 1 else (Any, False)


def wrong_field(row: type[Fact], path: tuple[str, ...]) -> str:
    """Say what is wrong with a path into a fact; empty where nothing is."""
    if not path:
        return ""
    if path[0] not in hints(row):
        return f"unknown field {path[0]!r}{suggest(path[0], field_names(row))}"
    inner, _ = element(hints(row)[path[0]])
    if isinstance(inner, type) and issubclass(inner, Fact):
        return wrong_field(inner, path[1:])
    if inner in (int, bool, float) and len(path) > 1:
        return f"field {path[0]!r} is a number and has no {path[1]!r}"
    if inner is str and len(path) > 1 and path[1] not in CIDR_PARTS:
        return f"field {path[0]!r} is text and has no {path[1]!r}{suggest(path[1], list(CIDR_PARTS))}"
    return ""
