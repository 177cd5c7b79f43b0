"""Rules of policy routing.

Source: linux/fib_rules.h; ip-rule(8).
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, raw, text, u8, u32
from pytest_netconform.kernel.rtnetlink.base import NEW, Request, deed, family, one_of, table_of, words
from pytest_netconform.kernel.rtnetlink.routes import Network

RTM_NEWRULE, RTM_DELRULE, FIB_RULE_INVERT = 32, 33, 0x2
ACTIONS = {"lookup": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}
RULE_HEADER = struct.Struct("=8BI")


class Fra:
    """Attributes of a rule."""

    DST = Attribute(1, raw)
    SRC = Attribute(2, raw)
    IIF = Attribute(3, text)
    GOTO = Attribute(4, u32)
    PRIORITY = Attribute(6, u32)
    FWMARK = Attribute(10, u32)
    SUPPRESS_PREFIXLENGTH = Attribute(14, u32)
    TABLE = Attribute(15, u32)
    FWMASK = Attribute(16, u32)
    OIF = Attribute(17, text)
    IPPROTO = Attribute(22, u8)


@deed("rule add {}")
def rule_add(
    action: str = "lookup",
    *,
    table: int | str | None = None,
    goto: int | None = None,
    priority: int | None = None,
    src: str | None = None,
    dst: str | None = None,
    iif: str | None = None,
    oif: str | None = None,
    fwmark: int | None = None,
    fwmask: int | None = None,
    ipproto: int | None = None,
    suppress_prefixlength: int | None = None,
    inverted: bool = False,
    inet6: bool | None = None,
) -> Request:
    """Add a rule, IPv4's unless *inet6* or an address in it says otherwise.

    Shape: *src* is what ip calls from; *inverted* is its `not`. Without a priority the kernel gives it the
           one before the first that was given.
    """
    if (action == "lookup") != (table is not None) or (action == "goto") != (goto is not None):
        raise ValueError("a lookup needs a table, goto a priority, and what is neither has none")
    body = _header(src, dst, action, inverted, inet6) + (
        Fra.TABLE(table_of(table))
        + Fra.GOTO(goto)
        + Fra.PRIORITY(priority)
        + Fra.IIF(iif)
        + Fra.OIF(oif)
        + Fra.FWMARK(fwmark)
        + Fra.FWMASK(fwmask)
        + Fra.IPPROTO(ipproto)
        + Fra.SUPPRESS_PREFIXLENGTH(suppress_prefixlength)
    )
    what = words(
        "rule add",
        *(("not",) if inverted else ()),
        ("priority", priority),
        ("from", src),
        ("to", dst),
        ("iif", iif),
        ("oif", oif),
        ("fwmark", fwmark),
        action if action not in ("lookup", "goto") else (action, table if goto is None else goto),
    )
    return Request(what, RTM_NEWRULE, NEW, body)


@deed("rule delete {}")
def rule_delete(
    priority: int | None = None,
    *,
    action: str | None = None,
    table: int | str | None = None,
    src: str | None = None,
    dst: str | None = None,
    iif: str | None = None,
    oif: str | None = None,
    fwmark: int | None = None,
    fwmask: int | None = None,
    inet6: bool | None = None,
) -> Request:
    """Delete the first rule that is so."""
    if all(each is None for each in (priority, action, table, src, dst, iif, oif, fwmark)):
        raise ValueError("say which: a priority, or what the rule has")
    body = _header(src, dst, action, False, inet6) + (
        Fra.TABLE(table_of(table))
        + Fra.PRIORITY(priority)
        + Fra.IIF(iif)
        + Fra.OIF(oif)
        + Fra.FWMARK(fwmark)
        + Fra.FWMASK(fwmask)
    )
    what = words(
        "rule delete",
        ("priority", priority),
        ("from", src),
        ("to", dst),
        ("iif", iif),
        ("oif", oif),
        ("fwmark", fwmark),
        *((action,) if action else ()),
        ("table", table),
    )
    return Request(what, RTM_DELRULE, 0, body)


def _header(
    src: str | None, dst: str | None, action: str | None, inverted: bool, inet6: bool | None
) -> bytes:
    ends: list[Network | None] = [ipaddress.ip_network(end) if end else None for end in (src, dst)]
    families = {family(end) for end in ends if end} or {socket.AF_INET6 if inet6 else socket.AF_INET}
    if inet6 is not None and families != {socket.AF_INET6 if inet6 else socket.AF_INET}:
        raise ValueError(f"family: {src or dst} is not of {'inet6' if inet6 else 'inet'}")
    if len(families) > 1:
        raise ValueError(f"src {src} and dst {dst} are of different families")
    lengths = [end.prefixlen if end else 0 for end in ends]
    number = one_of("action", action, ACTIONS) if action else 0
    flags = FIB_RULE_INVERT if inverted else 0
    header = RULE_HEADER.pack(families.pop(), lengths[1], lengths[0], 0, 0, 0, 0, number, flags)
    attributes = (
        attribute(end.network_address.packed)
        for attribute, end in ((Fra.SRC, ends[0]), (Fra.DST, ends[1]))
        if end and end.prefixlen
    )
    return header + b"".join(attributes)
