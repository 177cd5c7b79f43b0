"""From the JSON that iproute2 prints to facts: what its parsers have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Generic, NoReturn, TypeVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact

F = TypeVar("F", bound=Fact)
Row = dict[str, Any]
Hook = Callable[[list[tuple[str, Any]]], Row]


class ShapeError(Exception):
    """A value is of another shape than its field; says which was expected."""


def object_at(row: Row, key: str) -> Row:
    """Give the object under *key*, an empty one where there is none."""
    value = row.get(key)
    if not isinstance(value, dict | None):
        raise Unreadable(f"1: {name_of(row)}{key}: expected an object, got {kind_of(value)}")
    return value or {}


def rows_of(table: Any, where: str = "") -> Iterator[Row]:
    """List the objects of a JSON list that are neither empty nor deleted."""
    if not isinstance(table, list):
        raise Unreadable(f"1: {where}expected a list of objects, got {kind_of(table)}")
    for number, row in enumerate(table, 1):
        if not isinstance(row, dict):
            raise Unreadable(f"1: {where}row {number}: expected an object, got {kind_of(row)}")
        if row and not row.get("deleted"):
            yield row


def decode(text: str, hook: Hook | None = None) -> Any:
    """Decode JSON of any origin; ip writes control characters in names as they are.

    Raises: Unreadable, with line and column, for whatever the decoder trips over.
    """
    try:
        return json.loads(text, strict=False, parse_constant=refuse_constant, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise Unreadable(f"{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"1: no JSON that iproute2 prints: {error}") from None


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def kind_of(value: Any) -> str:
    """Name a JSON value by its kind, for a message."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def integer(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    raise ShapeError("a whole number")


def string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise ShapeError("text")


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ShapeError("true or false")


def strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(string, value))
    raise ShapeError("a list of texts")


def mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ShapeError("an object")


def mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    if isinstance(value, list):
        return tuple(map(mapping, value))
    raise ShapeError("a list of objects")


SHAPES: dict[str, Callable[[Any], Any]] = {
    "int": integer,
    "str": string,
    "bool": boolean,
    "tuple[str, ...]": strings,
    "Mapping[str, Any]": mapping,
    "tuple[Mapping[str, Any], ...]": mappings,
}


class Reader(Generic[F]):
    """Makes facts of one type of the rows that iproute2 prints, all on one line."""

    def __init__(self, fact: type[F]) -> None:
        self.fact = fact
        self.shapes = {field.name: SHAPES[str(field.type).removesuffix(" | None")] for field in fields(fact)}  # type: ignore[arg-type]
        self.required = {field.name for field in fields(fact) if field.default is MISSING}  # type: ignore[arg-type]

    def rows(self, text: str, hook: Hook | None = None) -> Iterator[Row]:
        """Read the rows of *text* that are not deleted, nor empty (so iproute2 5.x prints what it filtered).

        Shape:  no output at all is a table without rows. *hook* is json's object_pairs_hook.
        Raises: Unreadable for what is not a JSON list of objects.
        """
        return rows_of(decode(text, hook)) if text.strip() else iter(())

    def read(self, row: Row, **values: Any) -> F:
        """Make a fact of *values*, and of those keys of *row* that it has fields for.

        Raises: Unreadable, naming the row and the key, for a value of another shape than its field.
        """
        for name, value in row.items():
            if value is None or name in values or (shaped := self.shapes.get(name)) is None:
                continue
            try:
                values[name] = shaped(value)
            except ShapeError as shape:
                raise Unreadable(f"1: {name_of(row)}{name}: expected {shape}, got {kind_of(value)}") from None
        if missing := self.required - values.keys():
            raise Unreadable(f"1: {name_of(row)}a row without {' and '.join(sorted(missing))}")
        return self.fact(**values)


def name_of(row: Row) -> str:
    """Name a row for a message by the first thing that names rows of iproute2."""
    names = (row.get(key) for key in ("ifname", "dst", "mac", "local", "priority"))
    return next((f"{name}: " for name in names if isinstance(name, str | int)), "")
