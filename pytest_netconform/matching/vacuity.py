"""Expectations that say nothing: those that every value meets, and those that none can.

Both would let a check pass, or its negation, whatever the node is like, so they are refused when the file is
read.
"""

from __future__ import annotations

import re
from itertools import pairwise
from math import floor

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
            covered = _complementary(value, shape) or _takes_all_numbers(value, shape)
            return covered or any(takes_all(option, shape) for option in value.options)
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


def _takes_all_numbers(options: AnyOf, shape: Shape) -> bool:
    """Say whether some of the options match every number: `>= 5` and `< 5`.

    What they compare with cuts the numbers into pieces; one of each piece is tried. Numbers that are counted
    are whole, and not below 0.
    """
    if shape.listed or shape.kind not in (int, float, str, None):
        return False
    plain = [option for option in options.options if _operands(option)]
    ends = sorted({operand for option in plain for operand in _operands(option)})
    if not ends:
        return False
    between = [(low + high) / 2 for low, high in pairwise(ends)]
    tried = [ends[0] - 1, *ends, *between, ends[-1] + 1]
    if shape.kind is int:
        whole = (floor(end) + step for end in ends for step in (-1, 0, 1))
        tried = [each for each in whole if each >= 0]
    return all(any(option.matches(number) for option in plain) for number in tried)


def _operands(option: Value) -> list[float]:
    """Give the numbers that a value compares with, if it does nothing but compare with numbers."""
    match option:
        case Comparison() if isinstance(option.operand, (int, float)):
            return [option.operand]
        case Literal() if not isinstance(option.value, bool) and (found := number(option.value)) is not None:
            return [found]
        case Not():
            return _operands(option.wrong)
        case AnyOf():
            inner = [_operands(each) for each in option.options]
            return [operand for each in inner for operand in each] if all(inner) else []
    return []


def every_text_matches(pattern: re.Pattern[str]) -> bool:
    """Say whether an expression finds something in all texts, as far as trying odd ones tells."""
    excludes = "(?!" in pattern.pattern or "(?<!" in pattern.pattern
    return not excludes and all(pattern.search(text) for text in ODD_TEXTS)
