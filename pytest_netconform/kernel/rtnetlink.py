"""Links, addresses, routes and neighbours, told to the kernel in its own terms.

pyroute2 is only the codec, and is imported with the first request: it costs 150 ms, and its own sockets fork.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.netlink import NLM_F_ACK, Message, Netlink, attributes

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Attrs = tuple[tuple[str, Any], ...]

NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NEW = NLM_F_CREATE | NLM_F_EXCL
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_NEWNEIGH = (
    16,
    17,
    18,
    20,
    22,
    24,
    28,
)
RTNLGRP_LINK, IFLA_OPERSTATE, IF_OPER_UP, IFF_UP = 1, 16, 6, 1
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD, RT_SCOPE_UNIVERSE = 1, 2, 2, 0
SIOCGIFINDEX = 0x8933
CODECS = {
    RTM_NEWLINK: ("ifinfmsg", "ifinfmsg"),
    RTM_DELLINK: ("ifinfmsg", "ifinfmsg"),
    RTM_NEWADDR: ("ifaddrmsg", "ifaddrmsg"),
    RTM_NEWROUTE: ("rtmsg", "rtmsg"),
    RTM_NEWNEIGH: ("ndmsg", "ndmsg"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be done, in the fields and attributes of pyroute2's class for this message type.

    Shape: *what* names the deed in an error, in the words of ip(8).
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
        return self.type, self.flags, bytes(message.data[16:])


@cache
def _codec(kind: int) -> Any:
    module, name = CODECS[kind]
    return getattr(import_module(f"pyroute2.netlink.rtnl.{module}"), name)


class Rtnetlink:
    """Route netlink of one network namespace."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.name = namespaces.name
        self._netlink = Netlink(namespaces.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))
        self._operstates: dict[int, int] = {}

    def close(self) -> None:
        self._netlink.close()

    def do(self, *requests: Request) -> None:
        """Carry out requests in order.

        Raises: BuildError for the first that the kernel refused; it has carried out the others.
        """
        refusals = self._netlink.execute([request.encoded() for request in requests])
        if refusals:
            raise BuildError(f"{self.name}: {requests[refusals[0].position].what}: {refusals[0]}")

    def has(self, ifname: str) -> bool:
        """Ask whether there is a device of this name."""
        try:
            fcntl.ioctl(self._netlink.sock, SIOCGIFINDEX, struct.pack("16s24x", ifname.encode()))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            raise
        return True

    def addresses(self) -> list[tuple[int, Interface]]:
        """List ifindex and address of every address."""
        found = []
        for message in self._netlink.ask(RTM_GETADDR, bytes(8)):
            family, prefixlen, _, _, index = struct.unpack_from("=BBBBI", message.body)
            attrs = attributes(message.body, 8)
            packed = attrs.get(IFA_LOCAL) or attrs.get(IFA_ADDRESS)
            if family in (socket.AF_INET, socket.AF_INET6) and packed:
                found.append((index, ipaddress.ip_interface((packed, prefixlen))))
        return found

    def watching(self) -> AbstractContextManager[None]:
        """Take notice of links that come up, from now on."""
        self._operstates.clear()
        return self._netlink.listening(RTNLGRP_LINK, self._noted)

    def is_up(self, index: int) -> bool:
        """Ask whether a link is operational now: its own end, and what it hangs on."""
        for message in self._netlink.ask(RTM_GETLINK, struct.pack("=4xi8x", index), NLM_F_ACK):
            self._noted(message)
        return self._operstates.get(index) == IF_OPER_UP

    def await_up(self, index: int, ifname: str, timeout_s: float = 5.0) -> None:
        """Wait until a link is operational; only while watching, so that no event is missed.

        Raises: BuildError when the time is over.
        """
        deadline = time.monotonic() + timeout_s
        if self.is_up(index):
            return
        while self._operstates.get(index) != IF_OPER_UP:
            if not self._netlink.notice(deadline):
                raise BuildError(f"{self.name}: {ifname} did not come up within {timeout_s:g} s")

    def _noted(self, message: Message) -> None:
        if message.type == RTM_NEWLINK:
            index = struct.unpack_from("=4xi", message.body)[0]
            self._operstates[index] = attributes(message.body, 16).get(IFLA_OPERSTATE, b"\0")[0]


def link_add(
    ifname: str, kind: str, *attrs: tuple[str, Any], index: int = 0, info: Attrs = (), up: bool = False
) -> Request:
    """Add a link.

    Shape: *info* holds the attributes of its kind, *attrs* those of any link, as pyroute2 names them.
    """
    data = (("IFLA_INFO_DATA", {"attrs": list(info)}),) if info else ()
    linkinfo = ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind), *data]})
    fields = {"index": index, **_flags(up)}
    return Request(
        f"link add {ifname} type {kind}",
        RTM_NEWLINK,
        NEW,
        fields,
        (("IFLA_IFNAME", ifname), *attrs, linkinfo),
    )


@dataclass(frozen=True, slots=True)
class End:
    """One end of a veth pair to be made.

    Shape: *net* is the descriptor of its namespace; *index* its ifindex. Where both ends have the same,
           the kernel takes up to a second to notice that they are up.
    """

    net: int
    ifname: str
    index: int


def veth_add(first: End, second: End, mtu: int | None = None) -> Request:
    """Add a veth pair, each end directly where it belongs."""
    mtus: Attrs = (("IFLA_MTU", mtu),) if mtu is not None else ()
    attrs = [("IFLA_IFNAME", second.ifname), ("IFLA_NET_NS_FD", second.net), *mtus]
    info: Attrs = (("VETH_INFO_PEER", {"index": second.index, "attrs": attrs}),)
    return link_add(first.ifname, "veth", ("IFLA_NET_NS_FD", first.net), *mtus, index=first.index, info=info)


def link_set(index: int, what: str, *attrs: tuple[str, Any], up: bool | None = None) -> Request:
    """Change a link."""
    return Request(f"link set {what}", RTM_NEWLINK, 0, {"index": index, **_flags(up)}, attrs)


def link_delete(index: int, ifname: str) -> Request:
    """Delete a link, and so its peer if it has one."""
    return Request(f"link delete {ifname}", RTM_DELLINK, 0, {"index": index})


def addr_add(index: int, ifname: str, address: Interface) -> Request:
    """Add an address; an IPv6 one is usable at once, for no duplicate is looked for."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    fields = {"family": family, "prefixlen": address.network.prefixlen, "index": index}
    attrs: Attrs = (("IFA_LOCAL", str(address.ip)), ("IFA_ADDRESS", str(address.ip)))
    if address.version == 6:
        attrs += (("IFA_FLAGS", IFA_F_NODAD),)
    return Request(f"addr add {address} dev {ifname}", RTM_NEWADDR, NEW, fields, attrs)


def _flags(up: bool | None) -> dict[str, int]:
    return {} if up is None else {"flags": IFF_UP if up else 0, "change": IFF_UP}
