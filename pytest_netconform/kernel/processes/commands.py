"""What a command inside a namespace is given, and how its end is awaited."""

from __future__ import annotations

import math
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.descriptors import in_memory
from pytest_netconform.kernel.processes.popen import Process

Command = str | Sequence[str | os.PathLike[str]]
Running = Process | subprocess.Popen[str]
MOST_BYTES, LAST_BYTES = 64 << 20, 64 << 10
"""What a command may write to each stream before it is killed, and what is kept of more."""
LOOK_S = 0.01
"""How often that is looked at, for a file in memory gives no event that it has grown."""
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def argv(command: Command) -> list[str]:
    """Hand a string to sh; a list is run as it is."""
    if isinstance(command, str):
        return ["sh", "-c", command]
    if not command or not all(isinstance(word, str | bytes | os.PathLike) for word in command):
        raise BuildError(
            f"no command: expected text for sh, or a list of a program and its arguments, got {command!r}"
        )
    return [os.fsdecode(word) for word in command]


def shown(command: Command) -> str:
    return command if isinstance(command, str) else shlex.join(map(str, command))


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Add *extra* to our own environment, and to its PATH where network tools live, which many lack."""
    env = {**os.environ, **(extra or {})}
    path = env.get("PATH", os.defpath).split(os.pathsep)
    return {**env, "PATH": os.pathsep.join([*path, *(name for name in SBIN if name not in path)])}


class Files:
    """The standard streams of a command as files in memory.

    Unlike pipes they cannot fill up, and a daemon that the command leaves behind neither keeps us waiting nor
    dies of its next line. But a command that opens /dev/stdout anew starts it from empty, and who writes
    without end must be stopped.
    """

    def __init__(self, text: str | None) -> None:
        self._text = text
        self._closing = ExitStack()

    def __enter__(self) -> Files:
        with self._closing as closing:
            self.stdin = subprocess.DEVNULL if self._text is None else self._opened("stdin", self._text)
            self.stdout, self.stderr = self._opened("stdout"), self._opened("stderr")
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _opened(self, name: str, text: str = "") -> int:
        owner = in_memory(name)
        self._closing.callback(owner.close)
        fd = owner.fileno()
        os.pwrite(fd, text.encode(), 0)
        return fd

    def texts(self) -> tuple[str, str]:
        """Read what the command wrote so far; of what is too much, the last."""
        return _text(self.stdout), _text(self.stderr)

    def too_much(self) -> str:
        """Say which stream has been written more to than it may, if one has."""
        for name, fd in (("stdout", self.stdout), ("stderr", self.stderr)):
            if os.fstat(fd).st_size > MOST_BYTES:
                return f"it wrote more than {MOST_BYTES >> 20} MiB to {name}, which is kept in memory"
        return ""


def _text(fd: int) -> str:
    size = os.fstat(fd).st_size
    if size <= MOST_BYTES:
        return os.pread(fd, size, 0).decode(errors="replace")
    last = os.pread(fd, LAST_BYTES, size - LAST_BYTES).decode(errors="replace")
    return f"({size - LAST_BYTES} bytes left out)\n{last}"


def cut_short(process: Running, timeout_s: float | None, files: Files) -> str:
    """Wait until the process ends; if it must not go on, kill its session, and say why."""
    try:
        why = _awaited(process, timeout_s, files)
    except BaseException:
        _kill(process)
        raise
    if not why:
        return files.too_much()
    _kill(process)
    return f"killed, for {why}"


def _awaited(process: Running, timeout_s: float | None, files: Files) -> str:
    """Wait until the process ends, in time and without writing too much; else say why not."""
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while not _ended(process, max(0.0, min(LOOK_S, deadline - time.monotonic()))):
        if why := files.too_much():
            return why
        if time.monotonic() >= deadline:
            return f"it did not end within {timeout_s:g} s"
    return ""


def _ended(process: Running, timeout_s: float) -> bool:
    return process.ended(timeout_s) if isinstance(process, Process) else _exited(process.pid, timeout_s)


def _exited(pid: int, timeout_s: float) -> bool:
    fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(fd)


def _kill(process: Running) -> None:
    if isinstance(process, Process):
        process.kill_session()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
