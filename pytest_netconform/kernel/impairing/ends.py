"""The two ends of a veth pair, wherever they are."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from dataclasses import dataclass

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces, made
from pytest_netconform.kernel.netlink import NLM_F_ACK, Netlink, attribute
from pytest_netconform.kernel.rtsocket import SOCKET, Rtnetlink

RTM_GETLINK, RTM_GETNSID = 18, 90
IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_LINK_NETNSID = (
    3, 4, 5, 10, 16, 18, 37,
)  # fmt: skip
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_BR_STP_STATE, NETNSA_NSID, NETNSA_FD = 1, 2, 5, 1, 3
IFF_UP, IF_OPER_UP, IFINFOMSG = 0x1, 6, 16
NUMBER = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class State:
    """What a device is like at one moment.

    Shape: *stp* is that of a bridge.
    """

    ifname: str
    ifindex: int
    up: bool
    operational: bool
    mtu: int
    master: int
    kind: str
    link: int
    link_netnsid: int | None
    stp: bool

    @property
    def forwards_at_once(self) -> bool:
        """Ask whether a bridge is operational as soon as one of its ports is."""
        return self.kind == "bridge" and self.up and not self.stp


class End:
    """A device, and route netlink of its namespace, which it holds open."""

    def __init__(self, namespaces: Namespaces, ifname: str, ifindex: int) -> None:
        """Hold a device of a namespace by descriptors of our own.

        Raises: BuildError.
        """
        self.name, self.ifname, self.ifindex = namespaces.name, ifname, ifindex
        with ExitStack() as undo:
            self.namespaces = Namespaces.opened(namespaces.name, f"/proc/self/fd/{namespaces.net}")
            undo.callback(self.namespaces.close)
            self.netlink = Netlink(self.namespaces.socket(*SOCKET))
            undo.callback(self.netlink.close)
            self.rtnetlink = Rtnetlink(self.namespaces)
            undo.callback(self.rtnetlink.close)
            self.state()
            self._undo = undo.pop_all()

    def __enter__(self) -> End:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def __str__(self) -> str:
        return f"{self.name}: {self.ifname}"

    @property
    def key(self) -> tuple[int, int]:
        """Tell the device from all others: by its namespace's inode and its own number."""
        return self.namespaces.inode, self.ifindex

    def state(self) -> State:
        return _state_of(self, self.ifindex)

    def bridge(self) -> State | None:
        """Give the bridge that the device is a port of."""
        master = self.state().master
        return _state_of(self, master) if master else None

    def peer(self) -> End:
        """Find the other end of a veth pair, in any namespace that we made.

        Raises: BuildError for a device that is no veth, and where the other end is out of reach.
        """
        state = self.state()
        if state.kind != "veth":
            what = f"a {state.kind}" if state.kind else "no veth"
            raise BuildError(f"{self} is {what}, and has no other end: only a veth has")
        if state.link_netnsid is None:
            return self._at(self.namespaces, state.link)
        for path in _namespaces_made():
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _nsid(self.netlink, fd) != state.link_netnsid:
                    continue
                namespaces = Namespaces.opened(f"the other end of {self.ifname} of {self.name}", path)
            finally:
                os.close(fd)
            try:
                return self._at(namespaces, state.link)
            finally:
                namespaces.close()
        raise BuildError(f"{self}: the other end is in a namespace that no net of ours made: hands off")

    @staticmethod
    def _at(namespaces: Namespaces, ifindex: int) -> End:
        end = End(namespaces, f"if{ifindex}", ifindex)
        end.ifname = end.state().ifname
        return end

    def uppers(self) -> list[End]:
        """Find what stands on the device in other namespaces that we made, such as the macvlan of a pod."""
        found: list[End] = []
        with ExitStack() as closing:
            others = [
                Namespaces.opened(f"on {self.ifname} of {self.name}", path) for path in _namespaces_made()
            ]
            for namespaces in others:
                closing.callback(namespaces.close)
            others = [each for each in others if each.inode != self.namespaces.inode]
            for namespaces in others:
                try:
                    netlink = Netlink(closing.enter_context(namespaces.socket(*SOCKET)))
                except PermissionError:
                    continue  # the host's, seen from a user namespace
                nsid = _nsid(netlink, self.namespaces.net)
                if nsid >= 0:
                    found += [
                        self._at(namespaces, index) for index in _standing_on(netlink, self.ifindex, nsid)
                    ]
        return found


def _nsid(netlink: Netlink, fd: int | None) -> int:
    """Ask what a namespace is called in another; -1 where it is not known there."""
    body = struct.pack("=B3xHHI", 0, 8, NETNSA_FD, fd)
    for message in netlink.ask(RTM_GETNSID, body, NLM_F_ACK):
        if found := attribute(message.body, 4, NETNSA_NSID):
            return int(NUMBER.unpack(found)[0])
    return -1


def _standing_on(netlink: Netlink, ifindex: int, nsid: int) -> list[int]:
    """List the devices above one in the namespace of this id; the other end of a veth is none of them."""
    wanted = (NUMBER.pack(ifindex), NUMBER.pack(nsid))
    found = []
    for message in netlink.ask(RTM_GETLINK, bytes(IFINFOMSG)):
        lower = tuple(attribute(message.body, IFINFOMSG, kind) for kind in (IFLA_LINK, IFLA_LINK_NETNSID))
        info = attribute(message.body, IFINFOMSG, IFLA_LINKINFO)
        if lower == wanted and attribute(info, 0, IFLA_INFO_KIND).rstrip(b"\0") != b"veth":
            found.append(struct.unpack_from("=4xi", message.body)[0])
    return found


def _state_of(end: End, ifindex: int) -> State:
    """Ask for a device in the namespace of another.

    Raises: BuildError if there is none of this number.
    """
    try:
        body = struct.pack("=4xi8x", ifindex)
        message = [each.body for each in end.netlink.ask(RTM_GETLINK, body, NLM_F_ACK)][-1]
    except OSError as error:
        raise BuildError(f"{end}: {error.strerror}: it was deleted, or renumbered") from error
    flags = struct.unpack_from("=8xI", message)[0]

    def number(kind: int, default: int = 0) -> int:
        value = attribute(message, IFINFOMSG, kind)
        return int(NUMBER.unpack(value)[0]) if value else default

    netnsid = number(IFLA_LINK_NETNSID, -1)
    info = attribute(message, IFINFOMSG, IFLA_LINKINFO)
    stp = attribute(attribute(info, 0, IFLA_INFO_DATA), 0, IFLA_BR_STP_STATE)
    return State(
        ifindex=ifindex,
        stp=any(stp),
        ifname=attribute(message, IFINFOMSG, IFLA_IFNAME).rstrip(b"\0").decode(errors="surrogateescape"),
        up=bool(flags & IFF_UP),
        operational=attribute(message, IFINFOMSG, IFLA_OPERSTATE)[0] == IF_OPER_UP,
        mtu=number(IFLA_MTU),
        master=number(IFLA_MASTER),
        kind=attribute(info, 0, IFLA_INFO_KIND).rstrip(b"\0").decode(),
        link=number(IFLA_LINK),
        link_netnsid=None if netnsid < 0 else netnsid,
    )


def _namespaces_made() -> list[str]:
    """List paths of the network namespaces that we made; no other is ever changed, though we may hold it."""
    return [f"/proc/self/fd/{each.net}" for each in made()]
