"""Three leaves of an overlay network."""

from __future__ import annotations

import pytest


@pytest.fixture
def leaves(lan, vxlan):
    hosts = lan(3, subnet="192.0.2.0/24", prefix="leaf")
    vxlan(*hosts, vni=10, subnet="198.51.100.0/24", learning=False)
    return hosts


def test_every_leaf_reaches_every_other(leaves):
    for here in leaves:
        assert all(here.ping(f"198.51.100.{number}").replied for number in (1, 2, 3))


def test_a_stale_forwarding_entry_loses_one_of_them(leaves):
    leaf1, leaf2, _ = leaves
    (mac,) = (link.address for link in leaf2.links if link.ifname == "vxlan10")
    leaf1.run(f"bridge fdb replace {mac} dev vxlan10 dst 192.0.2.99 self permanent")
    leaf1.add_neigh("198.51.100.2", mac, "vxlan10")
    assert leaf1.ping("198.51.100.2", timeout_s=0.3).lost
    assert leaf1.ping("198.51.100.3").replied
    assert [neigh.state for neigh in leaf1.neighs if neigh.dst == "192.0.2.99"] == [("INCOMPLETE",)]


def test_a_tunnel_takes_fifty_bytes(leaves):
    leaf1 = leaves[0]
    assert leaf1.links["vxlan10"].mtu == 1450
    assert leaf1.ping("198.51.100.2", size=1450, df=True).replied
    assert leaf1.ping("198.51.100.2", size=1451, df=True).rejected == "EMSGSIZE"


def test_a_black_hole_is_told_from_a_narrow_path(node, veth):
    left, router, right = node("left"), node("router"), node("right")
    veth(left, router, subnet="10.0.1.0/30")
    veth(router, right, ifnames=("eth1", "eth0"), subnet="10.0.2.0/30", mtu=1400)
    left.add_route("default", via="10.0.1.2")
    right.add_route("default", via="10.0.2.1")
    router.sysctl["net.ipv4.ip_forward"] = 1
    narrow = left.path_mtu(right)
    assert (narrow.mtu, narrow.narrowed_by, narrow.black_hole) == (1400, "10.0.1.2", False)
    router.run("iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP")
    left.run("ip route flush cache")
    hole = left.path_mtu(right, timeout_s=0.2)
    assert (hole.mtu, hole.black_hole) == (1400, True)
