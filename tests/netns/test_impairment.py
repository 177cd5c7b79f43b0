"""Impairments do what they say, and leave everything as it was."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from typing import Any

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making.fresh import make_netns
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.nodes import Device, Net, Netns
from pytest_netconform.nodes import impairment as module

DUMPS = (
    "ip -d -j addr",
    "ip -d -j -4 route show table all",
    "ip -d -j -6 route show table all",
    "ip -j neigh show nud permanent",
    "ip -j neigh show proxy",
    "ip -6 -j neigh show proxy",
    "ip -d -j nexthop",
    "ip -j rule",
    "bridge -d -j link",
    "bridge -j fdb show | sed 's/,/\\n/g' | grep -c permanent",
    "tc qdisc show",
    "nft list ruleset",
    "cd /proc/sys/net; grep -rs . ipv4/conf ipv4/neigh ipv6/conf ipv6/neigh",
)
RICH = """
ip addr add 192.0.2.2@/24 dev eth0 label eth0:x
ip addr add 203.0.113.7/32 dev eth0 scope link
ip -6 addr add 2001:db8:5::1/64 dev eth0 noprefixroute
ip -6 addr add 2001:db8:6::1/64 dev eth0 valid_lft 40000000 preferred_lft 30000000
ip nexthop add id 7 via 192.0.2.@ dev eth0
ip nexthop add id 8 via 198.51.100.@ dev eth1
ip nexthop add id 3 group 7/8
ip -6 nexthop add id 9 via 2001:db8::@ dev eth0
ip route add 10.7.0.0/16 nhid 7
ip route add 10.8.0.0/16 nhid 3
ip -6 route add 2001:db8:7::/64 nhid 9
ip route add default via 192.0.2.@ metric 100 mtu 1300 advmss 1200
ip route add 10.0.0.0/8 via 192.0.2.@ table 777 src 192.0.2.2@
ip route append 10.0.0.0/8 via 192.0.2.3 table 777
ip route add 10.1.0.0/16 nexthop via 192.0.2.@ dev eth0 weight 2 nexthop via 198.51.100.@ dev eth1
ip route add 10.2.0.0/16 via 10.99.0.1 dev eth0 onlink tos 0x10
ip route add blackhole 10.3.0.0/16
ip route add 10.4.0.0/16 dev eth1
ip route add local 10.5.0.0/16 dev eth0
ip route add 10.6.0.0/16 via inet6 fe80::9 dev eth0
ip -6 route add default via 2001:db8::@ metric 5 pref high
ip -6 route add 2001:db8:a::/48 via 2001:db8::@ mtu 1400 table 9999
ip -6 route add 2001:db8:b::/48 nexthop via 2001:db8::@ nexthop via 2001:db8:1::@ dev eth1
ip -6 route add unreachable 2001:db8:c::/48
ip route del 192.0.2.0/24 dev eth0 src 192.0.2.2@ 2>/dev/null || true
ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev eth0
ip -6 neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev eth0
ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:10 dev eth1
ip neigh add proxy 192.0.2.8 dev eth0
ip -6 neigh add proxy 2001:db8::8 dev eth0
ip rule add iif eth0 lookup 777
sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.neigh.eth0.gc_stale_time=77 net.ipv4.conf.eth0.rp_filter=2
sysctl -qw net.ipv6.conf.eth0.mtu=1450
"""

Impair = Callable[[Device], AbstractContextManager[None]]
KINDS: dict[str, Impair] = {
    "cut": lambda device: device.cut(),
    "silent": lambda device: device.silent(),
    "loss": lambda device: device.loss(30, "in"),
    "rate": lambda device: device.rate(512, "out"),
    "mtu": lambda device: device.mtu(1400),
    "mtu without IPv6": lambda device: device.mtu(1000),
}


Eventually = Callable[[Callable[[], bool]], bool]


def has_settled(end: Device) -> bool:
    """Ask whether the device has the link-local address that the kernel gives it."""
    found = end.netns.run(f"ip -6 addr show dev {end.ifname} scope link").stdout
    return "fe80:" in found and "tentative" not in found


@pytest.fixture
def ends(net: Net, eventually: Eventually) -> tuple[Device, Device]:
    """Two namespaces on two wires."""
    one, two = net.node("one"), net.netns("two")
    ends = net.veth(one, two, subnet=("192.0.2.0/24", "2001:db8::/64"))
    net.veth(one, two, ifnames=("eth1", "eth1"), subnet=("198.51.100.0/24", "2001:db8:1::/64"))
    assert all(eventually(partial(has_settled, end)) for end in ends)
    return ends


@pytest.fixture
def rich(ends: tuple[Device, Device]) -> tuple[Device, Device]:
    """All that can hang on a device hangs on both ends of the first wire."""
    for end, other in zip(ends, "21", strict=True):
        end.netns.run(f"set -e\n{RICH}".replace("@", other))
    return ends


def all_of(*ends: Device) -> dict[str, object]:
    """Read everything; of IPv6 routes to the same place by several devices, and of timers, not the order."""
    script = "".join(f"{dump}; printf '\\0'\n" for dump in DUMPS)
    return {
        f"{end!r}: {dump}": comparable(text)
        for end in ends
        for dump, text in zip(DUMPS, end.netns.run(script).stdout.split("\0"), strict=False)
    }


def comparable(text: str) -> object:
    if not text.startswith("["):
        return text.splitlines()
    rows = json.loads(re.sub(r'"(\w+_timer|[a-z]+_life_time)": *[\d.]+', r'"\1":0', text))
    return sorted(rows, key=str) if '"pref":' in text else rows


def is_joined(one: Device, two: Device) -> bool:
    there = (two.netns.ping("192.0.2.1"), two.netns.ping("2001:db8::1"))
    return all(ping.replied for ping in (*there, one.netns.ping("192.0.2.2"), one.netns.ping("2001:db8::2")))


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_as_before_at_once(rich: tuple[Device, Device], kind: str) -> None:
    before = all_of(*rich)
    for end in rich:
        with KINDS[kind](end):
            assert all_of(*rich) != before
        assert is_joined(*rich)
        assert all_of(*rich) == before
    assert (module._layers, module._memories) == ({}, {})


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_as_before_also_after_an_exception(rich: tuple[Device, Device], kind: str) -> None:
    before = all_of(*rich)
    with pytest.raises(ZeroDivisionError), KINDS[kind](rich[1]):
        1 / 0  # noqa: B018
    assert is_joined(*rich)
    assert all_of(*rich) == before


NESTED: dict[str, tuple[tuple[int, Impair], ...]] = {
    "of one kind": (
        (0, lambda device: device.mtu(1000)),
        (0, lambda device: device.mtu(1400)),
        (0, lambda device: device.mtu(1200)),
    ),
    "of several kinds": (
        (0, lambda device: device.cut()),
        (0, lambda device: device.mtu(1100)),
        (1, lambda device: device.cut()),
    ),
    "of all that are left": (
        (0, lambda device: device.rate(1000)),
        (0, lambda device: device.rate(500, "out")),
        (1, lambda device: device.loss(10)),
        (1, lambda device: device.cut()),
    ),
}


@pytest.mark.parametrize("kinds", NESTED)
def test_several_end_in_any_order(rich: tuple[Device, Device], kinds: str) -> None:
    before = all_of(*rich)
    for order in itertools.islice(
        itertools.permutations(range(len(NESTED[kinds]))), 0, None, 4 if "all" in kinds else 1
    ):
        stacks = [ExitStack() for _ in order]
        for stack, (end, impair) in zip(stacks, NESTED[kinds], strict=True):
            stack.enter_context(impair(rich[end]))
        for number in order:
            stacks[number].close()
        assert is_joined(*rich), order
        assert all_of(*rich) == before, order
    assert (module._layers, module._memories) == ({}, {})


def test_of_one_kind_the_innermost_counts(ends: tuple[Device, Device]) -> None:
    one, _ = ends
    with one.mtu(1300):
        outer = ExitStack()
        outer.enter_context(one.mtu(1400))
        with one.mtu(1350):
            assert one.link.mtu == 1350
            outer.close()
            assert one.link.mtu == 1350
        assert one.link.mtu == 1300
    assert one.link.mtu == 1500


def test_a_cut_device_is_up_without_a_carrier(ends: tuple[Device, Device]) -> None:
    one, two = ends
    with one.cut():
        assert {"UP", "NO-CARRIER"} <= set(one.link.flags)
        assert "LOWER_UP" not in one.link.flags
        assert "UP" not in two.link.flags
        assert one.netns.ping("198.51.100.2").replied
        assert one.netns.ping("192.0.2.2", timeout_s=0.05).lost
    assert is_joined(*ends)


def test_what_somebody_had_removed_does_not_come_back_with_the_carrier(ends: tuple[Device, Device]) -> None:
    one, two = ends
    two.netns.run("ip route del 192.0.2.0/24 && ip -6 addr del $(ip -6 -o addr show dev eth0 scope link "
                  "| awk '{print $4}') dev eth0 && ip route add 192.0.2.1/32 dev eth0")  # fmt: skip
    before = all_of(one, two)
    with one.cut():
        pass
    assert all_of(one, two) == before


def test_what_is_changed_meanwhile_stays_changed(ends: tuple[Device, Device]) -> None:
    one, two = ends
    with one.cut():
        one.netns.run("ip route add 10.5.0.0/16 via 198.51.100.2 && ip link set eth0 mtu 1400")
        two.netns.run("ip route add 10.5.0.0/16 via 198.51.100.1 && ip addr add 192.0.2.77/24 dev eth0")
    assert is_joined(*ends)
    for end in ends:
        assert "10.5.0.0/16" in {route.dst for route in end.netns.routes}
    assert "192.0.2.77" in {addr.local for addr in two.netns.addrs}
    assert one.link.mtu == 1400
    with one.cut():
        one.netns.run("ip link set eth0 down")
    assert "UP" not in one.link.flags


def test_a_wire_to_a_bridge_forwards_again_at_once(net: Net, eventually: Eventually) -> None:
    switch, hosts = net.netns("switch"), [net.netns(f"host{number}") for number in (1, 2)]
    bridge = net.bridge(switch)
    wires = [
        net.veth(host, switch, ifnames=("eth0", f"port{number}"), addrs=(f"192.0.2.{number}/24", None))
        for number, host in enumerate(hosts, 1)
    ]
    bridge.attach(*(wire[1] for wire in wires))
    hosts[0].ping("192.0.2.2")
    assert all(eventually(partial(has_settled, end)) for wire in wires for end in wire)
    before = all_of(*wires[0], wires[1][0])
    for device, outcome in zip(wires[0], ("lost", "rejected"), strict=True):
        with device.cut():
            assert getattr(hosts[0].ping("192.0.2.2", timeout_s=0.05), outcome)
        assert hosts[0].ping("192.0.2.2").replied
        assert all_of(*wires[0], wires[1][0]) == before
    with wires[0][1].cut(), wires[1][1].cut():
        assert eventually(lambda: bridge.link.operstate != "UP")
    assert hosts[1].ping("192.0.2.1").replied
    assert all_of(*wires[0], wires[1][0]) == before


def test_the_mtu_of_what_stands_on_a_device_comes_back_too(ends: tuple[Device, Device]) -> None:
    one, _ = ends
    one.netns.run("ip link add mac0 link eth0 type macvlan mode bridge && ip link set mac0 up && "
                  "ip -6 addr add 2001:db8:9::1/64 dev mac0 nodad")  # fmt: skip
    before = all_of(one)
    with one.mtu(1000):
        assert one.netns.links["mac0"].mtu == 1000
    assert all_of(one) == before
    with one.cut():
        pass
    assert all_of(one) == before


def test_what_stands_on_a_device_in_another_namespace_is_looked_after(
    net: Net, ends: tuple[Device, Device], eventually: Eventually
) -> None:
    pods = [net.netns("pod1"), net.netns("pod2")]
    uppers = [
        net.macvlan(end, pod, ifname="eth0", addr=f"203.0.113.{number}/24")
        for number, (end, pod) in enumerate(zip(ends, pods, strict=True), 1)
    ]
    for upper, other in zip(uppers, "21", strict=True):
        upper.netns.run(f"ip -6 addr add 2001:db8:9::{upper.ip[-1]}/64 dev eth0 && ip nexthop add id 5 via "
                        f"203.0.113.{other} dev eth0 && ip route add 10.0.0.0/8 nhid 5")  # fmt: skip
        assert eventually(partial(has_settled, upper))
    before = all_of(*uppers, *ends)
    for impair in (KINDS["mtu without IPv6"], KINDS["cut"]):
        for end in ends:
            with impair(end):
                assert all_of(*uppers) != before
            assert pods[0].ping("203.0.113.2").replied
            assert pods[0].ping("2001:db8:9::2").replied
            assert all_of(*uppers, *ends) == before
    assert (module._layers, module._memories) == ({}, {})


def test_both_ends_may_be_in_one_namespace(net: Net) -> None:
    one = net.netns("one")
    ends = net.veth(one, one, ifnames=("eth0", "eth1"), addrs=("192.0.2.1/24", "198.51.100.1/24"))
    before = all_of(ends[0])
    for impair in KINDS.values():
        for end in ends:
            with impair(end), ends[0].silent("out"):
                pass
    assert all_of(ends[0]) == before


@pytest.mark.parametrize(
    ("direction", "received"), [("out", (False, True)), ("in", (True, False)), ("both", (False, False))]
)
def test_silence_has_a_direction_and_leaves_the_carrier(
    ends: tuple[Device, Device], direction: Any, received: tuple[bool, bool]
) -> None:
    one, two = ends
    with one.silent(direction):
        assert one.link.operstate == two.link.operstate == "UP"
        assert tuple(crosses(*each) for each in ((one, two), (two, one))) == received
    assert (crosses(one, two), crosses(two, one)) == (True, True)


def crosses(sender: Device, receiver: Device) -> bool:
    """Send a datagram; say whether it came. What is sent on a veth is there when send returns, or never."""
    there = receiver.netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here = sender.netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with there, here:
        there.bind((receiver.ip, 0))
        sender.netns.run(["ip", "neigh", "replace", receiver.ip, "lladdr", str(receiver.link.address),
                          "dev", sender.ifname])  # fmt: skip
        here.sendto(b"x", there.getsockname())
        there.settimeout(0.2)
        try:
            return there.recv(1) == b"x"
        except TimeoutError:
            return False


def test_silence_is_not_told_to_who_sends(ends: tuple[Device, Device]) -> None:
    one, two = ends
    for device, direction in ((one, "out"), (two, "in")):
        with device.silent(direction):  # type: ignore[arg-type]
            assert one.netns.ping("192.0.2.2", timeout_s=0.05).lost


def received(sock: socket.socket) -> list[bytes]:
    """Read all that is there."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(sock.recv(1))
    return found


def test_of_a_loss_some_come_through(ends: tuple[Device, Device]) -> None:
    one, two = ends
    one.netns.ping("192.0.2.2")
    sent = [bytes([number]) for number in range(64)]
    with one.loss(50, "out"), one.netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        there = two.netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with there, two.netns.capture("eth0", "udp") as capture:
            there.bind(("192.0.2.2", 0))
            there.setblocking(False)
            for each in sent:
                sender.sendto(each, there.getsockname())
            came = received(there)  # what is sent on a veth is there when send returns, or never
    assert [packet.data[42:43] for packet in capture.packets] == sent
    assert 0 < len(came) < 64
    assert set(came) <= set(sent)


def test_a_rate_drops_what_its_queue_cannot_hold(ends: tuple[Device, Device]) -> None:
    one, two = ends
    sender = one.netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, two.netns.capture("eth0", "udp") as capture:
        with one.rate(64, "out", queue_ms=400):
            assert "rate 64Kbit" in one.netns.run("tc qdisc show dev eth0").stdout
            assert "tbf" not in two.netns.run("tc qdisc show dev eth0").stdout
            for _ in range(200):
                sender.sendto(bytes(1000), ("192.0.2.2", 9))
            assert 0 < len(capture.packets) < 100
        assert one.netns.ping("192.0.2.2").replied


def test_a_rate_of_both_directions_slows_both_ends(ends: tuple[Device, Device]) -> None:
    with ends[0].rate(10_000_000), ends[0].rate(512, "in"):
        shown = [end.netns.run("tc qdisc show dev eth0").stdout for end in ends]
    assert ["rate 10Gbit" in shown[0], "rate 512Kbit" in shown[1]] == [True, True]


@pytest.mark.parametrize(
    ("impair", "words"),
    [
        (lambda device: device.loss(0), "one: eth0: a loss of 0 percent: expected more than 0"),
        (lambda device: device.loss(101), "a loss of 101 percent"),
        (lambda device: device.loss(float("nan")), "a loss of nan percent"),
        (lambda device: device.silent("up"), "one: eth0: direction 'up': expected in, out, both"),
        (lambda device: device.rate(0), "one: eth0: a rate of 0 kbit"),
        (lambda device: device.rate(100, queue_ms=0), "a queue of 0 ms"),
        (lambda device: device.mtu(20), "one: link set eth0 mtu 20: .*EINVAL"),
        (lambda device: device.mtu(70000), "one: link set eth0 mtu 70000: .*EINVAL"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    ends: tuple[Device, Device], impair: Impair, words: str
) -> None:
    before = all_of(*ends)
    with pytest.raises(BuildError, match=words), impair(ends[0]):
        pass
    assert all_of(*ends) == before
    assert (module._layers, module._memories) == ({}, {})


def test_only_a_veth_has_another_end(net: Net) -> None:
    one = net.netns("one")
    bridge = net.bridge(one, addr="192.0.2.1/24")
    for impaired in (bridge.cut(), bridge.silent("out"), bridge.rate(100, "in")):
        with (
            pytest.raises(BuildError, match="one: br0 is a bridge, and has no other end: only a veth has"),
            impaired,
        ):
            pass
    before = all_of(bridge)
    with bridge.silent("in"), bridge.rate(100, "out"), bridge.mtu(1300):
        pass
    assert all_of(bridge) == before


def test_an_end_in_a_namespace_of_somebody_else_is_out_of_reach(net: Net) -> None:
    one = net.node("one")
    other = one.popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=-1)
    assert other.stdout is not None
    other.stdout.readline()
    # seen from the PID namespace of its own, the process is the only one that sleeps
    one.run("ip link add eth0 type veth peer name eth1 && ip link set eth1 netns $(pidof -s sleep)")
    device = Device(one, "eth0", next(link.ifindex for link in one.links if link.ifname == "eth0"))
    with pytest.raises(BuildError, match="in a namespace that no net of ours made"), device.cut():
        pass
    other.kill()
    other.wait()
    other.stdout.close()


def test_what_is_no_nets_is_never_changed_though_it_can_be_reached(net: Net) -> None:
    one = net.netns("one")
    (fresh,) = make_netns(["fresh"])
    kept = Namespaces.opened("somebody's", f"/proc/self/fd/{fresh.net}")
    fresh.close()
    veth = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth9", "netns"]
    one.popen([*veth, f"/proc/self/fd/{kept.net}"], pass_fds=[kept.net]).wait()
    kept.run("ip link set eth9 up")
    one.set_link("eth0", up=True)
    before = kept.run("ip -d -j link").stdout
    device = Device.of(one, "eth0")
    for impaired in (device.cut(), device.silent("out"), device.rate(100, "in")):
        with (
            pytest.raises(BuildError, match="one: eth0: the other end is in a namespace that no net"),
            impaired,
        ):
            pass
    theirs = Device(Netns(kept), "eth9", 2)
    with (
        pytest.raises(BuildError, match="somebody's: eth9 is in a namespace that no net made"),
        theirs.mtu(1300),
    ):
        pass
    assert kept.run("ip -d -j link").stdout == before
    kept.close()


def test_one_that_is_never_entered_is_told_with_its_net() -> None:
    def forget(*, fail: bool = False) -> None:
        with Net() as net:
            eth0, _ = net.veth(net.netns("one"), net.netns("two"))
            eth0.loss(30, direction="in")
            with eth0.silent():
                assert not fail

    with pytest.raises(BuildError, match=r"^one: eth0.loss\(30, direction='in'\) was never entered, and did"):
        forget()
    with pytest.raises(AssertionError):
        forget(fail=True)


def test_one_is_entered_once(ends: tuple[Device, Device]) -> None:
    silent = ends[0].silent("in")
    with silent:
        pass
    with pytest.raises(BuildError, match=r"one: eth0.silent\('in'\) was entered before"), silent:
        pass


def test_a_name_that_nft_cannot_be_told_is_refused(net: Net) -> None:
    one = net.netns("one")
    ends = net.veth(one, one, ifnames=('a"b', "eth*"))
    for end in ends:
        with pytest.raises(BuildError, match="nft has no way to write this device's name"), end.silent("in"):
            pass
        with end.cut(), end.rate(1000), end.mtu(1300), end.netns.capture(end.ifname) as capture:
            pass
        assert capture.dev == end.ifname


def test_somebody_elses_qdisc_is_not_replaced(ends: tuple[Device, Device]) -> None:
    ends[0].netns.run("tc qdisc add dev eth0 root handle 1: htb")
    with pytest.raises(BuildError, match="take the place of its qdisc, htb 1:"), ends[0].rate(100):
        pass
    assert "htb 1:" in ends[0].netns.run("tc qdisc show dev eth0").stdout


def test_an_undo_that_fails_is_an_error(ends: tuple[Device, Device]) -> None:
    one, two = ends
    with pytest.raises(BuildError, match=r"one: eth0: no loss any more: .*No such file"), one.silent("in"):
        one.netns.run("nft flush ruleset")
    two.netns.run("ip route add 10.5.0.0/16 via 192.0.2.1 src 192.0.2.2")
    with pytest.raises(BuildError, match=r"not as before eth0 was impaired: route 10\.5\.0\.0/16"), one.cut():
        two.netns.run("ip addr del 192.0.2.2/24 dev eth0")
    with pytest.raises(BuildError, match="it was deleted, or renumbered"), one.mtu(1400):
        one.netns.run("ip link del eth0")
    assert (module._layers, module._memories) == ({}, {})
