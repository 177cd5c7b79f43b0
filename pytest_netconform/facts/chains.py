"""Chains of iptables and their rules, as iptables-save prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Vocabulary
from pytest_netconform.facts.chainrules import ChainRule
from pytest_netconform.facts.late import Late
from pytest_netconform.facts.vocabularies import CHAIN_BACKEND, CHAIN_FAMILY, CHAIN_POLICY, CHAIN_TABLE

DECLARATION = re.compile(r"([A-Z]+|-)(?: \[\d+:\d+\])?")
COUNTERS = re.compile(r"\[\d+:\d+\] ")
OPENING = re.compile(r'--[a-z0-9-]+ "')
CLOSING = re.compile(r'(?<!\\)(?:\\\\)*"')
INCOMPATIBLE = re.compile(r"# Table `(.*)' (is incompatible|contains incompatible base-chains)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain(Late):
    """One chain with its rules.

    Shape: *family* is ip or ip6, *backend* nft or legacy. A chain of the user's has no *policy*. *incomplete*
           says that its table also has base chains which iptables cannot show, and nft can. What iptables-nft
           shows of a rule that nft made is not all of it: a set or a comparison may be missing, unmarked.
    """

    identity: ClassVar[tuple[str, ...]] = ("family", "backend", "table", "name")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {
        "family": CHAIN_FAMILY,
        "backend": CHAIN_BACKEND,
        "table": CHAIN_TABLE,
        "policy": CHAIN_POLICY,
    }

    family: str
    backend: str
    table: str
    name: str
    policy: str | None = None
    packets: int | None = None
    bytes: int | None = None
    incomplete: bool = False
    rules: tuple[ChainRule, ...] = ()

    def read(self, name: str, source: list[Any]) -> Mapping[str, Any]:
        """Read the chain's declaration, as in `ACCEPT [16:9872]`, or make its rules of their lines."""
        dump, table, chain, declaration, *lines = source
        if name == "rules":
            return {name: tuple(ChainRule.late((self, index, line)) for index, line in enumerate(lines, 1))}
        policy, _, counters = declaration.partition(" ")
        packets, _, octets = counters.strip("[]").partition(":")
        return {
            "family": dump.family,
            "backend": dump.backend,
            "table": table,
            "name": chain,
            "policy": None if policy == "-" else policy,
            "packets": int(packets) if octets else None,
            "bytes": int(octets) if octets else None,
            "incomplete": table in dump.incomplete,
        }

    def caption(self) -> str:
        return (
            f"{self.table} {self.name} ({'ip6tables' if self.family == 'ip6' else 'iptables'}-{self.backend})"
        )


def parse_iptables_save(text: str, family: str, backend: str) -> tuple[Chain, ...]:
    """Read what iptables-save printed, with or without counters.

    Shape:  no output at all is a family without tables.
    Raises: Unreadable, with the line, for what is no such output, is cut short, or leaves a table out.
    """
    dump = Dump(family, backend)
    lines_of, sound, number = dump.lines_of, {"[0:0] ", ""}, 0
    for number, line in logical_lines(text):
        if line[:1] not in ("[", "-"):
            dump.take(number, line)
            continue
        start, option, rest = line.partition("-A ")
        chain = rest.partition(" ")[0]
        if start not in sound:
            if not option or not COUNTERS.fullmatch(start):
                raise Unreadable(f"{number}: expected `[packets:bytes] -A CHAIN ...`, got {line[:60]!r}")
            sound.add(start)
        if chain not in lines_of:
            raise Unreadable(f"{number}: a rule of chain {chain!r}, which the table does not have")
        lines_of[chain].append(line)
    if dump.table is not None:
        raise Unreadable(f"{number}: table {dump.table} is cut short: no COMMIT")
    return tuple(dump.chains)


class Dump:
    """What was read so far of the output of iptables-save, but for the rules."""

    def __init__(self, family: str, backend: str) -> None:
        self.family, self.backend = family, backend
        self.table: str | None = None
        self.incomplete: set[str] = set()
        self.lines_of: dict[str, list[Any]] = {}
        """For each chain of the table its source: dump, table, name, declaration, and its rules' lines."""
        self.chains: list[Chain] = []

    def take(self, number: int, line: str) -> None:
        """Take a line that is no rule: a comment, or where a table begins, has a chain, or ends."""
        if line[:1] == ":" and self.table is not None:
            self.declare(number, line)
        elif line[:1] == "*" and self.table is None:
            self.table = line[1:].strip()
        elif line.strip() == "COMMIT" and self.table is not None:
            self.table = None
            self.lines_of.clear()
        elif line[:1] == "#":
            self.heed(number, line)
        elif line.strip():
            raise Unreadable(f"{number}: expected a line of iptables-save, got {line[:60]!r}")

    def declare(self, number: int, line: str) -> None:
        name, _, declaration = line[1:].partition(" ")
        if declaration != "- [0:0]" and not DECLARATION.fullmatch(declaration):
            raise Unreadable(f"{number}: expected `:CHAIN POLICY [packets:bytes]`, got {line[:60]!r}")
        source = self.lines_of[name] = [self, self.table, name, declaration]
        self.chains.append(Chain.late(source))

    def heed(self, number: int, line: str) -> None:
        """Take from a comment what iptables-nft says of tables that nft made, too."""
        if not (said := INCOMPATIBLE.match(line)):
            return
        if said[2] == "is incompatible":
            raise Unreadable(
                f"{number}: iptables cannot show table {said[1]}, which holds rules that only nft can"
            )
        self.incomplete.add(said[1])


def logical_lines(text: str) -> Iterable[tuple[int, str]]:
    """Number the lines; a newline in quotes ends none, so that no comment can pose as rules."""
    lines = text.split("\n")
    if "\\" not in text and not any(map((1).__and__, map(methodcaller("count", '"'), lines))):
        return enumerate(lines, 1)
    return joined(lines)


def joined(lines: list[str]) -> Iterator[tuple[int, str]]:
    pending: list[str] = []
    for number, line in enumerate(lines, 1):
        pending.append(line)
        if not open_after(line, len(pending) > 1):
            yield number - len(pending) + 1, "\n".join(pending)
            pending = []
    if pending:
        raise Unreadable(f"{len(lines) - len(pending) + 1}: a quote is not closed")


def open_after(line: str, inside: bool) -> bool:
    """Say whether a quote is open at the end of a line, which began *inside* one or not."""
    position = 0
    while found := (CLOSING if inside else OPENING).search(line, position):
        position, inside = found.end(), not inside
    return inside
