"""What an iptables rule means as a whole, so that two texts of it compare as equal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.ruletexts import ONE_VALUE, Option, options_of

Meaning = tuple[str, Any, bool]
"""An option's name, its value in one form, and whether it is negated."""


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule without its comments and counters, and without the order of its options.

    Shape: *matches* has for each match module, by name, the meaning of its options; the module of -s, -d, -p,
           -i, -o and -f is "". *target* is what -j or -g names, with its options.
    """

    matches: frozenset[tuple[str, frozenset[Meaning]]]
    target: tuple[str, str, frozenset[Meaning]]

    @property
    def parts(self) -> frozenset[Any]:
        """Give all that the rule says, one by one, to compare rules that are not the same."""
        asked = {(module, option) for module, options in self.matches for option in options or (module,)}
        return frozenset(asked | {self.target[:2], *self.target[2]})


PROTOCOLS = {
    "0": "all", "1": "icmp", "2": "igmp", "4": "ipencap", "6": "tcp", "17": "udp", "33": "dccp", "41": "ipv6",
    "47": "gre", "50": "esp", "51": "ah", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp", "132": "sctp",
    "135": "mobility-header", "ipv6-mh": "mobility-header", "136": "udplite",
}  # fmt: skip
PROTOCOL_MODULES = {"ipv6-icmp": "icmp6", "mobility-header": "mh"}
OWNERS = {
    **dict.fromkeys(("sport", "dport"), ("tcp", "udp", "sctp", "dccp", "udplite")),
    **dict.fromkeys(("tcp-flags", "syn", "tcp-option"), ("tcp",)),
    "icmp-type": ("icmp",), "icmpv6-type": ("icmp6",),
    **dict.fromkeys(("sports", "dports", "ports"), ("multiport",)),
    "comment": ("comment",), "mark": ("mark", "connmark"), "ctstate": ("conntrack",), "state": ("state",),
    "match-set": ("set",), "src-type": ("addrtype",), "dst-type": ("addrtype",),
}  # fmt: skip
"""Options that may stand apart from their `-m`, and the modules that have them."""
FULL = 0xFFFFFFFF
LAST_PORT = 65535
TCP_FLAGS = frozenset({"FIN", "SYN", "RST", "PSH", "ACK", "URG"})
UNITS = {"s": "sec", "m": "min", "h": "hour", "d": "day"}
DEFAULTS: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("REJECT", "reject-with", "icmp-port-unreachable"),
        ("REJECT", "reject-with", "icmp6-port-unreachable"),
        ("LOG", "log-level", "4"),
        ("LOG", "log-level", "warning"),
        ("limit", "limit-burst", "5"),
        ("hashlimit", "hashlimit-burst", "5"),
        ("recent", "name", "DEFAULT"),
        ("recent", "rsource", ""),
        ("recent", "mask", "255.255.255.255"),
        ("recent", "mask", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("time", "datestop", "2038-01-19T03:14:07"),
        ("", "p", "all"),
        ("", "i", "+"),
        ("", "o", "+"),
        ("", "s", "0.0.0.0/0"),
        ("", "d", "0.0.0.0/0"),
        ("", "s", "::/0"),
        ("", "d", "::/0"),
    }
)
"""What iptables prints, or a person writes, though it changes nothing: module, option, value."""


def number(text: str) -> int:
    return int(text, 0) if not text.isdecimal() else int(text)


@lru_cache(maxsize=65536)
def network(text: str) -> str:
    """Give a network without host bits; a host keeps its length: 10.0.0.1 is 10.0.0.1/32."""
    return str(ip_network(text.replace("/255.255.255.255", "/32"), strict=False))


def protocol(text: str) -> str:
    return PROTOCOLS.get(text.lower(), text.lower())


def masked(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    return number(value), number(mask) if mask else FULL


def port_range(text: str) -> tuple[int, int]:
    first, colon, last = text.replace("-", ":").partition(":")
    return (int(first or 0), int(last or LAST_PORT)) if colon else (int(first), int(first))


def other_ports(ports: tuple[int, int], negated: bool) -> tuple[tuple[int, int], bool]:
    """Write `! :90` as `91:`, as iptables-nft does."""
    first, last = ports
    if negated and first == 0 and last < LAST_PORT:
        return (last + 1, LAST_PORT), False
    if negated and last == LAST_PORT and first > 0:
        return (0, first - 1), False
    return ports, negated


def ports(text: str) -> frozenset[tuple[int, int]]:
    return frozenset(map(port_range, text.split(",")))


def words(text: str) -> frozenset[str]:
    return frozenset(text.upper().split(","))


def probability(text: str) -> int:
    return round(float(text) * 0x80000000)


def rate(text: str) -> str:
    amount, _, unit = text.partition("/")
    return f"{amount}/{UNITS.get(unit[:1], 'sec')}"


def tcp_flags(text: str) -> tuple[frozenset[str], ...]:
    named = (words(part) - {"NONE"} for part in text.split())
    return tuple(TCP_FLAGS if "ALL" in part else part for part in named)


def set_mark(text: str) -> tuple[int, int]:
    value, mask = masked(text)
    return value, mask | value


def or_mark(text: str) -> tuple[int, int]:
    return number(text), number(text)


def and_mark(text: str) -> tuple[int, int]:
    return 0, FULL & ~number(text)


def xor_mark(text: str) -> tuple[int, int]:
    return number(text), 0


FORMS: dict[str, Callable[[str], Any]] = {
    "s": network, "d": network, "p": protocol, "sport": port_range, "dport": port_range,
    "sports": ports, "dports": ports, "ports": ports, "ctproto": protocol, "mark": masked,
    "ctstate": words, "state": words, "ctstatus": words, "src-type": words, "dst-type": words,
    "tcp-flags": tcp_flags, "probability": probability, "limit": rate, "set-xmark": masked,
    "set-mark": set_mark, "or-mark": or_mark, "and-mark": and_mark, "xor-mark": xor_mark,
}  # fmt: skip
"""How the value of an option is brought into one form; a ValueError leaves it as it is written."""
SYNONYMS = dict.fromkeys(("set-mark", "or-mark", "and-mark", "xor-mark"), "set-xmark")
SYN = Option("tcp-flags", ("FIN,SYN,RST,ACK", "SYN"))
PLAIN = frozenset(["s", "d", "p", "i", "o", "f"]) | {""}
IGNORED = frozenset({"append", "set-counters", "ipv4", "ipv6"})


def meaning(option: Option) -> Meaning:
    """Bring an option into the one form that all its spellings share."""
    name, values, negated = SYN._replace(negated=option.negated) if option.name == "syn" else option
    value: Any = " ".join(values)
    if form := FORMS.get(name):
        with suppress(ValueError):
            value = form(value)
    if name in ("sport", "dport") and isinstance(value, tuple):
        value, negated = other_ports(value, negated)
    return SYNONYMS.get(name, name), value, negated


def spec_of(options: Iterable[Option]) -> RuleSpec:
    """Put the options of a rule together by the module that each belongs to."""
    plain: list[Option] = []
    modules = [("", plain)]
    target, its = ("", ""), list[Option]()
    for option in options:
        if option.name in ("j", "g"):
            target, its = (option.name, " ".join(option.values)), []
            modules.append((target[1], its))
        elif option.name == "m":
            modules.append((" ".join(option.values), []))
        elif option.name in PLAIN:
            plain.append(option)
        elif option.name not in IGNORED:
            owner(option, modules).append(option)
    matches = ((name, meanings(name, asked)) for name, asked in modules if asked is not its)
    implied = implied_by(plain)
    return RuleSpec(
        frozenset(
            match for match in matches if match[0] != "comment" and (match[1] or match[0] not in implied)
        ),
        (*target, meanings(target[1], its)),
    )


def owner(option: Option, modules: list[tuple[str, list[Option]]]) -> list[Option]:
    """Find the module of an option: the last that has it, or the one that -p implies, or the last."""
    owners = OWNERS.get(option.name)
    if owners is None:
        return modules[-1][1]
    for name, options in reversed(modules):
        if name in owners:
            return options
    protocols = [module for module in implied_by(modules[0][1]) if module in owners]
    modules.insert(1, (protocols[0] if protocols else owners[0], []))
    return modules[1][1]


def implied_by(plain: Iterable[Option]) -> set[str]:
    """List the modules that iptables loads by itself for `-p`, and "" which every rule has."""
    names = (protocol(option.values[0]) for option in plain if option.name == "p" and option.values)
    return {""} | {PROTOCOL_MODULES.get(name, name) for name in names}


def meanings(module: str, options: Iterable[Option]) -> frozenset[Meaning]:
    return frozenset(
        found
        for option in options
        if (found := meaning(option))[2] or (module, option.name, str(found[1])) not in DEFAULTS
    )


@lru_cache(maxsize=4096)
def parse_rule(text: str) -> RuleSpec:
    """Read a rule as iptables-save prints it; `-A CHAIN` in front may be left out.

    Raises: Unreadable for what iptables would not take as one rule.
    """
    if wrong := misspelling(text):
        raise Unreadable(wrong)
    return spec_of(options_of(text))


def misspelling(text: str) -> str | None:
    """Say what is wrong with a rule that a person wrote; None where nothing is."""
    options = list(options_of(text))
    if not options:
        return "an empty rule; write one as iptables-save prints it"
    for option in options:
        if unclosed := [value for value in option.values if type(value) is str and value[:1] in ("'", '"')]:
            return f"a quote is not closed: {unclosed[0]}"
        if not option.name:
            return f"expected an option, got {option.values[0]!r}"
        if option.name in ONE_VALUE and not option.values:
            return (
                f"-{option.name} needs a value" if len(option.name) == 1 else f"--{option.name} needs a value"
            )
        if option.name in ("s", "d") and (wrong := wrong_network(option.values[0])):
            return wrong
    return None


def wrong_network(text: str) -> str | None:
    try:
        network(text)
    except ValueError:
        mask = text.partition("/")[2]
        return None if "." in mask else f"{text!r} is no address or network; a rule has one of them"
    return None
