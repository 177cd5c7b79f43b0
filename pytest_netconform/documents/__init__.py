"""YAML 1.2 documents with positions: read safely, checked against a model, every problem told at its place.

    document = load(Path("suites/x.suite.yaml"))
    suite = validate(document, (), Suite)
    document.check()

`load` stops only where nothing more can be read (a syntax error, a limit); all else waits for `check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_netconform.documents.document import Document, KeyPath
from pytest_netconform.documents.reading import load, parse
from pytest_netconform.documents.words import described, shown, suggest

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Document", "KeyPath", "described", "load", "parse", "shown", "suggest", "validate"]


Model = TypeVar("Model", bound="BaseModel")


def validate(document: Document, path: KeyPath, model: type[Model]) -> Model | None:
    """Hold what stands at *path* against a pydantic model; report what does not fit, at its place."""
    from pytest_netconform.documents.validating import validated  # pydantic takes 80 ms to import

    return validated(document, path, model)
