"""The headers of packets, as a test asks for them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.facts.packets import Headers, Packet, decode

MACS = bytes.fromhex("020000000002020000000001")
ONE, TWO = ip_address("192.0.2.1").packed, ip_address("192.0.2.2").packed
ONE6, TWO6 = ip_address("2001:db8::1").packed, ip_address("2001:db8::2").packed


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return MACS + struct.pack("!H", ethertype) + payload


def ip(proto: int, payload: bytes, fragment: int = 0) -> bytes:
    return (
        struct.pack("!BBHHHBBH", 0x45, 8, 20 + len(payload), 1, fragment, 63, proto, 0) + ONE + TWO + payload
    )


def ipv6(proto: int, payload: bytes) -> bytes:
    return struct.pack("!IHBB", 0x60000000 | 8 << 20, len(payload), proto, 63) + ONE6 + TWO6 + payload


def udp(payload: bytes, dport: int = 53) -> bytes:
    return struct.pack("!HHHH", 4000, dport, 8 + len(payload), 0) + payload


TCP = struct.pack("!HHIIBBHHH", 4000, 80, 1, 2, 0x50, 0x12, 100, 0, 0)
ARP = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + MACS[6:] + ONE + bytes(6) + TWO


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ethernet(ip(6, TCP)), "192.0.2.1.4000 > 192.0.2.2.80: tcp [S.]"),
        (ethernet(ip(17, udp(b"x"))), "192.0.2.1.4000 > 192.0.2.2.53: udp"),
        (ethernet(ip(1, bytes([8, 0]))), "192.0.2.1 > 192.0.2.2: icmp echo request"),
        (ethernet(ip(1, bytes([77, 0]))), "192.0.2.1 > 192.0.2.2: icmp type 77"),
        (ethernet(ip(17, b"xxxx", fragment=7)), "192.0.2.1 > 192.0.2.2: udp later fragment"),
        (ethernet(ip(254, b"")), "192.0.2.1 > 192.0.2.2: 254"),
        (
            ethernet(ipv6(58, bytes([135, 0])), 0x86DD),
            "2001:db8::1 > 2001:db8::2: icmp6 neighbor solicitation",
        ),
        (
            ethernet(ipv6(0, bytes([60, 0]) + bytes(6) + bytes([6, 0]) + bytes(6) + TCP), 0x86DD),
            "2001:db8::1.4000 > 2001:db8::2.80: tcp [S.]",
        ),
        (
            ethernet(ipv6(44, struct.pack("!BBHI", 17, 0, 1480, 1) + b"xxxx"), 0x86DD),
            "2001:db8::1 > 2001:db8::2: udp later fragment",
        ),
        (ethernet(ARP, 0x0806), "arp request, 192.0.2.1 > 192.0.2.2"),
        (
            ethernet(struct.pack("!HH", 7, 0x0800) + ip(6, TCP), 0x8100),
            "vlan 7, 192.0.2.1.4000 > 192.0.2.2.80: tcp [S.]",
        ),
        (
            ethernet(ip(17, udp(bytes([8, 0, 0, 0, 0, 0, 10, 0]) + ethernet(ip(6, TCP)), 4789))),
            "192.0.2.1.4000 > 192.0.2.2.4789: udp vxlan 10: 192.0.2.1.4000 > 192.0.2.2.80: tcp [S.]",
        ),
        (ethernet(b"", 0x88CC), "02:00:00:00:00:01 > 02:00:00:00:00:02: ethertype 0x88cc"),
        (b"", "unknown"),
    ],
)
def test_a_packet_is_said_in_one_line(data: bytes, said: str) -> None:
    assert str(decode(data)) == said


def test_a_packet_that_begins_with_ip_is_known_by_its_version() -> None:
    assert str(decode(ip(6, TCP), 101)) == "192.0.2.1.4000 > 192.0.2.2.80: tcp [S.]"
    assert decode(ipv6(6, TCP), 101).dport == 80
    assert decode(b"", 101) == Headers()


def test_the_fields_of_the_headers_are_the_packets() -> None:
    packet = Packet(1_500_000_000, "node1/eth0", "out", "unicast", 54, ethernet(ip(6, TCP)))
    assert (packet.ttl, packet.tos, packet.flags, packet.sport, packet.src_mac) == (
        63, 8, "S.", 4000, "02:00:00:00:00:01",
    )  # fmt: skip
    assert str(packet) == (
        "00:00:01.500000000 node1/eth0 out: 192.0.2.1.4000 > 192.0.2.2.80: tcp [S.], length 54"
    )
    assert repr(packet) == f"<{packet}>"
    with pytest.raises(AttributeError, match="a packet has no 'port'"):
        packet.port  # noqa: B018


def test_what_was_cut_off_leaves_what_was_read_before() -> None:
    data = ethernet(ip(6, TCP))
    assert [decode(data[:length]).dst for length in (13, 20, 33)] == [None, None, None]
    assert (decode(data[:36]).dst, decode(data[:36]).sport) == ("192.0.2.2", None)
    assert (decode(data[:40]).dport, decode(data[:40]).flags) == (80, None)


@given(
    st.binary(max_size=200),
    st.sampled_from([1, 101]),
    st.sampled_from([b"", MACS + b"\x08\x00", MACS + b"\x86\xdd"]),
)
def test_any_bytes_are_read_as_far_as_they_go(data: bytes, linktype: int, start: bytes) -> None:
    str(Packet(0, "a/b", "in", "unicast", 0, start + data, linktype))
