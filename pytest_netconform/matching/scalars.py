"""Single values: which texts are numbers and addresses, when two are the same, how one is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any

from pytest_netconform.facts.base import Fact

Network = IPv4Network | IPv6Network
LONGEST_SHOWN = 300
LONGEST_NUMBER = 40
INTEGER = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|[0-9]+)")
DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+")
MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,}")
ADDRESS = re.compile(r"(?:[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:/[0-9]+)?")


class Everywhere(str):
    """The words `default` and `all` where they stand for every address of one family."""

    __slots__ = ("network",)
    network: Network

    def __new__(cls, word: str, network: Network) -> Everywhere:
        made = super().__new__(cls, word)
        made.network = network
        return made


NETWORKS = {"inet": ip_network("0.0.0.0/0"), "inet6": ip_network("::/0")}
EVERYWHERE = {
    (word, family): Everywhere(word, network)
    for word in ("default", "all")
    for family, network in NETWORKS.items()
}
CIDR_PARTS: Mapping[str, Callable[[Any], Any]] = {
    "ip": lambda interface: str(interface.ip),
    "network": lambda interface: str(interface.network),
    "prefixlen": lambda interface: interface.network.prefixlen,
}


def cidr_part(text: str, part: str) -> Any:
    """Give one part of an address with its prefix length: of 10.42.1.1/24 the network 10.42.1.0/24.

    Raises: ValueError.
    """
    return CIDR_PARTS[part](ip_interface(text))


def number(value: Any) -> int | float | None:
    """Read a number, also from numeric text such as "1450" or "0x4000"; None for what is none."""
    if isinstance(value, (int, float)):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        return None
    if INTEGER.fullmatch(value):
        return int(value, 16 if "x" in value else 10)
    return float(value) if DECIMAL.fullmatch(value) else None


def network(value: Any) -> Network | None:
    """Read an address or a network, without its host bits; a single address is a network of one."""
    if isinstance(value, Everywhere):
        return value.network
    return network_of(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def network_of(text: str) -> Network | None:
    if not ADDRESS.fullmatch(text):
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def sameness(value: Any) -> Any:
    """Bring a text into the one form that all its spellings share; None where it has only one.

    Shape: 10.1.1.1 and 10.1.1.1/32 share theirs, so do "0x10" and "16", and a MAC in either case.
    """
    if isinstance(value, Everywhere):
        return value.network.version, 0, 0
    return sameness_of(value) if isinstance(value, str) else number(value)


@lru_cache(maxsize=8192)
def sameness_of(text: str) -> Any:
    if INTEGER.fullmatch(text):
        return number(text)
    if MAC.fullmatch(text):
        return text.lower()
    if not ADDRESS.fullmatch(text):
        return None
    try:
        interface = ip_interface(text)
    except ValueError:
        return None
    return interface.version, int(interface.ip), interface.network.prefixlen


def spell(value: Any) -> str:
    """Write a value in full, as it stands inside a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def show(value: Any) -> str:
    """Write a value as a suite would have it: on one line, whatever it contains, and not too long."""
    match value:
        case None:
            return "absent"
        case bool():
            return str(value).lower()
        case str():
            return plainly(value)
        case Fact():
            return plainly(value.caption())
        case list() | tuple():
            return shortened("[" + ", ".join(map(show, value[:LONGEST_SHOWN])) + "]")
        case Mapping():
            return shortened(
                "{" + ", ".join(f"{show(key)}: {show(inner)}" for key, inner in value.items()) + "}"
            )
        case _:
            return str(value)


def plainly(text: str) -> str:
    plain = text.isprintable() and text == text.strip() != ""
    return shortened(text if plain else repr(text[: LONGEST_SHOWN + 1]))


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
