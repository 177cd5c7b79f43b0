"""Searching with expressions from a file, which may need for ever: in bounded time."""

from __future__ import annotations

import re
import signal
import threading

from pytest_netconform.errors import Unreadable

LONGEST_S = 2.0
REPEATS = re.compile(r"[*+{]")


class _TooLong(Exception):
    """The time is up."""


def _stop(*_: object) -> None:
    raise _TooLong


def finds(pattern: re.Pattern[str], text: str) -> bool:
    """Say whether an expression is found in a text.

    `re` heeds signals while it searches. Only the main thread, which judges, can be interrupted so: in
    another one a search takes as long as it takes.

    Units:  the limit is of processor time, so that a busy machine changes nothing.
    Raises: Unreadable where that takes too long.
    """
    if not REPEATS.search(pattern.pattern) or threading.current_thread() is not threading.main_thread():
        return pattern.search(text) is not None
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
        try:
            return pattern.search(text) is not None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _TooLong:
        what = f"text of {len(text)} characters took more than {LONGEST_S:g} s of processor time"
        raise Unreadable(f"searching for /{pattern.pattern}/ in a {what}; nest no repetitions") from None
    finally:
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)
