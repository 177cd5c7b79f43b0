"""What is asked of route netlink: links, addresses, routes and neighbours, in the words of ip(8).

pyroute2 is only the codec, and is imported with the first request: it costs 150 ms, and its own sockets fork.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from pytest_netconform.kernel import netlink

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Attrs = tuple[tuple[str, Any], ...]

NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NEW = NLM_F_CREATE | NLM_F_EXCL
RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 17, 20, 24, 28
IFF_UP, IFA_F_NODAD, NUD_PERMANENT, RTNH_F_ONLINK, RTPROT_BOOT = 0x1, 0x2, 0x80, 0x4, 3
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_TABLE_MAIN = 0, 253, 254
ROUTE_TYPES = {"unicast": 1, "local": 2, "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9}
CODECS = {
    RTM_NEWLINK: ("ifinfmsg", "ifinfmsg"),
    RTM_DELLINK: ("ifinfmsg", "ifinfmsg"),
    RTM_NEWADDR: ("ifaddrmsg", "ifaddrmsg"),
    RTM_NEWROUTE: ("rtmsg", "rtmsg"),
    RTM_NEWNEIGH: ("ndmsg", "ndmsg"),
}


class Dev(Protocol):
    """A network device, by the name for people and the number for the kernel."""

    @property
    def ifname(self) -> str: ...

    @property
    def ifindex(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be done, in the fields and attributes of pyroute2's class for this message type.

    Shape: *what* names the deed in an error.
    """

    what: str
    type: int
    flags: int
    fields: Mapping[str, Any]
    attrs: Attrs = ()

    def encoded(self) -> tuple[int, int, bytes]:
        message = _codec(self.type)()
        message.update(self.fields)
        message["attrs"] = list(self.attrs)
        message.encode()
        return self.type, self.flags, bytes(message.data[netlink.HEADER.size :])


@cache
def _codec(kind: int) -> Any:
    module, name = CODECS[kind]
    return getattr(import_module(f"pyroute2.netlink.rtnl.{module}"), name)


def link_add(
    ifname: str, kind: str, *attrs: tuple[str, Any], index: int = 0, info: Attrs = (), up: bool = False
) -> Request:
    """Add a link.

    Shape: *info* holds the attributes of its kind, *attrs* those of any link, as pyroute2 names them.
    """
    data = (("IFLA_INFO_DATA", {"attrs": list(info)}),) if info else ()
    linkinfo = ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind), *data]})
    fields = {"index": index, **_flags(up or None)}
    return Request(
        f"link add {ifname} type {kind}",
        RTM_NEWLINK,
        NEW,
        fields,
        (("IFLA_IFNAME", ifname), *attrs, linkinfo),
    )


def veth_add(first: Dev, first_net: int, second: Dev, second_net: int, mtu: int | None = None) -> Request:
    """Add a veth pair, each end directly in the namespace of its descriptor.

    They must differ in ifindex: where they do not, the kernel takes a second to notice that they are up.
    """
    mtus: Attrs = (("IFLA_MTU", mtu),) if mtu is not None else ()
    attrs = [("IFLA_IFNAME", second.ifname), ("IFLA_NET_NS_FD", second_net), *mtus]
    info: Attrs = (("VETH_INFO_PEER", {"index": second.ifindex, "attrs": attrs}),)
    return link_add(
        first.ifname, "veth", ("IFLA_NET_NS_FD", first_net), *mtus, index=first.ifindex, info=info
    )


def link_set(index: int, what: str, *attrs: tuple[str, Any], up: bool | None = None) -> Request:
    """Change a link; *what* says whose and how."""
    return Request(f"link set {what}", RTM_NEWLINK, 0, {"index": index, **_flags(up)}, attrs)


def link_up(dev: Dev) -> Request:
    return link_set(dev.ifindex, f"{dev.ifname} up", up=True)


def link_master(dev: Dev, master: Dev) -> Request:
    """Make a link a port of a bridge."""
    return link_set(dev.ifindex, f"{dev.ifname} master {master.ifname}", ("IFLA_MASTER", master.ifindex))


def link_delete(dev: Dev) -> Request:
    """Delete a link, and so its peer if it has one."""
    return Request(f"link delete {dev.ifname}", RTM_DELLINK, 0, {"index": dev.ifindex})


def addr_add(dev: Dev, address: Interface) -> Request:
    """Add an address; an IPv6 one can be used at once, for no duplicate is looked for."""
    fields = {"family": _family(address), "prefixlen": address.network.prefixlen, "index": dev.ifindex}
    attrs: Attrs = (("IFA_LOCAL", str(address.ip)), ("IFA_ADDRESS", str(address.ip)))
    if address.version == 6:
        attrs += (("IFA_FLAGS", IFA_F_NODAD),)
    return Request(f"addr add {address} dev {dev.ifname}", RTM_NEWADDR, NEW, fields, attrs)


def route_add(
    dst: str,
    dev: Dev | None = None,
    *,
    via: str | None = None,
    kind: str = "unicast",
    table: int = RT_TABLE_MAIN,
    src: str | None = None,
    onlink: bool = False,
) -> Request:
    """Add a route to a network, such as 0.0.0.0/0."""
    network = ipaddress.ip_network(dst)
    direct = kind == "unicast" and via is None
    fields = {
        "family": _family(network),
        "dst_len": network.prefixlen,
        "table": table if table < 256 else 0,
        "proto": RTPROT_BOOT,
        "scope": RT_SCOPE_LINK if direct else RT_SCOPE_UNIVERSE,
        "type": ROUTE_TYPES[kind],
        "flags": RTNH_F_ONLINK if onlink else 0,
    }
    attrs = {
        "RTA_DST": str(network.network_address) if network.prefixlen else None,
        "RTA_GATEWAY": via,
        "RTA_OIF": dev.ifindex if dev else None,
        "RTA_TABLE": table,
        "RTA_PREFSRC": src,
    }
    words = (f"route add {kind} {dst}", f"via {via}" if via else "", f"dev {dev.ifname}" if dev else "")
    return Request(
        " ".join(filter(None, words)),
        RTM_NEWROUTE,
        NEW,
        fields,
        tuple((name, value) for name, value in attrs.items() if value is not None),
    )


def neigh_replace(dst: str, lladdr: str, dev: Dev, *, state: int = NUD_PERMANENT) -> Request:
    """Set a neighbour, for good by default: permanent ones do not count against the table's size."""
    fields = {"family": _family(ipaddress.ip_address(dst)), "ifindex": dev.ifindex, "state": state}
    attrs = (("NDA_DST", dst), ("NDA_LLADDR", lladdr))
    what = f"neigh replace {dst} lladdr {lladdr} dev {dev.ifname}"
    return Request(what, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, fields, attrs)


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


def _family(address: _Versioned) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _flags(up: bool | None) -> dict[str, int]:
    return {} if up is None else {"flags": IFF_UP if up else 0, "change": IFF_UP}
