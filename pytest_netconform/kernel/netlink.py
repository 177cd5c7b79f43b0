"""A netlink socket: requests out in batches, the kernel's answers in, in its own words."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

RECEIVE = 1 << 17
BATCH = 64
"""Requests in one send; each answer takes about 1 KiB of a receive buffer that has 208."""
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x1, 0x4, 0x300, 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE, NLMSGERR_ATTR_MSG, NLA_TYPE_MASK = 2, 3, 1, 0x3FFF
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 1, 2, 10, 11
HEADER, ATTRIBUTE, STATUS = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the kernel sent it, without its header."""

    type: int
    flags: int
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the kernel said to a request that it did not carry out.

    Shape: *position* is that of the request among those sent together.
    """

    position: int
    errno: int
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({errno.errorcode.get(self.errno, self.errno)})"


class Netlink:
    """A netlink socket, opened inside the namespace that it speaks for; threads take turns with it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._lock = threading.Lock()
        self._behind = False  # an interrupt came: there may be answers that nobody waits for
        self._announced = False
        self._sequence = count(1)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            sock.setsockopt(SOL_NETLINK, option, 1)

    def close(self) -> None:
        self.sock.close()

    def execute(self, requests: Sequence[tuple[int, int, bytes]]) -> list[Refusal]:
        """Send requests (type, flags, body) in order and wait for every answer; give the refusals."""
        refusals = []
        with self._lock:
            for start in range(0, len(requests), BATCH):
                seqs = self._send(requests[start : start + BATCH], NLM_F_ACK)
                while seqs:
                    for message in self._receive():
                        if message.type == NLMSG_ERROR and message.seq in seqs:
                            position = start + seqs.pop(message.seq)
                            if refused := _refusal(position, message):
                                refusals.append(refused)
                self._behind = False
        return refusals

    def ask(self, kind: int, body: bytes, flags: int = NLM_F_DUMP) -> list[Message]:
        """Ask for a whole table, or with NLM_F_ACK for one thing, and give the messages of the answer.

        Shape:  a list, for a socket whose answer is not read to its end takes no other request (EBUSY).
        Raises: OSError with the kernel's refusal.
        """
        answer = []
        with self._lock:
            seqs = self._send([(kind, flags, body)], 0)
            while seqs:
                for message in self._receive():
                    if message.seq not in seqs:
                        self._announced = (
                            True  # perhaps: it may have overtaken an answer that does not know of it
                        )
                    elif message.type not in (NLMSG_DONE, NLMSG_ERROR):
                        answer.append(message)
                    else:
                        seqs.clear()
                        last = message
            self._behind = False
        if refused := _refusal(0, last):
            raise OSError(refused.errno, refused.words)
        return answer

    @contextmanager
    def listening(self, groups: Sequence[int]) -> Iterator[None]:
        """Be told what the kernel announces to multicast groups; `notice` gives it."""
        for group in groups:
            self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        try:
            yield
        finally:
            for group in groups:
                self.sock.setsockopt(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group)

    def notice(self, deadline: float) -> bool:
        """Wait for an announcement; say whether any came, or was lost, before *deadline* (monotonic)."""
        if self._announced:
            self._announced = False
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
        try:
            self._receive()
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more came than we had room for
                raise
        return True

    def _receive(self) -> list[Message]:
        return list(_split(self.sock.recv(RECEIVE)))

    def _send(self, requests: Sequence[tuple[int, int, bytes]], flags: int) -> dict[int, int]:
        """Send in one go; give the position of each request by its sequence number."""
        if self._behind:
            self._catch_up()
        seqs, data = {}, bytearray()
        for position, (kind, own_flags, body) in enumerate(requests):
            seq = next(self._sequence) & 0xFFFF_FFFF
            seqs[seq] = position
            data += (
                HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags | own_flags, seq, 0) + body
            )
            data += bytes(-len(data) % 4)
        self._behind = True
        self.sock.send(data)
        return seqs

    def _catch_up(self) -> None:
        """Read what was left unread; with each piece of a table that we take the kernel adds the next."""
        self._announced = True  # perhaps
        while True:
            try:
                self.sock.recv(RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise


def attribute(data: bytes, start: int, wanted: int) -> bytes:
    """Find an attribute in a row of them; empty if it is not there."""
    while start + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, start)
        if kind & NLA_TYPE_MASK == wanted:
            return data[start + ATTRIBUTE.size : start + length]
        start += max(ATTRIBUTE.size, (length + 3) & ~3)
    return b""


def _split(data: bytes) -> Iterator[Message]:
    start = 0
    while start + HEADER.size <= len(data):
        length, kind, flags, seq, _ = HEADER.unpack_from(data, start)
        yield Message(kind, flags, seq, data[start + HEADER.size : start + length])
        start += max(HEADER.size, (length + 3) & ~3)


def _refusal(position: int, message: Message) -> Refusal | None:
    number = -STATUS.unpack_from(message.body)[0]
    if not number:
        return None
    words = b""
    if (
        message.flags & NLM_F_ACK_TLVS
    ):  # after the status and the header of the request, for the rest was capped
        words = attribute(message.body, STATUS.size + HEADER.size, NLMSGERR_ATTR_MSG).rstrip(b"\0")
    return Refusal(position, number, words.decode(errors="replace") or os.strerror(number))
