"""Packets as they were on a wire, and the headers that tests ask about."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from typing import Any

LINKTYPE_ETHERNET = 1
ETH_P_IP, ETH_P_ARP, ETH_P_IPV6, TAGS = 0x0800, 0x0806, 0x86DD, (0x8100, 0x88A8)
VXLAN_PORTS = (4789, 8472)
PROTOS = {
    1: "icmp",
    2: "igmp",
    4: "ipip",
    6: "tcp",
    17: "udp",
    41: "ipv6",
    47: "gre",
    58: "icmp6",
    132: "sctp",
}
EXTENSIONS = (0, 43, 60)
FRAGMENT = 44
TCP_FLAGS = "FSRP.UEW"
"""As tcpdump writes them, from the lowest bit on."""
ARP_OPS = {1: "request", 2: "reply"}
ICMP_TYPES = {
    "icmp": {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"},
    "icmp6": {
        1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
        133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation",
        136: "neighbor advertisement", 143: "multicast listener report v2",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What the headers of a packet say; None, or 0 for *vlan*, where it has no such header, or not all of it.

    Shape: *proto* is "arp", "tcp", "udp", "icmp", "icmp6" or another's name, or its number as text; *src* and
           *dst* are IP addresses, for ARP sender and target; *flags* are TCP's as tcpdump writes them ("S.");
           *info* says what kind of ARP or ICMP message it is ("echo request"); *inner* is what VXLAN carries.
    """

    src_mac: str | None = None
    dst_mac: str | None = None
    vlan: int = 0
    ethertype: int | None = None
    src: str | None = None
    dst: str | None = None
    proto: str | None = None
    ttl: int | None = None
    tos: int | None = None
    sport: int | None = None
    dport: int | None = None
    flags: str | None = None
    type: int | None = None
    code: int | None = None
    info: str | None = None
    vni: int | None = None
    inner: Headers | None = None

    def __str__(self) -> str:
        vlan = f"vlan {self.vlan}, " if self.vlan else ""
        if self.src is None or self.dst is None:
            ends = f"{self.src_mac} > {self.dst_mac}: " if self.src_mac else ""
            return f"{vlan}{ends}" + (f"ethertype 0x{self.ethertype:04x}" if self.ethertype else "unknown")
        if self.proto == "arp":
            return f"{vlan}arp {self.info}, {self.src} > {self.dst}"
        src, dst = (
            name if port is None else f"{name}.{port}"
            for name, port in ((self.src, self.sport), (self.dst, self.dport))
        )
        flags = f" [{self.flags}]" if self.flags is not None else ""
        info = f" {self.info}" if self.info else ""
        inside = f" vxlan {self.vni}: {self.inner}" if self.inner else ""
        return f"{vlan}{src} > {dst}: {self.proto}{flags}{info}{inside}"


@dataclass(frozen=True)
class Packet:
    """One packet that was captured.

    Units: time_ns since 1970; length is that on the wire, of which *data* may be the beginning only.
    Shape: *dev* is "node1/eth0"; *direction* is "in" or "out", seen from that device; *to* says whom the link
           layer addressed: "unicast" us, "multicast", "broadcast", or "other"; the fields of its headers are
           its own too, so `packet.proto == "tcp"`.
    """

    time_ns: int
    dev: str
    direction: str
    to: str
    length: int
    data: bytes
    linktype: int = LINKTYPE_ETHERNET

    @cached_property
    def headers(self) -> Headers:
        return decode(self.data, self.linktype)

    def __getattr__(self, name: str) -> Any:
        if name in Headers.__slots__:
            return getattr(self.headers, name)
        raise AttributeError(f"a packet has no {name!r}")

    def __str__(self) -> str:
        seconds, nanoseconds = divmod(self.time_ns, 1_000_000_000)
        clock = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
        return f"{clock}.{nanoseconds:09d} {self.dev} {self.direction}: {self.headers}, length {self.length}"

    def __repr__(self) -> str:
        return f"<{self}>"


def decode(data: bytes, linktype: int = LINKTYPE_ETHERNET) -> Headers:
    """Read the headers of a packet, as far as they are there."""
    found: dict[str, object] = {}
    try:
        if linktype == LINKTYPE_ETHERNET:
            _ethernet(data, found)
        else:
            _network({4: ETH_P_IP, 6: ETH_P_IPV6}.get(data[0] >> 4, 0), data, found)
    except (struct.error, IndexError, ValueError):
        pass  # cut off, or not what it says it is: what was read so far stands
    return Headers(**found)  # type: ignore[arg-type]


def _ethernet(data: bytes, found: dict[str, object]) -> None:
    destination, source, ethertype = struct.unpack_from("!6s6sH", data)
    found |= {"dst_mac": destination.hex(":"), "src_mac": source.hex(":")}
    start = 14
    while ethertype in TAGS:
        tci, ethertype = struct.unpack_from("!HH", data, start)
        found["vlan"], start = found.get("vlan") or tci & 0xFFF, start + 4
    found["ethertype"] = ethertype
    _network(ethertype, data[start:], found)


def _network(ethertype: int, data: bytes, found: dict[str, object]) -> None:
    found["ethertype"] = ethertype or None
    if reader := {ETH_P_IP: _ip, ETH_P_ARP: _arp, ETH_P_IPV6: _ipv6}.get(ethertype):
        reader(data, found)


def _arp(data: bytes, found: dict[str, object]) -> None:
    hatype, ethertype, halen, length, op = struct.unpack_from("!HHBBH", data)
    if (hatype, ethertype, halen, length) != (1, ETH_P_IP, 6, 4):
        return
    sender, target = struct.unpack_from("!14x4s6x4s", data)
    found |= {"proto": "arp", "src": str(ip_address(sender)), "dst": str(ip_address(target))}
    found["info"] = ARP_OPS.get(op, f"op {op}")


def _ip(data: bytes, found: dict[str, object]) -> None:
    start, tos, total, fragment, ttl, proto, src, dst = struct.unpack_from("!BBH2xHBB2x4s4s", data)
    _addresses(src, dst, found, tos=tos, ttl=ttl)
    later = bool(fragment & 0x1FFF)
    _transport(proto, b"" if later else data[(start & 0xF) * 4 : total or None], found, later)


def _ipv6(data: bytes, found: dict[str, object]) -> None:
    first, proto, hops, src, dst = struct.unpack_from("!I2xBB16s16s", data)
    _addresses(src, dst, found, tos=first >> 20 & 0xFF, ttl=hops)
    start, later = 40, False
    while proto in (*EXTENSIONS, FRAGMENT):
        is_fragment = proto == FRAGMENT
        proto, length, offset = struct.unpack_from("!BBH", data, start)
        later |= is_fragment and bool(offset >> 3)
        start += 8 if is_fragment else 8 * (length + 1)
    _transport(proto, b"" if later else data[start:], found, later)


def _addresses(src: bytes, dst: bytes, found: dict[str, object], **fields: int) -> None:
    found |= {"src": str(ip_address(src)), "dst": str(ip_address(dst)), **fields}


def _transport(proto: int, data: bytes, found: dict[str, object], later: bool) -> None:
    name = PROTOS.get(proto, str(proto))
    found["proto"] = name
    readers: dict[str, Callable[[bytes, dict[str, object]], None]] = {"tcp": _tcp, "udp": _udp}
    if later:
        found["info"] = "later fragment"
    elif name in ICMP_TYPES:
        found["type"], found["code"] = struct.unpack_from("!BB", data)
        found["info"] = ICMP_TYPES[name].get(data[0], f"type {data[0]}")
    elif name in readers:
        readers[name](data, found)


def _tcp(data: bytes, found: dict[str, object]) -> None:
    found["sport"], found["dport"] = struct.unpack_from("!HH", data)
    found["flags"] = "".join(letter for bit, letter in enumerate(TCP_FLAGS) if data[13] >> bit & 1)


def _udp(data: bytes, found: dict[str, object]) -> None:
    found["sport"], found["dport"] = struct.unpack_from("!HH", data)
    if found["dport"] in VXLAN_PORTS and data[8] & 0x08:
        found["vni"] = int.from_bytes(data[12:15], "big")
        found["inner"] = decode(data[16:])
