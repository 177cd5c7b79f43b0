"""Addresses of devices.

Source: linux/if_addr.h; ip-address(8).
"""

from __future__ import annotations

import ipaddress
import struct

from pytest_netconform.kernel.rtnetlink.attributes import Attribute, ip, raw, text, u32
from pytest_netconform.kernel.rtnetlink.base import (
    NEW,
    REPLACE,
    SCOPES,
    Dev,
    Interface,
    Request,
    deed,
    family,
    one_of,
    words,
)

RTM_NEWADDR, RTM_DELADDR = 20, 21
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x2, 0x200
ADDRESS_HEADER = struct.Struct("=BBBBI")


class Ifa:
    """Attributes of an address."""

    ADDRESS = Attribute(1, raw)
    LOCAL = Attribute(2, raw)
    LABEL = Attribute(3, text)
    BROADCAST = Attribute(4, ip)
    FLAGS = Attribute(8, u32)


@deed("addr add {}")
def addr_add(
    dev: Dev,
    address: Interface,
    *,
    peer: str | None = None,
    broadcast: str | None = None,
    label: str | None = None,
    scope: str | None = None,
    noprefixroute: bool = False,
    replace: bool = False,
) -> Request:
    """Add an address; an IPv6 one can be used at once, for no duplicate is looked for."""
    what = words(
        f"addr {'replace' if replace else 'add'} {address}",
        ("peer", peer),
        ("broadcast", broadcast),
        ("label", label),
        ("scope", scope),
        ("dev", dev.ifname),
    )
    flags = (IFA_F_NODAD if address.version == 6 else 0) | (IFA_F_NOPREFIXROUTE if noprefixroute else 0)
    number = one_of("scope", scope, SCOPES) if scope else 0
    body = (
        _body(dev, address, peer, number)
        + Ifa.BROADCAST(broadcast)
        + Ifa.LABEL(label)
        + Ifa.FLAGS(flags or None)
    )
    return Request(what, RTM_NEWADDR, REPLACE if replace else NEW, body)


@deed("addr delete {}")
def addr_delete(dev: Dev, address: Interface, *, peer: str | None = None) -> Request:
    what = words(f"addr delete {address}", ("peer", peer), ("dev", dev.ifname))
    return Request(what, RTM_DELADDR, 0, _body(dev, address, peer, 0))


def _body(dev: Dev, address: Interface, peer: str | None, scope: int) -> bytes:
    """Write header and addresses; the prefix is that of the peer, where there is one."""
    other = ipaddress.ip_interface(peer) if peer else address
    if other.version != address.version:
        raise ValueError(f"peer: {peer} and {address} are of different families")
    header = ADDRESS_HEADER.pack(family(address), other.network.prefixlen, 0, scope, dev.ifindex)
    return header + Ifa.LOCAL(address.packed) + Ifa.ADDRESS(other.packed)
