"""Echo requests from one host to many: told apart by their sequence number, and written by the thousand."""

from __future__ import annotations

import socket
import struct

from pytest_netconform.kernel.probing.icmp import HEADER_SIZE, NONCE, V4, EchoSocket

HEAD, REPLY = struct.Struct("!BBHHH"), struct.Struct("!B3xHH8s")
SOURCE = slice(12, 16)
"""Where the header of IPv4 has the sender."""
RECEIVED = 256
"""Enough of a reply to know it again."""


class Echoes:
    """Echo requests of one identifier and nonce; each step of this costs as much as a third of a system call.

    Units: *size* is the length of the IP packet in bytes, headers included.
    """

    __slots__ = (
        "_base",
        "_ident",
        "_nonce",
        "_recv",
        "_reply",
        "_request",
        "_sendto",
        "_start",
        "_tail",
        "socket",
    )

    def __init__(self, socket: EchoSocket, ident: int, nonce: bytes, size: int) -> None:
        wire = socket.wire
        self.socket, self._request, self._reply = socket, wire.request, wire.reply
        self._ident, self._nonce = ident, nonce
        self._start = wire.header if wire is V4 else 0
        self._tail = nonce + bytes(size - wire.header - HEADER_SIZE - NONCE)
        total = (wire.request << 8) + ident + sum(struct.unpack("!4H", nonce))
        self._base = 0xFFFF - total % 0xFFFF
        self._sendto, self._recv = socket.sock.sendto, socket.sock.recv

    def send(self, number: int, sockaddr: tuple[str, int]) -> None:
        """Send a request; its checksum is that of ICMP, for ICMPv6 the kernel writes its own.

        Raises: OSError with our own kernel's refusal, or with an earlier request's ICMP error.
        """
        checksum = (self._base - number) % 0xFFFF
        self._sendto(HEAD.pack(self._request, 0, checksum, self._ident, number) + self._tail, sockaddr)

    def reply(self) -> tuple[int, bytes] | None:
        """Take what has arrived: which request it answers, and who sent it; None for what is not for us.

        Raises: BlockingIOError if nothing has, OSError if an ICMP error has.
        """
        start = self._start
        if start:
            data = self._recv(RECEIVED)
            sender = data[SOURCE]
        else:
            data, (address, *_) = self.socket.sock.recvfrom(RECEIVED)
            sender = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        if len(data) < start + REPLY.size:
            return None
        kind, ident, number, nonce = REPLY.unpack_from(data, start)
        if kind != self._reply or ident != self._ident or nonce != self._nonce:
            return None
        return number, sender
