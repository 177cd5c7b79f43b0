"""What one namespace's tables hold, as the messages in which the kernel lists it and takes it back.

Source: include/uapi/linux/{rtnetlink,if_addr,neighbour,nexthop}.h; iproute2, `ip route save`.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_netconform.kernel.netlink import ATTRIBUTE, NLA_TYPE_MASK, Message, Netlink, attribute
from pytest_netconform.kernel.rtnetlink import Interface

KINDS = ("addr", "nexthop", "group", "route", "neigh")
"""What stands on links, in the order in which one needs the other."""
NLM_F_DUMP_INTR, NLM_F_REPLACE, NLM_F_CREATE, NLM_F_APPEND = 0x10, 0x100, 0x400, 0x800
RTM_NEWLINK, RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETNEXTHOP = 16, 18, 22, 26, 30, 106
NEW, DELETE = 2, 1
"""What is to be taken from the number of a GET for that of a NEW and a DEL."""
TRIES = 20

IFF_UP, IFLA_MTU = 0x1, 4
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO, IFA_FLAGS, IFA_PROTO = 1, 2, 6, 8, 11
IFA_KEPT = 0x02 | 0x10 | 0x100 | 0x200
"""NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE; the others say how an address fares."""
FOREVER, IFAPROT_KERNEL_LL, RT_SCOPE_LINK = 0xFFFF_FFFF, 2, 253
RTA_OIF, RTA_GATEWAY, RTA_METRICS, RTA_MULTIPATH, RTA_CACHEINFO, RTA_VIA = 4, 5, 8, 9, 12, 18
RTA_DST, RTA_SRC, RTA_PRIORITY, RTA_TABLE = 1, 2, 6, 15
RTA_ENCAP_TYPE, RTA_ENCAP, RTA_EXPIRES, RTA_NH_ID = 21, 22, 23, 30
RTM_F_CLONED, RTPROT_KERNEL, USER_HZ = 0x200, 2, 100
RTN_OWN = (2, 4, 5)
"""RTN_LOCAL, RTN_ANYCAST, RTN_MULTICAST."""
RTNH_KEPT = 0x2 | 0x4
"""RTNH_F_PERVASIVE, RTNH_F_ONLINK; the others say how a nexthop fares."""
NHA_ID, NHA_GROUP, NHA_OP_FLAGS = 1, 2, 14
NUD_STALE, NUD_PERMANENT, NTF_PROXY, NTF_EXT_LEARNED = 0x04, 0x80, 0x08, 0x10
NDA_DST, NDA_CACHEINFO, NDA_PROBES = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a table, the same as long as *body* and *kind* are; *told* is added when it is put back.

    Shape: *setting* is (ifindex, "mtu" or "up") for what a link is told; *by_kernel* says who made it.
    """

    kind: str
    type: int
    body: bytes
    told: bytes = field(default=b"", compare=False)
    flags: int = field(default=0, compare=False)
    by_kernel: bool = field(default=False, compare=False)
    setting: tuple[int, str] | None = None

    @property
    def ifindex(self) -> int | None:
        """Give the device of an address or a neighbour; others may have several."""
        return struct.unpack_from("=4xi", self.body)[0] if self.kind in ("addr", "neigh") else None

    @property
    def core(self) -> bytes:
        """Give what stays when the kernel changes a route's metrics by itself, as it does with its MTU."""
        return (
            self.body[:12] + _attributes(self.body, 12, {RTA_METRICS: None})
            if self.kind == "route"
            else self.body
        )

    @property
    def place(self) -> bytes:
        """Give what an IPv6 route shares with those that would be its siblings, and can be replaced by it."""
        if self.kind != "route" or self.body[0] != socket.AF_INET6:
            return b""
        parts = (attribute(self.body, 12, kind) for kind in (RTA_DST, RTA_SRC, RTA_TABLE, RTA_PRIORITY))
        return self.body[:4] + b"/".join(parts)

    @property
    def own_address(self) -> bytes | None:
        """Give the address whose route this is, where the kernel makes it by itself, and nobody else can.

        Its metric is 0, which from us would mean the usual one.
        """
        if self.kind == "route" and self.by_kernel and self.body[0] == socket.AF_INET6:
            return attribute(self.body, 12, RTA_DST) if self.body[7] in RTN_OWN else None
        return None

    def request(self, *, replace: bool = False) -> tuple[int, int, bytes]:
        return self.type, self.flags | NLM_F_REPLACE * replace, self.body + self.told

    def deletion(self) -> tuple[int, int, bytes]:
        return self.type + 1, 0, self.body

    def __str__(self) -> str:
        """Name it as an error does."""
        if self.kind == "link":
            return "link set {} {}".format(*self.setting or ())
        found = {
            "addr": (IFA_ADDRESS, 8, 1), "route": (RTA_DST, 12, 1), "neigh": (NDA_DST, 12, 0),
        }.get(self.kind)  # fmt: skip
        if found is None:
            return f"{self.kind} {int.from_bytes(attribute(self.body, 8, NHA_ID), 'little')}"
        number, start, prefixed = found
        packed = attribute(self.body, start, number)
        name = str(ipaddress.ip_address(packed)) if len(packed) in (4, 16) else "default"
        return f"{self.kind} {name}" + (f"/{self.body[1]}" if prefixed and packed else "")


def listed(netlink: Netlink) -> dict[Entry, Entry]:
    """List links (whether up, and their MTU), addresses, nexthops, routes of all tables, and what neighbours
    are not just learned.
    """
    found: list[Entry] = []
    for kind, body, read in (
        (RTM_GETLINK, bytes(16), _link),
        (RTM_GETADDR, bytes(8), _addr),
        (RTM_GETNEXTHOP, bytes(8), _nexthop),
        (RTM_GETROUTE, bytes([socket.AF_INET]) + bytes(11), _route),
        (RTM_GETROUTE, bytes([socket.AF_INET6]) + bytes(11), _route),
        (RTM_GETNEIGH, bytes(12), _neigh),
        (RTM_GETNEIGH, bytes(10) + bytes([NTF_PROXY, 0]), _neigh),
    ):
        found += [entry for message in _dumped(netlink, kind, body) for entry in read(message)]
    return {entry: entry for entry in found}


def v6_address(entry: Entry, ifindex: int) -> Interface | None:
    """Give the IPv6 address that an entry is, if it is one of this device."""
    if entry.kind != "addr" or entry.body[0] != socket.AF_INET6:
        return None
    if struct.unpack_from("=4xI", entry.body)[0] != ifindex:
        return None
    return ipaddress.ip_interface((attribute(entry.body, 8, IFA_ADDRESS), entry.body[1]))


def _dumped(netlink: Netlink, kind: int, body: bytes) -> list[Message]:
    """Read a whole table, once more if it changed meanwhile; nothing where the kernel has no such table."""
    messages: list[Message] = []
    for _ in range(TRIES):
        try:
            messages = list(netlink.ask(kind, body))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                return []
            raise
        if not any(message.flags & NLM_F_DUMP_INTR for message in messages):
            break
    return messages


def _link(message: Message) -> Iterator[Entry]:
    ifindex, flags = struct.unpack_from("=4xiI", message.body)
    if message.body[0] != socket.AF_UNSPEC:
        return
    if flags & IFF_UP:
        body = struct.pack("=4xiII", ifindex, IFF_UP, IFF_UP)
        yield Entry("link", RTM_NEWLINK, body, setting=(ifindex, "up"))
    mtu = ATTRIBUTE.pack(8, IFLA_MTU) + attribute(message.body, 16, IFLA_MTU)
    yield Entry("link", RTM_NEWLINK, struct.pack("=4xi8x", ifindex) + mtu, setting=(ifindex, "mtu"))


def _addr(message: Message) -> Iterator[Entry]:
    family, prefixlen, flags, scope, ifindex = struct.unpack_from("=BBBBI", message.body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    wide = attribute(message.body, 8, IFA_FLAGS)
    kept = (int.from_bytes(wide, "little") if wide else flags) & IFA_KEPT
    head = struct.pack("=BBBBI", family, prefixlen, kept & 0xFF, scope, ifindex)
    lifetimes = attribute(message.body, 8, IFA_CACHEINFO)
    limited = bool(lifetimes) and struct.unpack_from("=II", lifetimes) != (FOREVER, FOREVER)
    yield Entry(
        "addr",
        message.type,
        head + _attributes(message.body, 8, {IFA_CACHEINFO: None, IFA_FLAGS: struct.pack("=I", kept)}),
        told=_attribute(IFA_CACHEINFO, lifetimes) if limited else b"",
        flags=NLM_F_CREATE,
        by_kernel=family == socket.AF_INET6 and scope == RT_SCOPE_LINK,
    )


def _nexthop(message: Message) -> Iterator[Entry]:
    flags = struct.unpack_from("=4xI", message.body)[0] & RTNH_KEPT
    family, _, protocol, _ = message.body[:4]  # the kernel tells a scope, but takes none
    body = struct.pack("=BxBxI", family, protocol, flags) + _attributes(message.body, 8, {NHA_OP_FLAGS: None})
    kind = "group" if attribute(message.body, 8, NHA_GROUP) else "nexthop"
    yield Entry(kind, message.type, body, flags=NLM_F_CREATE | NLM_F_REPLACE)


def _route(message: Message) -> Iterator[Entry]:
    head, flags = message.body[:8], struct.unpack_from("=8xI", message.body)[0]
    if flags & RTM_F_CLONED:
        return
    drop: dict[int, bytes | None] = {RTA_CACHEINFO: None, RTA_EXPIRES: None}
    if attribute(message.body, 12, RTA_NH_ID):
        drop |= dict.fromkeys((RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP, RTA_ENCAP_TYPE))
    elif paths := attribute(message.body, 12, RTA_MULTIPATH):
        drop[RTA_MULTIPATH] = _multipath(paths)
    body = head + struct.pack("=I", flags & RTNH_KEPT) + _attributes(message.body, 12, drop)
    expires, is_v4 = 0, head[0] == socket.AF_INET
    if not is_v4 and (cacheinfo := attribute(message.body, 12, RTA_CACHEINFO)):
        expires = struct.unpack_from("=8xi", cacheinfo)[0] // USER_HZ
    yield Entry(
        "route",
        message.type,
        body,
        told=_attribute(RTA_EXPIRES, struct.pack("=I", expires)) if expires > 0 else b"",
        flags=NLM_F_CREATE | (NLM_F_APPEND if is_v4 else 0),
        by_kernel=head[5] == RTPROT_KERNEL,
    )


def _multipath(paths: bytes) -> bytes:
    """Leave out of a route's nexthops how they fare."""
    cleaned, start = bytearray(paths), 0
    while start + 8 <= len(paths):
        length = struct.unpack_from("=H", paths, start)[0]
        cleaned[start + 2] &= RTNH_KEPT
        start += max(8, (length + 3) & ~3)
    return bytes(cleaned)


def _neigh(message: Message) -> Iterator[Entry]:
    family, ifindex, state, flags, kind = struct.unpack_from("=B3xiHBB", message.body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    if state & NUD_PERMANENT or flags & (NTF_PROXY | NTF_EXT_LEARNED):
        state = state & NUD_PERMANENT or (0 if flags & NTF_PROXY else NUD_STALE)
        head = struct.pack("=B3xiHBB", family, ifindex, state, flags, kind)
        body = head + _attributes(message.body, 12, {NDA_CACHEINFO: None, NDA_PROBES: None})
        yield Entry("neigh", message.type, body, flags=NLM_F_CREATE | NLM_F_REPLACE)


def _attributes(data: bytes, start: int, changed: Mapping[int, bytes | None]) -> bytes:
    """Copy a row of attributes, with other values for some; None leaves one out."""
    found = bytearray()
    while start + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, start)
        value: bytes | None = data[start + ATTRIBUTE.size : start + length]
        if kind & NLA_TYPE_MASK in changed:
            value = changed[kind & NLA_TYPE_MASK]
        if value is not None:
            found += _attribute(kind, value)
        start += max(ATTRIBUTE.size, (length + 3) & ~3)
    return bytes(found)


def _attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
