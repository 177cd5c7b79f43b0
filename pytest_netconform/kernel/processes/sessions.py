"""All that a command has started: its session, and what descends from it, as /proc tells.

Only what stands below the init of the command's PID namespace is taken for it, in namespaces within that
too: a session's number is given anew when it is empty.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import ExitStack, suppress

from pytest_netconform.kernel.processes.popen import Process

Parents = dict[int, tuple[int, int]]


class Session:
    """The processes of a command; those that were seen once are held by descriptor."""

    def __init__(self, process: Process) -> None:
        self.leader, self.init = process.pid, process.init
        self._held: dict[int, int] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Session:
        self.look()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()
        self._held.clear()

    def look(self) -> bool:
        """Find its processes, and say whether there are any but zombies.

        A process that has made a session of its own is found while those between it and ours live.
        """
        for pid in self._found() - self._held.keys():
            with suppress(ProcessLookupError):
                self._held[pid] = os.pidfd_open(pid)
                self._closing.callback(os.close, self._held[pid])
        return bool(self._alive())

    def send_signal(self, number: int) -> None:
        """Send all of them a signal, to the leader first, lest it starts another one meanwhile."""
        for fd in self._alive():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)

    def ended(self, timeout_s: float) -> bool:
        """Wait until those that were seen have ended, and say whether they have."""
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        for fd in self._held.values():
            poll.register(fd, select.POLLIN)
        left = len(self._held)
        while left:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                return False
            for fd, _ in ready:
                poll.unregister(fd)
            left -= len(ready)
        return True

    def kill(self, timeout_s: float) -> bool:
        """Kill all of them, and what they start meanwhile; say whether none is left in time."""
        deadline = time.monotonic() + timeout_s
        while self.look():
            if time.monotonic() > deadline:
                return False
            self.send_signal(signal.SIGKILL)
            self.ended(deadline - time.monotonic())
        return True

    def _found(self) -> set[int]:
        processes = _processes()
        session = {pid for pid, (_, session) in processes.items() if session == self.leader}
        found = _with_descendants(session | {self.leader, *self._held}, processes)
        return found & _with_descendants({self.init}, processes) - {self.init}

    def _alive(self) -> list[int]:
        poll = select.poll()
        for fd in self._held.values():
            poll.register(fd, select.POLLIN)
        over = {fd for fd, _ in poll.poll(0)}
        held = sorted(self._held.items(), key=lambda each: each[0] != self.leader)
        return [fd for _, fd in held if fd not in over]


def _processes() -> Parents:
    """List processes that have not ended, each with its parent and its session."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                state, parent, _, session, *_ = file.read().rpartition(b") ")[2].split(maxsplit=4)
                if state not in (b"Z", b"X"):
                    found[int(name)] = (int(parent), int(session))
    return found


def _with_descendants(pids: set[int], processes: Parents) -> set[int]:
    found = pids & processes.keys()
    while more := {pid for pid, (parent, _) in processes.items() if parent in found} - found:
        found |= more
    return found
