"""What is expected of many rows: how many must match, in what order, and what is said where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from expecting import refused, rows_of, value_of
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.facts.addrs import Addr
from pytest_netconform.facts.chains import Chain, parse_iptables_save
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.routes import Route
from pytest_netconform.matching.pairing import pair_off, paired
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.quantifiers import Exactly, InOrder
from pytest_netconform.matching.values import AnyOf, Literal

LO = Link(ifindex=1, ifname="lo", flags=("LOOPBACK", "UP"), mtu=65536)
ETH0 = Link(ifindex=2, ifname="eth0", flags=("BROADCAST", "UP"), mtu=1500, master="br0")
ETH1 = Link(ifindex=3, ifname="eth1", flags=("BROADCAST",), mtu=1500)
VXLAN = Link(
    ifindex=4, ifname="flannel.1", flags=("UP",), mtu=1450, kind="vxlan",
    info={"id": 1, "port": 8472, "learning": False, "local": "192.0.2.1", "tags": ["a", "b"],
          "peers": [{"ip": "x"}]},
)  # fmt: skip
LINKS = (LO, ETH0, ETH1, VXLAN)


ADD = "add one of some, each, none, exactly, in_order, count"


def holds(written: str, rows: Sequence[Any] = LINKS) -> bool:
    return rows_of(written, Link).matches(rows)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ifname: eth0}", True),
        ("{ifname: eth0, mtu: 1500}", True),
        ("{ifname: eth0, mtu: 1450}", False),
        ("{some: {mtu: 1450}}", True),
        ("{some: {mtu: 9000}}", False),
        ("{each: {mtu: '>= 1450'}}", True),
        ("{each: {mtu: 1500}}", False),
        ("{none: {mtu: 9000}}", True),
        ("{none: {mtu: 1500}}", False),
        ("{count: 4}", True),
        ("{count: '> 4'}", False),
        ("{count: {any_of: [4, 5]}}", True),
        ("{where: {mtu: 1500}, each: {flags: BROADCAST}}", True),
        ("{where: {mtu: 1500}, each: {flags: UP}}", False),
        ("{where: {mtu: 1500}, some: {flags: UP}}", True),
        ("{where: {mtu: 1500}, count: 2}", True),
        ("{where: {ifname: eth*}, count: 2}", True),
        ("{where: {ifname: 'eth?'}, none: {ifname: flannel.1}}", True),
        ("{where: {mtu: 9000}, each: {flags: UP}}", False),
        ("{where: {mtu: 9000}, none: {flags: UP}}", False),
        ("{where: {mtu: 9000}, exactly: []}", False),
        ("{where: {mtu: 9000}, none: {flags: UP}, or_none: true}", True),
        ("{where: {mtu: 9000}, some: {flags: UP}, or_none: true}", True),
        ("{where: {mtu: 9000}, count: 0}", True),
        ("{where: {mtu: 9000}, count: 1}", False),
        ("{in_order: [{ifname: lo}, {ifname: flannel.1}]}", True),
        ("{in_order: [{mtu: 1500}, {mtu: 1500}]}", True),
        ("{in_order: [{mtu: 1500}, {mtu: 1500}, {mtu: 1500}]}", False),
        ("{in_order: [{ifname: flannel.1}, {ifname: lo}]}", False),
        ("{exactly: [{ifname: flannel.1}, {mtu: 1500}, {ifname: eth0}, {ifname: lo}]}", True),
        ("{exactly: [{ifname: lo}, {ifname: eth0}, {ifname: eth1}]}", False),
        ("{exactly: [{ifname: lo}, {mtu: 1500}, {mtu: 1500}, {mtu: 1500}]}", False),
        ("{some: {mtu: 1450}, count: 4, none: {mtu: 1}}", True),
        ("{some: {mtu: 1450}, count: 5, none: {mtu: 1}}", False),
        ("{any_of: [{ifname: x}, {ifname: lo}]}", True),
        ("{each: {any_of: [{mtu: '>= 1500'}, {kind: vxlan}]}}", True),
        ("{each: {not: {ifname: eth9}}}", True),
    ],
)
def test_each_quantifier_says_what_it_says(written: str, expected: bool) -> None:
    assert holds(written) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ifname: lo}", False),
        ("{each: {ifname: lo}}", False),
        ("{none: {ifname: lo}}", True),
        ("{count: 0}", True),
        ("{exactly: []}", True),
        ("{exactly: [{ifname: lo}]}", False),
        ("{in_order: [{ifname: lo}]}", False),
        ("{where: {ifname: lo}, none: {mtu: 1}}", False),
        ("{each: {mtu: 1}, or_none: true}", True),
    ],
)
def test_an_empty_table_passes_only_what_allows_it(written: str, expected: bool) -> None:
    assert holds(written, ()) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ifname: flannel.1, info: {id: 1, port: '8472', learning: false}}", True),
        ("{ifname: flannel.1, info: {learning: true}}", False),
        ("{ifname: flannel.1, info: {vlan: absent}}", True),
        ("{ifname: flannel.1, info: {id: present}}", True),
        ("{ifname: flannel.1, info: {id: {not: 2}}}", True),
        ("{ifname: flannel.1, info: {vlan: {not: 2}}}", False),
        ("{ifname: flannel.1, info: {local: {within: 192.0.2.0/24}}}", True),
        ("{ifname: flannel.1, info: {id: {real: 1}}}", False),
        ("{ifname: flannel.1, info: {tags: a}}", True),
        ("{ifname: flannel.1, info: {tags: {exactly: [b, a]}}}", True),
        ("{ifname: flannel.1, info: {tags: {count: 3}}}", False),
        ("{ifname: flannel.1, info: {id: {count: 1}}}", False),
        ("{ifname: flannel.1, info: {peers: {some: {ip: x}}}}", True),
        ("{ifname: eth0, info: {id: 1}}", False),
        ("{ifname: eth0, info: {id: absent}}", False),
        ("{ifname: eth0, info: absent}", True),
        ("{ifname: lo, master: absent}", True),
        ("{ifname: eth0, master: absent}", False),
        ("{ifname: eth0, master: {not: br1}}", True),
        ("{ifname: lo, master: {not: br1}}", False),
        ("{ifname: lo, master: {any_of: [absent, br0]}}", True),
        ("{ifname: eth0, flags: {each: {any_of: [BROADCAST, UP]}}}", True),
        ("{ifname: eth0, flags: {exactly: [UP, BROADCAST]}}", True),
        ("{ifname: eth0, flags: {in_order: [UP, BROADCAST]}}", False),
        ("{ifname: eth0, flags: {none: NOARP, count: 2}}", True),
        ("{ifname: eth0, flags: {not: UP}}", False),
        ("{ifname: eth0, altnames: absent}", True),
        ("{ifname: eth0, altnames: {none: x}}", True),
        ("{ifname: eth0, altnames: {each: x}}", False),
    ],
)
def test_a_row_that_lacks_a_field_matches_nothing_but_absent(written: str, expected: bool) -> None:
    assert holds(written) is expected


def test_a_list_that_is_not_there_matches_no_quantifier() -> None:
    for written in ("{none: x}", "{exactly: []}", "{count: 0}", "{each: x, or_none: true}"):
        assert value_of(written, tuple[str, ...] | None).matches(None) is False


def test_lines_and_nexthops_and_json_are_lists_in_rows() -> None:
    route = Route(
        family="inet",
        dst="default",
        nexthops=({"gateway": "10.0.0.1", "dev": "eth0"}, {"gateway": "10.0.0.2", "dev": "eth1"}),
    )
    assert rows_of("{dst: default, nexthops: {dev: eth1}}", Route).matches((route,))
    assert rows_of("{nexthops: {each: {gateway: {within: 10.0.0.0/24}}}}", Route).matches((route,))
    assert not rows_of("{nexthops: {some: {gateway: 10.0.0.1, dev: eth1}}}", Route).matches((route,))
    text = '{"plugins": [{"type": "bridge"}, {"type": "portmap"}]}'
    conflist = file_of("/x.conflist", "file", len(text), 0o644, text)
    plugins = "{in_order: [{type: bridge}, {type: portmap}]}"
    assert rows_of(f"{{path: /x.conflist, json: {{plugins: {plugins}}}}}", File).matches((conflist,))


def test_a_chain_has_rules_or_none() -> None:
    text = "*nat\n:FULL - [0:0]\n:EMPTY - [0:0]\n-A FULL -j EMPTY\nCOMMIT\n"
    chains = parse_iptables_save(text, "ip", "nft")
    for written, names in (
        ("{rules: absent}", ["EMPTY"]),
        ("{rules: present}", ["FULL"]),
        ("{rules: '-j EMPTY'}", ["FULL"]),
        ("{rules: {not: '-j EMPTY'}}", ["EMPTY"]),
        ("{rules: {any_of: [absent, '-j EMPTY']}}", ["FULL", "EMPTY"]),
        ("{rules: {count: 1}}", ["FULL"]),
        ("{rules: {jump: EMPTY}}", ["FULL"]),
    ):
        assert [chain.name for chain in rows_of(written, Chain, selecting=True).select(chains)] == names


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{}", "7: an empty mapping matches everything; say what is expected"),
        ("{where: {mtu: 1}}", f"7: nothing is asked of the rows; {ADD}"),
        ("{or_none: true, where: {mtu: 1}}", f"7: nothing is asked of the rows; {ADD}"),
        ("{or_none: true}", f"7: nothing is asked of the rows; {ADD}"),
        ("{count: '>= 0'}", "15: this matches whatever stands there; say more"),
        ("{count: {not: -1}}", "15: this matches whatever stands there; say more"),
        ("{count: -1}", "15: nothing can match this: count is never -1"),
        ("{count: present}", "15: this matches whatever stands there; say more"),
        ("{count: absent}", "15: nothing can match this: count is never absent"),
        ("{count: true}", "15: count is a number, so it is never true"),
        ("{count: many}", "15: count is a number, so it is never 'many'"),
        ("{count: [1]}", "15: a list needs a word that says how it is meant, such as any_of"),
        ("{count: {grew: 1}}", "16: 'grew' is for what a check itself asks, and not for what selects"),
        ("{ifname: present}", "7: this matches whatever stands there; say more"),
        ("{some: {ifname: present, flags: {not: absent}}}", None),
        ("{none: {}}", "14: an empty mapping matches everything; say what is expected"),
        ("{each: {mtu: '>= 0'}}", None),
        ("{none: {ifname: absent}}", "23: nothing can match this: ifname is never absent"),
        ("{exactly: {ifname: lo}}", "17: exactly needs a list of what is expected, got a mapping"),
        ("{exactly: [{}]}", "18: an empty mapping matches everything; say what is expected"),
        ("{in_order: []}", "18: in_order needs a list of what is expected, got an empty list"),
        ("{in_order: [lo]}", "19: expected a mapping of Link fields, got text"),
        ("{some: [x]}", "14: expected a mapping of Link fields, got a list"),
        ("{or_none: yes, some: {mtu: 1}}", "17: or_none is true, or not there; got 'yes'"),
        ("{or_none: false, some: {mtu: 1}}", "17: or_none is true, or not there; got false"),
        ("{evry: {mtu: 1}, some: {mtu: 1}}",
            "8: unknown key 'evry' (known: where, some, each, none, exactly, in_order, count, or_none)",
        ),
        ("{som: {mtu: 1}, where: {mtu: 1}}", "8: unknown key 'som' (did you mean 'some'?)"),
        ("{mtu: 1, some: {mtu: 1}}", "8: field 'mtu' cannot stand here; put it under where, some or each"),
        ("lo", "7: expected a mapping of Link fields, got text"),
        ("5", "7: expected a mapping of Link fields, got a number"),
        ("[{ifname: lo}]", "7: expected a mapping of Link fields, got a list"),
        ("{ifname: lo, flags: {some: present}}", "34: this matches whatever stands there; say more"),
        ("{mtu: 1, flags: {some: {}}}", "30: an empty mapping matches everything; say what is expected"),
        ("{mtu: 1, info: {x: {some: {}}}}", "33: an empty mapping matches everything; say what is expected"),
        ("{ifname: lo, flags: {where: UP}}", f"27: nothing is asked of the flags; {ADD}"),
    ],
)  # fmt: skip
def test_what_asks_nothing_is_refused(written: str, told: str | None) -> None:
    if told is None:
        rows_of(written, Link)
    else:
        assert refused(rows_of, written, Link) == [told]


def test_where_rows_are_only_selected_nothing_is_asked_of_them() -> None:
    assert refused(rows_of, "{where: {mtu: 1}, count: 3}", Link, selecting=True) == [
        "25: 'count' judges rows, but here they are only selected"
    ]
    assert rows_of("{where: {ifname: eth*}}", Link, selecting=True).select(LINKS) == (ETH0, ETH1)
    assert rows_of("{ifname: eth*}", Link, selecting=True).select(LINKS) == (ETH0, ETH1)
    assert rows_of("{not: {ifname: eth*}}", Link, selecting=True).select(LINKS) == (LO, VXLAN)


def test_growth_is_not_for_what_selects() -> None:
    told = refused(rows_of, "{where: {stats: {rx: {errors: {grew: 0}}}}, count: 1}", Link, watched=True)
    assert told == ["38: 'grew' is for what a check itself asks, and not for what selects"]


def test_rows_are_paired_with_themselves_in_the_observation_before() -> None:
    def link(name: str, errors: int) -> Link:
        return Link(ifindex=1, ifname=name, stats={"rx": {"errors": errors}})

    expected = rows_of("{each: {stats: {rx: {errors: {grew: 0}}}}}", Link, watched=True)
    before = (link("eth0", 5), link("eth1", 7))
    assert expected.matches((link("eth1", 7), link("eth0", 5)), before)
    assert not expected.matches((link("eth1", 7), link("eth0", 6)), before)
    assert expected.matches((link("eth2", 0), link("eth1", 7)), before)
    assert not expected.matches((link("eth2", 1),), before)
    (outcome,) = expected.outcomes((link("eth0", 9),), before)
    assert str(outcome.differing[0][0]) == "stats.rx.errors: expected grown by 0, grew by 4 to 9"


def test_things_of_the_same_name_are_paired_by_their_order() -> None:
    def addr(lifetime: int) -> Addr:
        return Addr(
            ifindex=1, ifname="lo", family="inet", local="::1", prefixlen=128, valid_life_time=lifetime
        )

    now, then = (addr(1), addr(2)), (addr(3), addr(4))
    assert [each.valid_life_time for each in paired(now, then).values()] == [3, 4]


def test_where_chooses_from_all_rows_so_that_pairing_is_not_moved_by_it() -> None:
    def link(name: str, up: bool, errors: int) -> Link:
        return Link(ifindex=1, ifname=name, flags=("UP",) if up else (), stats={"rx": {"errors": errors}})

    written = "{where: {flags: UP}, each: {stats: {rx: {errors: {grew: 1}}}}}"
    expected = rows_of(written, Link, watched=True)
    assert expected.matches(
        (link("a", True, 2), link("b", True, 4)), (link("a", False, 1), link("b", True, 3))
    )


# The pairing, and the order, against trying everything

FITS = st.integers(0, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 4), unique=True, max_size=5), min_size=width, max_size=width
    )
)


@given(FITS)
def test_as_many_entries_get_a_row_as_any_order_of_choosing_allows(fits: list[list[int]]) -> None:
    owner = pair_off(fits)
    assert len(set(owner.values())) == len(owner)
    assert all(row in fits[entry] for row, entry in owner.items())
    assert len(owner) == most_pairs(fits)


def most_pairs(fits: list[list[int]]) -> int:
    """Count the pairs of the best choice, by trying all."""
    rows = range(5)
    return max(
        sum(entry < len(fits) and row in fits[entry] for entry, row in enumerate(order))
        for order in permutations(rows)
    ) if fits else 0  # fmt: skip


ENTRIES = st.lists(st.sets(st.sampled_from("abcd"), min_size=1), max_size=5)
LETTERS = st.lists(st.sampled_from("abcd"), max_size=5)


def any_letter_of(letters: set[str]) -> AnyOf:
    return AnyOf(tuple(Literal(letter) for letter in sorted(letters)))


@given(ENTRIES, LETTERS)
def test_exactly_is_a_true_pairing_in_any_order(entries: list[set[str]], rows: list[str]) -> None:
    quantified = Quantified(quantifiers=(Exactly(tuple(map(any_letter_of, entries))),))
    by_trying = len(entries) == len(rows) and any(
        all(row in entry for entry, row in zip(entries, order, strict=True)) for order in permutations(rows)
    )
    assert quantified.matches(rows) is by_trying


@given(ENTRIES.filter(bool), LETTERS)
def test_in_order_finds_a_way_if_there_is_one(entries: list[set[str]], rows: list[str]) -> None:
    quantified = Quantified(quantifiers=(InOrder(tuple(map(any_letter_of, entries))),))
    assert quantified.matches(rows) is has_subsequence(entries, rows)


def has_subsequence(entries: list[set[str]], rows: list[str]) -> bool:
    if not entries:
        return True
    return any(
        row in entries[0] and has_subsequence(entries[1:], rows[number + 1 :])
        for number, row in enumerate(rows)
    )


def test_many_rows_are_paired_without_recursion() -> None:
    count = 3000
    fits = [[number, number + 1] for number in range(count)] + [[0]]
    assert len(pair_off(fits)) == count + 1
