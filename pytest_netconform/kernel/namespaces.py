"""Namespaces as descriptors: nothing stands in /run/netns, and closing them destroys all that is in them."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pytest_netconform.errors import BuildError, CommandFailed, Unreadable
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.descriptors import Owner, opened
from pytest_netconform.kernel.processes.commands import (
    Command,
    Files,
    Running,
    argv,
    cut_short,
    environment,
    shown,
)
from pytest_netconform.kernel.processes.inits import Processes
from pytest_netconform.kernel.processes.logs import Log
from pytest_netconform.kernel.threads import Handle, inside

T = TypeVar("T")
NS_GET_NSTYPE = 0xB703
PATIENCE_S = 1.0
"""How long an interrupt waits for a user's function, which may be about to end or never to."""


class Namespaces:
    """A network namespace and, for a node, its mount, UTS and PID namespaces; dropped, it goes as if closed.

    Shape: `net`, `mnt`, `uts` are descriptors; None means the namespace that pytest itself runs in. Those
           that we made are *mortal*.
    """

    def __init__(
        self,
        name: str,
        *,
        net: Owner | None = None,
        mnt: Owner | None = None,
        uts: Owner | None = None,
        mortal: bool = False,
    ) -> None:
        self.name, self.mortal, self._closed = name, mortal, False
        self.net, self.mnt, self.uts = (owner and owner.fileno() for owner in (net, mnt, uts))
        self._owners = [owner for owner in (net, mnt, uts) if owner is not None]
        self.inode = _inode(self.net)
        self._processes = Processes(name, self.handles, own_proc=mnt is not None) if mortal else None
        if mortal and self.net is not None:
            _made[self.net] = weakref.ref(self)

    @classmethod
    def here(cls, name: str) -> Namespaces:
        """Name those that pytest runs in; opens nothing, and calls directly."""
        return cls(name)

    @classmethod
    def opened(
        cls, name: str, net: str | os.PathLike[str], mnt: str | os.PathLike[str] | None = None
    ) -> Namespaces:
        """Open existing ones by path, such as /proc/1/ns/net.

        Raises: Unreadable if a path is not that of such a namespace.
        """
        net_owner = _opened(name, net, syscalls.CLONE_NEWNET)
        return cls(name, net=net_owner, mnt=_opened(name, mnt, syscalls.CLONE_NEWNS) if mnt else None)

    @property
    def handles(self) -> tuple[Handle, ...]:
        """List the descriptors to enter, in the order in which that works."""
        if self._closed:
            raise BuildError(f"{self.name} is closed")
        kinds = (
            (self.net, syscalls.CLONE_NEWNET),
            (self.uts, syscalls.CLONE_NEWUTS),
            (self.mnt, syscalls.CLONE_NEWNS),
        )
        return tuple((fd, kind) for fd, kind in kinds if fd is not None)

    def call(self, fn: Callable[..., T], *args: Any) -> T:
        """Call *fn* in a fresh thread inside; it shares everything else with us."""
        handles = self.handles
        return inside(handles, lambda: fn(*args), PATIENCE_S) if handles else fn(*args)

    def call_in_net(self, fn: Callable[..., T], *args: Any) -> T:
        """Call *fn* in the network namespace alone: our own /proc knows our threads, a node's does not."""
        if not self.handles or self.net is None:
            return fn(*args)
        return inside([(self.net, syscalls.CLONE_NEWNET)], lambda: fn(*args), PATIENCE_S)

    def socket(self, family: int, kind: int, proto: int = 0) -> socket.socket:
        """Open a socket inside; it stays there, and can be used from any thread."""
        return self.call(socket.socket, family, kind, proto)

    def run(
        self,
        command: Command,
        *,
        check: bool = True,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; a string goes to sh, a list does not.

        Shape:  *env* adds to our environment.
        Raises: CommandFailed for a non-zero status unless *check* is false; always for a program that is not
                there, and for one that outlives *timeout_s* or writes more than 64 MiB, which is killed.
        """
        with Files(input) as files, self._failing(command):
            streams = {"stdin": files.stdin, "stdout": files.stdout, "stderr": files.stderr}
            process = self._spawned(command, env, streams, known=False)
            wrong = cut_short(process, timeout_s, files)
            status = process.wait()
            stdout, stderr = files.texts()
        if wrong or (check and status):
            stderr = "\n".join(filter(None, (stderr, wrong)))
            raise CommandFailed(self.name, shown(command), status, stdout, stderr)
        return subprocess.CompletedProcess(command, status, stdout, stderr)

    def popen(self, command: Command, *, env: Mapping[str, str] | None = None, **options: Any) -> Running:
        """Start a command inside, in a session of its own; what is made by us ends it when it closes.

        Shape: *options* as of subprocess.Popen; text streams, and an empty stdin, unless they say otherwise.
        """
        with self._failing(command):
            return self._spawned(command, env, {"stdin": subprocess.DEVNULL, **options}, known=True)

    def log(self) -> Log:
        """Make what a daemon inside can write to without end.

        Raises: TypeError where processes are not ours to end.
        """
        if self._processes is None:
            raise TypeError(f"{self.name}: a daemon needs a namespace of ours, which can end it")
        return Log(self._processes)

    def end(self) -> None:
        """Have the kernel end the processes inside, without waiting for it."""
        if self._processes is not None:
            self._processes.end()

    def close(self) -> None:
        """End the processes inside, if the namespaces were made by us, and let go of the descriptors.

        Shape: who was interrupted may go on by calling again.
        """
        try:
            if self._processes is not None:
                self._processes.close()
        finally:
            self._closed, self.net, self.mnt, self.uts = True, None, None, None
            for owner in self._owners:
                owner.close()

    def _spawned(
        self, command: Command, env: Mapping[str, str] | None, options: Mapping[str, Any], *, known: bool
    ) -> Running:
        handles = self.handles
        if self._processes is not None:
            return self._processes.start(argv(command), environment(env), options, known=known)
        defaults = {"text": True, "errors": "replace", "start_new_session": True, "env": environment(env)}

        def spawn() -> subprocess.Popen[str]:
            return subprocess.Popen(argv(command), **{**defaults, **options})

        return inside(handles, spawn) if handles else spawn()

    @contextmanager
    def _failing(self, command: Command) -> Iterator[None]:
        """Say of a command that could not be run what a shell would."""
        try:
            yield
        except FileNotFoundError as error:
            raise CommandFailed(
                self.name, shown(command), 127, "", f"no such program: {error.filename}"
            ) from error
        except OSError as error:
            raise CommandFailed(self.name, shown(command), 126, "", str(error)) from error


_made: dict[int, weakref.ref[Namespaces]] = {}
"""By descriptor. Not a WeakSet, whose callbacks are Python code and swallow an interrupt."""


def made() -> list[Namespaces]:
    """List those that we made and that are still open: all that a test may change."""
    found = [ref() for ref in list(_made.values())]
    return [each for each in found if each is not None and each.net is not None]


def _inode(net: int | None) -> int:
    return (os.fstat(net) if net is not None else Path("/proc/self/ns/net").stat()).st_ino


def _opened(name: str, path: str | os.PathLike[str], kind: int) -> Owner:
    """Open an existing namespace; a path that is something else is refused here, not at its first use."""
    try:
        owner = opened(path)
    except OSError as error:
        raise Unreadable(f"{name}: {os.fspath(path)}: {error.strerror}") from error
    with suppress(OSError):
        if fcntl.ioctl(owner.fileno(), NS_GET_NSTYPE) == kind:
            return owner
    raise Unreadable(f"{name}: {os.fspath(path)} is no {syscalls.WORDS[kind]} namespace")
