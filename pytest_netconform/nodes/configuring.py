"""Change devices, addresses, neighbours of a namespace without a command, in ip(8)'s words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.rtnetlink import (
    Dev,
    Request,
    addr_add,
    addr_delete,
    fdb_add,
    fdb_delete,
    link_set,
    neigh_delete,
    neigh_replace,
)
from pytest_netconform.kernel.rtsocket import Rtnetlink
from pytest_netconform.kernel.wiring import addresses_from, check_ifname, interface_of

P = ParamSpec("P")
T = TypeVar("T")


class Named(NamedTuple):
    """A device that is there, by name and number."""

    ifname: str
    ifindex: int


class Settable:
    """What can be changed in a namespace, but for its routes and rules.

    Shape: *dev* is a device's name, or the Device itself.
    """

    name: str
    namespaces: Namespaces

    @property
    def rtnetlink(self) -> Rtnetlink:
        raise NotImplementedError

    def resolve_dev(self, dev: str | Dev) -> Dev:
        """Find a device of this namespace by its name, or see that it is still there.

        Raises: BuildError if it is not here.
        """
        ifname = dev if isinstance(dev, str) else dev.ifname
        ifindex = self.rtnetlink.ifindex(ifname)
        if ifindex is None or not (isinstance(dev, str) or dev.ifindex == ifindex):
            raise BuildError(f"{self.name} has no device {ifname!r}, but {', '.join(self._ifnames())}")
        return Named(ifname, ifindex)

    def set_link(
        self,
        dev: str | Dev,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        address: str | None = None,
        netns: Settable | None = None,
        name: str | None = None,
    ) -> None:
        """Change a device: up or down, its MTU, its MAC address, the namespace that it is in, its name.

        One that moves to another namespace is down there, and has lost its addresses; `Device.of` takes it.

        Raises: BuildError.
        """
        if name is not None:
            self._named(check_ifname, name)
        there = None if netns is None else netns.namespaces.handles[0][0]
        self._do(link_set, self.resolve_dev(dev), up=up, mtu=mtu, address=address, netns=there, name=name)

    def add_addr(
        self,
        dev: str | Dev,
        address: str,
        *,
        peer: str | None = None,
        broadcast: str | None = None,
        label: str | None = None,
        scope: str | None = None,
        noprefixroute: bool = False,
        replace: bool = False,
    ) -> None:
        """Give a device an address such as 192.0.2.1/24, and wait until it can be used.

        Shape:  *replace* also takes one that the device has, and changes what else is said of it.
        Raises: BuildError.
        """
        (own,) = self._named(addresses_from, address)
        found = self.resolve_dev(dev)
        self._do(
            addr_add,
            found,
            own,
            peer=peer,
            broadcast=broadcast,
            label=label,
            scope=scope,
            noprefixroute=noprefixroute,
            replace=replace,
        )
        self.rtnetlink.await_addresses(found, (own,))

    def del_addr(self, dev: str | Dev, address: str, *, peer: str | None = None) -> None:
        """Take an address such as 192.0.2.1/24 from a device.

        Raises: BuildError, also where the device has not this address.
        """
        own = self._named(interface_of, address)
        self._do(addr_delete, self.resolve_dev(dev), own, peer=peer)

    def add_neigh(
        self,
        dst: str,
        lladdr: str | None,
        dev: str | Dev,
        *,
        state: str = "permanent",
        router: bool = False,
        proxy: bool = False,
    ) -> None:
        """Set a neighbour, in place of the one there is.

        Raises: BuildError.
        """
        self._do(neigh_replace, dst, lladdr, self.resolve_dev(dev), state=state, router=router, proxy=proxy)

    def del_neigh(self, dst: str, dev: str | Dev, *, proxy: bool = False) -> None:
        """Forget a neighbour.

        Raises: BuildError, also where there is none.
        """
        self._do(neigh_delete, dst, self.resolve_dev(dev), proxy=proxy)

    def add_fdb(
        self,
        lladdr: str,
        dev: str | Dev,
        *,
        dst: str | None = None,
        vni: int | None = None,
        port: int | None = None,
        via: str | Dev | None = None,
        vlan: int | None = None,
        state: str = "permanent",
        master: bool = False,
        append: bool = False,
        replace: bool = False,
    ) -> None:
        """Add an entry to a device's forwarding database, or with *master* to that of its bridge.

        Shape:  the address 00:00:00:00:00:00 is where a VXLAN device sends what it knows no place for;
                *append* adds one more *dst* to it, *replace* takes the place of what is there.
        Raises: BuildError.
        """
        self._do(
            fdb_add,
            lladdr,
            self.resolve_dev(dev),
            dst=dst,
            vni=vni,
            port=port,
            via=self.resolve_dev(via) if via is not None else None,
            vlan=vlan,
            state=state,
            master=master,
            append=append,
            replace=replace,
        )

    def del_fdb(
        self,
        lladdr: str,
        dev: str | Dev,
        *,
        dst: str | None = None,
        vni: int | None = None,
        vlan: int | None = None,
        master: bool = False,
    ) -> None:
        """Delete an entry of a device's forwarding database, or with *master* of its bridge's.

        Raises: BuildError, also where there is none.
        """
        self._do(fdb_delete, lladdr, self.resolve_dev(dev), dst=dst, vni=vni, vlan=vlan, master=master)

    def _do(self, build: Callable[P, Request], *args: P.args, **kwargs: P.kwargs) -> None:
        self.rtnetlink.do(self._named(build, *args, **kwargs))

    def _named(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Say in which namespace, where the arguments are no good."""
        try:
            return fn(*args, **kwargs)
        except BuildError as error:
            raise BuildError(f"{self.name}: {error}") from error

    def _ifnames(self) -> list[str]:
        return [ifname for _, ifname in self.namespaces.call(socket.if_nameindex)]
