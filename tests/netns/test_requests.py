"""What is asked of route netlink, compared with what ip and bridge read back."""

from __future__ import annotations

import ipaddress
import os
from typing import Any, NamedTuple

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.facts.base import Fact
from pytest_netconform.kernel import rtnetlink as rt
from pytest_netconform.nodes import Device, Net, Netns


class Dev(NamedTuple):
    """A device by the number that it was made with."""

    ifname: str
    ifindex: int


@pytest.fixture
def one(net: Net) -> Netns:
    return net.netns("one")


@pytest.fixture
def eth0(net: Net, one: Netns) -> Device:
    """One end of a wire with addresses of both families, up."""
    return net.veth(one, net.netns("two"), subnet=("192.0.2.0/24", "2001:db8::/64"))[0]


def holds(fact: Fact, **expected: Any) -> bool:
    """Compare some fields of a fact; all that differ are shown at once."""
    got = {name: getattr(fact, name) for name in expected}
    assert got == expected
    return True


def info(one: Netns, ifname: str, *names: str) -> dict[str, Any]:
    data = one.links[ifname].info or {}
    return {name: data.get(name) for name in names}


def test_a_bridge_has_what_it_was_asked_for(one: Netns) -> None:
    one.rtnetlink.do(
        rt.bridge_add(
            "br0",
            index=50,
            mtu=1400,
            address="02:00:00:00:00:01",
            up=True,
            stp=True,
            forward_delay_s=3,
            ageing_time_s=60,
            mcast_snooping=False,
        )
    )
    assert holds(one.links["br0"], ifindex=50, mtu=1400, address="02:00:00:00:00:01", kind="bridge")
    assert "UP" in one.links["br0"].flags
    assert info(one, "br0", "stp_state", "forward_delay", "ageing_time", "mcast_snooping") == {
        "stp_state": 1,
        "forward_delay": 300,
        "ageing_time": 6000,
        "mcast_snooping": 0,
    }


def test_a_port_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    one.rtnetlink.do(
        rt.bridge_add("br0", index=50),
        rt.link_master(eth0, Dev("br0", 50)),
        rt.port_set(
            eth0, hairpin=True, learning=False, flood=False, isolated=True, neigh_suppress=True, cost=7
        ),
    )
    slave = eth0.link.slave or {}
    assert eth0.link.master == "br0"
    assert {name: slave[name] for name in ("hairpin", "learning", "flood", "isolated", "cost")} == {
        "hairpin": True,
        "learning": False,
        "flood": False,
        "isolated": True,
        "cost": 7,
    }
    one.rtnetlink.do(rt.link_nomaster(eth0))
    assert eth0.link.master is None


def test_a_vxlan_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    one.rtnetlink.do(
        rt.vxlan_add(
            "vxlan10",
            10,
            index=60,
            dev=eth0,
            local="192.0.2.1",
            remote="192.0.2.2",
            dstport=4789,
            learning=False,
            ttl=9,
            address="02:00:00:00:00:02",
            up=True,
        )
    )
    assert holds(one.links["vxlan10"], ifindex=60, mtu=1450, address="02:00:00:00:00:02", kind="vxlan")
    assert info(one, "vxlan10", "id", "link", "local", "remote", "port", "learning", "ttl") == {
        "id": 10,
        "link": "eth0",
        "local": "192.0.2.1",
        "remote": "192.0.2.2",
        "port": 4789,
        "learning": False,
        "ttl": 9,
    }


def test_a_vxlan_may_be_ipv6s_and_of_a_group(one: Netns, eth0: Device) -> None:
    one.rtnetlink.do(
        rt.vxlan_add("vxlan11", 11, dev=eth0, local="2001:db8::1", group="ff05::100"),
        rt.vxlan_add("vxlan12", 12, dev=eth0, group="239.1.1.1", mtu=1000),
    )
    assert [one.links[name].mtu for name in ("vxlan11", "vxlan12")] == [1430, 1000]
    assert info(one, "vxlan11", "local6", "group6") == {"local6": "2001:db8::1", "group6": "ff05::100"}
    assert info(one, "vxlan12", "group") == {"group": "239.1.1.1"}


@pytest.mark.parametrize("mode", ["private", "vepa", "bridge", "passthru"])
def test_a_macvlan_has_its_mode_and_may_stand_elsewhere(
    net: Net, one: Netns, eth0: Device, mode: str
) -> None:
    pod = net.netns("pod")
    assert pod.namespaces.net is not None
    one.rtnetlink.do(rt.macvlan_add("net1", eth0, mode=mode, index=70, netns=pod.namespaces.net, up=True))
    assert holds(pod.links["net1"], ifindex=70, kind="macvlan")
    assert info(pod, "net1", "mode") == {"mode": mode}


def test_a_link_is_changed_in_every_way(net: Net, one: Netns, eth0: Device) -> None:
    one.rtnetlink.do(rt.link_set(eth0, up=False, mtu=1300, address="02:00:00:00:00:03", txqlen=7))
    one.rtnetlink.do(rt.link_set(eth0, name="renamed"))
    assert holds(one.links["renamed"], mtu=1300, address="02:00:00:00:00:03", txqlen=7)
    assert "UP" not in one.links["renamed"].flags
    pod = net.netns("pod")
    one.rtnetlink.do(rt.link_set(eth0, netns=pod.namespaces.net))
    assert "renamed" in pod.links
    assert "renamed" not in one.links


def test_a_veths_first_end_may_be_born_a_port_that_is_up(net: Net, one: Netns) -> None:
    two = net.netns("two")
    assert one.namespaces.net is not None
    assert two.namespaces.net is not None
    first, second, bridge = Dev("port1", 80), Dev("eth0", 81), Dev("br0", 50)
    one.rtnetlink.do(
        rt.bridge_add("br0", index=50, up=True),
        rt.veth_add(
            first,
            one.namespaces.net,
            second,
            two.namespaces.net,
            1400,
            addresses=("02:00:00:00:00:04", "02:00:00:00:00:05"),
            master=bridge,
            up=True,
        ),
    )
    assert holds(one.links["port1"], ifindex=80, mtu=1400, address="02:00:00:00:00:04", master="br0")
    assert "UP" in one.links["port1"].flags
    assert holds(two.links["eth0"], ifindex=81, mtu=1400, address="02:00:00:00:00:05")


def test_an_address_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    four, six = ipaddress.ip_interface("10.1.0.1/24"), ipaddress.ip_interface("2001:db8:1::1/64")
    one.rtnetlink.do(
        rt.addr_add(eth0, four, broadcast="10.1.0.255", label="eth0:1"),
        rt.addr_add(eth0, ipaddress.ip_interface("10.2.0.1/32"), peer="10.2.0.2/32", scope="link"),
        rt.addr_add(eth0, six, noprefixroute=True),
    )
    addrs = {addr.local: addr for addr in one.addrs}
    assert holds(addrs["10.1.0.1"], prefixlen=24, broadcast="10.1.0.255", label="eth0:1", scope="global")
    assert holds(addrs["10.2.0.1"], prefixlen=32, address="10.2.0.2", scope="link", ifname="eth0")
    assert holds(addrs["2001:db8:1::1"], prefixlen=64)
    assert set(addrs["2001:db8:1::1"].flags) >= {"nodad", "noprefixroute"}
    one.rtnetlink.do(rt.addr_delete(eth0, four), rt.addr_delete(eth0, six))
    assert not {"10.1.0.1", "2001:db8:1::1"} & {addr.local for addr in one.addrs}


@pytest.mark.parametrize(
    "kind",
    ["blackhole", "unreachable", "prohibit", "throw"],
)
@pytest.mark.parametrize("dst", ["10.9.0.0/16", "2001:db8:9::/48"])
def test_a_route_may_be_of_any_type_that_leads_nowhere(one: Netns, kind: str, dst: str) -> None:
    one.rtnetlink.do(rt.route_add(dst, kind=kind, metric=77))
    (route,) = (route for route in one.routes if route.dst == dst)
    assert holds(route, type=kind, metric=77, table="main", protocol="boot")
    one.rtnetlink.do(rt.route_delete(dst, kind=kind))
    assert not [route for route in one.routes if route.dst == dst]


@pytest.mark.parametrize(
    ("dst", "kind", "scope"),
    [
        ("10.9.0.1", "local", "host"),
        ("10.9.0.255", "broadcast", "link"),
        ("2001:db8:9::1", "local", "global"),
    ],
)
def test_a_route_to_ourselves_goes_into_the_table_local(
    one: Netns, eth0: Device, dst: str, kind: str, scope: str
) -> None:
    one.rtnetlink.do(rt.route_add(dst, eth0, kind=kind))
    (route,) = (route for route in one.routes if route.dst == dst)
    assert holds(route, type=kind, table="local", dev="eth0", scope=scope)


def test_a_route_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    one.rtnetlink.do(
        rt.route_add("10.1.0.0/16", eth0, via="192.0.2.2", table=1000, metric=5, src="192.0.2.1", mtu=1300),
        rt.route_add("10.2.0.0/16", eth0, via="203.0.113.1", onlink=True, proto=2),
        rt.route_add("10.3.0.0/16", eth0, scope="global"),
        rt.route_add("10.4.0.1", eth0, table=100),
        rt.route_add("10.5.0.0/16", via="2001:db8::2"),
        rt.route_add("2001:db8:1::/48", eth0, via="2001:db8::2", table=70000, metric=6, mtu=1290),
        rt.route_add("default", eth0, via="192.0.2.2"),
        rt.route_add("default", via="2001:db8::2"),
    )
    routes = {(route.family, route.dst): route for route in one.routes}
    for (family, dst), expected in {
        ("inet", "10.1.0.0/16"): {
            "gateway": "192.0.2.2",
            "table": "1000",
            "metric": 5,
            "prefsrc": "192.0.2.1",
            "mtu": 1300,
            "scope": "global",
        },
        ("inet", "10.2.0.0/16"): {"gateway": "203.0.113.1", "flags": ("onlink",), "protocol": "kernel"},
        ("inet", "10.3.0.0/16"): {"gateway": None, "scope": "global", "dev": "eth0"},
        ("inet", "10.4.0.1"): {"table": "100", "scope": "link", "dev": "eth0", "metric": None},
        ("inet", "10.5.0.0/16"): {"via": {"family": "inet6", "host": "2001:db8::2"}, "dev": "eth0"},
        ("inet6", "2001:db8:1::/48"): {"gateway": "2001:db8::2", "table": "70000", "metric": 6, "mtu": 1290},
        ("inet", "default"): {"gateway": "192.0.2.2", "dev": "eth0"},
        ("inet6", "default"): {"gateway": "2001:db8::2", "dev": "eth0"},
    }.items():
        assert holds(routes[family, dst], **expected)
    one.rtnetlink.do(
        rt.route_delete("10.1.0.0/16", table=1000),
        rt.route_delete("default", via="2001:db8::2"),
        rt.route_add("default", via="192.0.2.3", replace=True),
    )
    routes = {(route.family, route.dst): route for route in one.routes}
    assert not {("inet", "10.1.0.0/16"), ("inet6", "default")} & routes.keys()
    assert routes["inet", "default"].gateway == "192.0.2.3"


@pytest.mark.parametrize(
    ("dst", "vias"),
    [("10.1.0.0/16", ("192.0.2.2", "192.0.2.3")), ("2001:db8:1::/48", ("2001:db8::2", "2001:db8::3"))],
)
def test_a_route_may_lead_several_ways(one: Netns, eth0: Device, dst: str, vias: tuple[str, str]) -> None:
    hops = [rt.Nexthop(vias[0], eth0, weight=3), rt.Nexthop(vias[1])]
    one.rtnetlink.do(rt.route_add(dst, nexthops=hops))
    (route,) = (route for route in one.routes if route.dst == dst)
    ways = [(hop["gateway"], hop["dev"], hop["weight"]) for hop in route.nexthops]
    assert ways == [(vias[0], "eth0", 3), (vias[1], "eth0", 1)]


def test_a_rule_has_what_it_was_asked_for(one: Netns) -> None:
    one.rtnetlink.do(
        rt.rule_add(table=1000, priority=100, src="10.0.0.0/8", dst="192.0.2.1", iif="eth9", inverted=True),
        rt.rule_add(table=254, priority=101, fwmark=0x100, fwmask=0xFF00, oif="lo", suppress_prefixlength=0),
        rt.rule_add("goto", goto=32766, priority=102, ipproto=6),
        *(rt.rule_add(action, priority=103, src=f"10.0.0.{number}") for number, action in enumerate(ACTIONS)),
        rt.rule_add(table=7, priority=104, src="2001:db8::/32"),
        rt.rule_add(table=8, priority=105, inet6=True),
    )
    rules = {rule.priority: rule for rule in one.rules if rule.priority not in (0, 103)}
    assert holds(rules[100], table="1000", src="10.0.0.0/8", dst="192.0.2.1", iif="eth9", inverted=True)
    assert holds(rules[101], table="main", fwmark="0x100", fwmask="0xff00", oif="lo", suppress_prefixlength=0)
    assert holds(rules[102], action="goto", goto=32766, ipproto="tcp", family="inet")
    assert holds(rules[104], table="7", src="2001:db8::/32", family="inet6")
    assert holds(rules[105], table="8", src="all", family="inet6")
    assert [rule.action for rule in one.rules if rule.priority == 103] == list(ACTIONS)
    one.rtnetlink.do(rt.rule_delete(100), rt.rule_delete(105, inet6=True))
    assert not {100, 105} & {rule.priority for rule in one.rules}


ACTIONS = ("blackhole", "unreachable", "prohibit", "nop")


def test_a_neighbour_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    mac = "02:00:00:00:00:09"
    one.rtnetlink.do(
        rt.neigh_replace("192.0.2.9", mac, eth0),
        rt.neigh_replace("192.0.2.10", mac, eth0, state="stale"),
        rt.neigh_replace("2001:db8::9", mac, eth0, state="reachable", router=True),
        rt.neigh_replace("192.0.2.11", None, eth0, proxy=True),
    )
    neighs = {neigh.dst: neigh for neigh in one.neighs}
    assert holds(neighs["192.0.2.9"], state=("PERMANENT",), lladdr=mac, dev="eth0")
    assert holds(neighs["192.0.2.10"], state=("STALE",))
    assert holds(neighs["2001:db8::9"], state=("REACHABLE",), router=True)
    one.rtnetlink.do(rt.neigh_delete("192.0.2.9", eth0), rt.neigh_delete("192.0.2.11", eth0, proxy=True))
    assert "192.0.2.9" not in {neigh.dst for neigh in one.neighs if "PERMANENT" in neigh.state}


def test_a_forwarding_entry_has_what_it_was_asked_for(one: Netns, eth0: Device) -> None:
    vxlan, bridge, mac = Dev("vxlan10", 60), Dev("br0", 50), "02:00:00:00:00:09"
    one.rtnetlink.do(
        rt.bridge_add("br0", index=50),
        rt.vxlan_add("vxlan10", 10, index=60, dev=eth0),
        rt.link_master(vxlan, bridge),
        *(rt.fdb_add(rt.EVERY, vxlan, dst=f"192.0.2.{host}", append=True) for host in (2, 3)),
        rt.fdb_add(mac, vxlan, dst="192.0.2.4", vni=20, port=4790, via=eth0, state="static"),
        rt.fdb_add(mac, vxlan, master=True, state="static"),
        rt.fdb_add("02:00:00:00:00:0a", bridge),
    )
    entries = [entry for entry in one.fdb if entry.mac in (rt.EVERY, mac, "02:00:00:00:00:0a")]
    found = {(entry.mac, entry.dev, entry.dst): entry for entry in entries}
    for host in (2, 3):
        assert holds(found[rt.EVERY, "vxlan10", f"192.0.2.{host}"], state="permanent", flags=("self",))
    assert holds(found[mac, "vxlan10", "192.0.2.4"], vni=20, port=4790, via="eth0", state="static")
    assert holds(found[mac, "vxlan10", None], master="br0", state="static")
    assert ("02:00:00:00:00:0a", "br0", None) in found
    one.rtnetlink.do(rt.fdb_delete(rt.EVERY, vxlan, dst="192.0.2.2"), rt.fdb_delete(mac, vxlan, master=True))
    left = [(entry.mac, entry.dst) for entry in one.fdb if entry.dev == "vxlan10"]
    assert (rt.EVERY, "192.0.2.2") not in left
    assert (mac, None) not in left


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda dev: rt.vxlan_add("vxlan10", 10, dev=dev), r"vxlan10 type vxlan: .*\("),
        (lambda dev: rt.link_set(dev, mtu=1), r"link set eth9 mtu 1: "),
        (lambda _: rt.link_add("x0", "no-such-kind"), "Unknown device type"),
        (lambda _: rt.route_add("10.0.0.0/8", via="203.0.113.1"), "Nexthop has invalid gateway"),
        (lambda dev: rt.neigh_replace("192.0.2.1", "02:00:00:00:00:01", dev), "dev eth9: .*ENODEV"),
        (lambda dev: rt.fdb_add("02:00:00:00:00:01", dev, dst="192.0.2.1"), "fdb add .* dev eth9: .*ENODEV"),
    ],
)
def test_the_kernel_says_in_its_own_words_what_it_refuses(one: Netns, build: Any, words: str) -> None:
    with pytest.raises(BuildError, match=f"^one: .*{words}"):
        one.rtnetlink.do(build(Dev("eth9", 4444)))
    assert [link.ifname for link in one.links] == ["lo"]


def test_no_request_leaves_a_descriptor(one: Netns) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    one.rtnetlink.do(rt.bridge_add("br0"))
    with pytest.raises(BuildError):
        one.rtnetlink.do(rt.bridge_add("br0"))
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1  # noqa: PTH208 - the socket, opened with the first
