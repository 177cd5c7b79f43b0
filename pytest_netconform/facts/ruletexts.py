"""The text of one iptables rule, as iptables-save prints it or a person writes it, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\S)|\'([^\']*)\'(?!\S)|(\S+)', re.DOTALL)
OPTION = re.compile(r"--?[A-Za-z]")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
LONG = {
    "A": "append", "append": "append", "c": "set-counters", "s": "s", "source": "s", "src": "s",
    "d": "d", "destination": "d", "dst": "d", "p": "p", "protocol": "p", "proto": "p", "i": "i",
    "in-interface": "i", "o": "o", "out-interface": "o", "f": "f", "fragment": "f", "fragments": "f",
    "m": "m", "match": "m", "j": "j", "jump": "j", "g": "g", "goto": "g", "source-port": "sport",
    "destination-port": "dport", "source-ports": "sports", "destination-ports": "dports", "4": "ipv4",
    "6": "ipv6",
}  # fmt: skip
"""Other ways to write an option, and the one that is used here."""
ONE_VALUE = frozenset(
    (
        "append",
        "s",
        "d",
        "p",
        "i",
        "o",
        "m",
        "j",
        "g",
        "comment",
        "log-prefix",
        "nflog-prefix",
        "string",
        "name",
    )
)
"""Options whose one value may look like an option."""


class Option(NamedTuple):
    """One option with its values; without a name, a word that belongs to no option."""

    name: str
    values: tuple[str, ...]
    negated: bool = False


class Quoted(str):
    """A word that stood in quotes, and so is a value whatever it looks like."""

    __slots__ = ()


def words_of(text: str) -> list[str]:
    """Split a rule into words, quoted ones without their quotes and escapes."""
    return [
        plain or Quoted(ESCAPED.sub(r"\1", double) if "\\" in double else double or single)
        for double, single, plain in TOKEN.findall(text)
    ]


def is_option(word: str) -> bool:
    return word[:1] == "-" and type(word) is str and OPTION.match(word) is not None


def negates(word: str) -> bool:
    return word == "!" and type(word) is str


def options_of(text: str) -> Iterator[Option]:
    """Take a rule apart, in its order, whatever stands in it.

    Source: iptables(8); iptables-save(8) 1.8.9 and its extensions, by trying.
    """
    words = words_of(text)
    position, negated = 0, False
    while position < len(words):
        word = words[position]
        position += 1
        if negates(word):
            negated = True
            continue
        if not is_option(word):
            yield Option("", (word,), negated)
        else:
            name, equals, value = word.lstrip("-").partition("=")
            name = LONG.get(name, name)
            end = values_end(words, position, name in ONE_VALUE)
            values = tuple(words[position:end])
            if values and negates(values[0]):
                negated, values = True, values[1:]
            yield Option(name, (value, *values) if equals else values, negated)
            position = end
        negated = False


def values_end(words: list[str], position: int, single: bool) -> int:
    """Find where the values of an option end that begin at *position*."""
    if position + 1 < len(words) and negates(words[position]) and not is_option(words[position + 1]):
        position += 1  # as in the older form, `--dport ! 80`
    if single:
        return min(position + 1, len(words))
    while position < len(words) and not is_option(words[position]) and not negates(words[position]):
        position += 1
    return position
