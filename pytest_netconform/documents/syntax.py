"""PyYAML's syntax errors, of its C and its Python parser, in words that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from yaml import MarkedYAMLError

from pytest_netconform.documents.files import LINE_END, START, Spot, spot_of

NO_DIRECTIVE = "'%' begins a directive, and only '%YAML 1.2' is known"
NO_CHARACTER = r"not the code of a character: \x, \u and \U take 2, 4 and 8 hexadecimal digits"
ENDED_KEY = re.compile(r"[^\s:]\s*:\s")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A syntax error.

    Shape: indexes into the text of where it shows, and of where the thing that it is about begins.
    """

    text: str
    index: int
    began: int

    @property
    def char(self) -> str:
        return self.text[self.index : self.index + 1]

    @property
    def opener(self) -> str:
        return self.text[self.began : self.began + 1]

    @property
    def before(self) -> str:
        """What stands before it in its line."""
        return LINE_END.split(self.text[: self.index])[-1]

    def place(self, index: int) -> tuple[int, int]:
        """Give line and column, from 1, as messages say them."""
        spot = spot_of(self.text, index)
        return spot.line + 1, spot.column + 1


Said = tuple[int, str]


def beginning(wrong: Wrong) -> Said:
    if wrong.char == "\t":
        return wrong.index, "a tab cannot indent: use spaces"
    if not wrong.char:
        return wrong.index, "the file ends inside a bracket"
    return wrong.index, f"text cannot begin with {wrong.char!r}: put it in quotes"


def opened(wrong: Wrong) -> Said:
    return wrong.began, f"text cannot begin with {wrong.opener!r}: put it in quotes"


def second_colon(wrong: Wrong) -> Said:
    if ENDED_KEY.search(wrong.before):
        return wrong.index, "': ' cannot stand inside text: put the whole value in quotes"
    return wrong.index - len(wrong.before.lstrip()), (
        "a key cannot stand here, inside the value that the line above begins:"
        " this line is indented too far, or ': ' is missing above"
    )


def in_mapping(wrong: Wrong) -> Said:
    return in_block(wrong, "keys", "mapping", "'key: value'")


def in_list(wrong: Wrong) -> Said:
    return in_block(wrong, "entries", "list", "'- entry'")


def in_block(wrong: Wrong, parts: str, whole: str, form: str) -> Said:
    if wrong.before.strip(" -"):
        return wrong.index, "the value has ended before this: put the whole value in quotes"
    here, (line, column) = wrong.place(wrong.index)[1], wrong.place(wrong.began)
    if here == column:
        return wrong.index, f"this line is no {form} of the {whole} that begins in line {line}"
    where = f"the {parts} of the {whole} that begins in line {line} stand in column {column}"
    return wrong.index, f"wrong indentation: this line begins in column {here}, but {where}"


def in_brackets(wrong: Wrong) -> Said:
    if wrong.char == "{" and wrong.before.endswith("$"):
        return wrong.index - 1, "inside {...} and [...], text with ${...} must stand in quotes"
    if not wrong.text[wrong.index :].strip():
        return wrong.began, f"{wrong.opener!r} is never closed"
    line, column = wrong.place(wrong.began)
    close = "}" if wrong.opener == "{" else "]"
    return (
        wrong.index,
        f"expected ',' or {close!r} here, since {wrong.opener!r} in line {line}, column {column}",
    )


def escape(wrong: Wrong) -> Said:
    index = wrong.text.rfind("\\", 0, wrong.index + 1)
    written = wrong.text[index : index + 2]
    return index, f"{written} means nothing in double quotes: write \\{written}, or use single quotes"


def code(wrong: Wrong) -> Said:
    index = wrong.text.rfind("\\", 0, wrong.index + 1)
    return index, NO_CHARACTER


def always(message: str, at_began: bool = False) -> Callable[[Wrong], Said]:
    """Say the same whatever stands there."""
    return lambda wrong: (wrong.began if at_began else wrong.index, message)


RULES: tuple[tuple[str, Callable[[Wrong], Said]], ...] = (
    ("document start", always("the document has ended above: is this line indented less than the first?")),
    ("cannot start any token|tab character", beginning),
    ("mapping values are not allowed", second_colon),
    (
        "entries are not allowed",
        always("a list cannot begin behind its key: put each '- ' on a line of its own"),
    ),
    ("mapping keys are not allowed|node content", beginning),
    ("an (alias|anchor)|(scanning|parsing) a tag|undefined tag handle|block scalar", opened),
    ("simple key", always("': ' is missing: this line is no 'key: value'", at_began=True)),
    ("unknown escape", escape),
    ("Unicode character escape|hexadecimal|hexdecimal", code),
    ("quoted scalar", always("this quote is never closed", at_began=True)),
    ("block mapping", in_mapping),
    ("block (collection|sequence)", in_list),
    ("flow (mapping|sequence)", in_brackets),
    ("directive|incompatible", always(NO_DIRECTIVE)),
)


def explained(error: Exception, text: str) -> tuple[Spot, str]:
    """Say where a text is no YAML, and what to write instead."""
    if not isinstance(error, MarkedYAMLError):
        return START, f"not valid YAML: {getattr(error, 'reason', error)}"
    said = f"{error.context or ''}: {error.problem}"
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark else 0
    began = error.context_mark.index if error.context_mark else index
    for pattern, explain in RULES:
        if re.search(pattern, said):
            index, message = explain(Wrong(text, index, began))
            break
    else:
        message = f"not valid YAML: {said.lstrip(': ')}"
    return spot_of(text, index), message
