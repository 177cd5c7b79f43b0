"""References: `${name.field}`, with `± number`, the texts that hold them, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.scalars import CIDR_PARTS, cidr_part, number, show, spell
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.verdicts import Verdict

MOST_COMBINATIONS = 10_000


class Unresolved(Exception):
    """A reference stands for no value; says why, and what that makes of the check."""

    verdict: ClassVar[Verdict]


class Absent(Unresolved):
    """It leads to something that is not there, which fails the check."""

    verdict = Verdict.FAIL


class NotResolved(Unresolved):
    """It leads to something that could not be read, or is of no use there; *untold* as of an answer."""

    verdict = Verdict.ERROR

    def __init__(self, reason: str, untold: bool = False) -> None:
        super().__init__(reason)
        self.untold = untold


class NeverKnown(Unresolved):
    """It leads to something that this target can never know."""

    verdict = Verdict.SKIP


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${...}`.

    Shape: *name* is what is bound, *path* the fields to follow from there, *offset* is added to the value.
    """

    name: str
    path: tuple[str, ...] = ()
    offset: int = 0

    def __str__(self) -> str:
        offset = f" {'+' if self.offset > 0 else '-'} {abs(self.offset)}" if self.offset else ""
        return "${" + ".".join((self.name, *self.path)) + offset + "}"


Place = tuple[str, ...]


class Scope:
    """What the names of a file stand for while one check is judged.

    Shape: *bound* are the rows that `for` bound, *variables* gives what any other name stands for; *chosen*
           has one element of each list that references lead through, by the list's place.
    """

    __slots__ = ("bound", "chosen", "variables")

    def __init__(
        self,
        variables: Callable[[str], Any],
        bound: Mapping[str, Any] | None = None,
        chosen: Mapping[Place, Any] | None = None,
    ) -> None:
        self.variables, self.bound, self.chosen = variables, bound or {}, chosen or {}

    def with_(self, name: str, value: Any) -> Scope:
        return Scope(self.variables, {**self.bound, name: value}, self.chosen)

    def resolve(self, reference: Reference) -> Any:
        """Give the one value that a reference stands for.

        Raises: Unresolved.
        """
        value, place = self._follow(reference)
        if place is not None:
            raise NotResolved(f"{reference} stands for a list where one value is needed")
        if value is None:
            raise Absent(f"{reference} is absent")
        if isinstance(value, (Fact, Mapping)):
            raise NotResolved(f"{reference} needs a single value, but stands for {show(value)}")
        if reference.offset:
            return _shifted(reference, value)
        return value

    def expansions(self, references: Iterable[Reference]) -> list[Scope]:
        """List a scope for each combination of the elements of all lists that references lead through.

        Shape:  references through the same list share its element.
        Raises: Unresolved; Absent for an empty list.
        """
        scopes = [self]
        for reference in references:
            scopes = [each for scope in scopes for each in scope._over(reference)]
            if len(scopes) > MOST_COMBINATIONS:
                raise NotResolved(f"{reference} stands for too many values, more than {MOST_COMBINATIONS}")
        return scopes

    def _over(self, reference: Reference) -> list[Scope]:
        done, pending = [], [self]
        while pending:
            scope = pending.pop()
            elements, place = scope._follow(reference)
            if place is None:
                done.append(scope)
                continue
            if not elements:
                raise Absent(f"{reference} is absent: the list is empty")
            if len(pending) + len(done) + len(elements) > MOST_COMBINATIONS:
                raise NotResolved(f"{reference} stands for more than {MOST_COMBINATIONS} values")
            pending += [
                Scope(self.variables, self.bound, {**scope.chosen, place: element})
                for element in reversed(elements)
            ]
        return done

    def _follow(self, reference: Reference) -> tuple[Any, Place | None]:
        """Follow a reference to its value, or to the first list with no element chosen, and where that is."""
        name = reference.name
        value = self.bound[name] if name in self.bound else self.variables(name)
        place: Place = (name,)
        for step in (*reference.path, None):
            while isinstance(value, (list, tuple)):
                if place not in self.chosen:
                    return value, place
                value, place = self.chosen[place], (*place, "[]")
            if step is None or value is None:
                break
            value, place = _step(value, step), (*place, step)
        return value, None


def _step(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, Fact):
        return getattr(value, name) if name in fields_of(type(value)) else None
    if isinstance(value, str) and name in CIDR_PARTS:
        try:
            return cidr_part(value, name)
        except ValueError:
            raise NotResolved(f"{show(value)} is no address, so it has no .{name}") from None
    return None


def _shifted(reference: Reference, value: Any) -> Any:
    found = number(value)
    if found is None:
        raise NotResolved(f"{reference} needs a number, but found {show(value)}")
    return found + reference.offset


@dataclass(frozen=True)
class Template:
    """A text with references in it.

    Shape: *spell* writes a value that stands beside other text.
    """

    parts: tuple[str | Reference, ...]
    spell: Callable[[Any], str] = spell

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return tuple(dict.fromkeys(part for part in self.parts if isinstance(part, Reference)))

    def fill(self, scope: Scope) -> Any:
        """Put the values in; a reference alone keeps its value's type.

        Raises: Unresolved.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], Reference):
            return scope.resolve(self.parts[0])
        return self.written(scope, self.spell)

    def written(self, scope: Scope, spell: Callable[[Any], str]) -> str:
        """Put the values in as *spell* writes them."""
        return "".join(part if isinstance(part, str) else spell(scope.resolve(part)) for part in self.parts)

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def references_in(*sources: Any) -> tuple[Reference, ...]:
    """List the references of values, templates and the like, each once, in their order."""
    found: Iterator[Reference] = (
        reference for source in sources for reference in getattr(source, "references", ())
    )
    return tuple(dict.fromkeys(found))
