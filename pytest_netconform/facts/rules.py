"""Rules of policy routing, as `ip rule` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row
from pytest_netconform.facts.vocabularies import FAMILY, RULE_ACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Fact):
    """One rule that leads packets to a routing table, or elsewhere.

    Shape: *src* is `all` or a prefix, *dst* a prefix or None; a host's comes without its length. *inverted*
           is ip's `not`. *action* is lookup, goto, nop, blackhole, unreachable or prohibit. A range of ports
           or users reads `1000-1999`. *fwmark* and *fwmask* are hexadecimal text; without *fwmask* all bits
           count.
    Source: ip-rule(8); iproute2 ip/iprule.c, print_rule.
    """

    identity: ClassVar[tuple[str, ...]] = (
        "family",
        "priority",
        "src",
        "dst",
        "iif",
        "oif",
        "fwmark",
        "fwmask",
        "table",
    )
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"family": FAMILY, "action": RULE_ACTION}

    family: str
    priority: int
    src: str = "all"
    dst: str | None = None
    inverted: bool = False
    tos: str | None = None
    dscp: str | None = None
    fwmark: str | None = None
    fwmask: str | None = None
    iif: str | None = None
    iif_detached: bool = False
    oif: str | None = None
    oif_detached: bool = False
    l3mdev: bool = False
    uidrange: str | None = None
    ipproto: str | None = None
    sport: str | None = None
    dport: str | None = None
    tun_id: int | None = None
    action: str = "lookup"
    table: str | None = None
    goto: int | None = None
    unresolved: bool = False
    suppress_prefixlength: int | None = None
    suppress_ifgroup: str | None = None
    protocol: str | None = None

    def caption(self) -> str:
        words = [f"{self.priority}:", *(["not"] if self.inverted else []), "from", self.src]
        for word, value in (("to", self.dst), ("fwmark", self.fwmark), ("iif", self.iif), ("oif", self.oif)):
            words += [word, value] if value is not None else []
        target = self.table if self.action == "lookup" else self.goto
        return " ".join([*words, self.action, *([str(target)] if target is not None else [])])


READER = Reader(Rule)
PRESENCE = {"not": "inverted"} | {
    name: name for name in ("iif_detached", "oif_detached", "l3mdev", "unresolved")
}
"""Keys that ip prints as null where they hold, and their fields."""


def parse_rules(text: str, family: str) -> tuple[Rule, ...]:
    """Read what `ip -4 -d -j rule` printed for family inet, or -6 for inet6.

    Raises: Unreadable.
    """
    return tuple(READER.read(joined(row), family=family) for row in READER.rows(text))


def joined(row: Row) -> Row:
    """Join what ip prints in two keys, and give the names of Rule to the rest."""
    flat = row | {field: True for key, field in PRESENCE.items() if key in row}
    flat |= {name: ranged(row, name) for name in ("sport", "dport") if f"{name}_start" in row}
    flat |= {name: prefix(row, name) for name in ("src", "dst") if f"{name}len" in row}
    if "uid_start" in row:
        flat["uidrange"] = ranged(row, "uid")
    if row.get("goto") == "none":
        del flat["goto"]
    return flat | {"action": action_of(row), "suppress_prefixlength": row.get("suppress_prefixlen")}


def action_of(row: Row) -> Any:
    return row.get("action", next((name for name in ("goto", "nop") if name in row), "lookup"))


def ranged(row: Row, name: str) -> str:
    return f"{number(row, f'{name}_start')}-{number(row, f'{name}_end')}"


def prefix(row: Row, name: str) -> str:
    return f"{row.get(name)}/{number(row, f'{name}len')}"


def number(row: Row, name: str) -> int:
    value = row.get(name)
    if type(value) is not int:
        raise Unreadable(f"1: rule {row.get('priority')}: {name}: expected a whole number, got {value!r}")
    return value
