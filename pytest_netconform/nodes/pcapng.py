"""Packets as a pcapng file, which tcpdump, tshark and Wireshark read."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from pytest_netconform.facts.packets import Packet

SECTION, INTERFACE, PACKET, STATISTICS = 0x0A0D0D0A, 1, 6, 5
MAGIC, UNKNOWN_LENGTH = 0x1A2B3C4D, 0xFFFF_FFFF_FFFF_FFFF
OPT_COMMENT, SHB_USERAPPL, IF_NAME, IF_TSRESOL, EPB_FLAGS, ISB_IFDROP = 1, 4, 2, 9, 2, 5
DIRECTIONS = {"in": 1, "out": 2}
RECEPTIONS = {"unicast": 1, "multicast": 2, "broadcast": 3, "other": 4}


def pcapng(
    packets: Iterable[Packet],
    interfaces: Mapping[str, tuple[int, int]],
    dropped: Mapping[str, int] = {},
    told: Sequence[str] = (),
) -> bytes:
    """Write packets in the order of time, with an interface description for each device.

    Shape:  *interfaces* gives link type and snapshot length by the name that packets have as `dev`; *dropped*
            how many packets were lost there; what is *told* are comments on the whole.
    Source: draft-ietf-opsawg-pcapng.
    """
    blocks = [_block(SECTION, struct.pack("<IHHQ", MAGIC, 1, 0, UNKNOWN_LENGTH), _section_options(told))]
    for name, (linktype, snaplen) in interfaces.items():
        options = [(IF_NAME, name.encode()), (IF_TSRESOL, b"\x09")]
        blocks.append(_block(INTERFACE, struct.pack("<HHI", linktype, 0, snaplen), options))
    numbers = {name: number for number, name in enumerate(interfaces)}
    ordered = sorted(packets, key=lambda packet: packet.time_ns)
    blocks += [_packet(numbers[packet.dev], packet) for packet in ordered]
    last_ns = ordered[-1].time_ns if ordered else 0
    for name in numbers:
        if name in dropped:
            body = struct.pack("<III", numbers[name], last_ns >> 32, last_ns & 0xFFFF_FFFF)
            blocks.append(_block(STATISTICS, body, [(ISB_IFDROP, struct.pack("<Q", dropped[name]))]))
    return b"".join(blocks)


def _section_options(told: Sequence[str]) -> list[tuple[int, bytes]]:
    return [(OPT_COMMENT, each.encode()) for each in told] + [(SHB_USERAPPL, b"pytest-netconform")]


def _packet(number: int, packet: Packet) -> bytes:
    kept = len(packet.data)
    time = (packet.time_ns >> 32, packet.time_ns & 0xFFFF_FFFF)
    flags = DIRECTIONS[packet.direction] | RECEPTIONS[packet.to] << 2
    body = struct.pack("<IIIII", number, *time, kept, max(packet.length, kept)) + _padded(packet.data)
    return _block(PACKET, body, [(EPB_FLAGS, struct.pack("<I", flags))])


def _block(kind: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    written = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    content = body + written + bytes(4)
    size = struct.pack("<I", len(content) + 12)
    return struct.pack("<I", kind) + size + content + size


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
