"""From what stands in a file to matchers, with every mistake reported at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from typing import Any

from pytest_netconform.facts.base import Fact, field_names
from pytest_netconform.matching.at import At, described
from pytest_netconform.matching.references import Names, Template, element, hints, parse_text
from pytest_netconform.matching.rows import Fields, Quantified, Whole
from pytest_netconform.matching.values import (
    COMPARISONS,
    AnyOf,
    Cidr,
    Comparison,
    Grew,
    Literal,
    Not,
    Presence,
    Regex,
    Value,
    network,
    number,
)

QUANTIFIERS = ("where", "some", "each", "none", "exactly", "in_order", "count", "or_none")
COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(.*)", re.DOTALL)
GLOB = re.compile(r"[*?\[]")
LONGEST_PATTERN = 1000
ODD_TEXT = "\x00\N{REPLACEMENT CHARACTER}\x00"


@dataclass(frozen=True)
class Context:
    """What a value is compiled for.

    Shape: *row* is the type of the fact it stands in (None where any field may stand), *names* what references may name,
    *globs* whether a name is being selected, so that `*` is a pattern.
    """

    names: Names
    row: type[Fact] | None = None
    noun: str = "entries"
    globs: bool = False
    listed: bool = False


def compile_value(spec: Any, at: At, context: Context) -> Value | None:
    """Compile what stands where a field's value is expected; None where it was wrong, and reported."""
    if isinstance(spec, dict):
        return _compile_mapping(spec, at, context)
    if isinstance(spec, list):
        at.problem("a list needs a word that says how it is meant: any_of, or for a list of rows some, each, none, "
                   "exactly or in_order")  # fmt: skip
        return None
    if spec is None:
        at.problem("nothing stands here; write a value, or 'absent'")
        return None
    return _compile_text(spec, at, context) if isinstance(spec, str) else Literal(spec)


def _compile_mapping(spec: dict[str, Any], at: At, context: Context) -> Value | None:
    if len(spec) == 1 and (word := next(iter(spec))) in OPERATORS:
        return OPERATORS[word](spec[word], at.child(word), context)
    if wrong := [word for word in spec if word in OPERATORS]:
        at.child(wrong[0]).problem(f"{wrong[0]!r} stands alone in its mapping", key=True)
        return None
    if context.listed:
        return compile_quantified(spec, at, replace(context, listed=False))
    return compile_fields(spec, at, context)


def _compile_text(text: str, at: At, context: Context) -> Value | None:
    if text in ("absent", "present"):
        return Presence(text == "present")
    if found := COMPARISON.fullmatch(text):
        return _compile_comparison(found[1], found[2], at, context)
    parsed = parse_text(text, at, context.names)
    if context.row is not None and not context.listed:
        return _compile_whole(parsed, at, context.row)
    if context.globs and isinstance(parsed, str) and GLOB.search(parsed):
        return Literal(parsed, re.compile(translate(parsed)))
    if context.row is not None:
        whole = _compile_whole(parsed, at, context.row)
        return whole and Quantified(some=whole, noun=context.noun)
    return Literal(parsed)


def _compile_whole(parsed: str | Template, at: At, row: type[Fact]) -> Value | None:
    complaint = getattr(row, "misspelt", None)
    if complaint is None:
        at.problem(f"expected a mapping of {row.__name__} fields, got text")
        return None
    if isinstance(parsed, str) and (wrong := complaint(parsed)):
        at.problem(wrong)
        return None
    return Whole(parsed, row)


def _compile_comparison(sign: str, operand: str, at: At, context: Context) -> Value | None:
    parsed = parse_text(operand, at, context.names)
    if isinstance(parsed, Template):
        return Comparison(sign, parsed)
    if (value := number(parsed.strip())) is None:
        at.problem(f"'{sign}' needs a number to compare with, got {operand!r}")
        return None
    return Comparison(sign, value)


def _any_of(spec: Any, at: At, context: Context) -> Value | None:
    if not isinstance(spec, list) or not spec:
        at.problem(f"any_of needs a list of values, got {'an empty list' if spec == [] else described(spec)}")
        return None
    options = [compile_value(option, at.child(i), context) for i, option in enumerate(spec)]
    return None if None in options else AnyOf(tuple(option for option in options if option is not None))


def _not(spec: Any, at: At, context: Context) -> Value | None:
    inner = compile_value(spec, at, context)
    return inner and Not(inner)


def _match(spec: Any, at: At, context: Context) -> Value | None:  # noqa: ARG001
    if not isinstance(spec, str):
        at.problem(f"match needs a regular expression as text, got {described(spec)}")
        return None
    if len(spec) > LONGEST_PATTERN:
        at.problem(f"the regular expression has {len(spec)} characters; at most {LONGEST_PATTERN} are allowed")
        return None
    try:
        pattern = re.compile(spec)
    except (re.error, RecursionError, OverflowError) as error:
        at.problem(f"{spec!r} is not a regular expression: {error}")
        return None
    if pattern.search("") and pattern.search(ODD_TEXT):
        at.problem(f"every text matches {spec!r}; write 'present', or say more")
        return None
    return Regex(pattern)


def _cidr(word: str) -> Callable[[Any, At, Context], Value | None]:
    def compile_cidr(spec: Any, at: At, context: Context) -> Value | None:
        if not isinstance(spec, str):
            at.problem(f"{word} needs a network such as 10.0.0.0/8, got {described(spec)}")
            return None
        parsed = parse_text(spec, at, context.names)
        if isinstance(parsed, Template):
            return Cidr(word, parsed)
        if (found := network(parsed)) is None:
            at.problem(f"{parsed!r} is not a network such as 10.0.0.0/8")
            return None
        return Cidr(word, found)

    return compile_cidr


def _grew(spec: Any, at: At, context: Context) -> Value | None:
    inner = compile_value(spec, at, context)
    return inner and Grew(inner)


OPERATORS: Mapping[str, Callable[[Any, At, Context], Value | None]] = {
    "any_of": _any_of, "not": _not, "match": _match, "within": _cidr("within"), "contains": _cidr("contains"), "grew": _grew,
}  # fmt: skip


def compile_fields(spec: Any, at: At, context: Context) -> Fields | None:
    """Compile a mapping of fields; reports unknown fields, and a mapping that every row would match."""
    if not isinstance(spec, dict):
        at.problem(f"expected a mapping of fields, got {described(spec)}")
        return None
    if not spec:
        at.problem("an empty mapping matches everything; say what is expected")
        return None
    known = field_names(context.row) if context.row is not None else None
    wanted = []
    for name, inner in spec.items():
        place = at.child(name)
        if known is not None and name not in known:
            place.unknown("field", name, known)
            continue
        if (value := compile_value(inner, place, _inner(context, name))) is not None:
            wanted.append(((name,), value))
    if len(wanted) < len(spec):
        return None
    if context.row is not None and all(_vacuous(context.row, path[0], value) for path, value in wanted):
        at.problem("every row would match this; say more")
        return None
    return Fields(tuple(wanted))


def _inner(context: Context, name: str) -> Context:
    """Give the context of a field's value."""
    if context.row is None:
        return context
    inner, listed = element(hints(context.row)[name])
    row = inner if isinstance(inner, type) and issubclass(inner, Fact) else None
    return replace(context, row=row, listed=listed, noun=name)


def _vacuous(row: type[Fact], name: str, value: Value) -> bool:
    """Say whether every row has a match in this field: it must be present, and always is."""
    always = type(None) not in getattr(hints(row)[name], "__args__", ())
    return always and value == Presence(True)


def compile_quantified(spec: Any, at: At, context: Context, *, selecting: bool = False) -> Quantified | None:
    """Compile what is expected of a table's rows, or of a list inside one: quantifiers, or the short form for `some`."""
    if isinstance(spec, dict) and any(word in QUANTIFIERS for word in spec):
        return _compile_quantifiers(spec, at, context, selecting)
    if isinstance(spec, dict) or context.row is not None:
        inner = replace(context, globs=selecting or context.globs)
        entry = compile_fields(spec, at, inner)
    else:
        entry = compile_value(spec, at, context)  # type: ignore[assignment]
    if entry is None:
        return None
    return Quantified(where=entry, noun=context.noun) if selecting else Quantified(some=entry, noun=context.noun)


def _compile_quantifiers(spec: dict[str, Any], at: At, context: Context, selecting: bool) -> Quantified | None:
    allowed = ("where",) if selecting else QUANTIFIERS
    at.unknown_keys(spec, allowed)
    found: dict[str, Any] = {}
    for word, inner in spec.items():
        if word in allowed and (value := _compile_quantifier(word, inner, at.child(word), context)) is not None:
            found[word] = value
    if len(found) < len(spec):
        return None
    if not selecting and not set(found) - {"where", "or_none"}:
        at.problem("nothing is asked of the rows; add some, each, none, exactly, in_order or count")
        return None
    return Quantified(**found, noun=context.noun)


def _compile_quantifier(word: str, spec: Any, at: At, context: Context) -> Any:
    if word == "or_none":
        if isinstance(spec, bool):
            return spec
        at.problem(f"or_none is true or false, got {described(spec)}")
        return None
    if word == "count":
        return _compile_count(spec, at, context)
    if word in ("exactly", "in_order"):
        return _compile_entries(word, spec, at, context)
    return _compile_entry(spec, at, replace(context, globs=word == "where"))


def _compile_entry(spec: Any, at: At, context: Context) -> Value | None:
    if isinstance(spec, dict) and not any(word in OPERATORS for word in spec):
        return compile_fields(spec, at, context)
    return compile_value(spec, at, context)


def _compile_entries(word: str, spec: Any, at: At, context: Context) -> tuple[Value, ...] | None:
    if not isinstance(spec, list) or (not spec and word == "in_order"):
        at.problem(f"{word} needs a list of what is expected, got {'an empty list' if spec == [] else described(spec)}")
        return None
    entries = [_compile_entry(entry, at.child(i), context) for i, entry in enumerate(spec)]
    return None if None in entries else tuple(entry for entry in entries if entry is not None)


def _compile_count(spec: Any, at: At, context: Context) -> Value | None:
    value = compile_value(spec, at, replace(context, row=None, globs=False))
    if value is None:
        return None
    if isinstance(spec, bool) or not isinstance(value, (Literal, Comparison, AnyOf, Not)):
        at.problem(f"count needs a number or a comparison such as '>= 1', got {described(spec)}")
        return None
    if not value.references and all(value.matches(n) for n in (0, 1, 2, 10**9)):
        at.problem(f"every count matches {value}; say more")
        return None
    return value
