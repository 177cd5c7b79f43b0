"""The one thread that serves listeners; it runs only while there are any, and stands still around a fork."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from pytest_netconform.kernel.probing.driving import Attempt, Loop, Wait
from pytest_netconform.kernel.threads import Work, in_a_thread

T = TypeVar("T")
MOST_TURNS = 128
"""In so many, all is taken that a socket's buffer can hold; what comes meanwhile would keep us for ever."""


class Service:
    """A loop in a thread of its own. It is touched only while that thread is halted, so it needs no lock.

    An interrupt may come between any two lines here: each step can be done again, and leaves nothing undone.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forking = False
        self._loop: Loop | None = None
        self._wake = -1
        self._work: Work | None = None
        self._halting = False
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child
        )

    def halted(self, change: Callable[[Loop], T]) -> T:
        """Stop serving for a moment, to change what is served.

        Shape: *change* is called in a thread, where no interrupt stops it half-way.
        """
        with self._lock:
            try:
                self._halt()
                return in_a_thread(lambda: self._changed(change))
            finally:
                try:
                    self._go_on()
                except BaseException:  # an interrupt: the others are still served
                    self._go_on()
                    raise

    def _changed(self, change: Callable[[Loop], T]) -> T:
        loop = self._opened()
        result = change(loop)
        loop.turn(0)  # what has begun closes what it was given, also in a child of a fork that comes next
        return result

    def settle(self) -> None:
        """Take all that had come before."""
        if self._loop is not None:
            self.halted(_take_all)

    def _opened(self) -> Loop:
        if self._loop is None:
            if self._wake < 0:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            loop = Loop()
            loop.start(self._woken())
            loop.turn(0)
            self._loop = loop
        return self._loop

    def _woken(self) -> Attempt[None]:
        while True:
            yield Wait(self._wake, select.POLLIN)
            os.eventfd_read(self._wake)

    def _serve(self) -> None:
        try:
            while not self._halting and self._loop is not None:
                self._loop.turn()
        except BaseException:
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))

    def _halt(self) -> None:
        """Wait until the kernel has buried the thread."""
        if self._work is not None and (self._work.started or not self._work.revoke()):
            self._halting = True
            os.eventfd_write(self._wake, 1)
            self._work.join()
        self._work, self._halting = None, False

    def _go_on(self) -> None:
        self._halt()  # if an interrupt kept us from it, or came while we went on
        if self._loop is None or len(self._loop) <= 1:  # only what wakes us is left
            self._close()
            return
        self._work = Work(self._serve)
        self._work.start()

    def _close(self) -> None:
        if self._loop is not None:
            self._loop.close()
        self._loop = None
        if self._wake >= 0:
            wake, self._wake = self._wake, -1
            os.close(wake)

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._forking = True
        self._halt()

    def _after_fork(self) -> None:
        if self._forking:
            try:
                self._go_on()
            finally:
                self._forking = False
                self._lock.release()

    def _in_child(self) -> None:
        """Let go of every socket: they are our parent's, and must not outlive it with us."""
        self._lock, self._forking = threading.RLock(), False
        self._close()


def _take_all(loop: Loop) -> None:
    for _ in range(MOST_TURNS):
        if not loop.turn(0):
            return


SERVICE = Service()
