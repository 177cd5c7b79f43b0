"""Compiling what holds no further value: literals, comparisons, expressions, networks, whole rows as text."""

from __future__ import annotations

import glob
import math
import re
import warnings
from fnmatch import fnmatchcase
from typing import Any

from pytest_netconform.documents import described, shown
from pytest_netconform.documents.words import known_words
from pytest_netconform.matching.at import At, meant
from pytest_netconform.matching.base import Value
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.parsing import parse_text
from pytest_netconform.matching.references import Template
from pytest_netconform.matching.scalars import network, number
from pytest_netconform.matching.shapes import Shape
from pytest_netconform.matching.vacuity import every_text_matches
from pytest_netconform.matching.values import Cidr, Comparison, Literal, Presence, Regex
from pytest_netconform.matching.wholes import Whole, has_text_form, quoted

COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(.*)", re.DOTALL)
LONGEST_PATTERN = 1000
PLACEHOLDERS = ("10.0.0.1", "1")


def compile_text(text: str, at: At, context: Context) -> Value | None:
    """Compile a text: a word, a comparison, a row as a whole, or a literal."""
    if text in ("absent", "present"):
        return Presence(text == "present")
    if found := COMPARISON.fullmatch(text):
        return _compile_comparison(found[1], found[2], at, context)
    if context.shape.row is not None:
        return _compile_whole(parse_text(text, at, context.names, quoted), at, context)
    parsed = parse_text(text, at, context.names, context.spelling)
    if isinstance(parsed, str) and not fits_shape(parsed, at, context):
        return None
    if isinstance(parsed, str) and not among_words(parsed, at, context):
        return None
    if context.naming and not context.globs and glob.has_magic(str(parsed)):
        at.problem(f"{shown(text)} is a pattern only where rows are selected: put it under 'where'")
        return None
    return Literal(parsed, globs=context.globs)


def among_words(text: str, at: At, context: Context) -> bool:
    """Say whether a text, or a pattern, is among the words that can stand there; reports it if not."""
    among = context.shape.among
    if among is None or (among.numbers and number(text) is not None):
        return True
    pattern = context.globs and glob.has_magic(text)
    if any(fnmatchcase(word, text) if pattern else word == text for word in among.words):
        return True
    at.problem(f"{context.name} is never {shown(text)}{meant(text, among.words)}")
    return False


def compile_plain(value: bool | int | float, at: At, context: Context) -> Literal | None:
    """Compile true, false or a number."""
    if isinstance(value, float) and not math.isfinite(value):
        at.problem(f"{value} is no number to compare with")
        return None
    among = context.shape.among
    if among is not None and not among.numbers and not isinstance(value, bool):
        among_words(str(value), at, context)
        return None
    return Literal(value) if fits_shape(value, at, context) else None


def fits_shape(value: Any, at: At, context: Context) -> bool:
    """Say whether a literal can be equal to anything that stands there; reports it if not."""
    shape = context.shape
    if shape.kind is None or _fits(value, shape):
        return True
    hint = " (write it in quotes)" if shape.kind is str else ""
    at.problem(f"{context.name} is {shape.words}, so it is never {shown(value)}{hint}")
    return False


def _fits(value: Any, shape: Shape) -> bool:
    kind: Any = shape.kind
    if kind is bool:
        return isinstance(value, bool)
    if kind is int or kind is float:
        return number(value) is not None
    return kind is str and not isinstance(value, bool)


def _compile_comparison(sign: str, operand: str, at: At, context: Context) -> Value | None:
    if not takes(at, context, f"'{sign}' compares numbers", int, float, str):
        return None
    parsed = parse_text(operand, at, context.names)
    if isinstance(parsed, Template):
        return Comparison(sign, parsed)
    if (value := number(parsed.strip())) is None:
        at.problem(f"'{sign}' needs a number to compare with, got {shown(operand)}")
        return None
    return Comparison(sign, value)


def takes(at: At, context: Context, what: str, *kinds: type) -> bool:
    """Say whether an operator has any sense there; reports it if not."""
    if context.shape.kind is None or context.shape.kind in kinds:
        return True
    at.problem(f"{what}, and {context.name} is {context.shape.words}")
    return False


def _compile_whole(parsed: str | Template, at: At, context: Context) -> Value | None:
    row = context.shape.row
    assert row is not None, "only a row has a text form"
    if not has_text_form(row):
        at.problem(f"expected a mapping of {row.__name__} fields, got text")
        return None
    whole: Any = row
    complaints = [whole.misspelt(text) for text in _trials(parsed)]
    if all(complaints):
        at.problem(complaints[0])
        return None
    return Whole(parsed, whole)


def _trials(parsed: str | Template) -> list[str]:
    """Give a text as it may read once it is filled."""
    if isinstance(parsed, str):
        return [parsed]
    return [
        "".join(part if isinstance(part, str) else placeholder for part in parsed.parts)
        for placeholder in PLACEHOLDERS
    ]


def compile_regex(spec: Any, at: At, context: Context) -> Value | None:
    """Compile `{match: regex}`; refuses what finds something in every text."""
    if not takes(at.as_key(), context, "'match' is for text", str, int, float):
        return None
    if not isinstance(spec, str):
        at.problem(f"match needs a regular expression as text, got {described(spec)}")
        return None
    if len(spec) > LONGEST_PATTERN:
        at.problem(f"the expression has {len(spec)} characters; at most {LONGEST_PATTERN} are allowed")
        return None
    try:
        with warnings.catch_warnings(action="error"):
            pattern = re.compile(spec)
    except (re.error, Warning, RecursionError, ValueError, OverflowError) as error:
        at.problem(f"{shown(spec)} is no regular expression: {error}")
        return None
    if every_text_matches(pattern):
        at.problem(f"every text matches {shown(spec)}; write 'present', or say more")
        return None
    among = context.shape.among
    if among is not None and not among.numbers and not any(map(pattern.search, among.words)):
        at.problem(f"{context.name} never matches {shown(spec)}{known_words(among.words)}")
        return None
    return Regex(pattern)


def compile_cidr(word: str, spec: Any, at: At, context: Context) -> Value | None:
    """Compile `{within: cidr}` or `{contains: cidr}`."""
    if not takes(at.as_key(), context, f"'{word}' is for addresses and networks", str):
        return None
    if not isinstance(spec, str):
        at.problem(f"{word} needs a network such as 10.0.0.0/8, got {described(spec)}")
        return None
    parsed = parse_text(spec, at, context.names)
    if isinstance(parsed, Template):
        return Cidr(word, parsed)
    if (found := network(parsed)) is None:
        at.problem(f"{word} needs a network such as 10.0.0.0/8, got {shown(parsed)}")
        return None
    return Cidr(word, found)
