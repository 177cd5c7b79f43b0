"""Work inside namespaces: a fresh thread that enters them, does one thing and ends.

No thread is kept: an idle one makes every `os.fork()` of the user warn on Python 3.12 and later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pytest_netconform.kernel import syscalls

T = TypeVar("T")
Handle = tuple[int, int]
"""A descriptor of a namespace, and its kind as a CLONE_ flag."""


class _Work(threading.Thread):
    """One call in a thread of its own; keeps what it gave or raised."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        super().__init__(name="netconform", daemon=True)
        self.fn: Callable[[], Any] | None = fn
        self.result: Any = None
        self.error: BaseException | None = None
        self.finished = False
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self.result = self.fn() if self.fn else None
        except BaseException as error:
            self.error = error
        finally:
            self.fn, self.finished = None, True
            self.done.release()

    def outlast(self, patience_s: float) -> None:
        """After an interrupt: wait for the end, unless the interrupt came after it, or before the start."""
        if not self.finished and not self.done.acquire(timeout=0.1) and self.ident is not None:
            self.done.acquire(timeout=patience_s)


def in_a_thread(fn: Callable[[], T], patience_s: float = 10.0) -> T:
    """Call *fn* in a fresh thread, and give or raise what it does, when the kernel has buried the thread.

    Python's own join returns a moment before that, while the thread still holds its namespaces. An interrupt
    waits for the call up to *patience_s*, since who is interrupted may close next what the call works with.
    """
    work = _Work(fn)
    try:
        work.start()
        work.done.acquire()
    except BaseException:
        work.outlast(patience_s)
        raise
    task = f"/proc/self/task/{work.native_id}"
    while os.path.exists(task):  # noqa: PTH110 - a Path costs as much as the thread
        os.sched_yield()
    try:
        if work.error is not None:
            raise work.error
        result: T = work.result
        return result
    finally:
        del work  # a raised error's traceback must not keep itself alive


def enter(handles: Sequence[Handle]) -> None:
    """Move the calling thread into namespaces, for good; in a mount namespace its directory becomes /."""
    for fd, kind in handles:
        if kind == syscalls.CLONE_NEWNS:
            syscalls.unshare(syscalls.CLONE_FS)
        syscalls.setns(fd, kind)


def inside(handles: Sequence[Handle], fn: Callable[[], T], patience_s: float = 10.0) -> T:
    """Call *fn* in a fresh thread inside the namespaces."""

    def entered() -> T:
        enter(handles)
        return fn()

    return in_a_thread(entered, patience_s)
