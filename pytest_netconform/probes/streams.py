"""Bytes over a TCP connection, for attempts: nothing blocks, and each wait ends with the probe's time."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Protocol

from pytest_netconform.kernel.probing.driving import Attempt, Wait
from pytest_netconform.kernel.probing.icmp import icmp_errors
from pytest_netconform.probes.sending import WITHOUT_ICMP, Aim, Fields, lost, rejected, since_ms, told

PIECE = 65536
LEAVE_MS = 500
MOST_AT_ONCE = 16
"""So many pieces are taken before others get their turn."""


class TimeOver(Exception):
    """The time of the probe is over."""


class Stream(Protocol):
    """What is written and read through; as it is, or encrypted."""

    def send(self, data: bytes) -> Attempt[None]: ...

    def receive(self) -> Attempt[bytes]: ...


def abort_at_close(sock: socket.socket) -> None:
    """Have a close reset the connection, which is gone at once: one that waits would keep its namespace."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def leave_at_close(sock: socket.socket) -> None:
    """Have a close take leave as usual, but wait only a moment for the other side's acknowledgement.

    By default that is minutes, in which the connection keeps its namespace with all its devices.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LEAVE_MS)


class Connection:
    """A connected socket.

    Raises: TimeOver, and OSError as the kernel tells it.
    """

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock, self.until = sock, until
        self._at_once = 0

    def send(self, data: bytes) -> Attempt[None]:
        while data:
            self._in_time()
            try:
                data = data[self.sock.send(data, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                yield from self._wait(select.POLLOUT)

    def receive(self) -> Attempt[bytes]:
        """Take what has come; nothing at the end of the stream."""
        self._at_once += 1
        if self._at_once > MOST_AT_ONCE:
            yield from self._wait(select.POLLIN)
        while True:
            self._in_time()
            try:
                return self.sock.recv(PIECE)
            except BlockingIOError:
                yield from self._wait(select.POLLIN)

    def _in_time(self) -> None:
        """Hold that there is time left: who talks without an end never lets us wait."""
        if time.monotonic() >= self.until:
            raise TimeOver

    def _wait(self, events: int) -> Generator[Wait, Any, None]:
        self._at_once = 0
        if not (yield Wait(self.sock, events, self.until)):
            raise TimeOver


def connecting(sock: socket.socket, aim: Aim, until: float) -> Attempt[Fields | None]:
    """Connect; gives nothing when that is done, and the fields of an outcome where it cannot be.

    Raises: OSError for what has nothing to do with the path.
    """
    sockaddr = aim.apply(sock)
    start = time.monotonic()
    try:
        sock.connect(sockaddr)
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL and sock.family == socket.AF_INET:
            raise OSError(error.errno, "no local port is left") from error
        return rejected(error)
    while (yield Wait(sock, select.POLLOUT, until)):
        errors, _ = icmp_errors(sock, aim.wire)
        if errors:
            return told(errors[0], start)
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return ended_by(number, aim, start)
        if (peer := _peer(sock)) is not None:
            return _met_itself(sock, aim, start) if peer == sock.getsockname() else None
    return lost(start)


def _peer(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None  # not connected yet


def _met_itself(sock: socket.socket, aim: Aim, start: float) -> Fields:
    """Give a refusal: the kernel chose the very port that we ask for, so nobody listens there.

    A request to connect that comes back to its sender is taken as one of two at the same time (RFC 9293).
    """
    abort_at_close(sock)
    return ended_by(errno.ECONNREFUSED, aim, start)


def ended_by(number: int, aim: Aim, start: float) -> Fields:
    """Say what an errno means that the kernel gave to a connection for what came in.

    Raises: OSError for one that does not come from the path.
    """
    fields = {"rtt_ms": since_ms(start)}
    if number == errno.ECONNREFUSED:  # a reset: its sender gives himself out for the peer, or is it
        return {**fields, "refused": True, "refused_with": "tcp-reset", "by": aim.dst.partition("%")[0]}
    if number == errno.ETIMEDOUT:
        return lost(start)
    if number in (errno.ECONNRESET, errno.EPIPE):
        return {**fields, "failed": "connection reset"}
    if number in WITHOUT_ICMP:
        return {**fields, "unreachable": WITHOUT_ICMP[number]}
    return rejected(OSError(number, os.strerror(number)))


def broken_by(error: OSError, sock: socket.socket, aim: Aim, start: float) -> Fields:
    """Say what ended a connection that had been made: an ICMP error, or what the peer sent."""
    errors, mtu = icmp_errors(sock, aim.wire)
    if errors:
        return {**told(errors[0], start), "mtu": errors[0].mtu or mtu}
    return ended_by(error.errno or 0, aim, start)
