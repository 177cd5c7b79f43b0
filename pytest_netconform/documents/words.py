"""The words of messages: what a value is, how it is shown, which known word was meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

LONGEST_SHOWN = 60
MOST_LISTED = 50


def described(value: Any) -> str:
    """Say in YAML's words what a value is: `a mapping`, `a number`, `nothing`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true/false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return type(value).__name__


def shown(value: Any) -> str:
    """Show a value in one short harmless line; of mappings and lists only what they are."""
    if value is None or isinstance(value, dict | list | tuple):
        return described(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        return repr(value[: LONGEST_SHOWN - 3] + "...")
    return repr(value)


def harmless(message: str) -> str:
    """Write as backslash escapes what a terminal or a log could mistake: line ends, escapes."""
    if message.isprintable():
        return message
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)


def harmless_lines(text: str) -> str:
    """Make each line of a text harmless, and keep the line ends."""
    return "\n".join(map(harmless, text.split("\n")))


def quoted(text: str) -> str:
    """Quote a text for a shell, on one line: if that takes escapes, by the $'...' of bash and POSIX 2024."""
    if text.isprintable():
        return shlex.quote(text)
    escapes = {"\\": r"\\", "'": r"\'"}
    return f"$'{''.join(escapes.get(char) or _escaped(char) for char in text)}'"


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape"))


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, ` (did you mean 'policy'?)`; else list what is known."""
    words = list(known)
    return closest(word, words) or known_words(words)


def closest(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, or nothing."""
    words = list(known)
    same = [each for each in words if each.casefold() == word.casefold()]
    close = same or get_close_matches(word[:LONGEST_SHOWN], words, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def known_words(known: Iterable[str]) -> str:
    """List the known words, if they are not too many: ` (known: a, b)`."""
    words = list(dict.fromkeys(known))
    return f" (known: {harmless(', '.join(words))})" if 0 < len(words) <= MOST_LISTED else ""
