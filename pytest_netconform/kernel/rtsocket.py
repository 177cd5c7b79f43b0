"""Route netlink of one network namespace: requests in, and the kernel's own words where it refuses."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.netlink import NLM_F_ACK, Message, Netlink, attribute
from pytest_netconform.kernel.rtnetlink import Dev, Interface, Request

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 20, 22
RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, IFLA_OPERSTATE, IF_OPER_UP = 1, 9, 16, 6
IFA_ADDRESS, IFA_LOCAL, IFA_F_TENTATIVE = 1, 2, 0x40
SIOCGIFINDEX = 0x8933
PATIENCE_S = 10.0
"""Events come within a millisecond, but not while the kernel deletes many devices somewhere else."""


class Rtnetlink:
    """Route netlink of one network namespace."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.name = namespaces.name
        self._netlink = Netlink(namespaces.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))
        self._operstates: dict[int, int] = {}
        self._usable: set[tuple[int, bytes]] = set()

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
            packed = attribute(message.body, 8, IFA_LOCAL) or attribute(message.body, 8, IFA_ADDRESS)
            if family in (socket.AF_INET, socket.AF_INET6) and packed:
                found.append((index, ipaddress.ip_interface((packed, prefixlen))))
        return found

    def watching(self) -> AbstractContextManager[None]:
        """Take notice of links that come up and of addresses that become usable, from now on."""
        self._operstates.clear()
        self._usable.clear()
        return self._netlink.listening((RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR), self._noted)

    def is_up(self, dev: Dev) -> bool:
        """Ask whether a link is operational now: its own end, and what it hangs on."""
        for message in self._netlink.ask(RTM_GETLINK, struct.pack("=4xi8x", dev.ifindex), NLM_F_ACK):
            self._noted(message)
        return self._operstates.get(dev.ifindex) == IF_OPER_UP

    def await_up(self, dev: Dev, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a link is operational; only while watching, so that no event is missed.

        Raises: BuildError when the time is over.
        """
        if not self.is_up(dev):
            self._await(
                lambda: self._operstates.get(dev.ifindex) == IF_OPER_UP, f"{dev.ifname} up", timeout_s
            )

    def await_addresses(
        self, dev: Dev, addresses: Iterable[Interface], timeout_s: float = PATIENCE_S
    ) -> None:
        """Wait until addresses that were added while watching can be used; IPv6 ones take a moment.

        Raises: BuildError when the time is over.
        """
        wanted = {(dev.ifindex, address.packed) for address in addresses if address.version == 6}
        self._await(lambda: wanted <= self._usable, f"the addresses of {dev.ifname} usable", timeout_s)

    def _await(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self._netlink.notice(deadline):
                raise BuildError(f"{self.name}: no event within {timeout_s:g} s that said {what}")

    def _noted(self, message: Message) -> None:
        if message.type == RTM_NEWLINK:
            index = struct.unpack_from("=4xi", message.body)[0]
            self._operstates[index] = attribute(message.body, 16, IFLA_OPERSTATE)[0]
        elif message.type == RTM_NEWADDR and not message.body[2] & IFA_F_TENTATIVE:
            index = struct.unpack_from("=4xi", message.body)[0]
            self._usable.add((index, attribute(message.body, 8, IFA_ADDRESS)))
