"""pcapng files, read back by a reader that was written from the specification alone."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.facts.packets import Packet
from pytest_netconform.nodes.pcapng import pcapng

NAMES = ("node1/eth0", "node1/lo", "köln/eth0")
INTERFACES = {"node1/eth0": (1, 1952), "node1/lo": (1, 64), "köln/eth0": (101, 262144)}


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found, start = [], 0
    while start < len(data):
        kind, size = struct.unpack_from("<II", data, start)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, start + size - 4) == (size,)
        found.append((kind, data[start + 8 : start + size - 4]))
        start += size
    assert start == len(data)
    return found


def options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while True:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert (length, len(data)) == (0, 4)
            return found
        found[code] = found.get(code, b"") + data[4 : 4 + length]
        data = data[4 + (length + 3) // 4 * 4 :]


def read(data: bytes) -> dict[str, Any]:
    kinds = blocks(data)
    section = kinds[0]
    assert section[0] == 0x0A0D0D0A
    assert struct.unpack_from("<IHHq", section[1]) == (0x1A2B3C4D, 1, 0, -1)
    names: list[str] = []
    told: dict[str, Any] = {
        "packets": [],
        "interfaces": {},
        "drops": {},
        "comment": options(section[1][16:]).get(1),
    }
    for kind, body in kinds[1:]:
        if kind == 1:
            linktype, reserved, snaplen = struct.unpack_from("<HHI", body)
            own = options(body[8:])
            assert (reserved, own[9]) == (0, b"\x09")
            names.append(own[2].decode())
            told["interfaces"][names[-1]] = (linktype, snaplen)
        elif kind == 6:
            number, high, low, kept, length = struct.unpack_from("<IIIII", body)
            padded = (kept + 3) // 4 * 4
            flags = struct.unpack("<I", options(body[20 + padded :])[2])[0]
            told["packets"].append((names[number], high << 32 | low, length, body[20 : 20 + kept], flags))
        elif kind == 5:
            number = struct.unpack_from("<I", body)[0]
            told["drops"][names[number]] = struct.unpack("<Q", options(body[12:])[5])[0]
        else:
            pytest.fail(f"block type {kind}")
    return told


PACKETS = st.builds(
    Packet,
    time_ns=st.integers(0, 2**63),
    dev=st.sampled_from(NAMES),
    direction=st.sampled_from(["in", "out"]),
    to=st.sampled_from(["unicast", "multicast", "broadcast", "other"]),
    length=st.integers(0, 70000),
    data=st.binary(max_size=80),
)


@given(st.lists(PACKETS, max_size=20))
def test_all_that_was_written_is_read(packets: list[Packet]) -> None:
    told = read(pcapng(packets, INTERFACES))
    assert told["interfaces"] == INTERFACES
    assert told["packets"] == [
        (
            packet.dev,
            packet.time_ns,
            max(packet.length, len(packet.data)),
            packet.data,
            {"in": 1, "out": 2}[packet.direction]
            + 4 * {"unicast": 1, "multicast": 2, "broadcast": 3, "other": 4}[packet.to],
        )
        for packet in sorted(packets, key=lambda packet: packet.time_ns)
    ]


def test_what_was_dropped_is_told() -> None:
    drops = {"node1/eth0": 17, "node2/any": 3, "node1/lo": 0}
    words = ["node1/eth0: 17 packets dropped", "node2/any: 3 packets dropped"]
    told = read(pcapng([], INTERFACES, drops, words))
    assert told["drops"] == {"node1/eth0": 17, "node1/lo": 0}
    assert b"node1/eth0: 17 packets dropped" in told["comment"]
    assert b"node2/any: 3 packets dropped" in told["comment"]


def test_without_any_packet_it_is_a_file_still() -> None:
    assert read(pcapng([], {}))["packets"] == []
