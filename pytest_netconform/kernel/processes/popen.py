"""A command that runs in a PID namespace of ours, with the interface of subprocess.Popen.

It is no child of ours: its init tells through a socket how it ended. No thread serves any of it.
"""

from __future__ import annotations

import io
import locale
import marshal
import math
import os
import select
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from pytest_netconform.kernel.descriptors import Owner

Signaller = Callable[[int, bool], None]
ROOM = 1 << 16


class Streams:
    """The standard streams of a command: what it is given, and our ends of its pipes.

    Shape: `given` is by number; what it lacks becomes /dev/null.
    """

    def __init__(self, stdin: Any, stdout: Any, stderr: Any) -> None:
        self.given: dict[int, int] = {}
        self.ours: dict[int, int] = {}
        self._theirs: list[int] = []
        try:
            for number, wanted in enumerate((stdin, stdout, stderr)):
                self._open(number, wanted)
        except BaseException:
            self.close()
            raise

    def _open(self, number: int, wanted: Any) -> None:
        if wanted == subprocess.DEVNULL:
            return
        if wanted == subprocess.PIPE:
            read, write = os.pipe()
            ours, theirs = (write, read) if number == 0 else (read, write)
            self.ours[number] = ours
            self._theirs.append(theirs)
            self.given[number] = theirs
        elif wanted == subprocess.STDOUT and number == 2:
            self.given.update({2: self.given[1]} if 1 in self.given else {})
        elif wanted is None:
            self.given[number] = number
        else:
            self.given[number] = wanted if isinstance(wanted, int) else wanted.fileno()

    def release(self) -> None:
        """Close what only the command needs."""
        while self._theirs:
            os.close(self._theirs.pop())

    def close(self) -> None:
        """Close our ends too, for there is no command."""
        self.release()
        while self.ours:
            os.close(self.ours.popitem()[1])

    def opened(self, bufsize: int, encoding: str | None, errors: str | None) -> list[IO[Any] | None]:
        """Hand over our ends as files: of text if there is an encoding, else of bytes."""
        files: list[IO[Any] | None] = [None, None, None]
        while self.ours:
            number, fd = self.ours.popitem()
            mode = "rb" if number else "wb"
            file = open(fd, mode, bufsize if encoding is None or bufsize != 1 else -1)  # noqa: PTH123, SIM115
            files[number] = (
                file
                if encoding is None
                else io.TextIOWrapper(
                    file, encoding, errors, line_buffering=bufsize == 1, write_through=number == 0
                )
            )
        return files


class Process:
    """A command in a PID namespace of ours; it lives no longer than that.

    Shape: as subprocess.Popen. `pid` is its number outside, `init` that of the namespace's first process;
           `returncode` is -9 also if its namespace ended.
    """

    def __init__(self, args: Sequence[str], status: Owner, send: Signaller) -> None:
        self.args, self.pid, self.init = args, 0, 0
        self.returncode: int | None = None
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self._status, self._send = status, send
        self._lock = threading.Lock()
        self._encoding: tuple[str, str] | None = None
        self._talk: _Talk | None = None

    def await_start(self, status: socket.socket) -> None:
        """Wait until it runs.

        Raises: OSError if it cannot; EOFError if its namespace ended first.
        """
        data, ancillary, _, _ = status.recvmsg(ROOM, socket.CMSG_SPACE(12))
        self._understand(data)
        if self.returncode is not None:
            raise EOFError
        self.pid = struct.unpack("iII", ancillary[0][2])[0]

    def take(self, streams: Streams, *, bufsize: int, encoding: str | None, errors: str) -> None:
        """Take over our ends of its pipes."""
        self._encoding = (encoding, errors) if encoding else None
        self.stdin, self.stdout, self.stderr = streams.opened(bufsize, encoding, errors)

    def __repr__(self) -> str:
        return f"<Process: returncode: {self.returncode} args: {self.args!r}>"

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_streams()
        self.wait()

    def close_streams(self) -> None:
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def poll(self) -> int | None:
        """Give its status if it has ended."""
        self.ended(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and give its status.

        Raises: subprocess.TimeoutExpired.
        """
        if not self.ended(timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.poll() is None:
            self._send(number, False)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def kill_session(self) -> None:
        """Kill it with all that it started in its own process group, and wait for it."""
        if self.poll() is None:
            self._send(signal.SIGKILL, True)
            self.wait()

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Write *input*, read its pipes to their ends, and wait until it has ended.

        Raises: subprocess.TimeoutExpired; it can be called again then, and nothing is lost.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._talk is None:
            self._talk = _Talk(self, self._bytes(input))
        elif input:
            raise ValueError("input can be given only once")
        done = self._talk.go_on(deadline) and self.ended(_left(deadline))
        stdout, stderr = map(self._talk.heard, (self.stdout, self.stderr))
        if not done:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout, stdout, stderr)
        return self._text(stdout), self._text(stderr)

    def _bytes(self, given: Any) -> bytes:
        if isinstance(given, str):
            if self._encoding is None:
                raise TypeError("input must be bytes where the streams are bytes")
            return given.encode(*self._encoding)
        return bytes(given or b"")

    def _text(self, heard: bytes | None) -> Any:
        if heard is None or self._encoding is None:
            return heard
        return heard.decode(*self._encoding).replace("\r\n", "\n").replace("\r", "\n")

    def ended(self, timeout: float | None) -> bool:
        """Wait until it has ended, and say whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self.returncode is None and self._lock.acquire(timeout=-1 if timeout is None else timeout):
            try:  # while another thread has the lock, it waits for the same
                while self.returncode is None:
                    if deadline is not None and not _readable(self._status, _left(deadline)):
                        break
                    self._understand(os.read(self._status.fileno(), ROOM))
            finally:
                self._lock.release()
        return self.returncode is not None

    def _understand(self, data: bytes) -> None:
        what, *words = marshal.loads(data) if data else ("ended", -signal.SIGKILL)
        if what == "started":
            return
        self.returncode = 127 if what == "error" else words[0]
        self._status.close()
        if what == "error":
            raise OSError(words[0], words[1], words[2] or None)


class _Talk:
    """What is still to be written to a command, and what was read from it."""

    def __init__(self, process: Process, given: bytes) -> None:
        self._given = memoryview(given)
        self._heard: dict[IO[Any], bytearray] = {}
        self._open: dict[IO[Any], int] = {}
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                self._heard[stream] = bytearray()
                if not stream.closed:
                    self._open[stream] = selectors.EVENT_READ
        if process.stdin is not None and not process.stdin.closed:
            with suppress(BrokenPipeError):
                process.stdin.flush()
            self._open[process.stdin] = selectors.EVENT_WRITE

    def heard(self, stream: IO[Any] | None) -> bytes | None:
        return bytes(self._heard[stream]) if stream is not None else None

    def go_on(self, deadline: float | None) -> bool:
        """Write and read until all streams are at their end, or the time is over."""
        with selectors.DefaultSelector() as selector:
            for stream, event in self._open.items():
                selector.register(stream, event)
            while self._open:
                ready = selector.select(_left(deadline))
                if not ready:
                    return False
                for key, event in ready:
                    busy: Any = key.fileobj
                    if not (self._write if event & selectors.EVENT_WRITE else self._read)(busy):
                        selector.unregister(busy)
                        del self._open[busy]
                        with suppress(BrokenPipeError):
                            busy.close()
        return True

    def _write(self, stream: IO[Any]) -> bool:
        try:
            self._given = self._given[os.write(stream.fileno(), self._given[: select.PIPE_BUF]) :]
        except BrokenPipeError:
            return False
        return bool(self._given)

    def _read(self, stream: IO[Any]) -> bool:
        data = os.read(stream.fileno(), ROOM)
        self._heard[stream] += data
        return bool(data)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _readable(fd: Owner, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if timeout is None else math.ceil(timeout * 1000)))


def encoding_of(options: Mapping[str, Any]) -> str | None:
    """Say what options of subprocess.Popen ask for: text, as we do where they say nothing, or bytes."""
    text = options.get("text", options.get("universal_newlines"))
    if text or text is None or options.get("encoding"):
        return options.get("encoding") or locale.getpreferredencoding(False)
    return None
