"""What we ask of route netlink, read back by pyroute2: also of devices that this kernel may not have."""

from __future__ import annotations

import ipaddress
from importlib import import_module
from typing import Any

import pytest

from pytest_netconform.kernel import rtnetlink as rt
from pytest_netconform.kernel.netlink import HEADER

CODECS = {16: "ifinfmsg", 17: "ifinfmsg", 20: "ifaddrmsg", 24: "rtmsg", 28: "ndmsg", 32: "fibmsg"}


class Eth0:
    ifname, ifindex = "eth0", 7


class Eth1:
    ifname, ifindex = "eth1", 8


class Br0:
    ifname, ifindex = "br0", 9


def read(request: rt.Request) -> dict[str, Any]:
    """Decode a request; attributes by name, those inside others by a path."""
    name = CODECS[request.type]
    codec = getattr(import_module(f"pyroute2.netlink.rtnl.{name}"), name)
    message = codec(HEADER.pack(HEADER.size + len(request.body), request.type, 0, 1, 0) + request.body)
    message.decode()
    fields = {key: value for key, value in message.items() if not isinstance(value, (dict, list, tuple))}
    return fields | dict(flat(message["attrs"]))


def flat(attrs: Any, path: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in attrs:
        inner = value.get("attrs") if hasattr(value, "get") else None
        found += flat(inner, f"{path}{name}.") if inner else [(path + name, value)]
    return found


DATA = "IFLA_LINKINFO.IFLA_INFO_DATA."
REQUESTS = [
    (rt.vlan_add("eth0.10", Eth0(), 10, index=5), {"index": 5, "IFLA_LINK": 7, DATA + "IFLA_VLAN_ID": 10}),
    (rt.link_add("dummy0", "dummy", mtu=1400, up=True), {"flags": 1, "change": 1, "IFLA_MTU": 1400}),
    (rt.macvlan_add("m0", Eth0(), mode="private"), {"IFLA_LINK": 7, DATA + "IFLA_MACVLAN_MODE": "private"}),
    (
        rt.vxlan_add(
            "vxlan10", 10, dev=Eth0(), local="192.0.2.1", group="239.1.1.1", dstport=8472, learning=False
        ),
        {
            DATA + "IFLA_VXLAN_ID": 10,
            DATA + "IFLA_VXLAN_LINK": 7,
            DATA + "IFLA_VXLAN_LOCAL": "192.0.2.1",
            DATA + "IFLA_VXLAN_GROUP": "239.1.1.1",
            DATA + "IFLA_VXLAN_PORT": 8472,
            DATA + "IFLA_VXLAN_LEARNING": 0,
        },
    ),
    (
        rt.bridge_add("br0", stp=False, address="02:00:00:00:00:01", forward_delay_s=2),
        {
            "IFLA_ADDRESS": "02:00:00:00:00:01",
            DATA + "IFLA_BR_STP_STATE": 0,
            DATA + "IFLA_BR_FORWARD_DELAY": 200,
        },
    ),
    (
        rt.veth_add(Eth0(), 11, Eth1(), 12, 1400, master=Br0(), up=True),
        {
            "index": 7,
            "flags": 1,
            "IFLA_NET_NS_FD": 11,
            "IFLA_MASTER": 9,
            DATA + "VETH_INFO_PEER.IFLA_IFNAME": "eth1",
            DATA + "VETH_INFO_PEER.IFLA_NET_NS_FD": 12,
            DATA + "VETH_INFO_PEER.IFLA_MTU": 1400,
        },
    ),
    (
        rt.addr_add(Eth0(), ipaddress.ip_interface("2001:db8::1/64")),
        {"family": 10, "prefixlen": 64, "index": 7, "IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": 2},
    ),
    (
        rt.route_add(
            "10.0.0.0/8",
            Eth0(),
            via="192.0.2.1",
            table=1000,
            metric=5,
            src="192.0.2.2",
            mtu=1400,
            onlink=True,
        ),
        {
            "dst_len": 8,
            "type": 1,
            "flags": 4,
            "RTA_DST": "10.0.0.0",
            "RTA_OIF": 7,
            "RTA_GATEWAY": "192.0.2.1",
            "RTA_TABLE": 1000,
            "RTA_PRIORITY": 5,
            "RTA_PREFSRC": "192.0.2.2",
            "RTA_METRICS.RTAX_MTU": 1400,
        },
    ),
    (
        rt.route_add("2001:db8::/32", kind="blackhole"),
        {"family": 10, "dst_len": 32, "type": 6, "RTA_TABLE": 254},
    ),
    (
        rt.rule_add(table=100, priority=50, src="10.9.0.0/16", fwmark=1, fwmask=255),
        {
            "src_len": 16,
            "action": 1,
            "FRA_SRC": "10.9.0.0",
            "FRA_TABLE": 100,
            "FRA_PRIORITY": 50,
            "FRA_FWMARK": 1,
            "FRA_FWMASK": 255,
        },
    ),
    (
        rt.neigh_replace("192.0.2.1", "02:00:00:00:00:01", Eth0()),
        {"ifindex": 7, "state": 0x80, "NDA_DST": "192.0.2.1", "NDA_LLADDR": "02:00:00:00:00:01"},
    ),
    (
        rt.fdb_add("02:00:00:00:00:01", Eth0(), dst="192.0.2.9", vni=10),
        {"family": 7, "flags": 2, "NDA_LLADDR": "02:00:00:00:00:01", "NDA_DST": "192.0.2.9", "NDA_VNI": 10},
    ),
]


@pytest.mark.parametrize(("request_", "wanted"), REQUESTS, ids=lambda value: getattr(value, "what", ""))
def test_pyroute2_reads_what_we_meant(request_: rt.Request, wanted: dict[str, Any]) -> None:
    found = read(request_)
    assert {key: found.get(key) for key in wanted} == wanted


def test_each_way_of_a_multipath_route_is_read() -> None:
    ways = [rt.Nexthop("192.0.2.1", Eth0(), weight=3), rt.Nexthop("192.0.2.5", Eth1())]
    (hops,) = [
        value
        for name, value in read(rt.route_add("default", nexthops=ways)).items()
        if name == "RTA_MULTIPATH"
    ]
    assert [(hop["oif"], hop["hops"], hop.get_attr("RTA_GATEWAY")) for hop in hops] == [
        (7, 2, "192.0.2.1"),
        (8, 0, "192.0.2.5"),
    ]
