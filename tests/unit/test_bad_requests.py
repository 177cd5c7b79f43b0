"""Requests to route netlink whose arguments are no good: refused before anything is sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import rtnetlink as rt
from pytest_netconform.kernel.netlink import attribute
from pytest_netconform.kernel.rtnetlink.attributes import Attribute, be16, mac, text, u8


class Dev(NamedTuple):
    ifname: str = "eth0"
    ifindex: int = 7


ETH0 = Dev()
ADDRESS = ipaddress.ip_interface("192.0.2.1/24")
Build = Callable[[], rt.Request]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: rt.link_add("br0", "bridge", mtu=-1),
            "link add br0: mtu: expected a number from 0 to 4294967295, got -1",
        ),
        (
            lambda: rt.link_set(ETH0, mtu=1 << 32),
            "link set eth0: mtu: expected a number from 0 to 4294967295, got 4294967296",
        ),
        (
            lambda: rt.link_set(ETH0, address="01:00:5e:00:00:01"),
            "link set eth0: address: 01:00:5e:00:00:01 is a multicast MAC address; one device's has an",
        ),
        (
            lambda: rt.link_set(ETH0, address="00:00:00:00:00:00"),
            "link set eth0: address: 00:00:00:00:00:00 is no device's MAC address",
        ),
        (
            lambda: rt.link_set(ETH0, address="2:0:0:0:0:1"),
            "link set eth0: address: expected a MAC address such as 02:00:00:00:00:01, got",
        ),
        (
            lambda: rt.veth_add(ETH0, 3, ETH0, 4, addresses=(None, "no")),
            "link add eth0 type veth: address: expected a MAC address such as 02:00:00:00:00:01, got 'no'",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 1 << 24),
            "link add vxlan10 type vxlan: id: expected a number from 0 to 16777215, got 16777216",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, dstport=65536),
            "link add vxlan10 type vxlan: dstport: expected a number from 0 to 65535, got 65536",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, ttl=256),
            "link add vxlan10 type vxlan: ttl: expected a number from 0 to 255, got 256",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, local="here"),
            "link add vxlan10 type vxlan: local: 'here' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, group="192.0.2.1"),
            "link add vxlan10 type vxlan: group: 192.0.2.1 is no multicast address; one peer is a remote",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, remote="239.1.1.1"),
            "link add vxlan10 type vxlan: remote: 239.1.1.1 is a multicast address, and so a group",
        ),
        (
            lambda: rt.vxlan_add("vxlan10", 10, remote="192.0.2.1", group="239.1.1.1"),
            "link add vxlan10 type vxlan: remote and group exclude each other",
        ),
        (
            lambda: rt.macvlan_add("net1", ETH0, mode="brige"),
            "link add net1 type macvlan: mode: expected one of private, vepa, bridge, passthru, got 'brige'",
        ),
        (
            lambda: rt.vlan_add("eth0.5000", ETH0, 5000),
            "link add eth0.5000 type vlan: id: expected a number from 0 to 4095, got 5000",
        ),
        (
            lambda: rt.port_set(ETH0, hairpn=True),
            "link set eth0 type bridge_slave: port: expected one of cost, hairpin, learning, flood,",
        ),
        (
            lambda: rt.addr_add(ETH0, ADDRESS, peer="2001:db8::1/64"),
            "addr add eth0: peer: 2001:db8::1/64 and 192.0.2.1/24 are of different families",
        ),
        (
            lambda: rt.addr_add(ETH0, ADDRESS, scope="lnik"),
            "addr add eth0: scope: expected one of global, site, link, host, nowhere, got 'lnik'",
        ),
        (lambda: rt.route_add("10.0.0.1/8"), "route add 10.0.0.1/8: 10.0.0.1/8 has host bits set"),
        (
            lambda: rt.route_add("nowhere"),
            "route add nowhere: 'nowhere' does not appear to be an IPv4 or IPv6 network",
        ),
        (
            lambda: rt.route_add("10.0.0.0/8", via="gw"),
            "route add 10.0.0.0/8: 'gw' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            lambda: rt.route_add("10.0.0.0/8", kind="blakhole"),
            "route add 10.0.0.0/8: type: expected one of unicast, local, broadcast, anycast,",
        ),
        (
            lambda: rt.route_add("10.0.0.0/8", table=-1),
            "route add 10.0.0.0/8: table: expected a number from 0 to 4294967295, got -1",
        ),
        (
            lambda: rt.route_add("10.0.0.0/8", metric=1 << 40),
            "route add 10.0.0.0/8: priority: expected a number from 0 to 4294967295, got 1099511627776",
        ),
        (
            lambda: rt.route_add("10.0.0.0/8", nexthops=[rt.Nexthop("192.0.2.1", weight=0)]),
            "route add 10.0.0.0/8: weight: expected a number from 1 to 256, got 0",
        ),
        (
            lambda: rt.rule_add(),
            "rule add: a lookup needs a table, goto a priority, and what is neither has none",
        ),
        (
            lambda: rt.rule_add("blackhole", table=7),
            "rule add blackhole: a lookup needs a table, goto a priority, and what is neither has none",
        ),
        (
            lambda: rt.rule_add(table=7, src="10.0.0.0/8", dst="::/0"),
            "rule add: src 10.0.0.0/8 and dst ::/0 are of different families",
        ),
        (
            lambda: rt.neigh_replace("192.0.2.1", "nonsense", ETH0),
            "neigh replace 192.0.2.1: lladdr: expected a MAC address such as 02:00:00:00:00:01, got",
        ),
        (
            lambda: rt.neigh_replace("192.0.2.1", "02:00:00:00:00:01", ETH0, state="perm"),
            "neigh replace 192.0.2.1: state: expected one of none, incomplete, reachable, stale,",
        ),
        (
            lambda: rt.fdb_add("02:00:00:00:00:01", ETH0, state="x"),
            "fdb add 02:00:00:00:00:01: state: expected one of permanent, static, dynamic, got 'x'",
        ),
        (
            lambda: rt.link_set(ETH0, mtu="1500"),
            "link set eth0: mtu: expected a number from 0 to 4294967295, got '1500'",
        ),
        (lambda: rt.link_set(ETH0, name="a\0b"), "link set eth0: ifname: 'a\\x00b' has a NUL in it"),
        (lambda: rt.bridge_add("br0", forward_delay_s=float("inf")), "link add br0 type bridge: "),
    ],
)
def test_what_is_wrong_is_said_with_the_deed_and_the_word(build: Build, words: str) -> None:
    with pytest.raises(BuildError) as caught:
        build()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: rt.link_set(ETH0, up=False, mtu=1400), "link set eth0 down mtu 1400"),
        (lambda: rt.link_master(ETH0, Dev("br0", 8)), "link set eth0 master br0"),
        (lambda: rt.bridge_set(ETH0, mcast_snooping=True), "link set eth0 type bridge mcast_snooping 1"),
        (lambda: rt.port_set(ETH0, hairpin=True), "link set eth0 type bridge_slave hairpin 1"),
        (lambda: rt.addr_delete(ETH0, ADDRESS), "addr delete 192.0.2.1/24 dev eth0"),
        (
            lambda: rt.route_add(
                "default", nexthops=[rt.Nexthop("192.0.2.1", weight=2), rt.Nexthop(dev=ETH0)]
            ),
            "route add unicast default nexthop via 192.0.2.1 weight 2 nexthop dev eth0 weight 1",
        ),
        (lambda: rt.route_delete("10.0.0.0/8", table=7), "route delete 10.0.0.0/8 table 7"),
        (
            lambda: rt.rule_add(table=7, src="10.0.0.0/8", priority=9, inverted=True),
            "rule add not priority 9 from 10.0.0.0/8 lookup 7",
        ),
        (lambda: rt.rule_add("blackhole", iif="eth0"), "rule add iif eth0 blackhole"),
        (
            lambda: rt.fdb_add(rt.EVERY, ETH0, dst="192.0.2.1", append=True),
            "fdb append 00:00:00:00:00:00 dst 192.0.2.1 dev eth0",
        ),
    ],
)
def test_a_deed_is_told_in_the_words_of_ip(build: Build, words: str) -> None:
    assert build().what == words


def test_an_attribute_is_written_as_it_is_read() -> None:
    class Some:
        A, B, C, D = Attribute(1, u8), Attribute(2, be16), Attribute(3, text), Attribute(4, mac)

    data = Some.A(5) + Some.B(4789) + Some.C("name") + Some.D("02:00:00:00:00:0a") + Some.A(None)
    assert len(data) % 4 == 0
    assert [attribute(data, 0, number) for number in (1, 2, 3, 4, 5)] == [
        b"\x05",
        b"\x12\xb5",
        b"name\0",
        b"\x02\0\0\0\0\x0a",
        b"",
    ]


WORDS = st.text(max_size=20) | st.sampled_from(
    [
        "10.0.0.0/8",
        "192.0.2.1",
        "default",
        "2001:db8::1",
        "::/0",
        "02:00:00:00:00:01",
        "link",
        "bridge",
        "eth0",
    ]
)
NUMBERS = st.integers(-(1 << 33), 1 << 33)
NULLABLE = st.none() | NUMBERS


@given(WORDS, WORDS, WORDS, NUMBERS, NULLABLE)
def test_any_words_and_numbers_make_a_request_or_an_error(
    one: str, two: str, three: str, number: int, another: int | None
) -> None:
    builds: list[Build] = [
        lambda: rt.link_add(one, two, mtu=another, address=three),
        lambda: rt.link_set(ETH0, mtu=number, address=one, name=two),
        lambda: rt.vxlan_add(one, number, local=two, remote=three, dstport=another, ttl=another),
        lambda: rt.vxlan_add(one, number, group=two, mtu=another),
        lambda: rt.macvlan_add(one, ETH0, mode=two, mtu=another),
        lambda: rt.vlan_add(one, ETH0, number),
        lambda: rt.addr_add(ETH0, ADDRESS, peer=one, broadcast=two, label=three),
        lambda: rt.route_add(one, via=two, kind=three, table=another, metric=number),
        lambda: rt.route_add(one, nexthops=[rt.Nexthop(two, weight=number)], scope=three),
        lambda: rt.rule_add(table=number, src=one, dst=two, iif=three, fwmark=another),
        lambda: rt.neigh_replace(one, two, ETH0, state=three),
        lambda: rt.fdb_add(one, ETH0, dst=two, vni=another, port=number, state=three),
    ]
    for build in builds:
        try:
            request = build()
        except BuildError:
            continue
        assert len(request.body) % 4 == 0
