"""Wait for what comes without an event: a route that a daemon learns, a path that takes over."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from pytest_netconform.errors import BuildError

T = TypeVar("T")
BETWEEN_S = 0.05
_SENT: ContextVar[list[object] | None] = ContextVar("_SENT", default=None)


def eventually(condition: Callable[[], T], timeout_s: float = 5.0) -> T:
    """Ask again until *condition* gives something true; gives that.

    Shape:  what it raises is raised: what cannot be asked will not come true.
    Raises: AssertionError when the time is over, with what it gave at last, and the probe it sent for that.
    """
    __tracebackhide__ = True
    if not callable(condition):
        raise BuildError(f"eventually: expected a function, not {condition!r}; write lambda: ...")
    if not timeout_s >= 0:
        raise BuildError(f"eventually: expected a timeout_s of 0 or more seconds, not {timeout_s!r}")
    deadline, tries = time.monotonic() + timeout_s, 0
    while True:
        value, sent = _asked(condition)
        tries += 1
        if value:
            return value
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            break
        time.sleep(min(BETWEEN_S, left_s))
    after = f", after {sent[-1]!r}" if sent else ""
    raise AssertionError(f"not true within {timeout_s:g} s, in {tries} tries: at last {value!r}{after}")


def _asked(condition: Callable[[], T]) -> tuple[T, list[object]]:
    sent: list[object] = []
    token = _SENT.set(sent)
    try:
        return condition(), sent
    finally:
        _SENT.reset(token)


def note(outcome: T) -> T:
    """Remember the outcome of a probe for who waits for it, since a condition tells only a part of it."""
    sent = _SENT.get()
    if sent is not None:
        sent[:] = [outcome]
    return outcome
