"""Whole rules, held to iptables: what it prints of a rule must equal the rule that was typed."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_netconform.facts.chains import Chain, parse_iptables_save
from pytest_netconform.facts.rulespecs import parse_rule

SCRIPT = 'iptables-"$1"-restore && iptables-"$1"-save -c -t filter'
NETWORKS = st.sampled_from(
    ["10.0.0.1", "10.0.0.1/32", "10.42.7.1/16", "10.42.0.0/255.255.0.0", "0.0.0.0/0", "1.2.3.4/0"]
)
NOT = st.sampled_from(["", "", "! "])
MARKS = st.sampled_from(["5", "0x4000/0x4000", "0x4000", "0x4000/0xffffffff", "3/5"])
STATES = st.lists(
    st.sampled_from(["NEW", "RELATED", "ESTABLISHED", "INVALID"]), min_size=1, unique=True
).map(",".join)  # fmt: skip
PORTS = st.sampled_from(["80", "80:90", ":90", "1024:", "0:90", "53"])
TCP = st.one_of(
    st.builds("{}--{} {}".format, NOT, st.sampled_from(["dport", "sport", "destination-port"]), PORTS),
    st.builds("{}--syn".format, NOT),
    st.sampled_from(["-m tcp", "--tcp-flags SYN,ACK SYN", "--tcp-flags ALL NONE", ""]),
)
MATCHES = st.one_of(
    st.builds("-m mark {}--mark {}".format, NOT, MARKS),
    st.builds("-m connmark {}--mark {}".format, NOT, MARKS),
    st.builds("-m conntrack {}--ctstate {}".format, NOT, STATES),
    st.builds("-m state {}--state {}".format, NOT, STATES),
    st.builds("-m addrtype {}--dst-type LOCAL".format, NOT),
    st.builds("-m statistic --mode random --probability {}".format, st.sampled_from(["0.5", "0.3333333333",
    "0.2"])),
    st.builds("-m limit --limit {}".format, st.sampled_from(["5/sec", "5/second", "3/minute", "7/day"])),
    st.builds('-m comment --comment "{}"'.format, st.sampled_from(["x", "a b", "-j", "it's", ""])),
    st.sampled_from(["-m recent --name foo --rcheck --seconds 10 --reap", "-m recent --set",
    "-m physdev --physdev-in x"]),
)  # fmt: skip
TARGETS = st.one_of(
    st.sampled_from(["-j DROP", "-j ACCEPT", "-g OTHER", "--jump OTHER", "-j RETURN", "", "-j LOG",
    "-j LOG --log-level 4"]),
    st.builds("-j MARK --{} {}".format, st.sampled_from(["set-mark", "or-mark", "and-mark", "xor-mark"]),
    st.just("6")),
    st.builds("-j MARK --{} {}".format, st.sampled_from(["set-xmark", "set-mark"]), MARKS),
    st.builds('-j LOG --log-prefix "{}"'.format, st.sampled_from(["x", "a b: "])),
)  # fmt: skip
PLAIN = st.one_of(
    st.builds(
        "{}-{} {}".format, NOT, st.sampled_from("sd"), NETWORKS.filter(lambda text: not text.endswith("/0"))
    ),
    st.builds("-{} {}".format, st.sampled_from(["s", "d", "-source"]), NETWORKS),
    st.builds("{}-{} {}".format, NOT, st.sampled_from("io"), st.sampled_from(["eth0", "cali+"])),
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Write a rule in some order, with what -p tcp brings after it."""
    parts = draw(st.lists(PLAIN, max_size=2, unique_by=lambda part: part.lstrip("! ").lstrip("-")[:1]))
    parts += draw(st.lists(MATCHES, max_size=2))
    tail = draw(st.sampled_from(["", "-p tcp ", "-p 6 ", "-p udp", "! -p icmp"]))
    if tail.strip() in ("-p tcp", "-p 6"):
        tail += draw(TCP)
    order = draw(st.permutations([*parts, tail, draw(TARGETS)]))
    return " ".join(part for part in order if part)


def saved(backend: str, typed: list[str]) -> tuple[Chain, ...]:
    lines = "\n".join(f"-A T {rule}" for rule in typed)
    dump = f"*filter\n:T - [0:0]\n:OTHER - [0:0]\n{lines}\nCOMMIT\n"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", SCRIPT, "sh", backend],
        input=dump,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\n{dump}"
    return parse_iptables_save(done.stdout, "ip", backend)


@pytest.mark.namespaces
@pytest.mark.parametrize("backend", ["nft", "legacy"])
@given(typed=st.lists(rules().filter(bool), min_size=20, max_size=60))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_iptables_prints_of_a_rule_equals_the_rule_that_was_typed(
    backend: str, typed: list[str]
) -> None:
    chain = next(one for one in saved(backend, typed) if one.name == "T")
    for wanted, rule in zip(typed, chain.rules, strict=True):
        assert rule.spells(wanted), f"{wanted}\n{rule.text}\n{parse_rule(wanted)}\n{rule.spec}"
