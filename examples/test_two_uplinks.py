"""A node with two uplinks: which way a packet takes, and what becomes of it when a way is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_netconform.nodes import Device

TOPOLOGY = Path(__file__).parent / "two-uplinks.topology.yaml"


@pytest.fixture
def net(topology):
    return topology(TOPOLOGY)


def test_the_source_decides_on_the_uplink(net):
    node1, server = net["node1"], net["server"]
    first, second = node1.addr_to("router1"), node1.addr_to("router2")
    with node1.capture("eth1", "icmp") as through_second:
        assert node1.ping(server.addr_to("router1"), source=first).replied
        assert node1.ping(server.addr_to("router2"), source=second).replied
    assert {packet.src for packet in through_second.packets if packet.direction == "out"} == {second}


def test_the_second_uplink_takes_over(net):
    node1, server = net["node1"], net["server"]
    node1.sysctl["net.ipv4.conf.all.ignore_routes_with_linkdown"] = 1
    node1.sysctl["net.ipv4.conf.eth0.ignore_routes_with_linkdown"] = 1
    target = server.addr_to("router2")
    with Device.of(node1, "eth0").cut():
        assert node1.ping(target).replied
    assert node1.ping(target).replied


def test_strict_rp_filter_drops_what_comes_by_the_other_way(net):
    node1, server = net["node1"], net["server"]
    server.add_route("10.0.1.0/24", via=net["router2"].addr_to("server"), replace=True)
    net["router2"].add_route("10.0.1.0/24", via=node1.addr_to("router2"))
    before = node1.run("nstat -az TcpExtIPReversePathFilter").stdout
    assert node1.ping(server.addr_to("router1")).replied
    node1.sysctl["net.ipv4.conf.all.rp_filter"] = 1
    assert node1.ping(server.addr_to("router1"), timeout_s=0.3).lost
    assert node1.run("nstat -az TcpExtIPReversePathFilter").stdout != before
