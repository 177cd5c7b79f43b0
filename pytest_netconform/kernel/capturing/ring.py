"""Packets of a namespace's devices, from a ring that the kernel fills while we do something else.

A frame of the ring that was filled is never handed back: the ring is the bound, and what comes when it is
full is counted by the kernel.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.namespaces import Namespaces

SOL_PACKET, SO_ATTACH_FILTER, ETH_P_ALL = 263, 26, 0x0003
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V2 = 5, 6, 10, 1
PACKET_OUTGOING = 4
TP_STATUS_USER, TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x1, 0x10, 0x40
ETH_P_8021Q = 0x8100
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
SIOCGIFNAME, SIOCGIFHWADDR = 0x8910, 0x8927
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
LINKTYPES = {
    ARPHRD_ETHER: LINKTYPE_ETHERNET,
    ARPHRD_LOOPBACK: LINKTYPE_ETHERNET,
    **dict.fromkeys((519, 768, 769, 776, 778, 823, 0xFFFE), LINKTYPE_RAW),
}
"""What a frame begins with, by ARPHRD_: RAWIP, TUNNEL, TUNNEL6, SIT, IPGRE, IP6GRE and NONE begin with IP."""

FRAME = struct.Struct("=IIIHHIIHH4x")
SENDER = struct.Struct("=HHiHBB8s")
SENDER_OFFSET, HEADERS, BLOCK = 32, 96, 1 << 17
"""Where a frame has its sockaddr_ll; what its headers take at most; memory is asked for in such pieces."""
INSTRUCTION = struct.Struct("=HBBI")

Program = Sequence[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet as the kernel handed it over.

    Units: time_ns since 1970; length is that on the wire, of which *data* may be the beginning only.
    Shape: *pkttype* is PACKET_HOST, _BROADCAST, _MULTICAST, _OTHERHOST or _OUTGOING, 0 to 4.
    """

    time_ns: int
    ifindex: int
    hatype: int
    pkttype: int
    length: int
    data: bytes


class Ring:
    """A packet socket inside a namespace with its ring; on from the moment that it is made.

    Shape:  *ifindex* 0 means all devices; *program* is a classic BPF filter.
    Raises: BuildError.
    Needs:  CAP_NET_RAW.
    Source: packet(7); Documentation/networking/packet_mmap.rst.
    """

    def __init__(
        self, namespaces: Namespaces, ifindex: int, program: Program, *, packets: int, snaplen: int
    ) -> None:
        self.name, self.snaplen, self.dropped = namespaces.name, snaplen, 0
        self._frame_size = (HEADERS + snaplen + 15) & ~15
        self._block_size = max(BLOCK, 1 << (self._frame_size - 1).bit_length())
        self._per_block = self._block_size // self._frame_size
        self._frames = -(-packets // self._per_block) * self._per_block
        self._next, self._bound = 0, bool(ifindex)
        with ExitStack() as undo:
            try:
                # Python binds to a device only; a protocol from the start is for all of them. What comes
                # before there is a ring waits in a queue that the kernel throws away with the ring's start
                proto = 0 if ifindex else socket.htons(ETH_P_ALL)
                self._sock = undo.enter_context(namespaces.socket(socket.AF_PACKET, socket.SOCK_RAW, proto))
                self._attach(program)
                self._map = self._mapped()
                undo.callback(self._map.close)
                if ifindex:
                    self._sock.bind((_name(self._sock, ifindex), ETH_P_ALL))
                else:
                    self.count_drops()
                    self.dropped = 0
            except OSError as error:
                raise BuildError(f"{self.name}: capture: {syscalls.words(error)}") from error
            self._undo = undo.pop_all()

    def device(self, ifindex: int) -> str:
        """Name a device; one that is gone by its number."""
        try:
            return _name(self._sock, ifindex)
        except OSError:
            return f"if{ifindex}"

    def read(self) -> Iterator[Frame]:
        """Give the frames that were filled since the last time."""
        while self._next < self._frames:
            block, place = divmod(self._next, self._per_block)
            start = block * self._block_size + place * self._frame_size
            if not FRAME.unpack_from(self._map, start)[0] & TP_STATUS_USER:
                return
            self._next += 1
            yield self._frame(start)

    def count_drops(self) -> int:
        """Count the packets for which there was no room."""
        self.dropped += struct.unpack("=II", self._sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        return self.dropped

    def is_blind(self) -> bool:
        """Say whether its device is gone from the namespace; one of the same name is another.

        Source: packet_notifier of net/packet/af_packet.c: what is bound to it sees nothing from then on.
        """
        return self._bound and self._sock.getsockname()[0] == ""

    def close(self) -> None:
        self._undo.close()

    def _attach(self, program: Program) -> None:
        if program:
            code = ctypes.create_string_buffer(b"".join(INSTRUCTION.pack(*each) for each in program))
            request = struct.pack("HP", len(program), ctypes.addressof(code))
            self._sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, request)

    def _mapped(self) -> mmap.mmap:
        blocks = self._frames // self._per_block
        request = struct.pack("=IIII", self._block_size, blocks, self._frame_size, self._frames)
        self._sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._sock.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        return mmap.mmap(self._sock.fileno(), self._block_size * blocks)

    def _frame(self, start: int) -> Frame:
        status, length, kept, mac, _, seconds, nanoseconds, tci, tpid = FRAME.unpack_from(self._map, start)
        _, _, ifindex, hatype, pkttype, _, _ = SENDER.unpack_from(self._map, start + SENDER_OFFSET)
        data = self._map[start + mac : start + mac + kept]
        if status & TP_STATUS_VLAN_VALID and LINKTYPES.get(hatype) == LINKTYPE_ETHERNET:
            tag = struct.pack("!HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else ETH_P_8021Q, tci)
            data, length = data[:12] + tag + data[12:], length + len(tag)
        time_ns = seconds * 1_000_000_000 + nanoseconds
        return Frame(time_ns, ifindex, hatype, pkttype, length, data[: self.snaplen])


def hatype_of(namespaces: Namespaces, dev: str) -> int:
    """Ask what kind of link-level header a device has, as ARPHRD_ number.

    Raises: BuildError for a device that is not there, or of a kind whose packets no reader would know.
    """
    with namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, SIOCGIFHWADDR, struct.pack("16s24x", dev.encode()))
        except OSError as error:
            raise BuildError(f"{namespaces.name}: capture on {dev}: {error.strerror}") from error
    hatype: int = struct.unpack_from("=H", answer, 16)[0]
    if hatype not in LINKTYPES:
        raise BuildError(
            f"{namespaces.name}: capture on {dev}: its link-level header, ARPHRD {hatype}, is not known here"
        )
    return hatype


def ifindexes(namespaces: Namespaces) -> dict[str, int]:
    """List the devices of a namespace with their numbers."""
    return {name: index for index, name in namespaces.call(socket.if_nameindex)}


def _name(sock: socket.socket, ifindex: int) -> str:
    answer = fcntl.ioctl(sock, SIOCGIFNAME, struct.pack("=16xi20x", ifindex))
    return answer[:16].rstrip(b"\0").decode(errors="replace")
