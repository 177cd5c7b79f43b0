"""Real daemons in a namespace: awaited until they serve, stopped, and never left behind."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.processes.commands import Command, Running, shown
from pytest_netconform.kernel.processes.popen import Process

Ready = str | Path | re.Pattern[str] | Callable[[], object]
MOST_BYTES = 1 << 16
SHOWN_LINES = 20
LISTENS = {"tcp": "0A", "udp": "07"}
"""The states of sockets that wait for whoever comes (TCP_LISTEN, and TCP_CLOSE, which udp has)."""
PLAIN = re.compile(r"[\w\s./:=,@%+'\"-]+")
"""A command that needs no shell."""
PORT = re.compile(r"(tcp|udp)/(\d+)")


class Daemon:
    """A command that serves until it is stopped; its namespace ends it at the latest.

    Raises: BuildError, at the end of its context, if it ended before that.
    """

    def __init__(self, where: str, command: Command, process: Process, log: int) -> None:
        self.where, self.command, self.process = where, shown(command), process
        self._log, self._last = log, ""
        self._heard = 0

    def __repr__(self) -> str:
        state = "runs" if self.process.poll() is None else f"ended with {self.process.returncode}"
        return f"<daemon on {self.where}: {self.command}: {state}>"

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        ended = self.process.poll() is not None
        self.stop()
        if ended and kind is None:
            raise BuildError(self.told("ended before it was stopped"))

    def __del__(self) -> None:
        if self._log >= 0:
            os.close(self._log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        """Give the last of what it wrote, to stdout and stderr alike.

        Units: at most 64 KiB.
        """
        if self._log < 0:
            return self._last
        size = os.fstat(self._log).st_size
        return os.pread(self._log, MOST_BYTES, max(0, size - MOST_BYTES)).decode(errors="replace")

    def reload(self) -> None:
        """Send SIGHUP, which has most daemons read their configuration anew; `await_output` tells when."""
        self._heard = os.fstat(self._log).st_size if self._log >= 0 else 0
        self.process.send_signal(signal.SIGHUP)

    def await_output(self, pattern: str | re.Pattern[str], timeout_s: float = 5.0) -> None:
        """Wait for a line that matches, of what it has written since its start, or its last `reload`.

        Raises: BuildError if it ends, or says nothing of the kind in time.
        """
        wanted = re.compile(pattern)
        self._await(lambda: wanted.search(self._since()), timeout_s, _words(wanted))

    def _since(self) -> str:
        size = os.fstat(self._log).st_size
        return os.pread(self._log, MOST_BYTES, max(self._heard, size - MOST_BYTES)).decode(errors="replace")

    def _await(self, holds: Callable[[], object], timeout_s: float, words: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self.process.ended(0.01):  # most things that it can do give no event
                raise BuildError(self.told("ended before it was ready; it must stay in the foreground"))
            if time.monotonic() > deadline:
                raise BuildError(self.told(f"was not ready within {timeout_s:g} s: {words}"))

    def stop(self, grace_s: float = 2.0) -> None:
        """Send SIGTERM, and SIGKILL to all of its process group if that does not end it in time."""
        self.process.terminate()
        if not self.process.ended(grace_s):
            self.process.kill_session()
        if self._log >= 0:
            self._last = self.output
            log, self._log = self._log, -1
            os.close(log)

    def told(self, what: str) -> str:
        """Say of it what went wrong, with how it ended and what it said last."""
        status = "" if self.process.poll() is None else f" (exit status {self.process.returncode})"
        lines = self.output.rstrip().splitlines()[-SHOWN_LINES:]
        return "\n".join([f"{self.where}: `{self.command}` {what}{status}", *(lines or ["it said nothing"])])


def start(
    namespaces: Namespaces,
    command: Command,
    ready: Ready,
    *,
    timeout_s: float = 5.0,
    env: Mapping[str, str] | None = None,
) -> Daemon:
    """Start a daemon, in the foreground, and wait until it is ready.

    Shape:  *ready* is `tcp/22` or `udp/53`, for a socket that waits there; a Path, for a file that is to
            appear; a compiled expression, for a line of output; or a function, for the first true value. A
            *command* that needs sh should `exec` the daemon, which signals are meant for.
    Raises: BuildError if it ends, or is not ready in time; it is stopped then.
    """
    is_ready = _condition(namespaces, ready)
    command = _without_shell(command)
    log = os.memfd_create("daemon")
    try:
        process: Running = namespaces.popen(command, env=env, stdout=log, stderr=log)
    except BaseException:
        os.close(log)
        raise
    if not isinstance(process, Process):
        process.kill()
        process.wait()
        os.close(log)
        raise TypeError(f"{namespaces.name}: a daemon needs a namespace of ours, which can end it")
    daemon = Daemon(namespaces.name, command, process, log)
    try:
        daemon._await(lambda: is_ready(daemon), timeout_s, _words(ready))
        return daemon
    except BaseException:
        daemon.stop(grace_s=0)
        raise


def _without_shell(command: Command) -> Command:
    """Split a command that needs no shell, for signals would reach the shell, not the daemon."""
    if isinstance(command, str) and PLAIN.fullmatch(command):
        with suppress(ValueError):  # a quote that is not closed: let sh say so
            return shlex.split(command)
    return command


def _condition(namespaces: Namespaces, ready: Ready) -> Callable[[Daemon], object]:
    if isinstance(ready, str):
        match = PORT.fullmatch(ready)
        if match is None:
            raise BuildError(
                f"{namespaces.name}: ready={ready!r}: expected tcp/PORT or udp/PORT, a Path, re.compile(...) "
                "or a function"
            )
        kind, port = match[1], int(match[2])
        return lambda _: namespaces.call_in_net(_listens, kind, port)
    if isinstance(ready, Path):
        return lambda _: namespaces.call(ready.exists)
    if isinstance(ready, re.Pattern):
        return lambda daemon: any(map(ready.search, daemon.output.splitlines()))
    return lambda _: ready()


def _listens(kind: str, port: int) -> bool:
    for family in ("", "6"):
        table = Path(f"/proc/thread-self/net/{kind}{family}")
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == LISTENS[kind] and int(local.rpartition(":")[2], 16) == port:
                return True
    return False


def _words(ready: Ready) -> str:
    if isinstance(ready, str):
        return f"nothing listens on {ready}"
    if isinstance(ready, Path):
        return f"there is no {ready}"
    if isinstance(ready, re.Pattern):
        return f"no line matches {ready.pattern!r}"
    return "its condition does not hold"
