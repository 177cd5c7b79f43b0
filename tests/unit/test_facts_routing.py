"""Routes, rules, neighbours and FDB entries, held to what real nodes and namespaces printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.fdb import Fdb, parse_fdb
from pytest_netconform.facts.neighs import Neigh, parse_neighs
from pytest_netconform.facts.routes import Route, parse_routes
from pytest_netconform.facts.rules import Rule, parse_rules

NODE = Path(__file__).parents[1] / "data/flannel-cluster/vxlan/node1/self"


def test_routes_of_all_tables_are_read() -> None:
    routes = parse_routes((NODE / "ip-route4.json").read_text(), "inet")
    assert [one.caption() for one in routes[:5]] == [
        "default via 192.168.200.1 dev eth0",
        "10.42.0.0/24 dev cni0",
        "10.42.1.0/24 via 10.42.1.0 dev flannel.1",
        "10.42.2.0/24 via 10.42.2.0 dev flannel.1",
        "192.168.200.0/24 dev eth0",
    ]
    assert routes[2] == Route(
        family="inet", dst="10.42.1.0/24", gateway="10.42.1.0", dev="flannel.1", protocol="boot",
        scope="global",
        flags=("onlink",),
    )  # fmt: skip
    assert routes[5].caption() == "local 10.42.0.0 dev flannel.1 table local"
    assert {one.table for one in routes} == {"main", "local"}


def test_ipv6_routes_have_metric_and_preference() -> None:
    first = parse_routes((NODE / "ip-route6.json").read_text(), "inet6")[0]
    assert (first.family, first.dst, first.metric, first.pref, first.gateway) == (
        "inet6", "fe80::/64", 256, "medium", None,
    )  # fmt: skip


def test_a_route_without_table_or_type_is_unicast_in_main() -> None:
    (route,) = parse_routes('[{"dst":"default","gateway":"10.0.0.1","dev":"eth0","flags":[]}]', "inet")
    assert (route.table, route.type, route.protocol, route.scope) == ("main", "unicast", None, None)


def test_metrics_of_a_route_are_its_fields() -> None:
    printed = """[{"type":"unicast","dst":"10.2.0.0/16","tos":"0x10","gateway":"10.0.0.2","dev":"v0",
        "table":"99",
        "protocol":"bird","scope":"global","prefsrc":"10.0.0.9","metric":5,"flags":["linkdown"],
        "metrics":[{"mtu":1400,"advmss":1300,"hoplimit":3,"initcwnd":20,"ecn":null,"rto_min":300,"quickack":1,
        "congestion":"reno"}]}]"""
    (route,) = parse_routes(printed, "inet")
    assert (route.mtu, route.advmss, route.hoplimit, route.initcwnd) == (1400, 1300, 3, 20)
    assert (route.rto_min, route.quickack, route.congestion) == (300, 1, "reno")
    assert (route.tos, route.prefsrc, route.metric, route.table) == ("0x10", "10.0.0.9", 5, "99")
    assert route.caption() == "10.2.0.0/16 via 10.0.0.2 dev v0 metric 5 table 99"


def test_several_nexthops_and_a_gateway_of_the_other_family_are_kept_as_mappings() -> None:
    printed = """[{"dst":"10.1.0.0/16","flags":[],"nexthops":[{"gateway":"10.0.0.2","dev":"v0",
        "weight":5,"flags":[]},
        {"dev":"br0","weight":1,"flags":["linkdown"]}]},
        {"dst":"10.10.0.0/16","via":{"family":"inet6","host":"fd00::2"},"dev":"v0","flags":[]}]"""
    several, other = parse_routes(printed, "inet")
    assert [hop["dev"] for hop in several.nexthops] == ["v0", "br0"]
    assert other.via == {"family": "inet6", "host": "fd00::2"}


@pytest.mark.parametrize(
    "encap",
    [
        '"encap":"ip","id":42,"src":"10.0.0.1","dst":"1.2.3.4","ttl":0,"tos":0,"key":true',
        '"encap":{"encap_type":"ip","id":42,"src":"10.0.0.1","dst":"1.2.3.4","ttl":0,"tos":0,"key":true}',
    ],
    ids=["iproute2 6.1", "later iproute2"],
)
def test_an_encapsulation_does_not_hide_the_routes_own_destination(encap: str) -> None:
    printed = f'[{{"type":"unicast","dst":"10.11.0.0/16",{encap},"dev":"v0","table":"main","flags":[]}}]'
    (route,) = parse_routes(printed, "inet")
    assert (route.dst, route.src, route.tos, route.dev) == ("10.11.0.0/16", None, None, "v0")
    assert route.encap == {
        "encap_type": "ip", "id": 42, "src": "10.0.0.1", "dst": "1.2.3.4", "ttl": 0, "tos": 0, "key": True,
    }  # fmt: skip


def test_the_source_of_a_route_is_what_ip_calls_from() -> None:
    (route,) = parse_routes('[{"dst":"fd05::/64","from":"fd00::/64","dev":"v0","flags":[]}]', "inet6")
    assert route.src == "fd00::/64"


def test_the_rules_that_every_node_has_look_up_three_tables() -> None:
    rules = parse_rules((NODE / "ip-rule4.json").read_text(), "inet")
    assert [one.caption() for one in rules] == [
        "0: from all lookup local", "32766: from all lookup main", "32767: from all lookup default",
    ]  # fmt: skip
    assert rules[0] == Rule(family="inet", priority=0, src="all", table="local", protocol="kernel")
    assert [one.family for one in parse_rules((NODE / "ip-rule6.json").read_text(), "inet6")] == ["inet6"] * 2


def test_all_that_a_rule_can_select_by_is_read() -> None:
    printed = """[{"priority":100,"not":null,"src":"10.0.0.0","srclen":8,"dst":"10.1.0.0",
        "dstlen":16,"tos":"0x10",
        "fwmark":"0x40","fwmask":"0xf0","iif":"v0","oif":"v1","oif_detached":null,"uid_start":0,"uid_end":100,
        "ipproto":"tcp","sport_start":1,"sport_end":5,"dport":80,"tun_id":77,"table":"99",
        "suppress_prefixlen":0,
        "suppress_ifgroup":"5","flow_from":"1","flow_to":"2","protocol":"bird"}]"""
    assert parse_rules(printed, "inet") == (
        Rule(
            family="inet", priority=100, inverted=True, src="10.0.0.0/8", dst="10.1.0.0/16", tos="0x10",
            fwmark="0x40", fwmask="0xf0", iif="v0", oif="v1", oif_detached=True, uidrange="0-100",
            ipproto="tcp",
            sport="1-5", dport="80", tun_id=77, table="99", suppress_prefixlength=0, suppress_ifgroup="5",
            protocol="bird",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "action", "said"),
    [
        ('"nop":null', "nop", "5: from all nop"),
        ('"goto":400,"unresolved":null', "goto", "5: from all goto 400"),
        ('"goto":"none"', "goto", "5: from all goto"),
        ('"action":"blackhole"', "blackhole", "5: from all blackhole"),
        ('"iif":"nonesuch","iif_detached":null,"action":"unreachable"', "unreachable",
         "5: from all iif nonesuch unreachable"),
        ('"not":null,"fwmark":"0x7","table":"main"', "lookup", "5: not from all fwmark 0x7 lookup main"),
        ('"l3mdev":null', "lookup", "5: from all lookup"),
    ],
)  # fmt: skip
def test_every_action_of_a_rule_has_its_name(printed: str, action: str, said: str) -> None:
    (rule,) = parse_rules(f'[{{"priority":5,"src":"all",{printed},"protocol":"unspec"}}]', "inet")
    assert (rule.action, rule.caption()) == (action, said)


def test_a_rule_with_half_a_range_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="1: rule 5: dport_end: expected a whole number, got None"):
        parse_rules('[{"priority":5,"src":"all","dport_start":1}]', "inet")


def test_neighbours_are_read_with_their_state_and_age() -> None:
    neighs = parse_neighs((NODE / "ip-neigh.json").read_text())
    assert neighs[1] == Neigh(
        family="inet", dst="10.42.1.0", dev="flannel.1", lladdr="6a:62:e6:01:62:b5", state=("PERMANENT",),
        used=0,
        confirmed=2, updated=2, probes=0,
    )  # fmt: skip
    assert [one.caption() for one in neighs[:2]] == ["192.168.200.205 dev eth0", "10.42.1.0 dev flannel.1"]


def test_what_ip_prints_as_null_of_a_neighbour_holds() -> None:
    printed = """[{"dst":"fd00::9","dev":"v0","lladdr":"02:00:00:00:00:02","router":null,"extern_learn":null,
        "state":["PERMANENT"]},{"dst":"10.0.0.77","dev":"v0","proxy":null},
        {"dst":"10.0.0.4","dev":"v0","managed":null,"state":["INCOMPLETE"],"protocol":"bird"}]"""
    router, proxy, managed = parse_neighs(printed)
    assert (router.family, router.router, router.extern_learn, router.proxy) == ("inet6", True, True, False)
    assert (proxy.proxy, proxy.state, proxy.lladdr) == (True, (), None)
    assert (managed.managed, managed.protocol, managed.lladdr) == (True, "bird", None)


def test_fdb_entries_have_their_device_by_both_names() -> None:
    entries = parse_fdb((NODE / "bridge-fdb.json").read_text())
    remote = next(one for one in entries if one.dst == "192.168.200.205")
    assert remote == Fdb(
        mac="6a:62:e6:01:62:b5", ifname="flannel.1", dev="flannel.1", dst="192.168.200.205", flags=("self",),
        state="permanent",
    )  # fmt: skip
    assert remote.caption() == "6a:62:e6:01:62:b5 dev flannel.1 dst 192.168.200.205"
    learned = next(one for one in entries if one.mac == "b2:2a:4f:5c:c2:0c")
    assert (learned.master, learned.state, learned.flags) == ("cni0", "", ())


def test_a_vxlan_entry_may_name_port_vni_and_a_way() -> None:
    printed = """[{"mac":"02:00:00:00:00:11","ifname":"vx0","dst":"10.0.0.7","port":99,"vni":6,"viaIf":"v0",
        "used":3,"updated":4,"flags":["self","extern_learn"],"vlan":7,"state":"static","linkNetNsId":2}]"""
    (entry,) = parse_fdb(printed)
    assert (entry.port, entry.vni, entry.via, entry.vlan, entry.link_netnsid) == (99, 6, "v0", 7, 2)
    assert (entry.used, entry.updated, entry.flags) == (3, 4, ("self", "extern_learn"))


def test_one_tables_output_is_not_taken_for_anothers() -> None:
    for parse in (parse_fdb, parse_neighs):
        with pytest.raises(Unreadable, match="a row without"):
            parse((NODE / "ip-addr.json").read_text())
