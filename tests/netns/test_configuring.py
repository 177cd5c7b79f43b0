"""A namespace changed without a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, NetconformError
from pytest_netconform.nodes import Net, Netns


@pytest.fixture
def one(net: Net) -> Netns:
    """One end of a wire whose other end is named two."""
    one = net.netns("one")
    net.veth(one, net.netns("two"), subnet=("192.0.2.0/24", "2001:db8::/64"))
    return one


def test_addresses_can_be_used_at_once(net: Net, one: Netns) -> None:
    net["two"].add_addr("eth0", "10.0.0.1/32")
    net["two"].add_addr("eth0", "2001:db8:1::1/128")
    one.add_route("10.0.0.1", dev="eth0")
    one.add_route("2001:db8:1::/48", via="2001:db8::2")
    assert one.ping("10.0.0.1").replied
    assert one.ping("2001:db8:1::1").replied


def test_an_ipv6_address_is_known_to_routing_from_the_first_packet_on(net: Net, one: Netns) -> None:
    one.add_route("2001:db8:1::/48", via="2001:db8::2")
    for number in range(1, 51):
        net["two"].add_addr("eth0", f"2001:db8:1::{number:x}/128")
        assert one.ping(f"2001:db8:1::{number:x}").replied


def test_an_address_may_be_added_to_a_device_that_is_down(one: Netns) -> None:
    one.set_link("eth0", up=False)
    one.add_addr("eth0", "2001:db8:2::1/64")
    one.add_addr("eth0", "fe80::42/64")
    assert {"2001:db8:2::1", "fe80::42"} <= {addr.local for addr in one.addrs}


def test_routes_of_every_shape(one: Netns) -> None:
    one.add_route("default", via="192.0.2.2", metric=100)
    one.add_route("10.1.0.0/16", via="203.0.113.1", dev="eth0", onlink=True, table=100)
    one.add_route("10.2.0.0/16", nexthops={"192.0.2.2": 1, "192.0.2.3": 3})
    one.add_route("10.3.0.0/16", type="unreachable")
    one.add_route("10.4.0.0/16", via="192.0.2.2", src="192.0.2.1", mtu=1400)
    one.add_route("10.4.0.0/16", via="192.0.2.3", replace=True)
    routes = {route.dst: route for route in one.routes if route.family == "inet"}
    assert (routes["default"].gateway, routes["default"].metric) == ("192.0.2.2", 100)
    assert (routes["10.1.0.0/16"].flags, routes["10.1.0.0/16"].table) == (("onlink",), "100")
    hops = routes["10.2.0.0/16"].nexthops
    assert [(hop["gateway"], hop["weight"]) for hop in hops] == [("192.0.2.2", 1), ("192.0.2.3", 3)]
    assert routes["10.3.0.0/16"].type == "unreachable"
    assert routes["10.4.0.0/16"].gateway == "192.0.2.3"


def test_rules_lead_elsewhere(one: Netns) -> None:
    one.add_rule(table=100, priority=10, src="192.0.2.1", fwmark=0x4000, fwmask=0xF000)
    one.add_rule("prohibit", priority=11, iif="eth0", dst="10.0.0.0/8")
    one.add_rule("blackhole", priority=12, family="inet6")
    rules = {(rule.family, rule.priority): rule for rule in one.rules}
    assert rules["inet", 10].table == "100"
    assert (rules["inet", 10].fwmark, rules["inet", 10].fwmask) == ("0x4000", "0xf000")
    assert (rules["inet", 11].action, rules["inet", 11].iif) == ("prohibit", "eth0")
    assert rules["inet6", 12].action == "blackhole"


def test_a_wrong_neighbour_loses_packets_until_it_is_set_right(net: Net, one: Netns) -> None:
    right = net["two"].links["eth0"].address
    one.add_neigh("192.0.2.2", "02:00:00:00:00:99", "eth0")
    assert one.ping("192.0.2.2", timeout_s=0.2).lost
    one.add_neigh("192.0.2.2", right, "eth0")
    assert one.ping("192.0.2.2").replied


def test_entries_of_a_bridge_and_of_a_vxlan(net: Net, one: Netns) -> None:
    (end,) = net.vxlan(one, vni=10, addrs=("10.9.0.1/24",))
    one.add_fdb("00:00:00:00:00:00", end, dst="192.0.2.2", append=True)
    one.add_fdb("00:00:00:00:00:00", "vxlan10", dst="192.0.2.3", append=True, via="eth0")
    found = [(entry.dst, entry.via) for entry in one.fdb if entry.dev == "vxlan10" and entry.dst]
    assert found == [("192.0.2.2", None), ("192.0.2.3", "eth0")]


def test_links_are_changed(one: Netns) -> None:
    one.set_link("eth0", mtu=1300, address="02:00:00:00:00:07")
    assert (one.links["eth0"].mtu, one.links["eth0"].address) == (1300, "02:00:00:00:00:07")
    one.set_link("eth0", up=False)
    assert "UP" not in one.links["eth0"].flags


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.set_link("eth9", up=True), "one has no device 'eth9', but lo, eth0"),
        (lambda one: one.set_link("eth0", mtu=1), r"one: link set eth0 mtu 1: .*\(EINVAL\)"),
        (
            lambda one: one.set_link("eth0", address="03:00:00:00:00:01"),
            "one: link set eth0: address: 03.* multicast",
        ),
        (lambda one: one.add_addr("eth0", "10.0.0.1"), "one: address 10.0.0.1 has no prefix length"),
        (lambda one: one.add_addr("eth0", "192.0.2.1/24"), "one: addr add 192.0.2.1/24 dev eth0: .*EEXIST"),
        (
            lambda one: one.add_route("10.0.0.0/8", via="203.0.113.9"),
            "one: route add .*Nexthop has invalid gateway",
        ),
        (lambda one: one.add_route("10.0.0.1/8"), "one: route add 10.0.0.1/8: 10.0.0.1/8 has host bits set"),
        (
            lambda one: one.add_route("10.0.0.0/8", type="no"),
            "one: route add 10.0.0.0/8: type: expected one of",
        ),
        (lambda one: one.add_rule(), "one: rule add lookup: a lookup needs a table"),
        (
            lambda one: one.add_rule("nop", family="ipv6"),
            "one: rule add: family: expected inet or inet6, got 'ipv6'",
        ),
        (
            lambda one: one.add_neigh("192.0.2.2", "x", "eth0"),
            "one: neigh replace 192.0.2.2: lladdr: expected a MAC",
        ),
        (lambda one: one.add_fdb("x", "eth0"), "one: fdb add x: lladdr: expected a MAC address"),
        (
            lambda one: one.add_neigh("192.0.2.2", "01:00:5e:00:00:01", "eth0"),
            "one: neigh replace 192.0.2.2: lladdr: 01:00:5e:00:00:01 is a multicast MAC address",
        ),
        (lambda one: one.add_neigh("192.0.2.2", "ff:ff:ff:ff:ff:ff", "eth0"), "lladdr: ff.* multicast"),
        (lambda one: one.add_addr("eth0", "224.0.0.1/24"), "one: address 224.0.0.1 is a multicast address"),
        (lambda one: one.add_addr("eth0", "10.0.0.3/30"), "one: address 10.0.0.3 is the broadcast address"),
        (
            lambda one: one.add_route("10.0.0.0/8", via="192.0.2.2", nexthops={"192.0.2.3": 1}),
            "one: route add 10.0.0.0/8: nexthops: each has its own gateway",
        ),
        (
            lambda one: one.add_route("default", via="192.0.2.2", family="inet6"),
            "one: route add default: family: 192.0.2.2 is of IPv4",
        ),
        (
            lambda one: one.add_route("10.0.0.0/8", dev="eth0", table="mian"),
            "table: expected a number, or main, local, default, got 'mian'",
        ),
        (lambda one: one.del_route("10.0.0.0/8"), r"one: route delete 10.0.0.0/8: .*\(ESRCH\)"),
        (lambda one: one.del_rule(), "one: rule delete.*: say which"),
        (lambda one: one.del_rule(priority=7), r"one: rule delete priority 7: .*\(ENOENT\)"),
        (lambda one: one.del_neigh("192.0.2.9", "eth0"), r"one: neigh delete 192.0.2.9 .*\(ENOENT\)"),
        (lambda one: one.del_addr("eth0", "10.0.0.1/8"), r"one: addr delete 10.0.0.1/8 .*\(EADDRNOTAVAIL\)"),
        (lambda one: one.del_fdb("02:00:00:00:00:01", "eth0"), r"one: fdb delete .*\("),
        (lambda one: one.run([]), r"no command: expected text for sh, or a list .* got \[\]"),
        (lambda one: one.run(["echo", 5]), r"no command: expected .* got \['echo', 5\]"),  # type: ignore[list-item]
    ],
)
def test_a_mistake_is_told_with_the_place_and_changes_nothing(
    one: Netns, change: Callable[[Netns], None], words: str
) -> None:
    before = state(one)
    with pytest.raises(BuildError, match=words):
        change(one)
    assert state(one) == before


def state(one: Netns) -> tuple[object, ...]:
    """Read what can be changed, less what IPv6 does by itself when a link has come up."""
    addrs = [addr for addr in one.addrs if not addr.local.startswith("fe80")]
    routes = [route for route in one.routes if not route.dst.startswith(("fe80", "ff00"))]
    links = [(link.ifname, link.mtu, link.address) for link in one.links]
    return links, addrs, routes, one.rules


def test_a_device_of_another_namespace_is_not_taken_for_ours(net: Net, one: Netns) -> None:
    _, there = net.veth(one, net["two"], ifnames=("eth1", "eth1"))
    with pytest.raises(BuildError, match="one has no device 'eth1', but lo, eth0, eth1"):
        one.set_link(there, up=False)


def test_no_device_is_found_by_the_beginning_of_its_name(net: Net, one: Netns) -> None:
    net.veth(one, net["two"], ifnames=("a-name-so-long0", "eth1"))
    one.set_link("a-name-so-long0", mtu=1400)
    for name in ("a-name-so-long", "a-name-so-long00", "a-name-so-long0\0", "eth0\0x", "", "\udcff"):
        with pytest.raises(BuildError, match="one has no device"):
            one.set_link(name, up=False)


def test_what_was_added_can_be_taken_away(one: Netns) -> None:
    (end,) = Net.vxlan(Net(), one, vni=10, addrs=("10.9.0.1/24",))
    before = state(one), one.neighs, one.fdb
    one.add_addr("eth0", "10.1.0.1/24")
    one.add_addr("eth0", "2001:db8:9::1/64")
    one.add_route("10.2.0.0/16", via="192.0.2.2", table="main", metric=5)
    one.add_route("default", dev="eth0", family="inet6", table=100)
    one.add_rule(table=100, priority=50, fwmark=7)
    one.add_rule("prohibit", iif=end, family="inet6")
    one.add_neigh("192.0.2.9", "02:00:00:00:00:09", "eth0")
    one.add_fdb("02:00:00:00:00:09", end, dst="192.0.2.9")
    assert (state(one), one.neighs, one.fdb) != before
    one.del_fdb("02:00:00:00:00:09", end, dst="192.0.2.9")
    one.del_neigh("192.0.2.9", "eth0")
    one.del_rule("prohibit", iif=end, family="inet6")
    one.del_rule(table=100, fwmark=7)
    one.del_route("default", dev="eth0", family="inet6", table=100)
    one.del_route("10.2.0.0/16", via="192.0.2.2", table="main", metric=5)
    one.del_addr("eth0", "2001:db8:9::1/64")
    one.del_addr("eth0", "10.1.0.1/24")
    assert (state(one), one.neighs, one.fdb) == before


def test_what_is_there_is_replaced(net: Net, one: Netns) -> None:
    (end,) = net.vxlan(one, vni=10, addrs=("10.9.0.1/24",))
    for dst in ("192.0.2.2", "192.0.2.3"):
        one.add_fdb("02:00:00:00:00:09", end, dst=dst, replace=True)
    assert [entry.dst for entry in one.fdb if entry.mac == "02:00:00:00:00:09"] == ["192.0.2.3"]
    one.add_addr(end, "10.9.0.1/24", replace=True)
    with pytest.raises(BuildError, match="EEXIST"):
        one.add_addr(end, "10.9.0.1/24")


def test_a_default_route_without_a_gateway_is_of_the_family_that_is_told(one: Netns) -> None:
    one.add_route("default", dev="eth0", table=100)
    one.add_route("default", dev="eth0", table=100, family="inet6")
    assert [(route.family, route.dst) for route in one.routes if route.table == "100"] == [
        ("inet", "default"),
        ("inet6", "default"),
    ]


def test_nexthops_may_be_upon_one_device(one: Netns) -> None:
    hops = {"203.0.113.1": 1, "203.0.113.2": 2}
    one.add_route("10.0.0.0/8", dev="eth0", nexthops=hops, onlink=True)
    (found,) = (route.nexthops for route in one.routes if route.dst == "10.0.0.0/8")
    assert [(hop["gateway"], hop["dev"], hop["weight"]) for hop in found] == [
        ("203.0.113.1", "eth0", 1),
        ("203.0.113.2", "eth0", 2),
    ]


def test_a_sysctl_may_be_true_or_false(one: Netns) -> None:
    for value in (True, False):
        one.sysctl["net.ipv4.ip_forward"] = value
        assert one.sysctl["net.ipv4.ip_forward"] == int(value)


def test_what_is_closed_says_so(net: Net) -> None:
    gone = net.netns("gone")
    gone.add_addr("lo", "10.0.0.1/32")
    gone.close()
    deeds: list[Callable[[], object]] = [
        lambda: gone.run("true"),
        lambda: gone.links,
        lambda: gone.ping("127.0.0.1"),
        lambda: gone.listen(),
        lambda: gone.add_addr("lo", "10.0.0.2/32"),
        lambda: gone.address(),
        lambda: gone.sysctl["net.ipv4.ip_forward"],
    ]
    for deed in deeds:
        with pytest.raises(NetconformError, match=r"gone is closed$"):
            deed()


def test_a_device_moves_to_another_namespace_under_another_name(net: Net, one: Netns) -> None:
    three = net.netns("three")
    one.set_link("eth0", netns=three, name="net1", up=True)
    assert ("eth0" in one.links, "net1" in three.links) == (False, True)
    three.add_addr("net1", "192.0.2.1/24")
    assert three.ping("192.0.2.2").replied
    with pytest.raises(BuildError, match="three: device name 'a-name-too-long-' has 16 bytes"):
        three.set_link("net1", name="a-name-too-long-")


def test_a_node_has_a_path_for_another_namespace(net: Net) -> None:
    node1, pod = net.node("node1"), net.netns("node1/pod1")
    path = node1.netns_path(pod)
    assert path == node1.netns_path(pod) == "/run/netns/node1-pod1"
    assert node1.run(f"stat -Lc %i {path}").stdout == f"{pod.namespaces.inode}\n"
    node1.run("ip link add veth0 type veth peer name eth0 netns node1-pod1")
    assert "eth0" in pod.links
    with pytest.raises(BuildError, match="node1: /run/netns/node1-pod1 is node1/pod1 already"):
        node1.netns_path(net.netns("node1-pod1"))
    assert not Path(path).exists()
