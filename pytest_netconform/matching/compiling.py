"""From what stands in a file to matchers, with every mistake reported at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_netconform.documents import described, shown
from pytest_netconform.matching.at import At, meant
from pytest_netconform.matching.base import Value
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.operands import (
    compile_cidr,
    compile_plain,
    compile_regex,
    compile_text,
    takes,
)
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.quantifiers import QUANTIFIERS, Quantifier
from pytest_netconform.matching.rows import Fields
from pytest_netconform.matching.shapes import ANYTHING, Shape, fields_of
from pytest_netconform.matching.vacuity import always_holds, never_holds
from pytest_netconform.matching.values import AnyOf, Grew, Not
from pytest_netconform.matching.wholes import Whole

WORDS = ("where", *QUANTIFIERS, "or_none")
"""What may stand in a mapping that says how many rows must be as expected."""


def compile_value(spec: Any, at: At, context: Context) -> Value | None:
    """Compile what stands where a field's value is expected; None where it was wrong, and reported."""
    if isinstance(spec, dict):
        return _compile_mapping(spec, at, context)
    if isinstance(spec, str):
        value = compile_text(spec, at, context.element() if context.shape.listed else context)
        return some(value, context) if context.shape.listed and isinstance(value, Whole) else value
    if isinstance(spec, (bool, int, float)):
        return compile_plain(spec, at, context)
    if spec is None:
        at.problem("nothing stands here; write a value, or 'absent'")
    elif context.shape.listed or context.shape.kind is None:
        at.problem(f"a list needs a word that says how it is meant: {', '.join(QUANTIFIERS)} or any_of")
    else:
        at.problem("a list needs a word that says how it is meant, such as any_of")
    return None


def some(entry: Value, context: Context) -> Quantified:
    return Quantified(quantifiers=(QUANTIFIERS["some"]((entry,)),), noun=context.noun)


def compile_expected(spec: Any, at: At, context: Context) -> Value | None:
    """Compile a field's value, and refuse one that all that can stand there matches."""
    value = compile_value(spec, at, context)
    if value is not None and always_holds(value, context.shape):
        at.problem("this matches whatever stands there; say more")
        return None
    return value if value is not None and can_hold(value, at, context) else None


def can_hold(value: Value, at: At, context: Context) -> bool:
    """Say whether anything that can stand there matches; reports it if not."""
    if not never_holds(value, context.shape):
        return True
    at.problem(f"nothing can match this: {context.name} is never {value}")
    return False


def _compile_mapping(spec: dict[str, Any], at: At, context: Context) -> Value | None:
    operators = [word for word in spec if word in OPERATORS]
    if len(spec) == 1 and operators:
        word = operators[0]
        return OPERATORS[word](spec[word], at.child(word), context)
    if operators:
        at.child(operators[0]).problem(f"{operators[0]!r} stands alone in its mapping", key=True)
        return None
    shape = context.shape
    if shape.listed or (shape.kind is None and spec and all(word in WORDS for word in spec)):
        return compile_quantified(spec, at, context)
    if shape.is_scalar:
        at.unknown_keys(spec, OPERATORS)
        if not spec:
            at.problem("an empty mapping matches everything; say what is expected")
        return None
    return compile_fields(spec, at, context)


def _any_of(spec: Any, at: At, context: Context) -> Value | None:
    if not isinstance(spec, list) or not spec:
        got = "an empty list" if spec == [] else described(spec)
        at.problem(f"any_of needs a list of values, got {got}")
        return None
    options = [compile_value(option, at.child(number), context) for number, option in enumerate(spec)]
    found = tuple(option for option in options if option is not None)
    return AnyOf(found) if len(found) == len(spec) else None


def _not(spec: Any, at: At, context: Context) -> Value | None:
    wrong = compile_value(spec, at, context)
    return None if wrong is None else Not(wrong)


def _grew(spec: Any, at: At, context: Context) -> Value | None:
    if not context.watched:
        at.problem("'grew' is for what a check itself asks, and not for what selects", key=True)
        return None
    if not takes(at.as_key(), context, "'grew' is for counters", int, float, str):
        return None
    growth = replace(context, shape=Shape(int), name="growth", watched=False)
    by = compile_expected(spec, at, growth)
    return None if by is None else Grew(by)


OPERATORS: Mapping[str, Callable[[Any, At, Context], Value | None]] = {
    "any_of": _any_of,
    "not": _not,
    "match": compile_regex,
    "within": lambda spec, at, context: compile_cidr("within", spec, at, context),
    "contains": lambda spec, at, context: compile_cidr("contains", spec, at, context),
    "grew": _grew,
}


def compile_fields(spec: Any, at: At, context: Context) -> Fields | None:
    """Compile a mapping of fields; reports unknown fields, and a mapping that every row would match."""
    if not isinstance(spec, dict):
        at.problem(f"expected {context.shape.words}, got {described(spec)}")
        return None
    if not spec:
        at.problem("an empty mapping matches everything; say what is expected")
        return None
    wanted = [
        (name, value)
        for name, part in spec.items()
        if (value := _compile_field(name, part, at.child(name), context)) is not None
    ]
    if len(wanted) < len(spec):
        return None
    if all(always_holds(value, _shape_of_field(name, context)) for name, value in wanted):
        at.problem("this matches whatever stands there; say more")
        return None
    return Fields(tuple(wanted))


def _compile_field(name: str, spec: Any, at: At, context: Context) -> Value | None:
    row = context.shape.row
    if row is not None and name not in fields_of(row):
        at.unknown("field", name, fields_of(row))
        return None
    field = context.field(name, _shape_of_field(name, context), of_row=row is not None)
    value = compile_value(spec, at, field)
    return value if value is not None and can_hold(value, at, field) else None


def _shape_of_field(name: str, context: Context) -> Shape:
    row = context.shape.row
    return fields_of(row)[name] if row is not None else context.shape.inner or ANYTHING


def compile_quantified(spec: Any, at: At, context: Context) -> Quantified | None:
    """Compile what is expected of rows: quantifiers, or the short form for `some`."""
    if isinstance(spec, dict) and any(word in WORDS for word in spec):
        return _compile_quantifiers(spec, at, context)
    entry = _compile_entry(spec, at, context.where() if context.selecting else context)
    if entry is None:
        return None
    return Quantified(where=entry, noun=context.noun) if context.selecting else some(entry, context)


def _compile_entry(spec: Any, at: At, context: Context) -> Value | None:
    """Compile what one row, or one element of a list, must be like."""
    if context.shape.row is not None and not isinstance(spec, (dict, str)):
        at.problem(f"expected {context.shape.words}, got {described(spec)}")
        return None
    return compile_expected(spec, at, context.element())


def _compile_quantifiers(spec: dict[str, Any], at: At, context: Context) -> Quantified | None:
    found: dict[str, Any] = {}
    for word, part in spec.items():
        place = at.child(word)
        if word not in WORDS:
            _misplaced(word, place, context)
        elif context.selecting and word != "where":
            place.problem(f"{word!r} judges rows, but here they are only selected", key=True)
        elif (value := _compile_word(word, part, place, context)) is not None:
            found[word] = value
    if len(found) < len(spec):
        return None
    quantifiers = tuple(found[word] for word in QUANTIFIERS if word in found)
    if not quantifiers and not context.selecting:
        at.problem(f"nothing is asked of the {context.noun}; add one of {', '.join(QUANTIFIERS)}")
        return None
    return Quantified(found.get("where"), quantifiers, found.get("or_none", False), context.noun)


def _misplaced(word: str, at: At, context: Context) -> None:
    row = context.shape.row
    if row is not None and word in fields_of(row):
        at.problem(f"field {word!r} cannot stand here; put it under where, some or each", key=True)
    else:
        at.problem(f"unknown key {shown(word)}{meant(word, WORDS)}", key=True)


def _compile_word(word: str, spec: Any, at: At, context: Context) -> Any:
    """Compile what stands under one of WORDS."""
    if word == "where":
        return _compile_entry(spec, at, context.where())
    if word == "or_none":
        if spec is True:
            return True
        at.problem(f"or_none is true, or not there; got {shown(spec)}")
        return None
    kind = QUANTIFIERS[word]
    if kind.takes_list:
        return _compile_entries(kind, spec, at, context)
    entry = _compile_count(spec, at, context) if word == "count" else _compile_entry(spec, at, context)
    return None if entry is None else kind((entry,))


def _compile_entries(kind: type[Quantifier], spec: Any, at: At, context: Context) -> Quantifier | None:
    if not isinstance(spec, list) or (not spec and kind.word == "in_order"):
        got = "an empty list" if spec == [] else described(spec)
        at.problem(f"{kind.word} needs a list of what is expected, got {got}")
        return None
    entries = [_compile_entry(entry, at.child(number), context) for number, entry in enumerate(spec)]
    found = tuple(entry for entry in entries if entry is not None)
    return kind(found) if len(found) == len(spec) else None


def _compile_count(spec: Any, at: At, context: Context) -> Value | None:
    return compile_expected(
        spec, at, replace(context, shape=Shape(int), name="count", globs=False, watched=False)
    )
