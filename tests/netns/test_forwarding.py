"""The examples of the design."""

from __future__ import annotations

from collections.abc import Callable

from pytest_netconform.nodes import Device, Netns, Node


def test_a_veth_pair_carries_pings(
    netns: Callable[[str], Netns], veth: Callable[..., tuple[Device, Device]]
) -> None:
    leaf1, leaf2 = netns("leaf1"), netns("leaf2")
    veth(leaf1, leaf2, subnet="192.0.2.0/30", mtu=1500)

    assert leaf1.links["eth0"].mtu == 1500
    assert leaf1.ping("192.0.2.2").replied
    assert leaf1.ping("192.0.2.2", size=1500, df=True).replied
    assert leaf1.ping("192.0.2.2", size=1501, df=True).rejected == "EMSGSIZE"


def test_a_router_forwards_until_it_must_not(
    node: Callable[[str], Node], veth: Callable[..., tuple[Device, Device]]
) -> None:
    left, router, right = node("left"), node("router"), node("right")
    veth(left, router, ifnames=("eth0", "eth0"), subnet="10.0.1.0/30")
    veth(right, router, ifnames=("eth0", "eth1"), subnet="10.0.2.0/30")
    left.run("ip route add default via 10.0.1.2")
    right.run("ip route add default via 10.0.2.2")
    router.sysctl["net.ipv4.ip_forward"] = 1
    assert left.ping("10.0.2.1").replied
    router.sysctl["net.ipv4.ip_forward"] = 0
    assert left.ping("10.0.2.1", timeout_s=0.3).lost
