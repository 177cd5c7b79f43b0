"""Files, as they stand on a node's disk, and what their text says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.facts.base import Vocabulary
from pytest_netconform.facts.late import Late
from pytest_netconform.facts.vocabularies import FILE_TYPE

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
ESCAPED = re.compile(r'\\([\\"$`])')


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Late):
    """One file.

    Units: *size* is bytes.
    Shape: *type* is file, directory, device or other, of what a symlink leads to; *target* is where a symlink
           points. *text* is None for what is no regular file, too large or not text. *env* holds its
           `KEY=VALUE` lines as a shell reads them, less expansions; *json* what it says where it is JSON.
    Source: os-release(5) for *env*.
    """

    identity: ClassVar[tuple[str, ...]] = ("path",)
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"type": FILE_TYPE}

    path: str
    type: str
    size: int
    mode: int
    text: str | None = None
    target: str | None = None
    lines: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    json: Any = None

    def read(self, name: str, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the text apart as far as it is asked for."""
        readings = {"lines": lines_of, "env": env_of, "json": json_of}
        return {name: readings[name](source["text"] or "")} if name in readings else source


def file_of(path: str, type: str, size: int, mode: int, text: str | None, target: str | None = None) -> File:
    """Make the fact of one file, whose text is taken apart when that is asked for."""
    known = {"path": path, "type": type, "size": size, "mode": mode, "text": text, "target": target}
    return File.late(known)


def lines_of(text: str) -> tuple[str, ...]:
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def env_of(text: str) -> Mapping[str, str] | None:
    """Read the assignments of an environment file; None where there is none."""
    assignments = (ASSIGNMENT.fullmatch(line) for line in lines_of(text))
    found = {assigned[1]: unquoted(assigned[2].strip()) for assigned in assignments if assigned}
    return found or None


def unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"':
        return ESCAPED.sub(r"\1", value[1:-1])
    return value.partition(" #")[0].rstrip()


def json_of(text: str) -> Any:
    """Read JSON; None for what is none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
