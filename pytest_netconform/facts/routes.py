"""Routes of all tables, as `ip route` tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_netconform.facts.base import Fact, Vocabulary
from pytest_netconform.facts.rows import Reader, Row, name_of, rows_of
from pytest_netconform.facts.vocabularies import (
    FAMILY,
    ROUTE_FLAGS,
    ROUTE_PREF,
    ROUTE_PROTOCOL,
    ROUTE_TYPE,
    SCOPE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Fact):
    """One route of one table.

    Units: mtu and advmss in bytes; rtt, rttvar and rto_min in ms; expires in seconds.
    Shape: *dst* is `default` or a prefix, a host's without its length; *src* is what ip calls from. *via* is
           a gateway of the other family, {family, host}. *encap* has its kind under encap_type. Each of
           *nexthops* has dev, weight, flags, and gateway or via.
    """

    identity: ClassVar[tuple[str, ...]] = (
        "family",
        "table",
        "type",
        "dst",
        "tos",
        "metric",
        "dev",
        "gateway",
    )
    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {
        "family": FAMILY,
        "type": ROUTE_TYPE,
        "scope": SCOPE,
        "protocol": ROUTE_PROTOCOL,
        "flags": ROUTE_FLAGS,
        "pref": ROUTE_PREF,
    }

    family: str
    dst: str
    type: str = "unicast"
    gateway: str | None = None
    via: Mapping[str, Any] | None = None
    dev: str | None = None
    table: str = "main"
    protocol: str | None = None
    scope: str | None = None
    prefsrc: str | None = None
    src: str | None = None
    metric: int | None = None
    flags: tuple[str, ...] = ()
    nexthops: tuple[Mapping[str, Any], ...] = ()
    nhid: int | None = None
    pref: str | None = None
    tos: str | None = None
    mark: int | None = None
    iif: str | None = None
    flow: Mapping[str, Any] | None = None
    encap: Mapping[str, Any] | None = None
    expires: int | None = None
    mtu: int | None = None
    advmss: int | None = None
    window: int | None = None
    rtt: int | None = None
    rttvar: int | None = None
    ssthresh: int | None = None
    cwnd: int | None = None
    initcwnd: int | None = None
    initrwnd: int | None = None
    reordering: int | None = None
    hoplimit: int | None = None
    rto_min: int | None = None
    quickack: int | None = None
    congestion: str | None = None
    fastopen_no_cookie: int | None = None

    def caption(self) -> str:
        words = [self.type] if self.type != "unicast" else []
        words.append(self.dst)
        for word, value in (("via", self.gateway), ("dev", self.dev), ("metric", self.metric)):
            words += [word, str(value)] if value is not None else []
        return " ".join(words if self.table == "main" else [*words, "table", self.table])


AFTER_ENCAP = frozenset({"gateway", "via", "dev", "table", "protocol", "scope"})
"""Of these keys of a route, one follows its encapsulation."""


READER = Reader(Route)


def parse_routes(text: str, family: str) -> tuple[Route, ...]:
    """Read what `ip -4 -d -j route show table all` printed for family inet, or -6 for inet6.

    Raises: Unreadable.
    """
    hook = encap_apart if '"encap"' in text else None
    return tuple(READER.read(flattened(row), family=family) for row in READER.rows(text, hook))


def flattened(row: Row) -> Row:
    """Give a route the fields that ip prints elsewhere or by another name: its metrics, and `from`."""
    dst = row.get("dst")
    flat = row | {"dst": dst.rstrip()} if isinstance(dst, str) and dst[-1:] == " " else row
    if "from" in row:
        flat = flat | {"src": row["from"]}
    if "metrics" not in row:
        return flat
    for part in rows_of(row["metrics"], f"{name_of(row)}metrics: "):
        flat = part | flat
    return flat


def encap_apart(pairs: list[tuple[str, Any]]) -> Row:
    """Gather an encapsulation's keys.

    Older iproute2 puts them flat into the route, so that an encapsulation's dst would hide the route's own.
    """
    names = [name for name, _ in pairs]
    start = names.index("encap") if "encap" in names else None
    if start is None or not isinstance(pairs[start][1], str):
        return dict(pairs)
    end = next((i for i in range(start, len(pairs)) if names[i] in AFTER_ENCAP), len(pairs))
    encap = {"encap_type": pairs[start][1], **dict(pairs[start + 1 : end])}
    return {**dict(pairs[:start]), "encap": encap, **dict(pairs[end:])}
