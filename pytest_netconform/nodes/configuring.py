"""Change devices, addresses, routes, rules, neighbours of a namespace without a command, in ip(8)'s words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple, ParamSpec, TypeVar

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.rtnetlink import (
    Dev,
    Nexthop,
    Request,
    addr_add,
    fdb_add,
    link_set,
    neigh_replace,
    route_add,
    rule_add,
)
from pytest_netconform.kernel.rtsocket import Rtnetlink
from pytest_netconform.kernel.wiring import addresses_from

P = ParamSpec("P")
T = TypeVar("T")


class Named(NamedTuple):
    """A device that is there, by name and number."""

    ifname: str
    ifindex: int


class Configurable:
    """What can be changed in a namespace.

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
        self, dev: str | Dev, *, up: bool | None = None, mtu: int | None = None, address: str | None = None
    ) -> None:
        """Change a device: up or down, its MTU, its MAC address.

        Raises: BuildError.
        """
        self._do(link_set, self.resolve_dev(dev), up=up, mtu=mtu, address=address)

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
    ) -> None:
        """Give a device an address such as 192.0.2.1/24, and wait until it can be used.

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
        )
        self.rtnetlink.await_addresses(found, (own,))

    def add_route(
        self,
        dst: str,
        *,
        via: str | None = None,
        dev: str | Dev | None = None,
        type: str = "unicast",
        table: int | None = None,
        metric: int | None = None,
        src: str | None = None,
        mtu: int | None = None,
        scope: str | None = None,
        onlink: bool = False,
        nexthops: Mapping[str, int] | None = None,
        replace: bool = False,
    ) -> None:
        """Add a route to a network, an address, or `default`; *replace* takes the place of the one there is.

        Shape:  *nexthops* are several gateways, each with its weight.
        Raises: BuildError.
        """
        self._do(
            route_add,
            dst,
            self.resolve_dev(dev) if dev is not None else None,
            via=via,
            kind=type,
            table=table,
            metric=metric,
            src=src,
            mtu=mtu,
            scope=scope,
            onlink=onlink,
            nexthops=[Nexthop(gateway, weight=weight) for gateway, weight in (nexthops or {}).items()],
            replace=replace,
        )

    def add_rule(
        self,
        action: str = "lookup",
        *,
        table: int | None = None,
        goto: int | None = None,
        priority: int | None = None,
        src: str | None = None,
        dst: str | None = None,
        iif: str | None = None,
        oif: str | None = None,
        fwmark: int | None = None,
        fwmask: int | None = None,
        inverted: bool = False,
        family: str = "inet",
    ) -> None:
        """Add a routing rule: `add_rule(table=100, src="10.0.0.0/8")`, `add_rule("blackhole", fwmark=1)`.

        Shape:  *src* is what ip calls from, *inverted* its `not`; *family* counts where no address tells it.
        Raises: BuildError.
        """
        if family not in ("inet", "inet6"):
            raise BuildError(f"{self.name}: rule add: family: expected inet or inet6, got {family!r}")
        self._do(
            rule_add,
            action,
            table=table,
            goto=goto,
            priority=priority,
            src=src,
            dst=dst,
            iif=iif,
            oif=oif,
            fwmark=fwmark,
            fwmask=fwmask,
            inverted=inverted,
            inet6=family == "inet6",
        )

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
    ) -> None:
        """Add an entry to a device's forwarding database, or with *master* to that of its bridge.

        Shape:  the address 00:00:00:00:00:00 is where a VXLAN device sends what it knows no place for;
                *append* adds one more *dst* to it.
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
        )

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
