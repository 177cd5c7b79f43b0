"""Finding the references in a text, and refusing those that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_netconform.documents import shown
from pytest_netconform.matching.at import At, meant
from pytest_netconform.matching.references import Reference, Template
from pytest_netconform.matching.scalars import spell
from pytest_netconform.matching.shapes import Shape, wrong_path

OPENING = re.compile(r"\$\{([^}]*)\}")
INSIDE = re.compile(r"\s*([A-Za-z_][\w-]*)((?:\.[\w/-]+)*)\s*(?:([+-])\s*(\d{1,18}))?\s*")
NAME = re.compile(r"[A-Za-z_][\w-]*")

Names = Mapping[str, Shape]
"""What a file's references may name, and what stands behind it."""


def parse_text(text: str, at: At, names: Names, spell: Callable[[Any], str] = spell) -> str | Template:
    """Find the references in a text; reports those that lead nowhere, at their place."""
    if "${" not in text:
        return text
    parts: list[str | Reference] = []
    end = 0
    for found in OPENING.finditer(text):
        if found.start() > end:
            parts.append(text[end : found.start()])
        if (reference := _parse_reference(found[0], found[1], at, names)) is not None:
            parts.append(reference)
        end = found.end()
    if "${" in text[end:]:
        at.problem(f"a reference is not closed: {shown(text[end:])}")
    if text[end:]:
        parts.append(text[end:])
    return Template(tuple(parts), spell)


def _parse_reference(whole: str, inside: str, at: At, names: Names) -> Reference | None:
    found = INSIDE.fullmatch(inside)
    if found is None:
        at.problem(f"{shown(whole)} is no reference; write ${{name.field}} or ${{name.field + 1}}")
        return None
    name, path, sign, number = found.groups()
    if name not in names:
        at.problem(f"unknown variable {shown(name)} in {shown(whole)}{meant(name, names)}")
        return None
    steps = tuple(path.split(".")[1:])
    if wrong := wrong_path(names[name], steps):
        at.problem(f"{shown(whole)}: {wrong}")
        return None
    offset = int(number) * (-1 if sign == "-" else 1) if number else 0
    return Reference(name, steps, offset)
