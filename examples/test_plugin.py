"""A CNI plugin, of which a test needs a node, a pod, and the specification."""

from __future__ import annotations

import json

import pytest

PLUGIN = """#!/bin/sh
set -e
host=v$(echo "$CNI_CONTAINERID" | cut -c1-8)
netns=$(basename "$CNI_NETNS")
case $CNI_COMMAND in
ADD)
    ip link add "$host" type veth peer name "$CNI_IFNAME" netns "$netns"
    ip link set "$host" up
    ip route add 10.42.0.7 dev "$host"
    ip -n "$netns" addr add 10.42.0.7/32 dev "$CNI_IFNAME"
    ip -n "$netns" link set "$CNI_IFNAME" up
    ip -n "$netns" route add 10.42.0.1 dev "$CNI_IFNAME"
    echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.42.0.7/32", "interface": 0}]}' ;;
DEL)
    ip link del "$host" 2>/dev/null || : ;;
esac
"""


@pytest.fixture
def plugin(node):
    machine = node("node1")
    machine.run("ip addr add 10.42.0.1/32 dev lo; mkdir -p /run/netns")
    machine.write("/var/lib/cni/plugin", PLUGIN)

    def call(command):
        env = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": "0815",
            "CNI_NETNS": "/run/netns/pod",
            "CNI_IFNAME": "eth0",
        }
        return machine.run(["sh", "/var/lib/cni/plugin"], env=env).stdout

    machine.run("ip netns add pod")
    return machine, call


def test_a_pod_is_wired_and_forgotten(plugin):
    machine, call = plugin
    before = machine.run("ip -j route; ip -j link").stdout
    address = json.loads(call("ADD"))["ips"][0]["address"].partition("/")[0]
    assert machine.ping(address, source="10.42.0.1").replied
    assert [route.dev for route in machine.routes if route.dst == address] == ["v0815"]
    call("DEL")
    call("DEL")  # which the specification wants to be harmless
    assert machine.run("ip -j route; ip -j link").stdout == before
