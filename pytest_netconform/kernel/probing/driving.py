"""One or thousands of attempts side by side: over one epoll, in the caller's thread, with no thread kept.

An attempt is a generator. It yields what it wants, an `Open` or a `Wait`, is sent what became of that, and
returns its outcome. It works inside a running event loop, and an interrupt ends it at once.
"""

from __future__ import annotations

import heapq
import math
import os
import resource
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.sockets import Open, Opened, open_sockets

T = TypeVar("T")
FEW = 16
"""So many at once need no look at how many descriptors there are."""
MOST = 4096
SPARE = 32
MOST_RAW = 200
"""So many raw sockets in a namespace: a packet is handed to the first 256 alone (Linux 6.18)."""


class Wait(NamedTuple):
    """What an attempt waits for; it is sent the events, or 0 when the time is over.

    Units: until is a time of time.monotonic().
    """

    sock: socket.socket | int
    events: int
    until: float = math.inf


Request = Open | Wait
Attempt = Generator[Request, Any, T]


class Task(Generic[T]):
    """An attempt under way. Shape: *owner* is what drops it; *done* is told its outcome."""

    __slots__ = ("attempt", "done", "owner", "raw", "wait")

    def __init__(self, attempt: Attempt[T], done: Callable[[T], Any] | None, owner: object) -> None:
        self.attempt, self.done, self.owner = attempt, done, owner
        self.wait: Wait | None = None
        self.raw: int | None = None  # the namespace in which it has a raw socket


class Loop:
    """Attempts that wait for their sockets, each until its own deadline. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._tasks: set[Task[Any]] = set()
        self._waiting: dict[int, Task[Any]] = {}
        self._deadlines: list[tuple[float, int, Task[Any], Wait]] = []
        self._order = count()
        self._opening: list[tuple[Task[Any], Open]] = []
        self._raw: Counter[int | None] = Counter()
        self._ready: deque[tuple[Task[Any], Opened | None]] = deque()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, attempt: Attempt[T], done: Callable[[T], Any] | None = None, owner: object = None
    ) -> None:
        """Take an attempt in; it begins with the next turn."""
        task = Task(attempt, done, owner)
        self._tasks.add(task)
        self._ready.append((task, None))

    def turn(self, timeout_s: float = math.inf) -> bool:
        """Let every attempt go on that can; wait for one up to *timeout_s*. Says whether any could.

        Raises: whatever an attempt raises.
        """
        if some := self._run_ready():
            timeout_s = 0
        elif not self._waiting and timeout_s == math.inf:
            return False
        events_of = self._epoll.poll(self._patience_s(timeout_s))
        for fd, events in events_of:
            task = self._waiting.pop(fd, None)
            if task is not None:  # else it was dropped a moment ago
                self._resume(task, events)
        self._expire()
        self._run_ready()  # so that between turns each has begun, and closes what it was given
        return some or bool(events_of)

    def _run_ready(self) -> bool:
        some = bool(self._ready)
        while self._ready or self._open():
            self._resume(*self._ready.popleft())
        return some

    def drop(self, owner: object) -> None:
        """Close the attempts of an owner where they stand."""
        for task in [task for task in self._tasks if task.owner is owner]:
            self._forget(task)

    def close(self) -> None:
        """Close every attempt where it stands, and with it its sockets."""
        for task in list(self._tasks):
            self._forget(task)
        for task, sock in self._ready:  # opened, but never handed over
            self._resume(task, sock)
        self._epoll.close()

    def _forget(self, task: Task[Any]) -> None:
        self._ended(task)
        if task.wait is not None:
            self._waiting.pop(_fd(task.wait), None)
        task.attempt.close()

    def _ended(self, task: Task[Any]) -> None:
        self._tasks.discard(task)
        self._raw[task.raw] -= 1

    def _open(self) -> bool:
        """Open what is wanted and may be opened now, all from one thread; says whether there was any."""
        now, later = [], []
        for task, wanted in self._opening:
            raw = wanted.namespaces.inode if wanted.kind == socket.SOCK_RAW else None
            if raw is not None and self._raw[raw] >= MOST_RAW:
                later.append((task, wanted))
                continue
            task.raw = raw
            self._raw[raw] += 1
            now.append((task, wanted))
        self._opening = later
        opened = open_sockets([wanted for _, wanted in now]) if now else []
        self._ready.extend((task, sock) for (task, _), sock in zip(now, opened, strict=True))
        return bool(now)

    def _resume(self, task: Task[Any], value: Any) -> None:
        if task not in self._tasks:
            if isinstance(value, socket.socket):
                value.close()
            return
        task.wait = None
        try:
            send = task.attempt.throw if isinstance(value, OSError) else task.attempt.send
            request = send(value)
        except StopIteration as end:
            self._ended(task)
            if task.done is not None:
                task.done(end.value)
            return
        except BaseException:
            self._ended(task)
            raise
        if isinstance(request, Open):
            self._opening.append((task, request))
        else:
            self._await(task, request)

    def _await(self, task: Task[Any], wait: Wait) -> None:
        fd, events = _fd(wait), wait.events | select.EPOLLONESHOT
        try:
            self._epoll.register(fd, events)
        except FileExistsError:
            self._epoll.modify(fd, events)
        task.wait = wait
        self._waiting[fd] = task
        if wait.until != math.inf:
            heapq.heappush(self._deadlines, (wait.until, next(self._order), task, wait))

    def _patience_s(self, timeout_s: float) -> float | None:
        while self._deadlines and self._deadlines[0][2].wait is not self._deadlines[0][3]:
            heapq.heappop(self._deadlines)  # that wait is over
        if self._deadlines:
            timeout_s = min(timeout_s, max(0.0, self._deadlines[0][0] - time.monotonic()))
        return None if timeout_s == math.inf else timeout_s

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, task, wait = heapq.heappop(self._deadlines)
            if task.wait is wait:
                fd = _fd(wait)
                del self._waiting[fd]
                self._epoll.modify(fd, select.EPOLLONESHOT)  # an event now would be of no wait
                self._resume(task, 0)


def drive(attempts: Iterable[Attempt[T]], *, at_once: int | None = None) -> list[T]:
    """Run attempts side by side until each has its outcome; gives these in the order of the attempts.

    Shape:  no more than *at_once* are begun and not ended, by default as many as there are descriptors for;
            each has the whole of its own time from where it begins.
    Raises: what the first attempt that fails raises; all the others are closed.
    """
    waiting = enumerate(attempts)
    outcomes: dict[int, T] = {}
    try:
        loop = Loop()
    except OSError as error:
        raise ProbeError(f"no probe can be sent: {error.strerror}") from error
    try:
        _fill(loop, waiting, outcomes, at_once or FEW)
        if len(loop) == FEW:
            at_once = at_once or _descriptors_left(FEW)
            _fill(loop, waiting, outcomes, at_once)
        while len(loop):
            loop.turn()
            _fill(loop, waiting, outcomes, at_once or FEW)
    finally:
        loop.close()
    return [outcomes[index] for index in sorted(outcomes)]


def _fill(loop: Loop, waiting: Iterator[tuple[int, Attempt[T]]], outcomes: dict[int, T], most: int) -> None:
    while len(loop) < most:
        index, attempt = next(waiting, (-1, None))
        if attempt is None:
            return
        loop.start(attempt, lambda outcome, index=index: outcomes.__setitem__(index, outcome))  # type: ignore[misc]


def _descriptors_left(begun: int) -> int:
    """Say how many sockets may be open at once; one of ours serves one attempt."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    return max(begun, min(MOST, soft - used - SPARE))


def _fd(wait: Wait) -> int:
    return wait.sock if isinstance(wait.sock, int) else wait.sock.fileno()
