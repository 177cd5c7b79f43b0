"""Links and their addresses, held to what real nodes printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.addrs import Addr, parse_addrs
from pytest_netconform.facts.links import Link, parse_links

NODE = Path(__file__).parents[1] / "data/flannel-cluster/vxlan/node1/self"
FOREVER = 4294967295


def recorded() -> str:
    return (NODE / "ip-addr.json").read_text()


def link(ifname: str) -> Link:
    return next(link for link in parse_links(recorded()) if link.ifname == ifname)


def test_all_links_come_in_their_order() -> None:
    links = parse_links(recorded())
    assert [one.caption() for one in links] == [
        "lo",
        "eth0",
        "flannel.1",
        "cni0",
        "vethaf6a8130",
        "vethe5e19078",
    ]
    assert [one.ifindex for one in links] == [1, 2, 3, 4, 5, 6]


def test_a_vxlan_link_has_its_kind_and_info_flat() -> None:
    flannel = link("flannel.1")
    assert (flannel.kind, flannel.mtu, flannel.operstate) == ("vxlan", 1450, "UNKNOWN")
    assert flannel.flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP")
    assert flannel.info is not None
    assert {name: flannel.info[name] for name in ("id", "port", "learning", "link", "local")} == {
        "id": 1, "port": 8472, "learning": False, "link": "eth0", "local": "192.168.200.204",
    }  # fmt: skip
    assert (flannel.address, flannel.min_mtu, flannel.max_mtu) == ("9a:69:bf:96:15:d2", 68, 65535)
    assert (flannel.master, flannel.slave_kind, flannel.slave, flannel.link_netnsid) == (
        None,
        None,
        None,
        None,
    )


def test_a_bridge_port_knows_its_master_and_what_the_master_knows_of_it() -> None:
    port = link("vethaf6a8130")
    assert (port.kind, port.master, port.slave_kind) == ("veth", "cni0", "bridge")
    assert port.slave is not None
    assert port.slave["hairpin"] is True
    assert (port.link, port.link_index, port.link_netnsid) == (None, 2, 1)


def test_loopback_has_neither_kind_nor_info() -> None:
    lo = link("lo")
    assert (lo.kind, lo.info, lo.link_type, lo.txqlen, lo.group) == (None, None, "loopback", 1000, "default")
    assert lo.altnames == ()


def test_counters_are_kept_by_direction() -> None:
    stats = link("eth0").stats
    assert stats is not None
    assert (stats["rx"]["packets"], stats["tx"]["dropped"]) == (186, 0)


def test_a_peer_in_the_same_namespace_and_the_rest_of_ip_link_are_read() -> None:
    printed = """[{"ifindex":3,"link":"v1","ifname":"v0","flags":["NO-CARRIER",
        "UP"],"mtu":1500,"operstate":"DOWN",
        "linkmode":"DEFAULT","ifalias":"my \\"alias\\"",
        "altnames":["longname-a"],"inet6_addr_gen_mode":"eui64",
        "linkinfo":{"info_kind":"veth"},"link_pointtopoint":true,"permaddr":"02:00:00:00:00:01",
        "new":{"a":1}},
        {"ifindex":4,"link":null,"ifname":"tunl0","address":"0.0.0.0"}]"""
    veth, tunnel = parse_links(printed)
    assert (veth.link, veth.linkmode, veth.ifalias, veth.altnames) == (
        "v1",
        "DEFAULT",
        'my "alias"',
        ("longname-a",),
    )
    assert (veth.inet6_addr_gen_mode, veth.link_pointtopoint) == ("eui64", True)
    assert (tunnel.link, tunnel.flags, tunnel.mtu) == (None, (), None)


def test_no_output_and_empty_and_deleted_entries_are_no_rows() -> None:
    assert parse_links("") == parse_links("\n") == parse_links("[]") == parse_addrs("") == ()
    printed = (
        '[{},{"deleted":true,"ifindex":2,"ifname":"gone"},{"ifindex":1,"ifname":"lo","addr_info":[{},{}]}]'
    )
    assert [one.ifname for one in parse_links(printed)] == ["lo"]
    assert parse_addrs(printed) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{", "1:3: Expecting property name"),
        ('[{"ifname":\n"lo",,}]', "2:6: "),
        ("{}", "1: expected a list of objects, got an object"),
        ("7", "1: expected a list of objects, got a number"),
        ("[[]]", "1: row 1: expected an object, got a list"),
        ('[{"ifname":"lo"}]', "1: lo: a row without ifindex"),
        ('[{"ifname":"lo","ifindex":1,"flags":7}]', "1: lo: flags: expected a list of texts, got a number"),
        ('[{"ifname":"lo","ifindex":1,"mtu":"x"}]', "1: lo: mtu: expected a whole number, got text"),
        ('[{"ifname":"lo","ifindex":true}]', "1: lo: ifindex: expected a whole number, got true or false"),
        ('[{"ifname":"lo","ifindex":1,"linkinfo":[]}]', "1: lo: linkinfo: expected an object, got a list"),
        ("[" * 100_000, "1: no JSON"),
        ("[" + "1" * 5000 + "]", "1: no JSON"),
        ("[NaN]", "NaN is no number"),
        ("\x00\xff\x7fELF", "1:1: "),
    ],
)
def test_what_ip_never_prints_is_unreadable_and_says_where(text: str, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_links(text)
    assert said in str(caught.value)


def test_addresses_know_their_device_and_family() -> None:
    found = parse_addrs(recorded())
    cni0 = next(one for one in found if one.local == "10.42.0.1")
    assert cni0 == Addr(
        ifindex=4, ifname="cni0", family="inet", local="10.42.0.1", prefixlen=24, scope="global",
        label="cni0",
        broadcast="10.42.0.255", valid_life_time=FOREVER, preferred_life_time=FOREVER,
    )  # fmt: skip
    assert cni0.caption() == "10.42.0.1/24 dev cni0"
    assert [one.local for one in found if one.family == "inet"] == [
        "127.0.0.1", "192.168.200.204", "10.42.0.0", "10.42.0.1",
    ]  # fmt: skip


def test_flags_of_an_address_are_those_that_ip_names() -> None:
    tentative = next(one for one in parse_addrs(recorded()) if one.local == "fe80::422:ecff:fef4:dcd")
    assert tentative.flags == ("tentative",)
    printed = """[{"ifindex":3,"ifname":"v0","addr_info":[{"family":"inet","local":"10.0.0.9","prefixlen":24,
        "metric":7,"broadcast":"10.0.0.255","scope":"global",
        "dynamic":true,"noprefixroute":true,"label":"v0:x",
        "address":"10.0.0.2","protocol":"kernel_lo","valid_life_time":100,"preferred_life_time":50}]}]"""
    (addr,) = parse_addrs(printed)
    assert addr.flags == ("dynamic", "noprefixroute")
    assert (addr.metric, addr.address, addr.label, addr.protocol) == (7, "10.0.0.2", "v0:x", "kernel_lo")


def test_a_misshapen_address_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="1: lo: addr_info: row 1: expected an object, got a number"):
        parse_addrs('[{"ifindex":1,"ifname":"lo","addr_info":[7]}]')
    with pytest.raises(Unreadable, match="1: lo: a row without family and prefixlen"):
        parse_addrs('[{"ifindex":1,"ifname":"lo","addr_info":[{"local":"10.0.0.1"}]}]')
