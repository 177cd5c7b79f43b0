"""The variables in a text for a shell: which it uses, and which it sets."""

from __future__ import annotations

import re

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
VARIABLE = re.compile(rf"\$(?:({NAME})|\{{#?({NAME}))")
ASSIGNED = re.compile(rf"(?:^|[\s;&|(])({NAME})=|\b(?:for|read(?: +-\w+)*) +({NAME})")


def names_in(fix: str) -> tuple[str, ...]:
    """List the variables that a shell would put values in for, each once."""
    found: dict[str, None] = {}
    position, in_double = 0, False
    while position < len(fix):
        char = fix[position]
        if char == "\\":
            position += 2
        elif char == "'" and not in_double:
            position = fix.find("'", position + 1) + 1 or len(fix)
        elif char == "$" and (variable := VARIABLE.match(fix, position)):
            found[variable[1] or variable[2]] = None
            position = variable.end()
        else:
            in_double ^= char == '"'
            position += 1
    return tuple(found)


def assigned_in(fix: str) -> frozenset[str]:
    """List the variables that a fix sets itself."""
    return frozenset(name for found in ASSIGNED.findall(fix) for name in found if name)
