"""What the kernel uses for each interface and family, of `all` and of the interface's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.vocabularies import FAMILY


@dataclass(frozen=True, slots=True, kw_only=True)
class Netconf(Fact):
    """What applies to one interface in one family; there are no rows for all and default.

    Shape:  None is what this family or this kernel does not have. For inet6, *forwarding* is that of all, or
            the interface's force_forwarding: by nothing else does the kernel forward, whatever
            conf.<dev>.forwarding says. *proxy_neigh* is proxy_arp or proxy_ndp.
    Source: the kernel's include/linux/inetdevice.h, net/ipv6/ip6_output.c (ip6_forward) and ndisc.c.
    """

    identity: ClassVar[tuple[str, ...]] = ("family", "ifname")
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {"family": FAMILY}

    family: str
    ifname: str
    forwarding: bool | None = None
    mc_forwarding: bool | None = None
    bc_forwarding: bool | None = None
    rp_filter: int | None = None
    src_valid_mark: bool | None = None
    proxy_neigh: bool | None = None
    proxy_arp: bool | None = None
    route_localnet: bool | None = None
    accept_local: bool | None = None
    accept_redirects: bool | None = None
    send_redirects: bool | None = None
    secure_redirects: bool | None = None
    shared_media: bool | None = None
    accept_source_route: bool | None = None
    log_martians: bool | None = None
    arp_accept: int | None = None
    arp_announce: int | None = None
    arp_filter: bool | None = None
    arp_ignore: int | None = None
    arp_notify: int | None = None
    ignore_routes_with_linkdown: bool | None = None
    accept_ra: int | None = None
    accept_dad: int | None = None
    disable_ipv6: bool | None = None

    def caption(self) -> str:
        return self.ifname if self.family == "inet" else f"{self.ifname} {self.family}"


def either(everywhere: int, here: int) -> bool:
    return bool(everywhere or here)


def both(everywhere: int, here: int) -> bool:
    return bool(everywhere and here)


def own(_everywhere: int, here: int) -> bool:
    return bool(here)


def own_number(_everywhere: int, here: int) -> int:
    return here


Combine = Callable[[int, int], int]
OF_ITSELF = (own, own_number)
"""Rules that do not ask what `all` says."""
INET: dict[str, Combine] = {
    "forwarding": own,
    "mc_forwarding": both,
    "bc_forwarding": both,
    "rp_filter": max,
    "src_valid_mark": either,
    "proxy_arp": either,
    "route_localnet": either,
    "accept_local": either,
    "send_redirects": either,
    "secure_redirects": either,
    "shared_media": either,
    "accept_source_route": both,
    "log_martians": either,
    "arp_accept": max,
    "arp_announce": max,
    "arp_filter": either,
    "arp_ignore": max,
    "arp_notify": max,
    "ignore_routes_with_linkdown": own,
}
INET6: dict[str, Combine] = {
    "mc_forwarding": both,
    "ignore_routes_with_linkdown": own,
    "accept_ra": own_number,
    "accept_dad": max,
    "disable_ipv6": own,
}
DIRECTORIES = {"net/ipv4/conf/": "inet", "net/ipv6/conf/": "inet6"}
NETCONF_KEYS: Mapping[str, frozenset[str]] = {
    "net/ipv4/conf/": frozenset([*INET, "accept_redirects"]),
    "net/ipv6/conf/": frozenset([*INET6, "forwarding", "accept_redirects", "proxy_ndp", "force_forwarding"]),
}
"""What is read of each interface, in the directories of the two families."""
Conf = dict[str, int]


def parse_netconf(values: Mapping[str, str]) -> tuple[Netconf, ...]:
    """Put together what applies to each interface, from values by path: `net/ipv4/conf/eth0.5/forwarding`.

    Raises: Unreadable for a value that is no number, and where what `all` says is not known.
    """
    confs: dict[str, dict[str, Conf]] = {"inet": {}, "inet6": {}}
    for path, text in values.items():
        if family := DIRECTORIES.get(path[:14]):
            ifname, _, key = path[14:].partition("/")
            conf = confs[family].setdefault(ifname, {})
            if key in NETCONF_KEYS[path[:14]]:
                conf[key] = number(path, text)
    if not confs["inet"]:
        raise Unreadable("net/ipv4/conf: holds no interface")
    return (*rows(confs["inet"], inet), *rows(confs["inet6"], inet6))


def number(path: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreadable(f"{path}: expected a whole number, got {text[:40]!r}") from None


def rows(confs: dict[str, Conf], row: Callable[[str, Conf, Conf], Netconf]) -> Iterator[Netconf]:
    everywhere = confs.pop("all", {})
    confs.pop("default", None)
    try:
        yield from (row(ifname, everywhere, here) for ifname, here in confs.items())
    except KeyError as missing:
        raise Unreadable(
            f"what conf/all/{missing.args[0]} says is not known, so neither what applies"
        ) from None


def combined(rules: dict[str, Combine], everywhere: Conf, here: Conf) -> dict[str, Any]:
    """Apply the rules to what an interface has.

    Raises: KeyError for what is not known of `all`.
    """
    return {
        key: rule(0 if rule in OF_ITSELF else everywhere[key], here[key])
        for key, rule in rules.items()
        if key in here
    }


def inet(ifname: str, everywhere: Conf, here: Conf) -> Netconf:
    redirects = both if here.get("forwarding") else either
    found = combined({**INET, "accept_redirects": redirects}, everywhere, here)
    return Netconf(family="inet", ifname=ifname, proxy_neigh=found.get("proxy_arp"), **found)


def inet6(ifname: str, everywhere: Conf, here: Conf) -> Netconf:
    found = combined(INET6, everywhere, here)
    if "forwarding" in here:
        found["forwarding"] = either(everywhere["forwarding"], here.get("force_forwarding", 0))
    if "accept_redirects" in here:
        found["accept_redirects"] = bool(here["accept_redirects"]) and not here.get("forwarding")
    proxy = combined({"proxy_ndp": either}, everywhere, here).get("proxy_ndp")
    return Netconf(family="inet6", ifname=ifname, proxy_neigh=proxy, **found)
