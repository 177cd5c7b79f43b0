"""Topologies: what is declared, checked as a whole before anything is built."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import BuildError, DocumentError
from pytest_netconform.topology import Topology, load_topology, topology_of

RACKS = """
topology: racks
title: Two racks behind one router
nodes:
  router: {sysctl: {net.ipv4.ip_forward: 1}}
  node1: {uplinks: [router]}
  node2: {uplinks: [router], routes: [{dst: 198.18.0.0/15, via: [router, 192.0.2.130]}]}
  gw: {kind: netns}
links:
  rack1: {subnet: [192.0.2.0/25, "2001:db8:1::/64"], ends: [router, node1]}
  rack2:
    subnet: 192.0.2.128/25
    mtu: 1400
    ends: {router: lan2, node2: {addr: 192.0.2.200}, gw: {dev: eth0, addr: 192.0.2.130}}
"""


def load(tmp_path: Path, text: str, name: str = "racks") -> Topology:
    path = tmp_path / f"{name}.topology.yaml"
    path.write_text(text)
    return load_topology(path, path.name)


def told(error: pytest.ExceptionInfo[Exception]) -> list[str]:
    return str(error.value).splitlines()


def test_addresses_are_the_next_that_are_free(tmp_path: Path) -> None:
    links = {link.name: link for link in load(tmp_path, RACKS).links}
    assert [(end.node, end.dev, [str(ip) for ip in end.addresses]) for end in links["rack1"].ends] == [
        ("router", "eth0", ["192.0.2.1/25", "2001:db8:1::1/64"]),
        ("node1", "eth0", ["192.0.2.2/25", "2001:db8:1::2/64"]),
    ]
    assert [[str(ip) for ip in end.addresses] for end in links["rack2"].ends] == [
        ["192.0.2.129/25"],
        ["192.0.2.200/25"],
        ["192.0.2.130/25"],
    ]
    assert [link.bridged for link in links.values()] == [False, True]


def test_uplinks_are_default_routes_of_every_version_that_is_shared(tmp_path: Path) -> None:
    routes = [(route.node, route.dst, route.ways) for route in load(tmp_path, RACKS).routes]
    assert routes == [
        ("node1", "default", (("192.0.2.1", "eth0"),)),
        ("node1", "default", (("2001:db8:1::1", "eth0"),)),
        ("node2", "default", (("192.0.2.129", "eth0"),)),
        ("node2", "198.18.0.0/15", (("192.0.2.129", "eth0"), ("192.0.2.130", "eth0"))),
    ]


def test_of_several_uplinks_the_first_is_preferred() -> None:
    links = {
        "a": {"subnet": "10.1.0.0/30", "ends": ["r1", "n"]},
        "b": {"subnet": "10.2.0.0/30", "ends": ["r2", "n"]},
    }
    topology = topology_of(nodes={"r1": {}, "r2": {}, "n": {"uplinks": ["r2", "r1"]}}, links=links)
    assert [(route.ways, route.options["metric"]) for route in topology.routes] == [
        ((("10.2.0.1", "eth1"),), 100),
        ((("10.1.0.1", "eth0"),), 200),
    ]


def test_a_topology_draws_itself(tmp_path: Path) -> None:
    assert str(load(tmp_path, RACKS)).splitlines() == [
        "racks: Two racks behind one router",
        "rack1  192.0.2.0/25  2001:db8:1::/64",
        "  router  eth0  192.0.2.1/25  2001:db8:1::1/64 ────── 192.0.2.2/25  2001:db8:1::2/64  eth0  node1",
        "rack2  192.0.2.128/25  mtu 1400",
        "  ├─ router  lan2  192.0.2.129/25",
        "  ├─ node2   eth0  192.0.2.200/25",
        "  └─ gw      eth0  192.0.2.130/25",
    ]


def test_all_that_is_wrong_is_told_at_its_place(tmp_path: Path) -> None:
    text = """
topology: rack
nodes:
  node1: {}
  node2: {rules: [{table: 100, action: blackhole}], sysctl: {vm.swappiness: 1}}
  router: {}
links:
  one:
    subnet: 192.0.2.0/24
    ends: {node1: eth0, nod2: eth0, router: eth0}
  two:
    subnet: [192.0.2.128/25, 10.0.0.1/24]
    ends: {node1: eth0, node2: a-name-that-is-too-long}
  three: {subnet: 198.51.100.0/30, ends: {node1: {addr: 203.0.113.7}, router: {addr: 198.51.100.1}}}
  four: {subnet: 198.51.100.8/30, ends: {node1: {addr: 198.51.100.9}, router: {addr: 198.51.100.9}}}
  five: {subnet: 198.51.100.16/30, ends: [node1, node2, router]}
  six: {ends: [node1, node1]}
"""
    with pytest.raises(DocumentError) as error:
        load(tmp_path, text)
    assert told(error) == [
        "racks.topology.yaml:2:11: a topology has its file's name: expected 'racks', got 'rack'",
        "racks.topology.yaml:5:19: rule add: "
        "a lookup needs a table, goto a priority, and what is neither has none",
        "racks.topology.yaml:5:62: vm.swappiness belongs to the host; a namespace has only net of its own",
        "racks.topology.yaml:10:25: no node 'nod2' (did you mean 'node2'?)",
        "racks.topology.yaml:12:14: subnet 192.0.2.128/25 overlaps 192.0.2.0/24",
        "racks.topology.yaml:12:30: subnet 10.0.0.1/24: 10.0.0.1/24 has host bits set",
        "racks.topology.yaml:13:19: node1 has a device 'eth0' already",
        "racks.topology.yaml:13:32: device name 'a-name-that-is-too-long' has 23 bytes; Linux takes 15",
        "racks.topology.yaml:14:57: address 203.0.113.7 is outside its subnet 198.51.100.0/30",
        "racks.topology.yaml:15:56: address 198.51.100.9 is given twice",
        "racks.topology.yaml:15:86: address 198.51.100.9 is given twice",
        "racks.topology.yaml:16:18: subnet 198.51.100.16/30 has no room for 3 ends",
        "racks.topology.yaml:17:15: a link has two ends or more, got 1",
        "racks.topology.yaml:17:23: 'node1' is named twice",
    ]


def test_routes_are_looked_at_when_the_links_are_sound(tmp_path: Path) -> None:
    text = """
topology: racks
nodes:
  node1:
    routes:
      - {dst: default, via: rooter}
      - {dst: 10.0.0.0/8, via: 203.0.113.1}
      - {dst: 10.0.0.0/8, dev: eth9}
    sysctl: {net.ipv4.ip_fwd: 1, net.ipv4.conf.eth0.rp_filtre: 1, net.ipv4.conf.eth7.rp_filter: 2}
  router: {}
links:
  one: {subnet: 192.0.2.0/24, ends: [node1, router]}
"""
    with pytest.raises(DocumentError) as error:
        load(tmp_path, text)
    assert told(error) == [
        "racks.topology.yaml:6:29: no neighbour 'rooter' (did you mean 'router'?)",
        "racks.topology.yaml:7:32: 203.0.113.1 is on no link of node1",
        "racks.topology.yaml:8:32: node1 has no device 'eth9' (did you mean 'eth0'?)",
        "racks.topology.yaml:9:14: no sysctl net.ipv4.ip_fwd (did you mean 'ip_forward'?)",
        "racks.topology.yaml:9:34: no sysctl net.ipv4.conf.eth0.rp_filtre (did you mean 'rp_filter'?)",
    ]


def test_a_topology_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "racks.yaml").write_text(RACKS)
    with pytest.raises(
        BuildError, match=r"racks\.yaml: the name of a topology's file ends in \.topology\.yaml"
    ):
        load_topology(tmp_path / "racks.yaml")


def test_an_unknown_key_and_a_name_given_twice_are_told_too(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as error:
        load(tmp_path, "topology: racks\nnodes:\n  a: {kynd: node}\n  b: {}\n  b: {}\n")
    assert told(error) == [
        "racks.topology.yaml:3:7: unknown key 'kynd' (did you mean 'kind'?)",
        "racks.topology.yaml:5:3: duplicate key 'b' (first in line 4)",
    ]


def test_what_python_declares_is_told_by_its_keys() -> None:
    with pytest.raises(BuildError) as error:
        topology_of(
            name="racks", nodes=["a", "b"], links={"ab": {"subnet": "10.0.0.0/32", "ends": ["a", "c"]}}
        )
    assert told(error) == [
        "racks: links.ab.subnet: subnet 10.0.0.0/32 has no room for 2 ends",
        "racks: links.ab.ends.c: no node 'c' (known: a, b)",
    ]
    with pytest.raises(BuildError, match=r"racks: links\.ab\.mtu: mtu: expected a number of at least 68"):
        topology_of(name="racks", nodes=["a", "b"], links={"ab": {"mtu": 5, "ends": ["a", "b"]}})


WORDS = st.sampled_from(
    ["a", "b", "eth0", "10.0.0.0/30", "10.0.0.1", "::/0", "default", "", "x" * 20, "\0", "a b"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["subnet", "mtu", "bridge", "ends", "kind", "uplinks", "routes", "rules", "sysctl", "addr", "dev"]
)


@given(
    st.dictionaries(WORDS, st.dictionaries(KEYS, ANY, max_size=3), max_size=3),
    st.dictionaries(WORDS, st.dictionaries(KEYS, ANY, max_size=4), max_size=3),
)
def test_anything_declared_gives_a_topology_or_says_why_not(
    nodes: dict[str, Any], links: dict[str, Any]
) -> None:
    with suppress(BuildError):
        assert str(topology_of(nodes=nodes, links=links)).startswith("topology")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            {"routes": [{"dst": "default", "via": "10.0.0.9"}]},
            "nodes.a.routes.0.via: no node has 10.0.0.9 on wire; onlink: true takes it all the same",
        ),
        ({"routes": [{"dst": "default", "via": "10.0.0.1"}]}, "routes.0.via: 10.0.0.1 is a's own"),
        (
            {"routes": [{"dst": "default", "via": "b", "family": "inet6"}]},
            "routes.0.via: no IPv6 address leads to default",
        ),
        (
            {"routes": [{"dst": "10.9.0.0/16", "dev": "eth0", "family": "inet6"}]},
            "routes.0: route add 10.9.0.0/16: family: 10.9.0.0/16 is of IPv4",
        ),
        (
            {"rules": [{"iif": "eth1", "table": 5}]},
            r"nodes.a.rules.0.iif: a has no device 'eth1' \(did you mean 'eth0'\?\)",
        ),
        ({"rules": [{"oif": "nope", "table": 5}]}, "nodes.a.rules.0.oif: a has no device 'nope'"),
        ({"rules": [{"table": "mian"}]}, "table: expected a number, or main, local, default"),
        ({"addrs": {"lo": "10.1.0.1"}}, "nodes.a.addrs.lo: address 10.1.0.1 has no prefix length"),
        ({"addrs": {"lo": ["10.1.0.1/32", "10.1.0.1/32"]}}, "addrs.lo.1: address 10.1.0.1/32 is given twice"),
        ({"addrs": {"lo": "224.0.0.1/32"}}, "addrs.lo: address 224.0.0.1 is a multicast address"),
        ({"addrs": {"eth0": "10.1.0.1/32"}}, "topology: nodes"),
        (
            {"neighs": [{"dst": "10.0.0.2", "lladdr": "01:00:5e:00:00:01", "dev": "eth0"}]},
            "nodes.a.neighs.0: neigh replace 10.0.0.2: lladdr: 01:00:5e:00:00:01 is a multicast MAC",
        ),
        (
            {"neighs": [{"dst": "10.0.0.2", "lladdr": "02:00:00:00:00:01", "dev": "eth1"}]},
            "nodes.a.neighs.0.dev: a has no device 'eth1'",
        ),
    ],
)
def test_what_a_node_cannot_have_is_told(node: dict[str, Any], words: str) -> None:
    with pytest.raises(BuildError, match=words):
        topology_of({"a": node, "b": None}, {"wire": {"subnet": "10.0.0.0/24", "ends": ["a", "b"]}})


@pytest.mark.parametrize("addr", ["10.0.0.0", "10.0.0.255", "224.0.0.1/24"])
def test_an_end_has_no_address_that_no_host_can_have(addr: str) -> None:
    ends = {"a": {"addr": addr}, "b": None}
    with pytest.raises(BuildError, match=r"no host can have it|is outside its subnet"):
        topology_of(["a", "b"], {"wire": {"subnet": "10.0.0.0/24", "ends": ends}})


def test_a_gateway_that_comes_later_may_be_named() -> None:
    routes = [{"dst": "default", "via": "10.0.0.9", "onlink": True}]
    links = {"wire": {"subnet": "10.0.0.0/24", "ends": ["a", "b"]}}
    (route,) = topology_of({"a": {"routes": routes}, "b": None}, links).routes
    assert route.ways == (("10.0.0.9", "eth0"),)
