"""Facts that are read out of their text only when they are asked for; most of a large table never is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Self

from pytest_netconform.facts.base import Fact


class Late(Fact):
    """Base of the frozen, slotted dataclasses whose slots stay empty until one of them is read.

    A fact made by its constructor is complete; one made by `late` reads its fields from a source.
    """

    __slots__ = ("_source",)

    @classmethod
    def late(cls, source: Any) -> Self:
        fact = object.__new__(cls)
        object.__setattr__(fact, "_source", source)
        return fact

    def read(self, name: str, source: Any) -> Mapping[str, Any]:
        """Read field *name*, and others along with it; must not fail.

        Shape: it may leave fields out that have their default, if it gives ALL_READ with the others.
        """
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """Fill the slot: Python calls this only for one that is empty."""
        default = defaults_of(type(self)).get(name, MISSING)
        if default is MISSING:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._source is None:
            return default
        for field, value in self.read(name, self._source).items():
            object.__setattr__(self, field, value)
        return getattr(self, name)


ALL_READ: Mapping[str, Any] = {"_source": None}
DEFAULTS: dict[str, dict[str, Any]] = {}


def defaults_of(fact: type[Late]) -> dict[str, Any]:
    """Give the default of each field; None for a field without one."""
    key = fact.__qualname__
    if key not in DEFAULTS:
        known = ((field.name, field.default) for field in fields(fact))  # type: ignore[arg-type]
        DEFAULTS[key] = {name: None if default is MISSING else default for name, default in known}
    return DEFAULTS[key]
