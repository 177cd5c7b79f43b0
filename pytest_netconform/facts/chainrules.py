"""One rule of a chain of iptables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar

from pytest_netconform.facts.base import Vocabulary
from pytest_netconform.facts.late import ALL_READ, Late
from pytest_netconform.facts.rulespecs import RuleSpec, misspelling, parse_rule, spec_of
from pytest_netconform.facts.ruletexts import Option, options_of
from pytest_netconform.facts.vocabularies import CHAIN_BACKEND, CHAIN_FAMILY, CHAIN_TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRule(Late):
    """One rule, as iptables-save prints it.

    Shape: *text* is as printed, less the counters; *index* counts from 1. A negated option has its value
           after `! `, a negated flag is false. *match_set* has one entry for each `--match-set`. *options*
           has the options that have no field, by name with underscores. Where one rule has an option twice,
           its field is the first; *text* and *spec* have both.
    """

    identity: ClassVar[tuple[str, ...]] = ("family", "backend", "table", "text")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {
        "family": CHAIN_FAMILY,
        "backend": CHAIN_BACKEND,
        "table": CHAIN_TABLE,
    }

    family: str
    backend: str
    table: str
    chain: str
    index: int
    text: str
    packets: int | None = None
    bytes: int | None = None
    comment: str | None = None
    src: str | None = None
    dst: str | None = None
    protocol: str | None = None
    iif: str | None = None
    oif: str | None = None
    fragment: bool | None = None
    jump: str | None = None
    goto: str | None = None
    sport: str | None = None
    dport: str | None = None
    sports: str | None = None
    dports: str | None = None
    ports: str | None = None
    tcp_flags: str | None = None
    icmp_type: str | None = None
    icmpv6_type: str | None = None
    ctstate: str | None = None
    ctstatus: str | None = None
    ctdir: str | None = None
    ctproto: str | None = None
    ctorigsrc: str | None = None
    ctorigdst: str | None = None
    ctorigdstport: str | None = None
    state: str | None = None
    mark: str | None = None
    connmark: str | None = None
    match_set: tuple[str, ...] = ()
    src_type: str | None = None
    dst_type: str | None = None
    src_range: str | None = None
    dst_range: str | None = None
    mac_source: str | None = None
    physdev_in: str | None = None
    physdev_out: str | None = None
    physdev_is_bridged: bool | None = None
    uid_owner: str | None = None
    gid_owner: str | None = None
    mode: str | None = None
    probability: str | None = None
    every: str | None = None
    limit: str | None = None
    limit_burst: str | None = None
    validmark: bool | None = None
    invert: bool | None = None
    loose: bool | None = None
    to_destination: str | None = None
    to_source: str | None = None
    to_ports: str | None = None
    random: bool | None = None
    random_fully: bool | None = None
    persistent: bool | None = None
    set_xmark: str | None = None
    save_mark: bool | None = None
    restore_mark: bool | None = None
    reject_with: str | None = None
    log_prefix: str | None = None
    log_level: str | None = None
    nflog_prefix: str | None = None
    nflog_group: str | None = None
    clamp_mss_to_pmtu: bool | None = None
    set_mss: str | None = None
    notrack: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def read(self, name: str, source: tuple[Any, int, str]) -> Mapping[str, Any]:
        """Read a line of iptables-save: first its place and text, then all fields together."""
        chain, index, line = source
        counters, _, text = line.partition("] -A ") if line[0] == "[" else ("", "", line[3:])
        place = {"table": chain.table, "chain": chain.name, "index": index, "text": f"-A {text}"}
        place |= {"family": chain.family, "backend": chain.backend}
        if name in place:
            return place
        packets, _, octets = counters[1:].partition(":")
        counted = {"packets": int(packets), "bytes": int(octets)} if octets else {}
        return {**place, **counted, **fields_of(options_of(text)), **ALL_READ}

    @property
    def spec(self) -> RuleSpec:
        """Give what the rule means as a whole."""
        return spec_of_text(self.text)

    def spells(self, text: str) -> bool:
        """Say whether *text* is this whole rule, less comments and counters.

        Raises: Unreadable for a text that is no rule.
        """
        wanted = parse_rule(text)
        return wanted.target[1] in self.text and wanted == self.spec

    def likeness(self, text: str) -> float:
        """Say how much this rule and *text* share, from 0 to 1.

        Raises: Unreadable for a text that is no rule.
        """
        mine, wanted = self.spec.parts, parse_rule(text).parts
        return len(mine & wanted) / len(mine | wanted)

    @staticmethod
    def misspelt(text: str) -> str | None:
        """Say why *text* is no rule, where it is none."""
        return misspelling(text)

    def caption(self) -> str:
        command = "ip6tables" if self.family == "ip6" else "iptables"
        return f"{command}-{self.backend} -t {self.table} {self.text}"


@lru_cache(maxsize=65536)
def spec_of_text(text: str) -> RuleSpec:
    return spec_of(options_of(text))


FLAGS = frozenset(field.name for field in fields(ChainRule) if field.type == "bool | None")
NAMED = frozenset(field.name for field in fields(ChainRule)[6:]) - {"options", "packets", "bytes"}
SHORT = {
    "s": "src",
    "d": "dst",
    "p": "protocol",
    "i": "iif",
    "o": "oif",
    "j": "jump",
    "g": "goto",
    "f": "fragment",
}


def fields_of(options: Iterable[Option]) -> dict[str, Any]:
    """Give the options of a rule as fields of ChainRule."""
    found: dict[str, Any] = {}
    others: dict[str, Any] = {}
    module = ""
    for option in options:
        name = SHORT.get(option.name) or option.name.replace("-", "_")
        if name == "m":
            module = " ".join(option.values)
        elif name == "mark" and module == "connmark":
            found.setdefault("connmark", value_of(option))
        elif name == "match_set":
            found[name] = (*found.get(name, ()), value_of(option))
        elif name == "comment" and name in found:
            found[name] += " " + value_of(option)
        elif name in FLAGS:
            found.setdefault(name, not option.negated)
        elif name in NAMED:
            found.setdefault(name, value_of(option))
        elif name not in ("append", "set_counters", ""):
            others.setdefault(name, value_of(option) if option.values else not option.negated)
    return found | {"options": others}


def value_of(option: Option) -> str:
    value = " ".join(option.values)
    return f"! {value}" if option.negated else value
