"""Which keys a model knows at some place in it, for 'did you mean'."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from pytest_netconform.documents.document import KeyPath


def known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """List the keys that may stand in the mapping at *path*, as they are written in a file."""
    kinds: list[Any] = [model]
    for step in path:
        kinds = [inner for kind in kinds for inner in inside(kind, step)]
    models = [member for kind in kinds for member in members(kind) if is_model(member)]
    return list(dict.fromkeys(key for model in models for key in fields(model)))


def members(kind: Any) -> Iterator[Any]:
    """Go through what a type may be: the members of a union, less annotations."""
    if get_origin(kind) is Annotated:
        yield from members(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from members(member)
    else:
        yield kind


def inside(kind: Any, step: str | int) -> Iterator[Any]:
    """Go through the types of what stands under a key or index."""
    for member in members(kind):
        if is_model(member):
            yield from (inner for key, inner in fields(member).items() if key == step)
        elif isinstance(step, int):
            yield from get_args(member)
        else:
            yield from get_args(member)[1:]


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """Give the types of a model's fields by the keys that stand for them in a file."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
