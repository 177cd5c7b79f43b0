"""The processes of a node: a PID namespace that ends when we do, however we do."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import threading
import weakref
from collections.abc import Sequence

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import mounts, syscalls
from pytest_netconform.kernel.threads import Handle, enter, in_a_thread

INIT = "echo ready; exec 3<&0 >/dev/null 2>&1; until { cat <&3 & wait $!; }; do :; done"
"""Live until the pipe on stdin closes, whoever kills `cat`; `wait` buries every orphan too, in any shell."""
OWN_PROC = "mount -t proc -o nosuid,nodev,noexec proc /proc || exit; "


class Processes:
    """A PID namespace, made at the first process.

    Its init reads a pipe whose other end only we hold. When that closes, init ends, and the kernel ends all
    others, whatever session they moved to.
    """

    def __init__(self, name: str, handles: Sequence[Handle] = (), *, own_proc: bool = False) -> None:
        self.name = name
        self.children: list[subprocess.Popen[str]] = []
        self._handles, self._own_proc = tuple(handles), own_proc
        self._lock = threading.Lock()
        self._init: subprocess.Popen[str] | None = None
        self._lifeline: io.FileIO | None = None
        self._fd: int | None = None
        _alive.add(self)

    def handle(self) -> Handle:
        """Give the PID namespace, which is made now if there is none yet."""
        with self._lock:
            if self._fd is None:
                self._fd = self._started()
        return self._fd, syscalls.CLONE_NEWPID

    def adopt(self, child: subprocess.Popen[str]) -> None:
        """Bury *child* at the latest when the namespace ends."""
        with self._lock:
            self.children = [*(other for other in self.children if other.poll() is None), child]

    def end(self) -> None:
        """Let go of the lifeline; the kernel kills what still runs. Does not wait for it."""
        if self._lifeline is not None:
            self._lifeline.close()

    def close(self) -> None:
        """End all processes and wait until none is left."""
        self.end()
        for child in self.children:  # before init, which waits for every one of them
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        self.children.clear()
        if self._init is not None:
            self._init.wait()
            self._init = None
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def forget(self) -> None:
        """In a forked child: let go of the lifeline, which must not outlive our parent."""
        self.end()
        self._init, self._lock = None, threading.Lock()

    def _started(self) -> int:
        inner, outer = os.pipe()
        self._lifeline = io.FileIO(outer, "w")  # which closes with us, should an interrupt cut close() short
        try:
            pid = in_a_thread(lambda: self._spawned(inner))
            return os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise BuildError(f"{self.name}: no PID namespace: {syscalls.words(error)}") from error
            raise
        finally:
            os.close(inner)

    def _spawned(self, inner: int) -> int:
        """Start init, in a thread that has no other child in its new PID namespace; give its process id."""
        enter(self._handles)
        syscalls.unshare(syscalls.CLONE_NEWPID)
        self._init = subprocess.Popen(
            ["sh", "-c", (OWN_PROC if self._own_proc else "") + INIT],
            stdin=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            start_new_session=True,
        )
        assert self._init.stdout is not None
        with self._init.stdout as words:
            if (said := words.readline()) != "ready\n":
                raise BuildError(f"{self.name}: no PID namespace: {(said + words.read()).strip()}")
        if self._own_proc:
            mounts.protect_sysctls()
        return self._init.pid


_alive: weakref.WeakSet[Processes] = weakref.WeakSet()


def _forget_all() -> None:
    for processes in list(_alive):
        processes.forget()


os.register_at_fork(after_in_child=_forget_all)
