"""What a command inside a namespace is given, and how its end is awaited."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.processes.popen import Process

Command = str | Sequence[str | os.PathLike[str]]
Running = Process | subprocess.Popen[str]
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
    dies of its next line. But a command that opens /dev/stdout anew starts it from empty.
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
        fd = os.memfd_create(name)
        self._closing.callback(os.close, fd)
        os.pwrite(fd, text.encode(), 0)
        return fd

    def texts(self) -> tuple[str, str]:
        """Read what the command wrote so far."""
        return _text(self.stdout), _text(self.stderr)


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")


def ended(process: Running, timeout_s: float | None) -> bool:
    """Wait until the process ends or the time is over; kill its session if it must not go on."""
    try:
        if isinstance(process, Process):
            in_time = process.ended(timeout_s)
        else:
            in_time = timeout_s is None or _exited(process.pid, timeout_s)
    except BaseException:
        _kill(process)
        raise
    if not in_time:
        _kill(process)
    return in_time


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
