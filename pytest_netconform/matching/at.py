"""Where in a file a piece of it stands, so that every message has its position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_netconform.documents import Document, KeyPath, shown, suggest


@dataclass(frozen=True, slots=True)
class At:
    """A cursor into a document, handed down with the value that stands there."""

    document: Document
    path: KeyPath = ()
    is_key: bool = False

    def child(self, key: str | int) -> At:
        return At(self.document, (*self.path, key))

    def as_key(self) -> At:
        """Give the place of the key that the value here stands under."""
        return At(self.document, self.path, is_key=True)

    def problem(self, message: str, *, key: bool = False) -> None:
        """Report a problem at this place (at its key, where *key* is set)."""
        self.document.report(self.path, message, key=key or self.is_key)

    def unknown(self, what: str, word: str, known: Iterable[str]) -> None:
        """Report, at the key, a word that is not among the known ones."""
        self.problem(f"unknown {what} {shown(word)}{suggest(word, known)}", key=True)

    def unknown_keys(self, spec: dict[str, Any], known: Iterable[str]) -> None:
        """Report each key of a mapping that is not among the known ones."""
        allowed = tuple(known)
        for key in spec:
            if key not in allowed:
                self.child(key).unknown("key", key, allowed)
