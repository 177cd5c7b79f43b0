"""Captures, and what tcpdump and tshark read in them."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.capturing import filters
from pytest_netconform.nodes import Capture, Net, Netns
from pytest_netconform.nodes.capture import merged, write


@pytest.fixture
def two(net: Net) -> tuple[Netns, Netns]:
    one, other = net.netns("one"), net.netns("two")
    net.veth(one, other, subnet=("192.0.2.0/30", "2001:db8::/64"))
    return one, other


def send(netns: Netns, frame: bytes, dev: str = "eth0") -> None:
    """Send one frame as it is."""
    with netns.namespaces.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((dev, 0))
        sock.send(frame)


def frame(payload: bytes = b"", ethertype: int = 0x88B5) -> bytes:
    return bytes.fromhex("ffffffffffff020000000001") + struct.pack("!H", ethertype) + payload


def test_it_is_on_before_the_first_packet_is_sent(two: tuple[Netns, Netns]) -> None:
    near, far = two
    for number in range(50):
        with near.capture("eth0") as sent, far.capture() as received:
            send(near, frame(bytes([number])))
        assert [packet.data[14] for packet in sent.packets if packet.ethertype == 0x88B5] == [number]
        assert [packet.data[14] for packet in received.packets if packet.ethertype == 0x88B5] == [number]


def test_a_test_asserts_on_what_passed(two: tuple[Netns, Netns]) -> None:
    near, far = two
    with near.capture("eth0", "icmp or icmp6") as capture:
        assert near.ping("192.0.2.2").replied
        request, reply = capture.packets
        assert far.ping("2001:db8::1").replied
    assert (request.direction, request.src, request.dst, request.info) == (
        "out", "192.0.2.1", "192.0.2.2", "echo request",
    )  # fmt: skip
    assert (reply.direction, reply.to, reply.proto, reply.length) == ("in", "unicast", "icmp", 98)
    assert request.time_ns < reply.time_ns
    assert "icmp6" in {packet.proto for packet in capture.packets}
    assert (
        str(capture)
        .splitlines()[0]
        .endswith("one/eth0 out: 192.0.2.1 > 192.0.2.2: icmp echo request, length 98")
    )
    assert repr(capture).startswith("<capture one eth0 'icmp or icmp6': ")


def test_what_passed_before_and_after_is_not_in_it(two: tuple[Netns, Netns]) -> None:
    near, _ = two
    near.ping("192.0.2.2")
    with near.capture("eth0", "icmp") as capture:
        pass
    near.ping("192.0.2.2")
    assert capture.packets == ()
    assert capture.dropped == 0


def test_it_changes_nothing_on_the_device(two: tuple[Netns, Netns]) -> None:
    before = two[0].run("ip -d -j addr").stdout
    with two[0].capture("eth0"), two[0].capture():
        assert two[0].run("ip -d -j addr").stdout == before
    assert two[0].run("ip -d -j addr").stdout == before


def test_all_devices_are_told_apart(net: Net, two: tuple[Netns, Netns]) -> None:
    near, far = two
    with near.capture() as capture:
        net.veth(near, far, ifnames=("eth1", "eth1"), subnet="198.51.100.0/30")
        near.ping("192.0.2.2")
        near.ping("198.51.100.2")
        near.ping("127.0.0.1")
    pings = [packet.dev for packet in capture.packets if packet.proto == "icmp"]
    assert pings == ["one/eth0"] * 2 + ["one/eth1"] * 2 + ["one/lo"] * 2
    assert set(capture.interfaces) == {"one/lo", "one/eth0", "one/eth1"}


def test_a_vlan_tag_that_the_kernel_keeps_apart_is_back_in_its_place(two: tuple[Netns, Netns]) -> None:
    near, far = two
    tagged = frame(struct.pack("!HH", 0x2007, 0x88B5) + b"payload", 0x8100)
    with far.capture("eth0", "vlan 7") as capture, far.capture("eth0", "vlan 8") as other:
        send(near, tagged)
    assert [packet.data for packet in capture.packets] == [tagged]
    assert (capture.packets[0].vlan, capture.packets[0].to) == (7, "broadcast")
    assert (capture.packets[0].length, len(other.packets)) == (len(tagged), 0)


def test_more_than_it_takes_is_counted_and_told(two: tuple[Netns, Netns], tmp_path: Path) -> None:
    near, _ = two
    with Capture(near, "eth0", packets=1, snaplen=64) as capture:
        with near.namespaces.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            for _ in range(2000):
                sock.send(frame())
        taken = len(capture.kept)
    assert taken < 2000
    assert taken + capture.dropped >= 2000
    assert str(capture).endswith(f"{capture.dropped} packets dropped")
    assert f"{taken} packets, {capture.dropped} packets dropped" in repr(capture)
    written = write(tmp_path / "x.pcapng", capture).read_bytes()
    assert f"one/eth0: {capture.dropped} packets dropped".encode() in written


def test_packets_that_are_not_all_are_not_given_as_if_they_were(two: tuple[Netns, Netns]) -> None:
    near, _ = two
    with Capture(near, "eth0", packets=1, snaplen=9000) as capture:
        for _ in range(100):
            send(near, frame())
    assert 0 < len(capture.kept) < 100
    words = (
        rf"capture one eth0: it has {len(capture.kept)} packets, and these are not all: {capture.dropped} "
    )
    with pytest.raises(BuildError, match=words):
        capture.packets  # noqa: B018
    with pytest.raises(BuildError, match=words):
        merged([capture])


def test_one_that_was_never_started_has_seen_nothing_and_says_so(
    two: tuple[Netns, Netns], tmp_path: Path
) -> None:
    capture = two[0].capture("eth0")
    two[0].ping("192.0.2.2")
    asked: list[Callable[[], object]] = [
        lambda: capture.packets, lambda: capture.kept, lambda: capture.dropped, lambda: str(capture),
        lambda: capture.interfaces, lambda: capture.write(tmp_path / "x.pcapng"), capture.text,
    ]  # fmt: skip
    for ask in asked:
        with pytest.raises(BuildError, match="capture one eth0: it was never started: `with"):
            ask()
    assert repr(capture) == "<capture one eth0: never started>"


@pytest.mark.parametrize("deed", ["deleted", "made anew", "moved away"])
def test_one_whose_device_is_gone_says_so(net: Net, two: tuple[Netns, Netns], deed: str) -> None:
    near, far = two
    with near.capture("eth0", "icmp") as capture, far.capture(None, "icmp") as every:
        assert near.ping("192.0.2.2").replied
        assert len(capture.packets) == 2
        if deed == "moved away":
            near.run("ip link set eth0 down && ip link set eth0 name gone0 && ip link set gone0 up")
            assert len(capture.packets) == 2, "it has another name, and is the same"
            held = far.namespaces.net
            near.popen(
                ["ip", "link", "set", "gone0", "netns", f"/proc/self/fd/{held}"], pass_fds=[held]
            ).wait()
        else:
            near.run("ip link del eth0")
        if deed == "made anew":
            net.veth(near, far, subnet="192.0.2.0/30")
            assert near.ping("192.0.2.2").replied
    assert len(capture.kept) == 2
    assert str(capture).endswith("\neth0 was deleted, or moved away, meanwhile")
    with pytest.raises(BuildError, match="these are not all: eth0 was deleted, or moved away, meanwhile"):
        capture.packets  # noqa: B018
    assert len(every.packets) == (4 if deed == "made anew" else 2)


def test_a_long_packet_is_cut_and_its_length_kept(two: tuple[Netns, Netns]) -> None:
    near, far = two
    with far.capture("eth0", "icmp", snaplen=64) as cut, far.capture("eth0", "icmp", snaplen=9000) as whole:
        near.ping("192.0.2.2", size=1400)
    assert [(packet.length, len(packet.data)) for packet in cut.packets] == [(1414, 64)] * 2
    assert [(packet.length, len(packet.data)) for packet in whole.packets] == [(1414, 1414)] * 2


def test_a_device_may_go_down_and_come_back_meanwhile(two: tuple[Netns, Netns]) -> None:
    near, far = two
    with near.capture("eth0", "ether proto 0x88b5") as capture:
        near.run("ip link set eth0 down && ip link set eth0 up")
        for netns in two:
            netns.rtnetlink.await_up(netns.links["eth0"])
        send(far, frame())
    assert len(capture.packets) == 1


@pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="may not open /dev/net/tun")
def test_a_device_without_link_level_headers_begins_with_ip(two: tuple[Netns, Netns], tmp_path: Path) -> None:
    near, _ = two
    near.run("ip tuntap add tun0 mode tun && ip addr add 10.9.0.1/24 dev tun0 && ip link set tun0 up")
    tun = near.call(open_tun, "tun0")
    with tun, near.capture("tun0", "icmp") as one, near.capture() as every:
        near.ping("10.9.0.2", timeout_s=0.05)
        near.ping("192.0.2.2")
    assert [(packet.src, packet.dst, packet.linktype) for packet in one.packets] == [
        ("10.9.0.1", "10.9.0.2", 101)
    ]
    assert {packet.dev for packet in every.packets} >= {"one/tun0", "one/eth0"}
    one.write(tmp_path / "tun.pcapng")
    assert "IP 10.9.0.1 > 10.9.0.2: ICMP echo request" in tcpdump(tmp_path / "tun.pcapng")
    with (
        pytest.raises(BuildError, match="no one filter fits both Ethernet and tun0"),
        near.capture(None, "icmp"),
    ):
        pass


def open_tun(dev: str) -> object:
    """Hold a tun device open, so that it has a carrier."""
    import fcntl

    file = open("/dev/net/tun", "r+b", buffering=0)  # noqa: PTH123, SIM115
    fcntl.ioctl(file, 0x400454CA, struct.pack("16sH22x", dev.encode(), 0x1001))
    return file


def tcpdump(path: Path, *options: str) -> str:
    command = ["tcpdump", "-n", *options, "-r", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_several_are_one_file_that_tcpdump_reads(two: tuple[Netns, Netns], tmp_path: Path) -> None:
    near, far = two
    near.ping("192.0.2.2")
    with near.capture("eth0", "icmp") as sent, far.capture("eth0", "icmp") as received:
        near.ping("192.0.2.2", size=1000)
    path = write(tmp_path / "both.pcapng", received, sent)
    kinds = [line.split("ICMP echo ")[1].split(",")[0] for line in tcpdump(path).splitlines()]
    assert kinds == ["request", "request", "reply", "reply"]
    assert [packet.dev for packet in merged([received, sent])] == [
        "one/eth0", "two/eth0", "two/eth0", "one/eth0",
    ]  # fmt: skip
    assert sent.text("-e", "icmp[0] == 8").count("length 1014") == 1
    with pytest.raises(BuildError, match="syntax error"):
        sent.text("nonsense (")


def test_tshark_reads_devices_directions_and_times(two: tuple[Netns, Netns], tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    near, far = two
    near.ping("192.0.2.2")
    with near.capture("eth0", "icmp") as sent, far.capture("eth0", "icmp") as received:
        near.ping("192.0.2.2", size=1500)
    path = write(tmp_path / "both.pcapng", sent, received)
    fields = [
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.time_epoch",
        "frame.len",
        "icmp.type",
    ]
    command = [
        "tshark",
        "-r",
        str(path),
        "-T",
        "fields",
        *(word for field in fields for word in ("-e", field)),
    ]
    rows = [
        line.split("\t")
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    assert [(row[0], int(row[1], 16), row[3], row[4]) for row in rows] == [
        ("one/eth0", 2, "1514", "8"), ("two/eth0", 1, "1514", "8"),
        ("two/eth0", 2, "1514", "0"), ("one/eth0", 1, "1514", "0"),
    ]  # fmt: skip
    times = [f"{p.time_ns // 10**9}.{p.time_ns % 10**9:09d}" for p in merged([sent, received])]
    assert [row[2] for row in rows] == times


@pytest.mark.parametrize(
    ("dev", "filter", "words"),
    [
        ("eth9", None, "one has no device 'eth9', but lo, eth0"),
        ("eth0", "nonsense (", r"one: capture: filter 'nonsense \(': tcpdump: .*syntax error"),
        ("eth0", "-w /tmp/x", "one: capture: filter '-w /tmp/x': tcpdump: .*syntax error"),
        (None, "portrange x", "one: capture: filter 'portrange x': tcpdump: "),
    ],
)
def test_a_mistake_is_told_and_holds_nothing(
    two: tuple[Netns, Netns], descriptors: Callable[[], int], dev: str | None, filter: str | None, words: str
) -> None:
    two[0].run("true")
    before = descriptors()
    with pytest.raises(BuildError, match=words), two[0].capture(dev, filter):
        pass
    assert descriptors() == before


@pytest.mark.parametrize(
    "options", [{"packets": 0}, {"snaplen": 10}, {"snaplen": 1 << 20}, {"packets": 1 << 20}]
)
def test_a_size_that_makes_no_sense_is_refused(two: tuple[Netns, Netns], options: dict[str, int]) -> None:
    with pytest.raises(BuildError, match="expected at least one packet, 64 to"):
        Capture(two[0], "eth0", **options)


def test_a_filter_without_tcpdump_says_so(two: tuple[Netns, Netns], monkeypatch: pytest.MonkeyPatch) -> None:
    two[0].run("true")  # its init is sh's
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("pytest_netconform.kernel.processes.commands.SBIN", ())
    with pytest.raises(BuildError, match="a filter needs tcpdump, which is not installed"):
        filters.compiled(two[0].namespaces, "eth0", "icmp", {})
    with two[0].capture("eth0") as capture:
        two[0].ping("192.0.2.2")
    with pytest.raises(BuildError, match="tcpdump is not installed"):
        capture.text()


def test_nothing_is_held_when_it_is_over(two: tuple[Netns, Netns], descriptors: Callable[[], int]) -> None:
    before, capture = descriptors(), two[0].capture("eth0")
    with pytest.raises(ZeroDivisionError), capture:
        1 / len([each for each in [two[0].ping("192.0.2.2")] if each.lost])
    assert descriptors() == before
    assert capture.packets
    with pytest.raises(BuildError, match="was started before"), capture:
        pass


def test_the_fixture_captures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_it(netns, veth, capture):
            one, two = netns("one"), netns("two")
            veth(one, two, subnet="192.0.2.0/30")
            with capture(two, "eth0", "icmp") as captured:
                assert one.ping(two).replied
            assert [packet.info for packet in captured.packets] == ["echo request", "echo reply"]
    """)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_device_may_be_given_itself(net: Net) -> None:
    one, two = net.netns("one"), net.netns("two")
    eth0, far = net.veth(one, two, subnet="192.0.2.0/30")
    with one.capture(eth0, "icmp") as captured:
        one.ping(two)
    assert len(captured.packets) == 2
    with pytest.raises(BuildError, match="two has no device"):
        two.capture(net.veth(one, two, ifnames=("x", "y"))[0])
    assert far.link.ifname == "eth0"
