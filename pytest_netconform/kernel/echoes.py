"""Echo requests from one host to many: told apart by their sequence number, and written by the thousand."""

from __future__ import annotations

import struct

from pytest_netconform.kernel.icmp import HEADER_SIZE, NONCE, V4, EchoSocket

HEAD = struct.Struct("!BBHHH")
RECEIVED = 256
"""Enough of a reply to know it again."""


class Echoes:
    """Echo requests of one identifier and nonce.

    Units: *size* is the length of the IP packet in bytes, headers included.
    """

    __slots__ = ("_ident", "_mark", "_reply", "_request", "_start", "_sum", "_tail", "socket")

    def __init__(self, socket: EchoSocket, ident: int, nonce: bytes, size: int) -> None:
        wire = socket.wire
        self.socket, self._request, self._reply = socket, wire.request, wire.reply
        self._ident, self._mark = ident, struct.pack("!H", ident)
        self._start = wire.header if wire is V4 else 0
        self._tail = nonce + bytes(size - wire.header - HEADER_SIZE - NONCE)
        self._sum = (wire.request << 8) + ident + sum(struct.unpack("!4H", nonce))

    def send(self, number: int, sockaddr: tuple[str, int]) -> None:
        """Send a request; its checksum is that of ICMP, for ICMPv6 the kernel writes its own.

        Raises: OSError with our own kernel's refusal, or with an earlier request's ICMP error.
        """
        total = self._sum + number
        total = (total & 0xFFFF) + (total >> 16)
        total += total >> 16
        head = HEAD.pack(self._request, 0, ~total & 0xFFFF, self._ident, number)
        self.socket.sock.sendto(head + self._tail, sockaddr)

    def reply(self) -> tuple[int, str] | None:
        """Take what has arrived: which request it answers, and who sent it; None for what is not for us.

        Raises: BlockingIOError if nothing has, OSError if an ICMP error has.
        """
        data, sender = self.socket.sock.recvfrom(RECEIVED)
        at = self._start
        if data[at] != self._reply or data[at + 4 : at + 6] != self._mark:
            return None
        if data[at + HEADER_SIZE : at + HEADER_SIZE + NONCE] != self._tail[:NONCE]:
            return None
        return data[at + 6] << 8 | data[at + 7], sender[0]
