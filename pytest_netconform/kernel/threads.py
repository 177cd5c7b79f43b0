"""Work inside namespaces: a fresh thread that enters them, does one thing and ends.

No thread is kept: an idle one makes every `os.fork()` of the user warn on Python 3.12 and later. And none is
a `threading.Thread`, whose start() gives a RuntimeError in place of an interrupt, and leaves half a thread.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pytest_netconform.kernel import syscalls

T = TypeVar("T")
Handle = tuple[int, int]
"""A descriptor of a namespace, and its kind as a CLONE_ flag."""


class Work:
    """One call in a thread of its own; keeps what it gave or raised.

    Who takes the *claim* first decides whether it is done at all: a thread that begins, or who revokes it. So
    an interrupt need not know whether it came before the start of the thread or after.
    """

    def __init__(self, fn: Callable[[], Any]) -> None:
        self.fn: Callable[[], Any] | None = fn
        self.result: Any = None
        self.error: BaseException | None = None
        self.task = 0
        self.started = self.finished = False
        self.claim, self.done = _thread.allocate_lock(), _thread.allocate_lock()
        self.done.acquire()

    def start(self) -> None:
        """Begin, in a thread; whoever is not sure that it has begun may start it again."""
        _thread.start_new_thread(self._run, ())
        self.started = True

    def revoke(self) -> bool:
        """Have it never begin; says whether that is so."""
        return self.claim.acquire(False)

    def join(self, patience_s: float = -1) -> None:
        """Wait until it is over and the kernel has buried the thread, which has its namespaces."""
        if not self.finished and not self.done.acquire(timeout=patience_s) and not self.finished:
            return
        task = f"/proc/self/task/{self.task}"
        while os.path.exists(task):  # noqa: PTH110 - a Path costs as much as the thread
            os.sched_yield()

    def _run(self) -> None:
        if not self.claim.acquire(False):
            return
        self.task = _thread.get_native_id()
        try:
            if trace := threading.gettrace():  # of a debugger, or a measurement of coverage
                sys.settrace(trace)
            self.result = self.fn() if self.fn else None
        except BaseException as error:
            self.error = error
        finally:
            _forget_this_thread()
            self.fn, self.finished = None, True
            self.done.release()


def _forget_this_thread() -> None:
    """Take what stands for us out of threading.enumerate(): logging puts it there, before 3.13 for good."""
    vars(threading).get("_active", {}).pop(_thread.get_ident(), None)


def in_a_thread(fn: Callable[[], T], patience_s: float = 10.0) -> T:
    """Call *fn* in a fresh thread, and give or raise what it does, when the kernel has buried the thread.

    An interrupt waits for the call up to *patience_s*, since who is interrupted may close next what the call
    works with.
    """
    work = Work(fn)
    try:
        work.start()
        work.join()
    except BaseException:
        if not work.revoke():
            work.join(patience_s)
        raise
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
