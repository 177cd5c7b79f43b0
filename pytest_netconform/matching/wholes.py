"""Texts that stand for a whole row, such as a rule as iptables-save prints it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.rulespecs import DEFAULTS, Meaning, meaning
from pytest_netconform.facts.ruletexts import Option, options_of
from pytest_netconform.matching.base import Difference, Value
from pytest_netconform.matching.references import NotResolved, Scope, Template
from pytest_netconform.matching.scalars import plainly, show, spell

WORD = re.compile(r"[\w./:,+@][\w./:,+@-]*")
UNSHOWN = frozenset({"append", "set-counters", "comment"})
COMMENT = (Option("m", ("comment",)),)
UNSAID = UNSHOWN | {"m"}
"""Options that say nothing of what a rule does by themselves."""
IDLE = frozenset((name, value) for _, name, value in DEFAULTS)
"""Options with values that are the default, and so say nothing either."""


class Spelt(Protocol):
    """A fact that has a text form of its own."""

    text: str

    @staticmethod
    def misspelt(text: str) -> str | None: ...
    def spells(self, text: str) -> bool: ...
    def likeness(self, text: str) -> float: ...


def quoted(value: Any) -> str:
    """Write a value so that it stays one word of a rule, whatever it contains."""
    text = spell(value)
    if WORD.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def has_text_form(row: type[Fact] | None) -> bool:
    return hasattr(row, "misspelt")


@dataclass(frozen=True)
class Whole(Value):
    """A text that stands for a whole row, less comments and counters."""

    text: Any
    row: type[Spelt]

    def inner(self) -> Iterable[Template]:
        return (self.text,) if isinstance(self.text, Template) else ()

    def bound(self, scope: Scope) -> Whole:
        text = str(self.text.fill(scope))
        if wrong := self.row.misspelt(text):
            raise NotResolved(f"{text}: {wrong}")
        return Whole(text, self.row)

    def one(self, value: Any, before: Any) -> bool:  # noqa: ARG002
        return isinstance(value, self.row) and value.spells(self.text)

    def differences(self, value: Any, before: Any = None) -> tuple[Difference, ...]:
        if self.matches(value, before):
            return ()
        if not isinstance(value, self.row):
            return super().differences(value, before)
        return tuple(Difference("", text) for text in unlike(self.text, value.text))

    def nearness(self, value: Any, before: Any = None) -> float:  # noqa: ARG002
        return value.likeness(self.text) if isinstance(value, self.row) else 0.0

    def __str__(self) -> str:
        return plainly(str(self.text))


def brief(row: Any) -> str:
    """Show a row; one that has a text form by what of it an expectation would say."""
    if not has_text_form(type(row)):
        return show(row)
    options = (
        option for option in options_of(row.text) if option not in COMMENT and option.name not in UNSHOWN
    )
    return plainly(" ".join(map(_written, options)))


def unlike(wanted: str, found: str) -> Iterator[str]:
    """Say in which options two rules differ."""
    mine, theirs = _said(wanted), _said(found)
    lacking = [(said[0], text) for said, text in mine.items() if said not in theirs]
    beside = [(said[0], text) for said, text in theirs.items() if said not in mine]
    for name, text in lacking:
        other = next((each for each in beside if each[0] == name), None)
        if other is None:
            yield f"lacks {text}"
        else:
            beside.remove(other)
            yield f"expected {text}, got {other[1]}"
    for _, text in beside:
        yield f"has {text} too"
    if not lacking and not beside:
        yield f"its options are the same, but not those of each -m: {plainly(found)}"


def _said(text: str) -> dict[Meaning, str]:
    """Give what a rule says, each option by its meaning as it is written."""
    options = (option for option in options_of(text) if option.name not in UNSAID)
    return {said: _written(option) for option in options if (said := meaning(option))[2] or not _idle(said)}


def _idle(said: Meaning) -> bool:
    return (said[0], str(said[1])) in IDLE


def _written(option: Option) -> str:
    dashes = "-" if len(option.name) == 1 else "--"
    values = [plainly(value) if " " not in value else f'"{value}"' for value in option.values]
    return " ".join([*(["!"] if option.negated else []), f"{dashes}{option.name}", *values])
