"""Route netlink of one network namespace: requests in, and the kernel's own words where it refuses."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.netlink import ATTRIBUTE, NLM_F_ACK, Netlink, attribute
from pytest_netconform.kernel.probing.sockets import Open, open_all
from pytest_netconform.kernel.rtnetlink import NUD_PERMANENT, Dev, Interface, Request
from pytest_netconform.kernel.rtnetlink.neighbours import NEIGHBOUR_HEADER, NUD_NOARP, RTM_DELNEIGH

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH = 18, 22, 26, 30
RTNLGRP_LINK, RTNLGRP_IPV6_ROUTE = 1, 11
IFLA_ADDRESS, IFLA_MTU, IFLA_OPERSTATE, IF_OPER_UP = 1, 4, 16, 6
IFA_ADDRESS, IFA_LOCAL, RTA_DST, RTN_LOCAL, NDA_DST = 1, 2, 1, 2, 1
ROUTE = struct.Struct("=8BI")
SIOCGIFINDEX, LONGEST = 0x8933, 15
SOCKET = (socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
INSTANT_S = 0.002
AT_ONCE = 128
"""Sockets that are open at the same time: each takes a descriptor, of which most users have 1,024."""
PATIENCE_S = 10.0
"""Events come within a millisecond, but not while the kernel deletes many devices somewhere else."""


class Rtnetlink:
    """Route netlink of one network namespace."""

    def __init__(self, namespaces: Namespaces, sock: socket.socket | None = None) -> None:
        self.name, self._namespaces = namespaces.name, namespaces
        try:
            self._netlink = Netlink(sock or namespaces.socket(*SOCKET))
        except OSError as error:
            raise BuildError(f"{self.name}: no route netlink: {syscalls.words(error)}") from error

    def close(self) -> None:
        self._netlink.close()

    def do(self, *requests: Request) -> None:
        """Carry out requests in order.

        Raises: BuildError for the first that the kernel refused; it has carried out the others.
        """
        for refused in self.attempt(*requests).values():
            raise refused

    def attempt(self, *requests: Request) -> dict[int, BuildError]:
        """Carry out requests in order; give those that the kernel refused, by their positions."""
        refusals = self._netlink.execute([request.encoded() for request in requests])
        return {
            refused.position: BuildError(f"{self.name}: {requests[refused.position].what}: {refused}")
            for refused in sorted(refusals, key=lambda refused: refused.position)
        }

    def has(self, ifname: str) -> bool:
        """Ask whether there is a device of this name."""
        return self.ifindex(ifname) is not None

    def ifindex(self, ifname: str) -> int | None:
        """Look up the number of a device; None where there is none."""
        name = os.fsencode(ifname)
        if len(name) > LONGEST or b"\0" in name:  # or the kernel would look for its beginning
            return None
        try:
            found = fcntl.ioctl(self._netlink.sock, SIOCGIFINDEX, struct.pack("16s24x", name))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return int(struct.unpack_from("=16xi", found)[0])

    def mtu(self, dev: Dev) -> int:
        return int(struct.unpack("=I", self._of_link(dev, IFLA_MTU))[0])

    def address(self, dev: Dev) -> str:
        """Look up a device's MAC address."""
        return self._of_link(dev, IFLA_ADDRESS).hex(":")

    def addresses(self) -> list[tuple[int, Interface]]:
        """List ifindex and address of every address."""
        found = []
        for message in self._netlink.ask(RTM_GETADDR, bytes(8)):
            family, prefixlen, _, _, index = struct.unpack_from("=BBBBI", message.body)
            packed = attribute(message.body, 8, IFA_LOCAL) or attribute(message.body, 8, IFA_ADDRESS)
            if family in (socket.AF_INET, socket.AF_INET6) and packed:
                found.append((index, ipaddress.ip_interface((packed, prefixlen))))
        return found

    def forget_neighbours(self, family: int, addresses: Container[bytes]) -> None:
        """Delete what the kernel has learned of addresses, in packed form; what was set for good stays."""

        def header(index: int) -> bytes:
            return NEIGHBOUR_HEADER.pack(family, index, 0, 0, 0)

        learned = [
            (RTM_DELNEIGH, 0, header(index) + ATTRIBUTE.pack(ATTRIBUTE.size + len(dst), NDA_DST) + dst)
            for index, dst, state in self._neighbours(family)
            if dst in addresses and not state & (NUD_PERMANENT | NUD_NOARP)
        ]
        self._netlink.execute(learned)  # which refuses what has gone by itself meanwhile

    def count_neighbours(self, family: int, addresses: Container[bytes]) -> int:
        """Count the entries there are for addresses, in packed form."""
        return sum(dst in addresses for _, dst, _ in self._neighbours(family))

    def is_up(self, dev: Dev) -> bool:
        """Ask whether a link is operational now: its own end, and what it hangs on."""
        return self._of_link(dev, IFLA_OPERSTATE)[0] == IF_OPER_UP

    def await_up(self, *devs: Dev, timeout_s: float = PATIENCE_S) -> None:
        """Wait until links are operational.

        Raises: BuildError when the time is over.
        """
        for dev in devs:
            self._await(RTNLGRP_LINK, lambda dev=dev: self.is_up(dev), f"{dev.ifname} up", timeout_s)  # type: ignore[misc]

    def await_down(self, dev: Dev, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a link is not operational any more.

        Raises: BuildError when the time is over.
        """
        self._await(RTNLGRP_LINK, lambda: not self.is_up(dev), f"{dev.ifname} down", timeout_s)

    def await_addresses(
        self, dev: Dev, addresses: Iterable[Interface], timeout_s: float = PATIENCE_S
    ) -> None:
        """Wait until addresses that were added can be used; IPv6 ones take a moment.

        The kernel first says that one is no longer tentative, and then enters it into the table local.

        Raises: BuildError when the time is over.
        """
        wanted = [address.packed for address in addresses if address.version == 6]
        if wanted:
            self._await(
                RTNLGRP_IPV6_ROUTE,
                lambda: all(map(self._is_local, wanted)),
                f"the addresses of {dev.ifname} usable",
                timeout_s,
            )

    def _of_link(self, dev: Dev, number: int) -> bytes:
        (link,) = self._netlink.ask(RTM_GETLINK, struct.pack("=4xi8x", dev.ifindex), NLM_F_ACK)
        return attribute(link.body, 16, number)

    def _is_local(self, address: bytes) -> bool:
        """Ask whether a packet to an IPv6 address would be taken for ours."""
        body = ROUTE.pack(socket.AF_INET6, 128, 0, 0, 0, 0, 0, 0, 0) + ATTRIBUTE.pack(20, RTA_DST) + address
        try:
            (route,) = self._netlink.ask(RTM_GETROUTE, body, NLM_F_ACK)
        except OSError:  # there is no route to it yet
            return False
        return bool(ROUTE.unpack_from(route.body)[7] == RTN_LOCAL)

    def _await(self, group: int, holds: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Ask until it holds: now, once more when listening, after each announcement, and an instant later.

        These come to a socket of their own, for among answers they could be passed over or leave no room. And
        the kernel makes some of them, as of IPv6 routes, an instant before what they say can be seen.
        """
        if holds():
            return
        deadline = time.monotonic() + timeout_s
        with closing(Netlink(self._namespaces.socket(*SOCKET))) as listener, listener.listening((group,)):
            while not holds():
                if time.monotonic() > deadline:
                    raise BuildError(f"{self.name}: no event within {timeout_s:g} s that said {what}")
                listener.notice(min(deadline, time.monotonic() + INSTANT_S))

    def _neighbours(self, family: int) -> Iterator[tuple[int, bytes, int]]:
        """Give ifindex, destination and state."""
        for message in self._netlink.ask(RTM_GETNEIGH, struct.pack("=B11x", family)):
            index, state = struct.unpack_from("=4xiH", message.body)
            yield index, attribute(message.body, NEIGHBOUR_HEADER.size, NDA_DST), state


def speaking(members: Sequence[Namespaces]) -> Iterator[tuple[Namespaces, Rtnetlink]]:
    """Open route netlink of one namespace after the other, some of them at a time, and close it again.

    Raises: BuildError.
    """
    for start in range(0, len(members), AT_ONCE):
        chunk = members[start : start + AT_ONCE]
        try:
            socks = open_all([Open(each, *SOCKET) for each in chunk])
        except OSError as error:
            raise BuildError(f"{chunk[0].name}: no route netlink: {syscalls.words(error)}") from error
        try:
            for each, sock in zip(chunk, socks, strict=True):
                sock.setblocking(True)
                yield each, Rtnetlink(each, sock)
        finally:
            for sock in socks:
                sock.close()
