"""From pydantic's errors to problems of a document, in the words of YAML."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pytest_netconform.documents.document import Document, KeyPath
from pytest_netconform.documents.known import known_keys
from pytest_netconform.documents.words import LONGEST_SHOWN, closest, shown

Model = TypeVar("Model", bound=BaseModel)

MOST_REPORTED = 100
MOST_LISTED = 12
FORMS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping"),
    "none_required": "nothing",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}
CHOICES = ("literal_error", "enum", "union_tag_invalid")
LENGTHS = {
    "too_short": "{min_length} or more entries, got {actual_length}",
    "too_long": "{max_length} or fewer entries, got {actual_length}",
}


def validated(document: Document, path: KeyPath, model: type[Model]) -> Model | None:
    """Make a model of what stands at *path*, or report why that cannot be."""
    there = steps_of(document.data, path)
    if there != path:
        document.report(path, f"missing key {shown(path[len(there)])}", key=True)
        return None
    value = at(document.data, path)
    try:
        # As JSON, where strict still lets a list be a tuple and text an enum; a file knows an alias only.
        return model.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False)[:MOST_REPORTED]
    misfits = [misfit(steps_of(value, error["loc"]), error, model) for error in errors]
    for found in [found for found in misfits if not found.forms] + merged(misfits, value):
        document.report((*path, *found.path), found.message, found.key)
    return None


class Misfit(NamedTuple):
    """One thing that a model does not accept, at a path below the model's own.

    Shape: `forms` says what would be accepted, if that is all there is to say; `choices` are its words.
    """

    path: KeyPath
    message: str = ""
    key: bool = False
    forms: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def steps_of(value: Any, loc: tuple[str | int, ...]) -> KeyPath:
    """Find pydantic's location in the data: it also names members of unions, and keys that are missing."""
    steps: list[str | int] = []
    for step in loc:
        if (
            step in value
            if isinstance(value, dict)
            else isinstance(value, list) and step in range(len(value))
        ):
            steps.append(step)
            value = value[step]
    return tuple(steps)


def misfit(path: KeyPath, error: ErrorDetails, model: type[BaseModel]) -> Misfit:
    """Say in this project's words what one of pydantic's errors says."""
    kind, context, last = error["type"], error.get("ctx", {}), error["loc"][-1:]
    if kind == "missing":
        entry = last[0]
        what = f"entry {entry + 1} is missing" if isinstance(entry, int) else f"missing key {shown(entry)}"
        return Misfit(path, what, True)
    if kind == "union_tag_not_found":
        return Misfit(path, f"missing key {context['discriminator']}", True)
    if kind == "extra_forbidden":
        return Misfit(path, unknown_key(str(path[-1]), known_keys(model, path[:-1])), True)
    if kind in ("value_error", "assertion_error"):
        return Misfit(path, str(context["error"]))
    if kind in CHOICES:
        return chosen(path, context)
    if kind in LENGTHS:
        return Misfit(path, labelled(path, f"expected {LENGTHS[kind].format(**context)}"))
    if kind not in FORMS:
        return Misfit(path, labelled(path, error["msg"].replace("Input should be", "expected")))
    form = FORMS[kind].format(**context)
    if last == ("[key]",):
        return Misfit(path, f"key {shown(path[-1])}: expected {form}", True)
    return Misfit(path, forms=(form,))


def chosen(path: KeyPath, context: dict[str, Any]) -> Misfit:
    """Say which words may stand there: pydantic lists them as `'a', 'b' or 3`."""
    if "discriminator" in context:
        path = (*path, context["discriminator"].strip("'"))
    listed = re.split(", | or ", context["expected_tags" if "discriminator" in context else "expected"])
    choices = tuple(choice.strip("'") for choice in listed)
    form = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return Misfit(path, forms=(form,), choices=choices)


def merged(misfits: list[Misfit], value: Any) -> list[Misfit]:
    """Tell as one what the members of a union expect at one place, unless one of them came further."""
    beaten = {
        found.path[:length] for found in misfits for length in range(len(found.path) + (not found.forms))
    }
    together: dict[KeyPath, Misfit] = {}
    for found in misfits:
        if found.forms and found.path not in beaten:
            first = together.get(found.path, Misfit(found.path))
            together[found.path] = Misfit(
                found.path, forms=(*first.forms, *found.forms), choices=first.choices + found.choices
            )
    return [Misfit(found.path, expectation(found, at(value, found.path))) for found in together.values()]


def at(value: Any, path: KeyPath) -> Any:
    for step in path:
        value = value[step]
    return value


def expectation(found: Misfit, value: Any) -> str:
    """Say what was expected, what is there, and what may have been meant."""
    got, hint = shown(value), ""
    if isinstance(value, int | float):
        hint = "" if found.forms != ("text",) else " (write it in quotes)"
    elif isinstance(value, str):
        hint = closest(value, found.choices)
    return labelled(found.path, f"expected {' or '.join(dict.fromkeys(found.forms))}, got {got}{hint}")


def labelled(path: KeyPath, message: str) -> str:
    """Put the name of what it is about before a message: `refs[0]: ...`."""
    name = ""
    for step in path:
        name = f"{name}[{step}]" if isinstance(step, int) else step[:LONGEST_SHOWN]
    return f"{name}: {message}" if name else message


def unknown_key(key: str, known: list[str]) -> str:
    """Say that a key is unknown, and which are not."""
    hint = closest(key, known)
    if not hint and 0 < len(known) <= MOST_LISTED:
        hint = f" (known: {', '.join(known)})"
    return f"unknown key {shown(key)}{hint}"
