"""Where in a file a piece of it stands, so that every message has its position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pytest_netconform.documents import Document, KeyPath, shown
from pytest_netconform.documents.words import closest, known_words

MOST_PROBLEMS = 100
MOST_COMPARED = 300
LENGTHS_APART = 3


@dataclass(slots=True)
class Limit:
    """How many problems may still be told."""

    left: int = MOST_PROBLEMS


@dataclass(frozen=True, slots=True)
class At:
    """A cursor into a document, handed down with the value that stands there.

    Shape: *is_key* says that it stands at the key; all cursors of one file share a *limit*.
    """

    document: Document
    path: KeyPath = ()
    is_key: bool = False
    limit: Limit | None = None

    def child(self, key: str | int) -> At:
        return At(self.document, (*self.path, key), limit=self.limit)

    def as_key(self) -> At:
        """Give the place of the key that the value here stands under."""
        return At(self.document, self.path, is_key=True, limit=self.limit)

    def problem(self, message: str, *, key: bool = False) -> None:
        """Report a problem at this place (at its key, where *key* is set).

        Raises: DocumentError, with all problems so far, when they are too many.
        """
        self.document.report(self.path, message, key=key or self.is_key)
        if self.limit is None:
            return
        self.limit.left -= 1
        if not self.limit.left:
            self.document.report(self.path, f"more than {MOST_PROBLEMS} problems; read no further")
            self.document.check()

    def unknown(self, what: str, word: str, known: Iterable[str]) -> None:
        """Report, at the key, a word that is not among the known ones."""
        self.problem(f"unknown {what} {shown(word)}{meant(word, known)}", key=True)

    def unknown_keys(self, spec: dict[str, Any], known: Iterable[str]) -> None:
        """Report each key of a mapping that is not among the known ones."""
        allowed = tuple(known)
        for key in spec:
            if key not in allowed:
                self.child(key).unknown("key", key, allowed)


def meant(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, or what is known.

    Of very many, some of about its length are compared.
    """
    words = list(known)
    alike = (each for each in words if abs(len(each) - len(word)) <= LENGTHS_APART)
    return closest(word, islice(alike, MOST_COMPARED)) or known_words(words)
