"""No input makes a parser fail otherwise than by saying that it is unreadable."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.addrs import Addr, parse_addrs
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.chains import parse_iptables_save
from pytest_netconform.facts.fdb import Fdb, parse_fdb
from pytest_netconform.facts.links import Link, parse_links
from pytest_netconform.facts.neighs import Neigh, parse_neighs
from pytest_netconform.facts.netconf import parse_netconf
from pytest_netconform.facts.routes import Route, parse_routes
from pytest_netconform.facts.rules import Rule, parse_rules
from pytest_netconform.facts.sysctl_files import PROCPS, PROCPS_3_3, SYSTEMD, assignments, winner
from pytest_netconform.facts.sysctls import parse_sysctl_dump

Parse = Callable[[str], tuple[Fact, ...]]
TABLES: dict[str, Parse] = {
    "links": parse_links,
    "addrs": parse_addrs,
    "routes": lambda text: parse_routes(text, "inet6"),
    "rules": lambda text: parse_rules(text, "inet"),
    "neighs": parse_neighs,
    "fdb": parse_fdb,
}


def names_of(fact: type[Fact]) -> list[str]:
    return [field.name for field in fields(fact)]  # type: ignore[arg-type]


RAW = (
    "linkinfo", "info_kind", "info_data", "stats64", "addr_info", "dynamic", "metrics", "from", "srclen",
    "dstlen",
    "not", "nop", "uid_start", "sport_start", "suppress_prefixlen", "viaIf", "deleted", "odd",
)  # fmt: skip
FACTS = (Link, Addr, Route, Rule, Neigh, Fdb)
KEYS = sorted({name for fact in FACTS for name in names_of(fact)} | set(RAW))
SOUND = {"ifindex": 1, "ifname": "lo", "dst": "10.0.0.0/8", "priority": 1, "mac": "02:00:00:00:00:01"}
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["lo", "10.0.0.0/8"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12), max_size=3)


def reads_or_says_why(parse: Parse, text: str) -> None:
    try:
        rows = parse(text)
    except Unreadable:
        return
    for row in rows:
        assert isinstance(row.caption(), str)
        assert repr(row)
        assert all(hasattr(row, name) for name in names_of(type(row)))


@pytest.mark.parametrize("table", TABLES)
@given(text=st.text())
def test_any_text_is_rows_or_unreadable(table: str, text: str) -> None:
    reads_or_says_why(TABLES[table], text)


@pytest.mark.parametrize("table", TABLES)
@given(rows=ROWS)
def test_any_json_is_rows_or_unreadable(table: str, rows: list[dict[str, Any]]) -> None:
    reads_or_says_why(TABLES[table], json.dumps(rows))
    reads_or_says_why(TABLES[table], json.dumps([SOUND | row for row in rows]))
    reads_or_says_why(TABLES[table], json.dumps([row | SOUND for row in rows]))


@pytest.mark.parametrize("table", TABLES)
@given(rows=ROWS, cut=st.integers(0, 200))
def test_any_json_that_is_cut_short_is_rows_or_unreadable(table: str, rows: list[Any], cut: int) -> None:
    reads_or_says_why(TABLES[table], json.dumps(rows)[:cut])


SAVED = st.lists(
    st.one_of(
        st.sampled_from(
            ["*filter", "*nat", ":A - [0:0]", ":B ACCEPT [1:2]", "COMMIT", "# Table `x' is y", ""]
        ),
        st.builds(
            "{}-A {} {}".format, st.sampled_from(["", "[0:0] ", "[x:y] "]), st.sampled_from("ABC"), st.text()
        ),
        st.text(),
    )
).map("\n".join)


@given(text=SAVED)
def test_any_dump_of_iptables_is_chains_or_unreadable(text: str) -> None:
    def parse(text: str) -> tuple[Fact, ...]:
        chains = parse_iptables_save(text, "ip", "nft")
        return (*chains, *(rule for chain in chains for rule in chain.rules))

    reads_or_says_why(parse, text)


@given(text=st.lists(st.one_of(st.text(), st.just("net/ipv4/conf/eth0/rp_filter:1"))).map("\n".join))
def test_any_dump_of_sysctls_is_values_or_unreadable(text: str) -> None:
    reads_or_says_why(lambda text: parse_netconf(parse_sysctl_dump(text)), text)


@given(text=st.text(), target=st.text(), name=st.text())
def test_any_sysctl_file_is_read_by_every_reader(text: str, target: str, name: str) -> None:
    files, links = {"/etc/sysctl.d/a.conf": text, "/etc/sysctl.conf": text}, {"/run/sysctl.d/b.conf": target}
    for reader in (SYSTEMD, PROCPS, PROCPS_3_3):
        winner(assignments(reader, files, links), name)
