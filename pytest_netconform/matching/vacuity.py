"""Expectations that say nothing: those that every value meets, and those that none can.

Both would let a check pass, or its negation, whatever the node is like, so they are refused when the file is
read.
"""

from __future__ import annotations

import re

from pytest_netconform.matching.base import Value
from pytest_netconform.matching.scalars import number
from pytest_netconform.matching.shapes import Shape
from pytest_netconform.matching.values import AnyOf, Comparison, Literal, Not, Presence

ODD_TEXTS = ("", " ", "\x00\N{REPLACEMENT CHARACTER}\x00")


def always_holds(value: Value, shape: Shape) -> bool:
    """Say whether all that can stand there matches."""
    return takes_all(value, shape) and (not may_lack(shape) or value.matches(None))


def never_holds(value: Value, shape: Shape) -> bool:
    """Say whether nothing that can stand there matches."""
    return takes_none(value, shape) and not (may_lack(shape) and value.matches(None))


def may_lack(shape: Shape) -> bool:
    """Say whether there may be nothing; an empty list is nothing."""
    return shape.optional or shape.listed


def takes_all(value: Value, shape: Shape) -> bool:
    """Say whether all that is present matches; False where that cannot be told."""
    match value:
        case Presence():
            return value.present
        case Not():
            return takes_none(value.wrong, shape)
        case Comparison() if shape.kind is int:
            return _below(value, zero_too=value.sign == ">=") and value.sign in (">=", ">", "!=")
        case AnyOf():
            return any(takes_all(option, shape) for option in value.options) or _complementary(value, shape)
    return False


def takes_none(value: Value, shape: Shape) -> bool:
    """Say whether nothing that is present matches; False where that cannot be told."""
    match value:
        case Presence():
            return not value.present
        case Not():
            return takes_all(value.wrong, shape)
        case Literal() if shape.kind is int:
            return (number(value.value) or 0) < 0
        case Comparison() if shape.kind is int:
            return _below(value, zero_too=value.sign == "<") and value.sign in ("<", "<=", "==")
        case AnyOf():
            return all(takes_none(option, shape) for option in value.options)
    return False


def _below(comparison: Comparison, zero_too: bool) -> bool:
    """Say whether something is compared with less than any number that is counted or measured here."""
    operand = comparison.operand
    return isinstance(operand, (int, float)) and (operand < 0 or (zero_too and operand == 0))


def _complementary(options: AnyOf, shape: Shape) -> bool:
    """Say whether of any two options one always matches: `x` and `{not: x}`, true and false."""
    if shape.listed:
        return False
    plain = [option for option in options.options if not isinstance(option, Not)]
    if any(option.wrong in plain for option in options.options if isinstance(option, Not)):
        return True
    literals = [option.value for option in plain if isinstance(option, Literal)]
    return shape.kind is bool and any(x is True for x in literals) and any(x is False for x in literals)


def every_text_matches(pattern: re.Pattern[str]) -> bool:
    """Say whether an expression finds something in all texts, as far as trying odd ones tells."""
    excludes = "(?!" in pattern.pattern or "(?<!" in pattern.pattern
    return not excludes and all(pattern.search(text) for text in ODD_TEXTS)
