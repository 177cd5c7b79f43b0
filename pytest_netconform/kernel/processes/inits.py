"""The processes of a node: a PID namespace that ends when we do, however we do.

Its init hangs on a socket whose other end only we hold. When that closes, init ends, and the kernel ends all
others, whatever session they moved to. What runs on the other side is in `keeper`.
"""

from __future__ import annotations

import atexit
import marshal
import os
import socket
import struct
import subprocess
import sys
import threading
import weakref
from array import array
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.descriptors import duplicated
from pytest_netconform.kernel.making import mounts
from pytest_netconform.kernel.processes.keeper import MOST_BYTES
from pytest_netconform.kernel.processes.popen import Process, Streams, encoding_of
from pytest_netconform.kernel.threads import Handle, in_a_thread, inside

PROC = "proc"
"""The file system that a node gets at /proc."""
PROGRAM = Path(__file__).with_name("keeper.py")
OPTIONS = {"stdin", "stdout", "stderr", "text", "universal_newlines", "encoding", "errors", "bufsize"} | {
    *("cwd", "pass_fds")
}


class Keeper:
    """Our side of the program that is the parent of all inits; there is one for each process of pytest's."""

    def __init__(self) -> None:
        self.said = os.memfd_create("keeper")
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=self.said,
                    cwd="/",
                    start_new_session=True,
                )
        except BaseException:
            self.control.close()
            os.close(self.said)
            raise

    def end(self) -> None:
        """Let it end, which it does when the last init has ended, and bury it."""
        self.control.close()
        self.process.wait()
        os.close(self.said)

    def words(self) -> str:
        """Give what it said before it ended, for its messages come another way."""
        said = os.pread(self.said, os.fstat(self.said).st_size, 0).decode(errors="replace").strip()
        return said.rpartition("\n")[2] or "it was killed"

    def forget(self) -> None:
        """In a forked child: let go of it, for it serves our parent."""
        self.control.close()
        os.close(self.said)
        self.process.returncode = 0  # nothing to wait for, and nothing to warn of


_lock = threading.Lock()
_keeper: Keeper | None = None


def _ask_keeper(message: Any, fds: Sequence[int]) -> Keeper:
    """Send it a message; it is started if there is none, or none any more."""
    global _keeper
    with _lock:
        if _keeper is not None:
            try:
                send(_keeper.control, message, fds)
                return _keeper
            except (BrokenPipeError, ConnectionResetError):
                _keeper.end()
                _keeper = None
        _keeper = Keeper()
        with suppress(BrokenPipeError, ConnectionResetError):  # told where the answer is awaited
            send(_keeper.control, message, fds)
        return _keeper


def end_keeper(*, though_needed: bool = True) -> None:
    """End the keeper of this process and bury it; with it end all the namespaces that still are."""
    global _keeper
    with _lock:
        if _keeper is not None and (though_needed or not any(processes.started for processes in _living())):
            keeper, _keeper = _keeper, None
            keeper.end()


def send(sock: socket.socket, message: Any, fds: Sequence[int]) -> None:
    """Send one message with descriptors; a long one as a file."""
    data = marshal.dumps(message)
    with ExitStack() as closing:
        if len(data) > MOST_BYTES:
            fd = os.memfd_create("message")
            closing.callback(os.close, fd)
            os.pwrite(fd, data, 0)
            data, fds = marshal.dumps(None), [*fds, fd]
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else ())


class Processes:
    """A PID namespace, made at the first process."""

    def __init__(self, name: str, handles: Sequence[Handle] = (), *, own_proc: bool = False) -> None:
        self.name = name
        self.children: list[Process] = []
        self._handles, self._own_proc = tuple(handles), own_proc
        self._lock = threading.Lock()
        self._lifeline: socket.socket | None = None
        self._channel: socket.socket | None = None
        self._init = 0
        self._numbers = count()

    @property
    def started(self) -> bool:
        """Say whether there is such a namespace, of our own."""
        return self._lifeline is not None

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], options: Mapping[str, Any], *, known: bool = True
    ) -> Process:
        """Start a program inside, in a session of its own.

        Shape:  *options* are some of subprocess.Popen's. Unless it is to be *known*, nobody waits until it
                runs: it has no `pid`, and what keeps it from running is raised where its end is awaited.
        Raises: OSError if it cannot run; BuildError if there can be no PID namespace, or is none any more.
        """
        if unknown := options.keys() - OPTIONS:
            raise TypeError(f"{self.name}: popen() inside takes no {', '.join(sorted(unknown))}")
        if known:  # in a thread, where no interrupt comes between a pipe and who closes it
            return in_a_thread(lambda: self._start(argv, env, options, known))
        return self._start(argv, env, options, known)

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str], options: Mapping[str, Any], known: bool
    ) -> Process:
        channel = self._running()
        streams = Streams(options.get("stdin"), options.get("stdout"), options.get("stderr"))
        try:
            process = self._asked(channel, argv, env, options, streams, known)
            process.take(
                streams,
                bufsize=options.get("bufsize", -1),
                encoding=encoding_of(options),
                errors=options.get("errors") or "replace",
            )
        finally:
            streams.close()
        if known:
            with self._lock:
                self.children = [*(other for other in self.children if other.poll() is None), process]
        return process

    def keep(self, pipe: int, file: int) -> None:
        """Have init move what comes through a pipe to a file in memory, of which only the end takes room."""
        self._send(self._running(), ("log",), [pipe, file])

    def flush(self) -> None:
        """Wait until all that was written to such pipes so far is in the files."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                if self._channel is None:
                    return
                with suppress(OSError):  # it has ended, and flushed before
                    send(self._channel, ("flush",), [theirs.fileno()])
            ours.recv(1)

    def end(self) -> None:
        """Have init end, and with it all others. Does not wait for it."""
        if self._lifeline is not None:
            with suppress(OSError):
                self._lifeline.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End all processes and wait until none is left; who was interrupted may go on by calling again."""
        self.end()
        if self._lifeline is not None:
            with suppress(OSError):  # it is closed: that is where an interrupt came
                while self._lifeline.recv(64):  # its last holder is the keeper, until it has buried init
                    pass
        self._drop()
        while self.children:
            child = self.children[-1]
            with suppress(OSError):
                child.wait()
            child.close_streams()
            self.children.pop()

    def forget(self) -> None:
        """In a forked child: let go of the lifeline, which must not outlive our parent."""
        if self._lifeline is not None:
            self._lifeline.close()
        self._lifeline, self._lock = None, threading.Lock()
        self.children = []

    def _drop(self) -> None:
        for sock in (self._lifeline, self._channel):
            if sock is not None:
                sock.close()
        self._lifeline = self._channel = None

    def _running(self) -> socket.socket:
        with self._lock:
            if self._channel is None:
                try:
                    self._start_init_with_proc()
                except BaseException as error:
                    self._drop()
                    if isinstance(error, OSError):
                        raise BuildError(f"{self.name}: no PID namespace: {syscalls.words(error)}") from error
                    raise
            assert self._channel is not None
            return self._channel

    def _start_init_with_proc(self) -> None:
        """Do without a /proc of its own where the kernel refuses one, in a user namespace in a container."""
        try:
            self._start_init(PROC if self._own_proc else "")
        except PermissionError:
            if not self._own_proc or syscalls.in_first_userns():
                raise
            self._drop()
            self._start_init("")

    def _start_init(self, proc: str) -> None:
        with ExitStack() as closing:
            self._lifeline, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            closing.enter_context(theirs)
            _begun[self._lifeline.fileno()] = weakref.ref(self)
            self._lifeline.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            channel, their_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            closing.enter_context(their_channel)
            self._channel = channel
            keeper = _ask_keeper(
                ("make", [kind for _, kind in self._handles], proc.encode()),
                [theirs.fileno(), their_channel.fileno(), *(fd for fd, _ in self._handles)],
            )
        data, ancillary, _, _ = self._lifeline.recvmsg(1 << 16, socket.CMSG_SPACE(12))
        what, *words = marshal.loads(data) if data else ("error", None, f"the keeper ended: {keeper.words()}")
        if what == "error":
            raise OSError(*words)
        self._init = struct.unpack("iII", ancillary[0][2])[0]
        if proc:
            inside(self._handles, mounts.protect_sysctls)

    def _asked(
        self,
        channel: socket.socket,
        argv: Sequence[str],
        env: Mapping[str, str],
        options: Mapping[str, Any],
        streams: Streams,
        known: bool,
    ) -> Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ident = (os.getpid(), next(self._numbers))
        with ours, theirs, ExitStack() as closing:
            status = duplicated(ours)
            process = Process(argv, status, lambda number, group: self._signal(ident, number, group))
            process.init = self._init
            fds = {fd: fd for fd in options.get("pass_fds", ())} | streams.given
            cwd = self._directory(options.get("cwd"), fds, closing)
            message = (
                *("run", ident, [os.fsencode(word) for word in argv]),
                {os.fsencode(name): os.fsencode(value) for name, value in env.items()},
                *(cwd, list(fds), known),
            )
            if known:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._send(channel, message, [theirs.fileno(), *fds.values()])
            streams.release()
            theirs.close()
            if known:
                try:
                    process.await_start(ours)
                except EOFError:
                    raise BuildError(self._gone()) from None
            return process

    def _directory(
        self, wanted: str | os.PathLike[str] | None, fds: dict[int, int], closing: ExitStack
    ) -> bytes | None:
        """Say where a command starts: by default in a node at its root, else where we are."""
        if self._own_proc:
            return os.fsencode(wanted or "/")
        if wanted is not None:
            return os.fsencode(os.path.abspath(wanted))  # noqa: PTH100 - it may be bytes
        fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        closing.callback(os.close, fd)
        fds[-1] = fd
        return None

    def _signal(self, ident: tuple[int, int], number: int, group: bool) -> None:
        if self._channel is not None:
            with suppress(BrokenPipeError, ConnectionResetError):
                send(self._channel, ("signal", ident, int(number), group), ())

    def _send(self, channel: socket.socket, message: Any, fds: Sequence[int]) -> None:
        try:
            send(channel, message, fds)
        except (BrokenPipeError, ConnectionResetError):
            raise BuildError(self._gone()) from None

    def _gone(self) -> str:
        return (
            f"{self.name}: all its processes have ended, for their init (process {self._init}) did; "
            "something outside of it killed it"
        )


_begun: dict[int, weakref.ref[Processes]] = {}
"""By descriptor of the lifeline. Not a WeakSet, whose callbacks are Python code and swallow an interrupt."""


def _living() -> list[Processes]:
    return [processes for ref in list(_begun.values()) if (processes := ref()) is not None]


def _forget_all() -> None:
    """In a forked child: let go of what must end with our parent."""
    global _keeper, _lock
    _lock = threading.Lock()
    for processes in _living():
        processes.forget()
    if _keeper is not None:
        _keeper.forget()
        _keeper = None


os.register_at_fork(after_in_child=_forget_all)
atexit.register(end_keeper)
