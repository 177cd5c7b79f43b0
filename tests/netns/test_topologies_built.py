"""Declared topologies, built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.nodes import Net, Node
from pytest_netconform.topology import topology_of

NODES: dict[str, Any] = {
    "router1": {"sysctl": {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}},
    "router2": {"sysctl": {"net.ipv4.ip_forward": 1}},
    "node1": {
        "uplinks": ["router1", "router2"],
        "rules": [{"from": "10.9.0.0/16", "table": 100, "priority": 50}],
    },
    "node2": {"uplinks": ["router1"], "routes": [{"dst": "203.0.113.0/24", "type": "unreachable"}]},
    "outside": {"kind": "netns", "uplinks": ["router1"]},
}
LINKS: dict[str, Any] = {
    "lan": {
        "subnet": ["192.0.2.0/24", "2001:db8:1::/64"],
        "mtu": 1400,
        "ends": ["router1", "node1", "node2"],
    },
    "second": {"subnet": "10.9.0.0/30", "ends": ["router2", "node1"]},
    "wan": {"subnet": ["198.51.100.0/30", "2001:db8:2::/64"], "ends": {"router1": "wan", "outside": "eth0"}},
}


@pytest.fixture
def racks(net: Net) -> Net:
    return topology_of(NODES, LINKS).build(net)


def test_everybody_is_reached_in_both_versions_of_ip(racks: Net) -> None:
    assert racks["node1"].ping(racks["outside"].addr_to("router1")).replied
    assert racks["node2"].ping(racks["outside"].addr_to("router1", version=6)).replied
    assert racks["node1"].ping(racks["node2"]).replied


def test_addresses_are_had_by_meaning(racks: Net) -> None:
    node1 = racks["node1"]
    assert node1.addr_to("node2") == "192.0.2.2"
    assert node1.addr_to(racks["router2"]) == "10.9.0.2"
    assert node1.addr_to("router1", version=6) == "2001:db8:1::2"
    with pytest.raises(BuildError, match="node1 and outside have no network in common"):
        node1.addr_to("outside")
    with pytest.raises(BuildError, match=r"node1: no namespace 'node' \(did you mean 'node"):
        node1.addr_to("node")


def test_routes_rules_and_sysctls_are_as_declared(racks: Net) -> None:
    node1, node2 = racks["node1"], racks["node2"]
    assert [
        (route.gateway, route.metric)
        for route in node1.routes
        if (route.dst, route.family) == ("default", "inet")
    ] == [
        ("192.0.2.1", 100),
        ("10.9.0.1", 200),
    ]
    assert [(rule.priority, rule.src, rule.table) for rule in node1.rules if rule.priority == 50] == [
        (50, "10.9.0.0/16", "100")
    ]
    assert node2.ping("203.0.113.1").rejected == "EHOSTUNREACH"
    assert racks["router1"].sysctl["net.ipv4.ip_forward"] == 1
    assert node1.links["eth0"].mtu == 1400


def test_nodes_are_machines_and_netns_are_bare(racks: Net) -> None:
    assert isinstance(racks["node1"], Node)
    assert not isinstance(racks["outside"], Node)
    assert racks["node1"].run("hostname").stdout == "node1\n"
    assert racks["node2"].run("cat /etc/hostname").stdout == "node2\n"


def test_a_net_draws_what_there_is(racks: Net) -> None:
    assert str(racks).splitlines() == [
        "veth",
        "  outside  eth0  198.51.100.2/30  2001:db8:2::2/64 ────── "
        "198.51.100.1/30  2001:db8:2::1/64  wan  router1",
        "br0 of lan  mtu 1400",
        "  ├─ router1  eth0  192.0.2.1/24  2001:db8:1::1/64",
        "  ├─ node1    eth0  192.0.2.2/24  2001:db8:1::2/64",
        "  └─ node2    eth0  192.0.2.3/24  2001:db8:1::3/64",
        "veth",
        "  router2  eth0  10.9.0.1/30 ────── 10.9.0.2/30  eth1  node1",
    ]


def test_tunnels_are_drawn_too(net: Net) -> None:
    leafs = net.netns("leaf1"), net.netns("leaf2")
    net.veth(*leafs, subnet="192.0.2.0/30")
    net.vxlan(*leafs, vni=10, subnet="198.51.100.0/24")
    assert str(net).splitlines()[2:] == [
        "vxlan 10  mtu 1450",
        "  leaf1  vxlan10  198.51.100.1/24 ────── 198.51.100.2/24  vxlan10  leaf2",
    ]


def test_where_the_kernel_refuses_one_route_nothing_is_left(net: Net, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    nodes = {"a": {"routes": [{"dst": "10.0.0.0/8", "via": "b", "src": "203.0.113.9"}]}, "b": {}}
    with pytest.raises(BuildError, match=r"a: route add unicast 10\.0\.0\.0/8 via 192\.0\.2\.2.*: Invalid"):
        topology_of(nodes, {"ab": {"subnet": "192.0.2.0/30", "ends": ["a", "b"]}}).build(net)
    assert list(net) == []
    assert descriptors() == before


def test_names_that_are_taken_are_left_alone(net: Net) -> None:
    there = net.netns("b")
    with pytest.raises(BuildError, match="there is a namespace 'b' already"):
        topology_of(["a", "b"], {"ab": {"ends": ["a", "b"]}}).build(net)
    assert [netns.name for netns in net] == ["b"]
    assert there.run("true").returncode == 0


def test_the_fixture_takes_a_file_or_what_is_in_one(topology: Callable[..., Net], tmp_path: Path) -> None:
    path = tmp_path / "pair.topology.yaml"
    path.write_text("topology: pair\nnodes: [a, b]\nlinks: {ab: {subnet: 192.0.2.0/30, ends: [a, b]}}\n")
    net = topology(path)
    assert net["a"].ping(net["b"]).replied
    assert topology(nodes=["c"], links={})["c"].name == "c"


def test_lo_has_addresses_and_rules_may_be_masked_or_inverted(net: Net) -> None:
    topology_of(
        {
            "a": {
                "neighs": [{"dst": "10.0.0.9", "lladdr": "02:00:00:00:00:09", "dev": "eth0"}],
                "sysctl": {"net.ipv4.ip_forward": True},
                "addrs": {"lo": ["10.1.0.1/32", "2001:db8:1::1/128"]},
                "routes": [{"dst": "default", "dev": "eth0", "family": "inet6", "table": 100}],
                "rules": [
                    {"fwmark": 0x40, "fwmask": 0xF0, "table": "main", "priority": 5},
                    {"not": True, "from": "10.0.0.0/8", "table": 100, "priority": 6},
                ],
            },
            "b": {"routes": [{"dst": each, "via": "a"} for each in ("10.1.0.1/32", "2001:db8:1::1/128")]},
        },
        {"wire": {"subnet": ["10.0.0.0/24", "2001:db8::/64"], "ends": ["a", "b"]}},
    ).build(net)
    assert net["b"].ping("10.1.0.1").replied
    assert net["b"].ping("2001:db8:1::1").replied
    assert net["a"].sysctl["net.ipv4.ip_forward"] == 1
    (known,) = (neigh for neigh in net["a"].neighs if neigh.state == ("PERMANENT",))
    assert (known.dst, known.lladdr) == ("10.0.0.9", "02:00:00:00:00:09")
    rules = {rule.priority: rule for rule in net["a"].rules}
    assert (rules[5].fwmark, rules[5].fwmask, rules[5].table) == ("0x40", "0xf0", "main")
    assert "not from 10.0.0.0/8 lookup 100" in net["a"].run("ip rule").stdout.replace("\t", " ")
    assert [route.family for route in net["a"].routes if route.table == "100"] == ["inet6"]
