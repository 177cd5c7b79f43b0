"""What is said where nothing matches: the row that comes nearest, and in what it differs."""

from __future__ import annotations

from typing import Any

from expecting import rows_of

from pytest_netconform.checks.parts import TablePart
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.chains import Chain, parse_iptables_save
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.netconf import Netconf
from pytest_netconform.facts.routes import Route
from pytest_netconform.matching.wholes import unlike
from pytest_netconform.questions import Question


def told(written: str, rows: tuple[Fact, ...], row: type[Fact] | None = None) -> list[str]:
    """Judge rows of one kind; gives the lines of what is found."""
    part = TablePart("kind", Question("table"), rows_of(written, row or type(rows[0])))
    return [line for finding in part.judge(rows, None).findings for line in str(finding).splitlines()]


def link(name: str, **fields: Any) -> Link:
    return Link(ifindex=1, ifname=name, **fields)


LINKS = (
    link("lo", mtu=65536, flags=("UP",)),
    link("eth0", mtu=1500, flags=("UP",)),
    link("flannel.1", mtu=1450, kind="vxlan", info={"id": 1, "port": 8472, "learning": False}),
    link("cni0", mtu=1450, kind="bridge", flags=("UP",)),
)


def test_the_link_of_that_name_is_nearest_and_each_difference_has_its_path() -> None:
    assert told("{ifname: flannel.1, mtu: 1450, info: {id: 2, learning: true}, flags: UP}", LINKS) == [
        "kind: no rows match {ifname: flannel.1, mtu: 1450, info: {id: 2, learning: true}, flags: UP}",
        "  nearest is flannel.1",
        "    info.id: expected 2, got 1",
        "    info.learning: expected true, got false",
        "    flags: expected UP, got []",
    ]


def test_what_has_another_name_is_no_near_miss() -> None:
    assert told("{ifname: flannel.2, mtu: 1450, kind: vxlan}", LINKS) == [
        "kind: no rows match {ifname: flannel.2, mtu: 1450, kind: vxlan}",
        "  with {mtu: 1450, kind: vxlan} there are: flannel.1",
    ]
    assert told("{ifname: eth9, mtu: 9000}", LINKS)[1:] == ["  there are: lo, eth0, flannel.1, cni0"]


def test_without_a_name_the_most_fields_count() -> None:
    assert told("{kind: bridge, mtu: 9000, flags: UP}", LINKS)[1:] == [
        "  nearest is cni0: mtu: expected 9000, got 1450"
    ]


def route(dst: str, **fields: Any) -> Route:
    return Route(family="inet", dst=dst, **fields)


ROUTES = (
    route("default", gateway="192.0.2.1", dev="eth0"),
    *(route(f"10.42.{i}.0/24", gateway=f"10.42.{i}.0", dev="flannel.1") for i in range(1, 4)),
    *(route(f"10.1.{i}.0/24", dev="eth0") for i in range(20)),
)


def test_the_route_to_the_same_network_is_nearest_whatever_else_is_alike() -> None:
    assert told("{dst: 10.1.3.0/24, gateway: 10.42.2.0, dev: flannel.1}", ROUTES)[1:] == [
        "  nearest is 10.1.3.0/24 dev eth0",
        "    gateway: expected 10.42.2.0, got absent",
        "    dev: expected flannel.1, got eth0",
    ]


def test_of_many_routes_those_are_named_that_have_all_but_the_network() -> None:
    assert told("{dst: 10.42.9.0/24, gateway: 10.42.9.0, dev: flannel.1}", ROUTES)[1:] == [
        "  with {dev: flannel.1} there are: " + ", ".join(
            f"10.42.{i}.0/24 via 10.42.{i}.0 dev flannel.1" for i in range(1, 4)
        )
    ]  # fmt: skip
    assert told("{dst: 10.9.0.0/24, dev: eth0}", ROUTES)[1:] == []


NEIGHS = (
    Neigh(family="inet", dst="10.42.1.0", dev="flannel.1", lladdr="6a:62:e6:01:62:b5", state=("PERMANENT",)),
    Neigh(family="inet", dst="10.42.2.0", dev="flannel.1", state=("INCOMPLETE",)),
    Neigh(family="inet", dst="192.0.2.1", dev="eth0", lladdr="52:54:00:00:00:01", state=("STALE",)),
)


def test_a_neighbour_is_told_by_its_address() -> None:
    assert told("{dev: flannel.1, dst: 10.42.2.0, state: PERMANENT, lladdr: present}", NEIGHS)[1:] == [
        "  nearest is 10.42.2.0 dev flannel.1",
        "    state: expected PERMANENT, got INCOMPLETE",
        "    lladdr: expected present, got absent",
    ]


def test_of_none_at_all_that_is_said() -> None:
    assert told("{dst: 10.42.2.0}", (), Neigh) == [
        "kind: no rows match {dst: 10.42.2.0}",
        "  there are none at all",
    ]


def test_each_says_once_what_several_rows_have_wrong() -> None:
    rows = tuple(
        Netconf(family="inet", ifname=name, forwarding=name == "lo", rp_filter=filter_)
        for name, filter_ in (("lo", 0), ("eth0", 0), ("cni0", 0), ("eth1", 1))
    )
    assert told("{each: {forwarding: true, rp_filter: 0}}", rows) == [
        "kind eth0 forwarding: expected true, got false   (2 of 4 rows: eth0, cni0)",
        "kind eth1 forwarding: expected true, got false; rp_filter: expected 0, got 1   (1 of 4 rows: eth1)",
    ]


def test_none_exactly_and_count_list_the_rows() -> None:
    assert told("{none: {dev: flannel.1}}", NEIGHS) == [
        "kind: 2 of 3 rows match {dev: flannel.1}, where none may",
        "  10.42.1.0 dev flannel.1",
        "  10.42.2.0 dev flannel.1",
    ]
    assert told("{where: {dev: flannel.1}, count: 3}", NEIGHS) == [
        "kind: expected 3 rows with {dev: flannel.1}, got 2",
        "  10.42.1.0 dev flannel.1",
        "  10.42.2.0 dev flannel.1",
    ]
    wanted = "[{dst: 10.42.1.0}, {dst: 10.42.2.0, state: PERMANENT}, {dst: 192.0.2.1}]"
    assert told(f"{{exactly: {wanted}}}", NEIGHS) == [
        "kind: rows are not exactly those expected",
        "  missing: {dst: 10.42.2.0, state: PERMANENT}",
        "    nearest is 10.42.2.0 dev flannel.1: state: expected PERMANENT, got INCOMPLETE",
        "  unexpected: 10.42.2.0 dev flannel.1",
    ]


def test_many_rows_are_cut_short() -> None:
    assert told("{none: {family: inet}}", ROUTES)[-1] == "  and 16 more"


# Rules of a chain

RULES = (
    "-m mark --mark 0x4000/0x4000 -m comment --comment flannel -j RETURN",
    "-s 10.42.1.0/24 -d 10.42.0.0/16 -m comment --comment flannel -j RETURN",
    "-s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment flannel -j MASQUERADE --random-fully",
    "! -s 10.42.0.0/16 -d 10.42.0.0/16 -j MASQUERADE --random-fully",
)
MASQUERADE = "-s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully"
RULES_WANTED = f'["-s 10.42.1.0/24 -d 10.42.0.0/16 -j RETURN", "{MASQUERADE}"]'
WANTED = f"{{table: nat, name: POST, rules: {{in_order: {RULES_WANTED}}}}}"


def chains(*rules: str) -> tuple[Chain, ...]:
    lines = "".join(f"-A POST {rule}\n" for rule in rules)
    text = f"*nat\n:POST - [0:0]\n:OTHER - [0:0]\n{lines}COMMIT\n"
    other = text.replace("-s 10.42", "-s 10.9")
    return (*parse_iptables_save(text, "ip", "nft"), *parse_iptables_save(other, "ip6", "nft"))


def told_of_rules(*rules: str, wanted: str = WANTED) -> list[str]:
    """Judge a chain; gives what is told of it, less the two lines that lead there."""
    lines = told(wanted, chains(*rules))
    assert lines[0] == "kind: no rows match {table: nat, name: POST, rules: ...}"
    assert lines[1].startswith("  nearest is nat POST (iptables-nft)")
    return lines[2:] or [lines[1].partition("(iptables-nft): ")[2]]


def test_the_rules_as_they_are_match() -> None:
    assert told(WANTED, chains(*RULES)) == ["kind: nat POST (iptables-nft) matches"]


def test_of_two_chains_of_that_name_the_one_with_the_nearer_rules_is_told() -> None:
    lines = told(WANTED, chains(*RULES[:2])[::-1])
    assert lines[1] == "  nearest is nat POST (iptables-nft)"


def test_a_misplaced_rule_is_told_by_both_places() -> None:
    assert told_of_rules(RULES[0], RULES[2], RULES[1], RULES[3]) == [
        f"rules: number 2, {MASQUERADE}, must stand behind number 3, "
        "-s 10.42.1.0/24 -d 10.42.0.0/16 -j RETURN"
    ]


def test_an_option_that_is_missing_is_named() -> None:
    assert told_of_rules(*RULES[:2], RULES[2].removesuffix(" --random-fully"), RULES[3]) == [
        f"    rules: no rules match {MASQUERADE} behind number 2",
        "      nearest is number 3, -s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE: lacks --random-fully",
    ]


def test_an_option_that_differs_is_shown_both_ways() -> None:
    assert told_of_rules(*RULES[:2], RULES[2].replace("10.42.0.0/16", "10.43.0.0/16")) == [
        f"    rules: no rules match {MASQUERADE} behind number 2",
        "      nearest is number 3, -s 10.43.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully: "
        "expected -s 10.42.0.0/16, got -s 10.43.0.0/16",
    ]


def test_a_negation_too_many_or_too_few_is_shown() -> None:
    assert told_of_rules(*RULES[:2], RULES[2].replace("! -d", "-d"))[-1].endswith(
        "expected ! -d 224.0.0.0/4, got -d 224.0.0.0/4"
    )
    assert told_of_rules(*RULES[:2], f"! {RULES[2]}")[-1].endswith(
        "expected -s 10.42.0.0/16, got ! -s 10.42.0.0/16"
    )


def test_an_option_too_many_is_named() -> None:
    assert told_of_rules(*RULES[:2], f"-o eth0 {RULES[2]}")[-1].endswith("has -o eth0 too")


def test_several_missing_rules_are_all_told() -> None:
    assert told_of_rules(RULES[0]) == [
        "    rules: 2 of 2 expected rules are not there, or not in their order",
        "      no rules match -s 10.42.1.0/24 -d 10.42.0.0/16 -j RETURN",
        "        there are: -m mark --mark 0x4000/0x4000 -j RETURN",
        f"      no rules match {MASQUERADE}",
        "        there are: -m mark --mark 0x4000/0x4000 -j RETURN",
    ]


def test_exactly_names_each_rule_without_a_partner() -> None:
    wanted = WANTED.replace("in_order", "exactly")
    assert told_of_rules(RULES[1], RULES[2].replace("! -d", "-d"), wanted=wanted) == [
        "    rules: rules are not exactly those expected",
        f"      missing: {MASQUERADE}",
        "        nearest is -s 10.42.0.0/16 -d 224.0.0.0/4 -j MASQUERADE --random-fully: "
        "expected ! -d 224.0.0.0/4, got -d 224.0.0.0/4",
        "      unexpected: -s 10.42.0.0/16 -d 224.0.0.0/4 -j MASQUERADE --random-fully",
    ]


def test_rules_as_mappings_are_told_by_their_fields() -> None:
    rule = "{src: 10.42.0.0/16, jump: MASQUERADE, random_fully: absent}"
    lines = told(f"{{table: nat, name: POST, rules: {{some: {rule}}}}}", chains(*RULES))
    assert lines[-1].strip() == f"nearest is {MASQUERADE}: random_fully: expected absent, got true"


def test_rules_are_compared_by_what_they_mean() -> None:
    assert list(unlike("-j A --dport 80 -p tcp -m tcp", "-A X -p tcp -m tcp --dport 80 -j A")) == [
        "its options are the same, but not those of each -m: -A X -p tcp -m tcp --dport 80 -j A"
    ]
    assert list(unlike("-s 10.0.0.1 -j A", "-A X -s 10.0.0.1/32 -j B")) == ["expected -j A, got -j B"]
    refused = "-A X -j REJECT --reject-with"
    assert list(unlike("-j REJECT", f"{refused} tcp-reset")) == ["has --reject-with tcp-reset too"]
    assert list(unlike("-p tcp -j REJECT", f"{refused} icmp-port-unreachable")) == ["lacks -p tcp"]
