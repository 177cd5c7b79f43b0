"""Real daemons in a namespace: awaited until they serve, stopped, and never left behind."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.processes.commands import Command, shown
from pytest_netconform.kernel.processes.logs import Log
from pytest_netconform.kernel.processes.popen import Process
from pytest_netconform.kernel.processes.sessions import Session

Ready = str | Path | re.Pattern[str] | Callable[[], object]
SHOWN_LINES = 20
POLL_S = 0.01
"""How often a condition is looked at: a port, a file or a line of output that is there gives no event."""
KILLED_S = 10.0
"""How long the kernel may take to end what was killed."""
LISTENS = {"tcp": "0A", "udp": "07"}
"""The states of sockets that wait for whoever comes (TCP_LISTEN, and TCP_CLOSE, which udp has)."""
PLAIN = re.compile(r"[\w \t./:=,@%+'\"-]+")
"""A line that needs no shell, unless it begins with a variable or one of the BUILTINS."""
BUILTINS = {
    ".",
    ":",
    "cd",
    "command",
    "eval",
    "export",
    "set",
    "source",
    "time",
    "trap",
    "ulimit",
    "umask",
    "wait",
}
PORT = re.compile(r"(tcp|udp)/(\d+)")


class Daemon:
    """A command that serves until it is stopped; its namespace ends it at the latest.

    Shape:  a line for sh runs while anything of its session does, and all of that gets its signals.
    Raises: BuildError, at the end of its context or else of its net, if it ended before it was stopped.
    """

    def __init__(self, where: str, command: Command, process: Process, log: Log) -> None:
        self.where, self.command, self.process = where, shown(command), process
        self._of_sh = isinstance(command, str)
        self._log: Log | None = log
        self._last = ""
        self._heard = 0
        self._stopped = False

    def __repr__(self) -> str:
        state = "runs" if self.running else f"ended with {self.process.returncode}"
        return f"<daemon on {self.where}: {self.command}: {state}>"

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        crashed = self.crashed
        self.stop()
        if crashed and kind is None:
            raise BuildError(self.told("ended before it was stopped"))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        """Say whether it runs; of a line for sh, whether anything does that it started."""
        if self.process.poll() is None:
            return True
        if not self._of_sh or self._stopped:
            return False
        with Session(self.process) as session:
            return session.look()

    @property
    def crashed(self) -> bool:
        """Say whether it ended though nobody stopped it."""
        return not self._stopped and not self.running

    @property
    def output(self) -> str:
        """Give the last of what it wrote, to stdout and stderr alike.

        Units: at most 64 KiB.
        """
        return self._last if self._log is None else self._log.read()

    def reload(self) -> None:
        """Send SIGHUP, which has most daemons read their configuration anew; `await_output` tells when."""
        self._heard = self._log.size() if self._log is not None else 0
        with Session(self.process) as session:
            self._heeding(session).send_signal(signal.SIGHUP)

    def _heeding(self, session: Session) -> Session | Process:
        """Say who gets the signals: a session where a shell stands before the daemon, if /proc shows it."""
        return session if self._of_sh and session.look() else self.process

    def await_output(self, pattern: str | re.Pattern[str], timeout_s: float = 5.0) -> None:
        """Wait for a line that matches, of what it has written since its start, or its last `reload`.

        Raises: BuildError if it ends, or says nothing of the kind in time.
        """
        wanted = re.compile(pattern)
        self._await(lambda: wanted.search(self._since()), timeout_s, _words(wanted))

    def _since(self) -> str:
        return self._last if self._log is None else self._log.read(self._heard)

    def _await(self, holds: Callable[[], object], timeout_s: float, words: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self.process.ended(POLL_S):
                if not self.running:
                    raise BuildError(self.told("ended before it was ready; it must stay in the foreground"))
                time.sleep(POLL_S)  # its shell has ended, and not it
            if time.monotonic() > deadline:
                raise BuildError(self.told(f"was not ready within {timeout_s:g} s: {words}"))

    def stop(self, grace_s: float = 2.0) -> None:
        """Send SIGTERM, and at the end, or when the time is over, SIGKILL to all that is left of its session.

        Raises: BuildError if something cannot be killed.
        """
        if self._stopped:
            return
        self._stopped = True
        with Session(self.process) as session:
            heeding = self._heeding(session)
            heeding.send_signal(signal.SIGTERM)
            heeding.ended(grace_s)
            if not session.kill(KILLED_S):
                raise BuildError(self.told(f"does not end, {KILLED_S:g} s after SIGKILL"))
        self.process.kill_session()
        if self._log is not None:
            self._last = self.output
            self._log.close()
            self._log = None

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
            *command* that needs sh should `exec` the daemon: signals then go to it alone.
    Raises: BuildError if it ends, or is not ready in time; it is stopped then. And if the socket or the file
            is there before it, which would tell nothing of it.
    """
    _refuse_others(namespaces, ready)
    is_ready = _condition(namespaces, ready)
    command = _without_shell(command)
    log = namespaces.log()
    try:
        process = namespaces.popen(command, env=env, stdout=log.pipe, stderr=log.pipe)
    except BaseException:
        log.close()
        raise
    log.release()
    assert isinstance(process, Process), "what has a log has an init"
    daemon = Daemon(namespaces.name, command, process, log)
    try:
        daemon._await(lambda: is_ready(daemon), timeout_s, _words(ready))
        return daemon
    except BaseException:
        daemon.stop(grace_s=0)
        raise


def crashed(daemons: Iterable[Daemon]) -> list[str]:
    """Tell of daemons that ended though nobody stopped them."""
    return [each.told("ended before it was stopped") for each in daemons if each.crashed]


def _refuse_others(namespaces: Namespaces, ready: Ready) -> None:
    """Refuse to start where another daemon, or what one left behind, would be taken for this one.

    Raises: BuildError.
    """
    if isinstance(ready, str) and _is_listened_on(namespaces, ready):
        raise BuildError(
            f"{namespaces.name}: something listens on {ready} before the daemon is started: stop that first"
        )
    if isinstance(ready, Path) and namespaces.call(ready.exists):
        raise BuildError(
            f"{namespaces.name}: there is a {ready} before the daemon is started: delete it first"
        )


def _is_listened_on(namespaces: Namespaces, ready: str) -> bool:
    match = PORT.fullmatch(ready)
    if match is None:
        raise BuildError(
            f"{namespaces.name}: ready={ready!r}: expected tcp/PORT or udp/PORT, a Path, re.compile(...) "
            "or a function"
        )
    return namespaces.call_in_net(_listens, match[1], int(match[2]))


def _without_shell(command: Command) -> Command:
    """Split a line that needs no shell, for signals would reach the shell too."""
    if isinstance(command, str) and PLAIN.fullmatch(command):
        with suppress(ValueError):  # a quote that is not closed: let sh say so
            words = shlex.split(command)
            words = words[words[:1] == ["exec"] :]
            if words and "=" not in words[0] and words[0] not in BUILTINS:
                return words
    return command


def _condition(namespaces: Namespaces, ready: Ready) -> Callable[[Daemon], object]:
    if isinstance(ready, str):
        return lambda _: _is_listened_on(namespaces, ready)
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
