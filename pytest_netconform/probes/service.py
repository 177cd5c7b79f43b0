"""The one thread that serves listeners; it runs only while there are any, and stands still around a fork."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_netconform.kernel.probing.driving import Attempt, Loop, Wait


class Service:
    """A loop in a thread of its own. It is touched only while that thread is halted, so it needs no lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._loop: Loop | None = None
        self._wake = -1
        self._thread: threading.Thread | None = None
        self._halting = False
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child
        )

    @contextmanager
    def halted(self) -> Iterator[Loop]:
        """Stop serving for a moment, to change what is served."""
        with self._lock:
            self._halt()
            if self._loop is None:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                self._loop = Loop()
                self._loop.start(self._woken())
                self._loop.turn(0)
            try:
                yield self._loop
            finally:
                self._go_on()

    def settle(self) -> None:
        """Take all that has come already."""
        if self._loop is None:
            return
        with self.halted() as loop:
            while loop.turn(0):
                pass

    def _woken(self) -> Attempt[None]:
        while True:
            yield Wait(self._wake, select.POLLIN)
            os.eventfd_read(self._wake)

    def _serve(self, loop: Loop) -> None:
        while not self._halting:
            loop.turn()

    def _halt(self) -> None:
        """Wait until the kernel has buried the thread; Python's join returns a moment before that."""
        if self._thread is None:
            return
        self._halting = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        task = f"/proc/self/task/{self._thread.native_id}"
        while os.path.exists(task):  # noqa: PTH110
            os.sched_yield()
        self._thread = None

    def _go_on(self) -> None:
        if self._loop is None:
            return
        if len(self._loop) <= 1:  # only what wakes us is left
            self._close()
            return
        self._halting = False
        self._thread = threading.Thread(
            target=self._serve, args=(self._loop,), name="netconform-listeners", daemon=True
        )
        self._thread.start()

    def _close(self) -> None:
        if self._loop is not None:
            self._loop.close()
            os.close(self._wake)
        self._loop = None

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._halt()

    def _after_fork(self) -> None:
        self._go_on()
        self._lock.release()

    def _in_child(self) -> None:
        """Let go of every socket: they are our parent's, and must not outlive it with us."""
        self._lock = threading.RLock()
        self._close()


SERVICE = Service()
