"""What may stand in a field, as the types of facts tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pytest_netconform.documents import suggest
from pytest_netconform.documents.words import closest
from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.matching.scalars import CIDR_PARTS

WORDS: dict[Any, str] = {
    Mapping: "a mapping",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in one place.

    Shape: *kind* is a Fact, Mapping, str, int, float or bool, None where anything may stand. *listed* says
           that several of it stand there in a list, *optional* that there may be nothing. *inner* is what
           stands under each name of a Mapping, *among* the words that can stand there, if only some can.
    """

    kind: type[Any] | None = None
    listed: bool = False
    optional: bool = False
    inner: Shape | None = None
    among: Vocabulary | None = None

    @property
    def row(self) -> type[Fact] | None:
        """Give the fact that stands there, if one does."""
        return self.kind if self.kind is not None and issubclass(self.kind, Fact) else None

    @property
    def is_scalar(self) -> bool:
        return self.kind in (str, int, float, bool)

    @property
    def words(self) -> str:
        """Say what may stand there, for a message."""
        if self.row is not None:
            return f"a mapping of {self.row.__name__} fields"
        return WORDS.get(self.kind, "a value")

    def element(self) -> Shape:
        """Give the shape of one element of a list."""
        return replace(self, listed=False, optional=False)


ANYTHING = Shape(optional=True)
_known: dict[type[Fact], Mapping[str, Shape]] = {}


def fields_of(row: type[Fact]) -> Mapping[str, Shape]:
    """Give the shape of each field of a fact."""
    if row not in _known:
        hints = get_type_hints(row)
        _known[row] = {
            field.name: replace(shape_of(hints[field.name]), among=row.vocabularies.get(field.name))
            for field in dataclass_fields(row)  # type: ignore[arg-type]
        }
    return _known[row]


def shape_of(hint: Any) -> Shape:
    """Give the shape that a type hint describes."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    optional = NoneType in options
    kinds = [option for option in options if option is not NoneType]
    if len(kinds) != 1 or kinds[0] is Any:
        return ANYTHING
    origin, arguments = get_origin(kinds[0]) or kinds[0], get_args(kinds[0])
    if origin in (tuple, list) and arguments:
        element = shape_of(arguments[0])
        return ANYTHING if element.listed else replace(element, listed=True, optional=optional)
    if issubclass(origin, Mapping):
        inner = shape_of(arguments[1]) if len(arguments) > 1 else ANYTHING
        return Shape(Mapping, optional=optional, inner=replace(inner, optional=True))
    known = origin in (str, int, float, bool) or issubclass(origin, Fact)
    return Shape(origin, optional=optional) if known else ANYTHING


def shape_of_value(value: Any) -> Shape:
    """Give the shape of a plain value, as one that a file gives to a variable."""
    if isinstance(value, list):
        inner = {shape_of_value(element) for element in value}
        return replace(inner.pop(), listed=True) if len(inner) == 1 else ANYTHING
    return Shape(type(value)) if type(value) in (str, int, float, bool) else ANYTHING


def wrong_path(shape: Shape, path: tuple[str, ...]) -> str:
    """Say what is wrong with a path from here to a single value; empty where nothing is."""
    for number, step in enumerate(path):
        if shape.kind is None:
            return ""
        if wrong := wrong_step(shape, step, path[number - 1] if number else ""):
            return wrong
        shape = after(shape, step)
    if shape.row is not None:
        return f"a {shape.row.__name__} is no single value; name a field of it"
    return "a mapping is no single value; name what is in it" if shape.kind is Mapping else ""


def wrong_step(shape: Shape, step: str, name: str) -> str:
    """Say what is wrong with one step of a path; *name* is that of the step before."""
    if shape.row is not None:
        known = fields_of(shape.row)
        return "" if step in known else f"unknown field {step!r}{suggest(step, known)}"
    if shape.kind is Mapping or (shape.kind is str and step in CIDR_PARTS):
        return ""
    subject = f"field {name!r}" if name else "it"
    if shape.kind is str:
        return (
            f"{subject} is text and has only {', '.join(CIDR_PARTS)}, not {step!r}{closest(step, CIDR_PARTS)}"
        )
    return f"{subject} is {shape.words} and has no {step!r}"


def after(shape: Shape, step: str) -> Shape:
    """Give the shape of what a right step leads to."""
    if shape.row is not None:
        return fields_of(shape.row)[step]
    if shape.kind is Mapping:
        return shape.inner or ANYTHING
    return Shape(int if step == "prefixlen" else str) if shape.kind is str else ANYTHING
