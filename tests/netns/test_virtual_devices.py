"""Devices upon other devices, as a test author makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making import features
from pytest_netconform.kernel.probing.neighbour_table import Occupancy
from pytest_netconform.kernel.rtnetlink import EVERY
from pytest_netconform.nodes import Device, Net, Netns, tunnels


def test_vxlan_is_bounded_by_its_underlay(
    netns: Callable[[str], Netns], veth: Callable[..., Any], vxlan: Callable[..., Any]
) -> None:
    leaf1, leaf2 = netns("leaf1"), netns("leaf2")
    veth(leaf1, leaf2, subnet="192.0.2.0/30", mtu=1500)  # eth0 on both sides
    vxlan(leaf1, leaf2, vni=10, dev="eth0", subnet="198.51.100.0/24")  # vxlan10 on both sides

    assert leaf1.links["vxlan10"].mtu == 1450
    assert leaf1.ping("198.51.100.2", size=1450, df=True).replied
    assert leaf1.ping("198.51.100.2", size=1451, df=True).rejected == "EMSGSIZE"


@pytest.fixture
def leaves(net: Net) -> list[Netns]:
    """Two namespaces on one wire, by both families."""
    leaves = [net.netns("leaf1"), net.netns("leaf2")]
    net.veth(*leaves, subnet=("192.0.2.0/30", "2001:db8::/64"))
    return leaves


def flood(netns: Netns, dev: str = "vxlan10") -> list[str | None]:
    return [entry.dst for entry in netns.fdb if entry.dev == dev and entry.mac == EVERY]


def names(*netnses: Netns) -> list[list[str]]:
    return [[link.ifname for link in netns.links] for netns in netnses]


def test_each_end_of_a_vxlan_knows_where_the_other_is(net: Net, leaves: list[Netns]) -> None:
    ends = net.vxlan(*leaves, vni=10, subnet="198.51.100.0/24")
    assert [end.ip for end in ends] == ["198.51.100.1", "198.51.100.2"]
    assert [flood(leaf) for leaf in leaves] == [["192.0.2.2"], ["192.0.2.1"]]
    info = leaves[0].links["vxlan10"].info or {}
    assert (info["id"], info["link"], info["local"], info["port"]) == (10, "eth0", "192.0.2.1", 4789)
    assert (info["learning"], info.get("group"), info.get("remote")) == (True, None, None)


def test_a_vxlan_may_be_told_everything(net: Net, leaves: list[Netns]) -> None:
    ends = net.vxlan(
        *leaves,
        vni=77,
        dev=("eth0", "eth0"),
        ifname="tunnel",
        addrs=("10.9.0.7/24", None),
        local=("192.0.2.1", "192.0.2.2"),
        dstport=8472,
        learning=False,
        ttl=3,
        mtu=1000,
    )
    info = leaves[0].links["tunnel"].info or {}
    assert (info["id"], info["port"], info["learning"], info["ttl"]) == (77, 8472, False, 3)
    assert [end.link.mtu for end in ends] == [1000, 1000]
    assert [[str(address) for address in end.addresses] for end in ends] == [["10.9.0.7/24"], []]
    other = ends[1].link.address
    assert [entry.dst for entry in leaves[0].fdb if entry.mac == other] == ["192.0.2.2"]


def test_a_vxlan_goes_over_ipv6_too(net: Net) -> None:
    leaves = [net.netns("leaf1"), net.netns("leaf2")]
    net.veth(*leaves, subnet="2001:db8::/64")
    net.vxlan(*leaves, vni=10, subnet=("198.51.100.0/24", "2001:db8:10::/64"))
    assert leaves[0].links["vxlan10"].mtu == 1430
    assert leaves[0].ping("198.51.100.2", size=1430, df=True).replied
    assert leaves[0].ping("2001:db8:10::2").replied


@pytest.mark.parametrize("options", [{}, {"learning": False}, {"group": "239.1.1.1"}, {"group": "ff05::1"}])
def test_any_number_of_ends_reach_each_other(net: Net, options: dict[str, Any]) -> None:
    hosts = list(net.lan(4, subnet=("192.0.2.0/24", "2001:db8::/64")))
    if ":" in options.get("group", ""):
        options = {**options, "local": [f"2001:db8::{number}" for number in range(1, 5)]}
    net.vxlan(*hosts, vni=10, subnet="198.51.100.0/24", **options)
    assert len(flood(hosts[0])) == (1 if "group" in options else 3)
    for one in hosts:
        for other in range(1, 5):
            assert one.ping(f"198.51.100.{other}").replied


def test_bridges_are_joined_by_a_vxlan_from_the_first_packet_on(net: Net, leaves: list[Netns]) -> None:
    hosts = [net.netns("host1"), net.netns("host2")]
    ends = net.vxlan(*leaves, vni=10)
    for number, (leaf, host, tunnel) in enumerate(zip(leaves, hosts, ends, strict=True), start=1):
        _, port = net.veth(
            host, leaf, ifnames=("eth0", "port0"), addrs=(f"10.0.0.{number}/24", None), mtu=1450
        )
        net.bridge(leaf).attach(port, tunnel)
    assert hosts[0].ping(hosts[1], size=1450, df=True).replied


def test_more_ends_than_the_kernel_can_keep_neighbours_are_refused_or_told_of_each_other(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "occupancy", lambda _: Occupancy(5, 0, 0, known=True))
    hosts = list(net.lan(3, subnet="192.0.2.0/24"))
    with pytest.raises(BuildError, match=r"3 ends are 6 neighbours .* keeps 5 .*: say permanent_neighs=True"):
        net.vxlan(*hosts, vni=10, subnet="198.51.100.0/24")
    assert "vxlan10" not in hosts[0].links
    net.vxlan(*hosts, vni=10, subnet="198.51.100.0/24", permanent_neighs=True)
    known = {neigh.dst: neigh.lladdr for neigh in hosts[0].neighs if neigh.state == ("PERMANENT",)}
    assert known == {f"192.0.2.{host + 1}": hosts[host].links["eth0"].address for host in (1, 2)}
    assert hosts[0].ping("198.51.100.3").replied


def test_ends_beyond_a_router_are_no_neighbours(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "occupancy", lambda _: Occupancy(0, 0, 0, known=True))
    left, router, right = net.netns("left"), net.netns("router"), net.netns("right")
    net.veth(left, router, ifnames=("eth0", "left"), subnet="10.0.1.0/30")
    net.veth(right, router, ifnames=("eth0", "right"), subnet="10.0.2.0/30")
    router.sysctl["net.ipv4.ip_forward"] = 1
    left.add_route("default", via="10.0.1.2")
    right.add_route("default", via="10.0.2.2")
    net.vxlan(left, right, vni=10, subnet="198.51.100.0/24")
    assert left.ping("198.51.100.2").replied


def test_without_learning_nothing_is_sent_to_those_it_is_not_for(net: Net) -> None:
    hosts = list(net.lan(3, subnet="192.0.2.0/24"))
    ends = net.vxlan(*hosts, vni=10, subnet="198.51.100.0/24", learning=False)
    lladdrs = {end.link.address: end.netns.name for end in ends}
    known = {lladdrs[entry.mac]: entry.dst for entry in hosts[0].fdb if entry.mac in lladdrs}
    assert known == {"host2": "192.0.2.2", "host3": "192.0.2.3"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vni": 1 << 24, "ifname": "v"}, "id: expected a number from 0 to 16777215, got 16777216"),
        ({"mtu": 1451}, "leaf1: vxlan10: mtu 1451 is more than 1450: the 1500 of eth0 less 50 .* over IPv4"),
        ({"mtu": 20}, r"leaf1: link add vxlan10 type vxlan: .*EINVAL"),
        ({"dev": "eth9"}, "leaf1 has no device 'eth9', but lo, eth0"),
        ({"dev": ("eth0", "eth9")}, "leaf2 has no device 'eth9', but lo, eth0"),
        ({"dev": ("eth0",)}, "dev: 1 for 2 ends"),
        ({"dev": "lo"}, "leaf1: lo has no address that a VXLAN could send from"),
        ({"local": ("192.0.2.1", "2001:db8::2")}, "one family, but these are leaf1 192.0.2.1, leaf2 2001"),
        ({"local": ("192.0.2.1", "there")}, "leaf2: local: 'there' does not appear"),
        ({"group": "192.0.2.2"}, "192.0.2.2 is no multicast address"),
        ({"ifname": "a-name-too-long-"}, "has 16 bytes; Linux takes 15"),
        ({"ifname": "eth0"}, "leaf1 has a device 'eth0' already"),
        ({"addrs": ("10.0.0.1", None)}, "address 10.0.0.1 has no prefix length"),
        ({"addrs": ("10.0.0.1/24",)}, "addrs: 1 for 2 ends"),
        ({"subnet": "198.51.100.0/24", "addrs": ("198.51.101.1", None)}, "is outside its subnet"),
        ({"subnet": "198.51.100.0/32"}, "has 1 addresses for hosts, of 2"),
        ({"subnet": "2001:db8:9::/64", "mtu": 1000}, "leaf1: addr add 2001:db8:9::1/64 dev vxlan10: "),
        ({"dstport": 70000}, "dstport: expected a number from 0 to 65535"),
        ({"ttl": 300}, "ttl: expected a number from 0 to 255"),
    ],
)
def test_a_mistake_in_a_vxlan_is_told_and_leaves_nothing(
    net: Net, leaves: list[Netns], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        net.vxlan(*leaves, **{"vni": 10, **options})
    assert names(*leaves) == [["lo", "eth0"]] * 2
    net.vxlan(*leaves, vni=10)


def test_a_vxlan_without_ends_is_none(net: Net) -> None:
    with pytest.raises(BuildError, match="a VXLAN has one end or more"):
        net.vxlan(vni=10)


def test_what_the_second_end_is_refused_takes_the_first_with_it(net: Net, leaves: list[Netns]) -> None:
    leaves[1].run("ip link add other type vxlan id 10 dstport 4789 dev eth0")
    with pytest.raises(BuildError, match=r"leaf2: link add vxlan10 type vxlan: .* already exists"):
        net.vxlan(*leaves, vni=10)
    assert names(*leaves) == [["lo", "eth0"], ["lo", "other", "eth0"]]


@pytest.mark.parametrize(("mode", "reached"), [("bridge", True), ("private", False)])
def test_a_macvlan_lives_in_another_namespace(
    net: Net, leaves: list[Netns], mode: str, reached: bool
) -> None:
    pods = [net.netns("pod1"), net.netns("pod2")]
    eth0 = Device.of(leaves[0], "eth0")
    ends = [
        net.macvlan(
            eth0,
            pod,
            ifname="eth0",
            mode=mode,
            addr=f"192.0.2.{host}/24",
            address=f"02:00:00:00:00:{host:02x}",
        )
        for host, pod in enumerate(pods, start=100)
    ]
    assert [(end.link.address, (end.link.info or {})["mode"]) for end in ends] == [
        ("02:00:00:00:00:64", mode),
        ("02:00:00:00:00:65", mode),
    ]
    leaves[1].add_addr("eth0", "192.0.2.200/24")
    assert pods[0].ping("192.0.2.200").replied
    assert pods[0].ping("192.0.2.101", timeout_s=1.0 if reached else 0.2).replied is reached


def test_a_macvlan_may_stay_and_have_both_families(net: Net, leaves: list[Netns]) -> None:
    eth0 = Device.of(leaves[0], "eth0")
    end = net.macvlan(eth0, addr=("10.8.0.1/24", "2001:db8:8::1/64"), mtu=1400)
    assert (end.netns, end.ifname, end.link.mtu) == (leaves[0], "macvlan0", 1400)
    assert {"10.8.0.1", "2001:db8:8::1"} <= {addr.local for addr in leaves[0].addrs}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "brige"}, "mode: expected one of private, vepa, bridge, passthru, got 'brige'"),
        ({"address": "01:00:5e:00:00:01"}, "01:00:5e:00:00:01 is a multicast MAC address"),
        ({"addr": "10.0.0.1"}, "has no prefix length"),
        ({"mtu": 1501}, "leaf1: link add macvlan0 type macvlan: .*EINVAL"),
        ({"ifname": "lo"}, "leaf2 has a device 'lo' already"),
    ],
)
def test_a_mistake_in_a_macvlan_is_told_and_leaves_nothing(
    net: Net, leaves: list[Netns], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        net.macvlan(Device.of(leaves[0], "eth0"), leaves[1], **options)
    assert names(*leaves) == [["lo", "eth0"]] * 2


def test_vlan_and_dummy_are_made_where_the_kernel_has_them(net: Net, leaves: list[Netns]) -> None:
    ends = [Device.of(leaf, "eth0") for leaf in leaves]
    if features.supports("vlan"):
        tagged = [net.vlan(end, 10, addr=f"10.7.0.{host}/24") for host, end in enumerate(ends, start=1)]
        assert [(end.ifname, (end.link.info or {})["id"]) for end in tagged] == [("eth0.10", 10)] * 2
        assert leaves[0].ping("10.7.0.2").replied
    else:
        with pytest.raises(BuildError, match=r"^this kernel makes no vlan devices: Unknown device type"):
            net.vlan(ends[0], 10)
    if features.supports("dummy"):
        assert net.dummy(leaves[0], addr="10.6.0.1/32", mtu=9000).link.mtu == 9000
    else:
        with pytest.raises(BuildError, match=r"^this kernel makes no dummy devices: "):
            net.dummy(leaves[0])


def test_what_a_kernel_makes_is_tried_once_and_leaves_nothing(descriptors: Callable[[], int]) -> None:
    features.lacking.cache_clear()
    before = descriptors()
    assert features.supports("veth")
    assert features.supports("macvlan")
    assert not features.supports("no-such-kind")
    assert features.lacking("no-such-kind") == (
        "this kernel makes no no-such-kind devices: Unknown device type (ENOTSUP)"
    )
    assert descriptors() == before
    assert features.lacking.cache_info().hits == 1


def test_fixtures_skip_with_the_reason_where_the_kernel_has_no_such_devices(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "lacking", lambda kind: f"this kernel makes no {kind} devices: for a test")
    pytester.makepyfile("def test_one(vlan): pass\ndef test_two(dummy): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*this kernel makes no dummy devices: for a test*"])


def test_a_bridge_keeps_its_mac_address_and_has_no_spanning_tree(net: Net) -> None:
    one, two = net.netns("one"), net.netns("two")
    bridge = net.bridge(one)
    before = bridge.link.address
    port, _ = net.veth(one, two)
    one.set_link(port, address="02:00:00:00:00:01")  # lower than the bridge's, which it would take
    bridge.attach(port)
    assert bridge.link.address == before
    assert (bridge.link.info or {})["stp_state"] == 0


def test_a_port_may_be_a_hairpin(net: Net) -> None:
    one, two = net.netns("one"), net.netns("two")
    bridge = net.bridge(one)
    port, _ = net.veth(one, two)
    bridge.attach(port, hairpin=True, learning=False, isolated=True)
    slave = port.link.slave or {}
    assert (slave["hairpin"], slave["learning"], slave["isolated"], slave["flood"]) == (
        True,
        False,
        True,
        True,
    )


def test_of_ports_that_are_refused_none_is_attached(net: Net) -> None:
    one, two = net.netns("one"), net.netns("two")
    bridge, other = net.bridge(one), net.bridge(one, "br1")
    port, _ = net.veth(one, two)
    with pytest.raises(BuildError, match=r"one: link set br1 master br0: .*\("):
        bridge.attach(port, other)
    assert port.link.master is None


def test_a_device_that_a_command_made_can_be_used_like_any_other(net: Net) -> None:
    one = net.netns("one")
    one.run(
        "ip link add veth0 type veth peer name veth1; ip addr add 10.5.0.1/24 dev veth0; ip link set veth0 up"
    )
    veth0 = Device.of(one, "veth0")
    assert veth0.ip == "10.5.0.1"
    net.bridge(one).attach(veth0)
    assert veth0.link.master == "br0"
    with pytest.raises(BuildError, match="one has no device 'veth9', but lo, "):
        Device.of(one, "veth9")


@pytest.mark.parametrize(
    ("kind", "how"),
    [("dummy", "dummy numdummies=0"), ("bond", "bonding max_bonds=0"), ("sit", "sit"), ("gretap", "ip_gre")],
)
def test_no_module_is_loaded_that_makes_devices_of_its_own(
    monkeypatch: pytest.MonkeyPatch, kind: str, how: str
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(features, "Path", lambda *parts: Path("/nonexistent", *parts[1:]))
    monkeypatch.setattr(features, "make_netns", asked.append)
    reason = features.lacking.__wrapped__(kind)
    assert reason
    assert reason.startswith(
        f"this kernel makes no {kind} devices: the module {how.split()[0]} is not loaded"
    )
    assert reason.endswith(f"; modprobe {how}")
    assert not asked
