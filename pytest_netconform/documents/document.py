"""A document: plain data, where each piece of it stands, and what is wrong with it."""

from __future__ import annotations

from typing import Any, Protocol

from pytest_netconform.documents.words import harmless
from pytest_netconform.errors import DocumentError, Problem

KeyPath = tuple[str | int, ...]


class Mark(Protocol):
    """A place in the text, as PyYAML gives it; counts from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Place:
    """Where a value stands, and the places of what is in it.

    Shape: `keys` holds where each key of a mapping stands, `children` the values' places by key or index.
    """

    __slots__ = ("children", "keys", "mark")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.keys: dict[str, Mark] = {}
        self.children: dict[str | int, Place | Mark] = {}

    def named_from(self, mark: Mark) -> Place:
        """Give the place of an alias at *mark*: it stands there, what is in it stays where it is written."""
        alias = Place(mark)
        alias.keys, alias.children = self.keys, self.children
        return alias


class Document:
    """What one file says.

    Shape: `data` is dict (with str keys), list, str, int, float, bool, None; aliases share their object,
           so do not change it.
    """

    def __init__(self, name: str, data: Any, place: Place | Mark, problems: list[Problem]) -> None:
        self.name = name
        self.data = data
        self._place = place
        self._problems = problems

    def __repr__(self) -> str:
        return f"<Document {self.name!r}>"

    def position(self, path: KeyPath, key: bool = False) -> tuple[int, int]:
        """Say where the value at *path* stands, or its key; if there is none, the nearest one around it.

        Units: line and column, from 1.
        """
        place = self._place
        mark = place.mark if isinstance(place, Place) else place
        for step in path:
            if not isinstance(place, Place) or step not in place.children:
                break
            keys, place = place.keys, place.children[step]
            mark = place.mark if isinstance(place, Place) else place
            if key and isinstance(step, str):
                mark = keys[step]
        return mark.line + 1, mark.column + 1

    def report(self, path: KeyPath, message: str, key: bool = False) -> None:
        """Note a problem; `check` will raise it."""
        self._problems.append(Problem(harmless(self.name), *self.position(path, key), harmless(message)))

    def check(self) -> None:
        """Raise all that was reported, in the order of the file; or nothing."""
        if self._problems:
            raise broken(self._problems)


class ReadError(Exception):
    """Reading cannot go on, and where that shows; ends up in a DocumentError."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark, self.message = mark, message


def broken(problems: list[Problem]) -> DocumentError:
    """Make one error of problems, in the order of the file and each once."""
    return DocumentError(tuple(sorted(set(problems), key=lambda p: (p.line, p.column, p.message))))
