"""Kinds of named values, which have a short form: `sysctl: {net.ipv4.ip_forward: 1}`."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_netconform.checks.base import NO_DEPTH, Body, KeyedKind
from pytest_netconform.checks.parts import ValuePart, of_nothing
from pytest_netconform.facts.sysctls import path_of, to_name
from pytest_netconform.matching.at import At
from pytest_netconform.matching.compiling import WORDS, compile_expected
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.parsing import parse_text
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.questions import Question

REFERENCE = re.compile(r"(\$\{[^}]*\})")


def with_slashes(value: Any) -> str:
    """Write an interface's name as it stands in the name of a sysctl: eth0.5 as eth0/5."""
    return str(value).replace(".", "/")


def as_printed(name: str) -> str:
    """Give a name the form that sysctl(8) prints; one that is none, or begins with a slash, keeps its own.

    net/ipv4/conf/eth0.5/x and net.ipv4.conf.eth0.5.x are net.ipv4.conf.eth0/5.x. References stay as they are.
    """
    plain, *others = REFERENCE.split(name)
    if "/" in plain.partition(".")[0].lstrip("/") and not name.startswith("/"):
        swapped = [part if REFERENCE.match(part) else to_name(part) for part in (plain, *others)]
        return "".join(swapped)
    try:
        return name if others else to_name(path_of(name))
    except ValueError:
        return name


def names_as_printed(spec: Any) -> Any:
    """Give all names in what is expected of rows the form that their facts have."""
    if isinstance(spec, list):
        return [names_as_printed(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        key: as_printed(inner) if key == "name" and isinstance(inner, str) else names_as_printed(inner)
        for key, inner in spec.items()
    }


@dataclass(frozen=True)
class NamedValueKind(KeyedKind):
    """A kind whose rows have a name and a value.

    Shape: *because* says where a value comes from, as the end of a line; *patterns* that a name may be one.
    """

    because: Callable[[Any], str] = field(default=of_nothing)
    patterns: bool = True

    def compile(self, spec: Any, at: At, context: Context) -> Body | None:
        if isinstance(spec, dict) and not context.selecting and not any(word in WORDS for word in spec):
            return self._compile_values(spec, at, context)
        return super().compile(names_as_printed(spec), at, replace(context, spelling=with_slashes))

    def _compile_values(self, spec: dict[str, Any], at: At, context: Context) -> Body | None:
        if not spec:
            at.problem(f"nothing is asked of {self.name}; write name: value")
        parts = [
            self._compile_value(as_printed(name), part, at.child(name), context)
            for name, part in spec.items()
        ]
        found = tuple(part for part in parts if part is not None)
        return Body(self, found) if found and len(found) == len(parts) else None

    def _compile_value(self, name: str, spec: Any, at: At, context: Context) -> ValuePart | None:
        shape = replace(fields_of(self.row)["value"], optional=True)
        value = compile_expected(spec, at, replace(context, shape=shape, name=name))
        parsed = parse_text(name, at.as_key(), context.names, with_slashes)
        wrong = self.misnamed(name)
        if not wrong and glob.has_magic(name):
            wrong = f"{name!r} is a pattern: write where: {{name: ...}}, each: {{value: ...}}"
        if wrong:
            at.as_key().problem(wrong)
        if wrong or value is None:
            return None
        return ValuePart(self.name, parsed, Question(self.name, parsed), value, self.because)

    def misnamed(self, name: Any) -> str:
        if not self.patterns and glob.has_magic(name):
            return f"{self.name} needs a name, not a pattern of names such as {name!r}"
        if "**" in name:
            return NO_DEPTH
        separator = next((character for character in name if character in "./"), "")
        if separator != "." or any(character.isspace() for character in name.partition("${")[0]):
            return f"a name is such as net.ipv4.ip_forward, not {name!r}"
        return ""
