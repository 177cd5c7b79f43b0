"""ICMP echo over a raw socket: requests out, replies and ICMP errors in. Nothing here waits."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.sockets import aim, sockaddr

LARGEST, QUOTED = 65535, 2048
SO_RCVBUFFORCE, TRUESIZE = 33, 2304
"""What a reply takes of a socket's buffer: up to a page's half with its management."""
TOO_BIG = ("fragmentation-needed", "packet-too-big")
HEADER_SIZE = NONCE = 8
EXTENDED_ERROR = struct.Struct("=IBBBBII")
SO_EE_ORIGIN_LOCAL, PMTUDISC_DO = 1, 2
EXCEEDED = {0: "ttl-zero-during-transit", 1: "ttl-zero-during-reassembly"}
UNREACHABLE = (
    "network-unreachable host-unreachable protocol-unreachable port-unreachable fragmentation-needed "
    "source-route-failed network-unknown host-unknown source-host-isolated network-prohibited "
    "host-prohibited TOS-network-unreachable TOS-host-unreachable communication-prohibited "
    "host-precedence-violation precedence-cutoff"
)
UNREACHABLE6 = (
    "no-route communication-prohibited beyond-scope address-unreachable port-unreachable failed-policy "
    "reject-route"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What differs between the two versions of IP.

    Shape: *only_replies* is a socket option that keeps all else out; *discovery* and *may_fragment* are the
           option about path MTU discovery and its value where fragments are welcome; *errors* names ICMP
           errors by type and code, in the words of `iptables -p icmp -h` and `ip6tables -p icmpv6 -h`.
    Source: ip(7), ipv6(7), icmp(7).
    """

    family: int
    proto: int
    level: int
    header: int
    request: int
    reply: int
    only_replies: tuple[int, int, bytes]
    recverr: int
    discovery: int
    may_fragment: int
    ttl: int
    errors: Mapping[int, Mapping[int, str]]


V4 = Wire(
    family=socket.AF_INET,
    proto=socket.IPPROTO_ICMP,
    level=socket.IPPROTO_IP,
    header=20,
    request=8,
    reply=0,
    only_replies=(255, 1, struct.pack("=I", 0xFFFF_FFFE)),
    recverr=11,
    discovery=10,
    may_fragment=0,
    ttl=socket.IP_TTL,
    errors={3: dict(enumerate(UNREACHABLE.split())), 11: EXCEEDED, 12: {0: "ip-header-bad"}},
)
V6 = Wire(
    family=socket.AF_INET6,
    proto=socket.IPPROTO_ICMPV6,
    level=socket.IPPROTO_IPV6,
    header=40,
    request=128,
    reply=129,
    only_replies=(
        socket.IPPROTO_ICMPV6,
        1,
        struct.pack("=8I", *[0xFFFF_FFFF] * 4, 0xFFFF_FFFD, *[0xFFFF_FFFF] * 3),
    ),
    recverr=25,
    discovery=23,
    may_fragment=1,
    ttl=socket.IPV6_UNICAST_HOPS,
    errors={
        1: dict(enumerate(UNREACHABLE6.split())),
        2: {0: "packet-too-big"},
        3: EXCEEDED,
        4: {0: "bad-header"},
    },
)
IPV6_DONTFRAG, SO_ATTACH_FILTER, BPF_INSTRUCTION = 62, 26, struct.Struct("=HBBI")


@dataclass(frozen=True, slots=True)
class Echo:
    """One echo request, known again by its identifier and sequence number, and in the reply by a nonce too.

    Units: size is the length of the IP packet in bytes, headers included.
    """

    dst: str
    size: int
    ident: bytes
    nonce: bytes

    @classmethod
    def new(cls, dst: str, size: int) -> Echo:
        return cls(dst, size, os.urandom(4), os.urandom(NONCE))


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, or an ICMP error about a request.

    Shape: *nonce* is None where the error quotes too little of the request; *error* is None for a reply.
    """

    by: str
    ident: bytes
    nonce: bytes | None
    error: str | None = None
    mtu: int | None = None

    def is_to(self, echo: Echo) -> bool:
        return self.ident == echo.ident and self.nonce in (echo.nonce, *([None] if self.error else []))


@dataclass(frozen=True, slots=True)
class Rejection:
    """Our own kernel's refusal to send; with the MTU, if that was the reason."""

    errno: int
    mtu: int | None


class EchoSocket:
    """A raw ICMP socket inside a namespace; it stays usable from any thread.

    Needs: CAP_NET_RAW; CAP_NET_ADMIN for a mark.
    """

    def __init__(self, namespaces: Namespaces, version: int, sock: socket.socket | None = None) -> None:
        """Take over *sock*, or open one."""
        self.wire = V4 if version == 4 else V6
        self.sock = sock or namespaces.socket(self.wire.family, socket.SOCK_RAW, self.wire.proto)
        self._early: list[Answer] = []
        self.sock.setblocking(False)
        self.sock.setsockopt(*self.wire.only_replies)
        self.sock.setsockopt(self.wire.level, self.wire.recverr, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def close(self) -> None:
        self.sock.close()

    def configure(self, *, df: bool, ttl: int | None, mark: int | None, source: str | None) -> None:
        """Set how requests are sent; *source* is an address, or a device to be sent through."""
        level = self.wire.level
        self.sock.setsockopt(level, self.wire.discovery, PMTUDISC_DO if df else self.wire.may_fragment)
        if df and self.wire is V6:
            self.sock.setsockopt(level, IPV6_DONTFRAG, 1)
        aim(self.sock, self.wire, source=source, ttl=ttl, mark=mark)

    def is_for_many(self, dst: str) -> bool:
        """Say whether an address is one that several may answer; called when nothing more is to be sent.

        The kernel knows which address is a broadcast, and refuses one to who did not ask for it.
        """
        ip = ip_address(dst)
        if ip.is_multicast or ip.is_unspecified:
            return True
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 0)
            self.sock.connect(sockaddr(self.sock, self.wire, dst, 0))
        except PermissionError:
            return True
        except OSError:
            return False
        finally:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return False

    def keep_to(self, echo: Echo) -> None:
        """Take no reply but that to *echo*; else thousands side by side would drown in each other's."""
        ident = int.from_bytes(echo.ident)
        load = [(0xB1, 0, 0, 0), (0x40, 0, 0, 4)] if self.wire is V4 else [(0x20, 0, 0, 4)]
        program = [*load, (0x15, 0, 1, ident), (0x06, 0, 0, 0xFFFF_FFFF), (0x06, 0, 0, 0)]
        code = ctypes.create_string_buffer(b"".join(BPF_INSTRUCTION.pack(*each) for each in program))
        filter = struct.pack("@HP", len(program), ctypes.addressof(code))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter)

    def send(self, echo: Echo) -> Rejection | None:
        """Send a request; give our own kernel's refusal, if it refuses."""
        packet, where = self._packet(echo), sockaddr(self.sock, self.wire, echo.dst, 0)
        while True:
            try:
                self.sock.sendto(packet, where)
                return None
            except OSError as error:
                answers, mtu = self._errors()
                if not answers or any(answer.is_to(echo) for answer in answers):
                    return Rejection(error.errno or 0, mtu)
                self._early += (
                    answers  # it was the error of an earlier request, which the next call gets to hear
                )

    def answers(self) -> list[Answer]:
        """Take what has arrived."""
        taken = self._early + self._errors()[0] + list(self._replies())
        self._early = []
        return taken

    def make_room(self, replies: int) -> None:
        """Have the socket keep so many replies unread, as far as we may."""
        for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF):
            with suppress(PermissionError):
                self.sock.setsockopt(socket.SOL_SOCKET, option, replies * TRUESIZE)
                return

    def discard(self) -> None:
        """Throw away what has arrived, replies and errors."""
        for queue in (socket.MSG_ERRQUEUE, 0):
            while True:
                try:
                    self.sock.recv(1, queue)
                except BlockingIOError:
                    break
                except OSError:  # an error, which is in the error queue too
                    continue

    def _packet(self, echo: Echo) -> bytes:
        padding = echo.size - self.wire.header - HEADER_SIZE - NONCE
        body = echo.ident + echo.nonce + bytes(padding)
        head = bytes((self.wire.request, 0, 0, 0))
        if self.wire is V4:  # the kernel fills in that of ICMPv6 itself
            total = sum(struct.unpack("!8H", (head + body)[: HEADER_SIZE + NONCE]))
            total = (total & 0xFFFF) + (total >> 16)
            head = head[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
        return head + body

    def _replies(self) -> Iterator[Answer]:
        while True:
            try:
                data, sender = self.sock.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # the error is in the error queue too
            start = (data[0] & 0xF) * 4 if self.wire is V4 else 0
            if data[start] == self.wire.reply:
                yield Answer(sender[0], *_marks(data[start:]))

    def _errors(self) -> tuple[list[Answer], int | None]:
        """Empty the error queue; give the ICMP errors, and the MTU of a local one."""
        errors, mtu = icmp_errors(self.sock, self.wire)
        return [Answer(error.by, *_marks(error.quoted), error.name, error.mtu) for error in errors], mtu


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error: its name, who sent it, and what it quotes of what was sent."""

    name: str
    by: str
    mtu: int | None
    quoted: bytes


def icmp_errors(sock: socket.socket, wire: Wire) -> tuple[list[IcmpError], int | None]:
    """Empty the error queue of a socket of any kind; give the ICMP errors, and the MTU of a local one."""
    errors: list[IcmpError] = []
    mtu: int | None = None
    while True:
        try:
            quoted, ancillary, _, _ = sock.recvmsg(QUOTED, 512, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return errors, mtu
        for level, kind, value in ancillary:
            if (level, kind) != (wire.level, wire.recverr):
                continue
            _, origin, icmp_type, code, _, info, _ = EXTENDED_ERROR.unpack_from(value)
            if origin == SO_EE_ORIGIN_LOCAL:
                mtu = info
            else:
                errors.append(_icmp_error(wire, value, (icmp_type, code, info), quoted))


def _icmp_error(wire: Wire, value: bytes, told: tuple[int, int, int], quoted: bytes) -> IcmpError:
    icmp_type, code, info = told
    name = wire.errors.get(icmp_type, {}).get(code, f"icmp-type-{icmp_type}-code-{code}")
    start, length = (EXTENDED_ERROR.size + 4, 4) if wire is V4 else (EXTENDED_ERROR.size + 8, 16)
    by = ip_address(value[start : start + length])
    return IcmpError(name, str(by), info if name in TOO_BIG else None, quoted)


def _marks(icmp: bytes) -> tuple[bytes, bytes | None]:
    """Read identifier with sequence number, and the nonce if it is there, out of an echo message."""
    nonce = icmp[HEADER_SIZE : HEADER_SIZE + NONCE]
    return icmp[4:HEADER_SIZE], nonce if len(nonce) == NONCE else None
