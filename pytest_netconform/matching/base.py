"""What all matchers have in common: a value matches or not, and if not, differs in something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_netconform.matching.references import Reference, Scope, Template, references_in
from pytest_netconform.matching.scalars import show


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as expected.

    Shape: *path* leads to it from what was matched; *details* are further lines.
    """

    path: str
    text: str
    details: tuple[str, ...] = ()

    def under(self, name: str) -> Difference:
        """Give the same difference, seen from where *name* leads here."""
        return Difference(f"{name}.{self.path}" if self.path else name, self.text, self.details)

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Value:
    """Base of all matchers; *before* is the same field in the observation before, where there was one."""

    def inner(self) -> Iterable[Value | Template]:
        """List what it is made of that may hold references."""
        return ()

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return references_in(*self.inner())

    @cached_property
    def grows(self) -> bool:
        """Say whether it needs an observation before."""
        return any(isinstance(part, Value) and part.grows for part in self.inner())

    def bind(self, scope: Scope) -> Value:
        """Put in what the references stand for.

        Raises: Unresolved.
        """
        return self.bound(scope) if self.references else self

    def bound(self, scope: Scope) -> Value:
        """Do what `bind` says, where there are references."""
        raise NotImplementedError

    def matches(self, value: Any, before: Any = None) -> bool:
        """Say whether a field's value matches; of a list, whether one of its elements does."""
        if isinstance(value, (tuple, list)):
            return any(self.one(element, before) for element in value)
        return self.one(value, before)

    def one(self, value: Any, before: Any) -> bool:
        """Say whether one value, which is no list, matches."""
        raise NotImplementedError

    def differences(self, value: Any, before: Any = None) -> tuple[Difference, ...]:
        """Say in what a value is not as expected; nothing where it matches."""
        if self.matches(value, before):
            return ()
        found = value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value
        return (Difference("", f"expected {self}, got {show(found)}"),)

    def nearness(self, value: Any, before: Any = None) -> float:
        """Say how near a value comes: 1 where it matches, 0 where nothing of it does."""
        return 1.0 if self.matches(value, before) else 0.0

    @property
    def brief(self) -> str:
        """Name it in a line of its own, where it is long without its parts."""
        return str(self)
