"""A router that masquerades."""

from __future__ import annotations

import pytest


@pytest.fixture
def net(topology):
    return topology(
        nodes={
            "router": {"sysctl": {"net.ipv4.ip_forward": 1}},
            "pod": {"kind": "netns", "uplinks": ["router"]},
            "outside": {"kind": "netns"},
        },
        links={
            "inside": {"subnet": "10.42.0.0/24", "ends": ["router", "pod"]},
            "wan": {"subnet": "198.51.100.0/30", "ends": {"router": "wan", "outside": "eth0"}},
        },
    )


def test_without_masquerading_no_reply_finds_its_way_back(net):
    pod, outside = net["pod"], net["outside"]
    with outside.capture("eth0", "icmp") as seen:
        assert pod.ping(outside, timeout_s=0.3).lost
    assert [(packet.src, packet.info) for packet in seen.packets] == [("10.42.0.2", "echo request")]


def test_outside_sees_the_router_only(net):
    pod, outside = net["pod"], net["outside"]
    net["router"].run("iptables -t nat -A POSTROUTING -s 10.42.0.0/24 -o wan -j MASQUERADE")
    with outside.listen(80, "http") as web:
        assert pod.http(outside).status == 200
    assert [peer.address for peer in web.connections] == [net["router"].addr_to("outside")]
    assert outside.ping(pod).rejected == "ENETUNREACH"
