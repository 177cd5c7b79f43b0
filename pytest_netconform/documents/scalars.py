"""Plain scalars of the YAML 1.2 core schema: `on`, `22:22` and a MAC are text, and 010 is ten."""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

LONGEST_NUMBER = 64
WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: float("-inf") for word in (".inf", ".Inf", ".INF")},
}
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
BASES = {"0o": 8, "0x": 16}
FITS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}
SCALAR_TAGS = {"str", *FITS}


def resolve(text: str) -> Scalar:
    """Turn a plain scalar into its value.

    Raises: ValueError for a number that nothing could work with, with the text of the message.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    whole = INT.fullmatch(text)
    if not whole and not FLOAT.fullmatch(text):
        return text
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is too long (at most {LONGEST_NUMBER})")
    if whole:
        base = BASES.get(text[:2])
        return int(text[2:], base) if base else int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text} is too large")
    return value


def resolve_tagged(text: str, tag: str) -> Scalar:
    """Turn a scalar with one of the core schema's tags (`int` for `!!int`) into its value.

    Raises: ValueError if the text is none of that type, with the text of the message.
    """
    if tag == "str":
        return text
    value = resolve(text)
    if type(value) not in FITS[tag]:
        raise ValueError(f"tag '!!{tag}' does not fit this value")
    return float(value) if tag == "float" and isinstance(value, int) else value
