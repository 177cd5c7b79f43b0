"""Change routes and routing rules of a namespace without a command, in ip(8)'s words."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.rtnetlink import (
    Dev,
    Nexthop,
    route_add,
    route_delete,
    rule_add,
    rule_delete,
)
from pytest_netconform.nodes.configuring import Settable

FAMILIES = {"inet": False, "inet6": True, None: None}


class Configurable(Settable):
    """What can be changed in a namespace.

    Shape: *dev* is a device's name, or the Device itself; *table* a number, or `main`, `local`, `default`.
    """

    def add_route(
        self,
        dst: str,
        *,
        via: str | None = None,
        dev: str | Dev | None = None,
        type: str = "unicast",
        table: int | str | None = None,
        metric: int | None = None,
        src: str | None = None,
        mtu: int | None = None,
        scope: str | None = None,
        onlink: bool = False,
        nexthops: Mapping[str, int] | None = None,
        family: str | None = None,
        replace: bool = False,
    ) -> None:
        """Add a route to a network, an address, or `default`; *replace* takes the place of the one there is.

        Shape:  *nexthops* are several gateways, each with its weight, all upon *dev* if it is given; *family*
                tells of which a `default` without a gateway is: `inet`, if nothing is said, or `inet6`.
        Raises: BuildError.
        """
        found = self.resolve_dev(dev) if dev is not None else None
        hops = [Nexthop(each, found, weight, onlink) for each, weight in (nexthops or {}).items()]
        self._do(
            route_add,
            dst,
            None if hops else found,
            via=via,
            kind=type,
            table=table,
            metric=metric,
            src=src,
            mtu=mtu,
            scope=scope,
            onlink=onlink and not hops,
            nexthops=hops,
            inet6=self._inet6("route add", family),
            replace=replace,
        )

    def del_route(
        self,
        dst: str,
        *,
        via: str | None = None,
        dev: str | Dev | None = None,
        type: str | None = None,
        table: int | str | None = None,
        metric: int | None = None,
        family: str | None = None,
    ) -> None:
        """Delete the first route to *dst* that is as told.

        Raises: BuildError, also where there is none.
        """
        self._do(
            route_delete,
            dst,
            self.resolve_dev(dev) if dev is not None else None,
            via=via,
            kind=type,
            table=table,
            metric=metric,
            inet6=self._inet6("route delete", family),
        )

    def add_rule(
        self,
        action: str = "lookup",
        *,
        table: int | str | None = None,
        goto: int | None = None,
        priority: int | None = None,
        src: str | None = None,
        dst: str | None = None,
        iif: str | Dev | None = None,
        oif: str | Dev | None = None,
        fwmark: int | None = None,
        fwmask: int | None = None,
        inverted: bool = False,
        family: str | None = None,
    ) -> None:
        """Add a routing rule: `add_rule(table=100, src="10.0.0.0/8")`, `add_rule("blackhole", fwmark=1)`.

        Shape:  *src* is what ip calls from, *inverted* its `not`; without an address and *family*, IPv4's.
        Raises: BuildError.
        """
        self._do(
            rule_add,
            action,
            table=table,
            goto=goto,
            priority=priority,
            src=src,
            dst=dst,
            iif=self._name_of(iif),
            oif=self._name_of(oif),
            fwmark=fwmark,
            fwmask=fwmask,
            inverted=inverted,
            inet6=self._inet6("rule add", family),
        )

    def del_rule(
        self,
        action: str | None = None,
        *,
        table: int | str | None = None,
        priority: int | None = None,
        src: str | None = None,
        dst: str | None = None,
        iif: str | Dev | None = None,
        oif: str | Dev | None = None,
        fwmark: int | None = None,
        fwmask: int | None = None,
        family: str | None = None,
    ) -> None:
        """Delete the first routing rule that is as told: `del_rule(priority=50)`.

        Raises: BuildError, also where there is none.
        """
        self._do(
            rule_delete,
            priority,
            action=action,
            table=table,
            src=src,
            dst=dst,
            iif=self._name_of(iif),
            oif=self._name_of(oif),
            fwmark=fwmark,
            fwmask=fwmask,
            inet6=self._inet6("rule delete", family),
        )

    def _name_of(self, dev: str | Dev | None) -> str | None:
        """Name the device of a rule; one that is named need not be there yet."""
        return dev if dev is None or isinstance(dev, str) else self.resolve_dev(dev).ifname

    def _inet6(self, what: str, family: str | None) -> bool | None:
        if family not in FAMILIES:
            raise BuildError(f"{self.name}: {what}: family: expected inet or inet6, got {family!r}")
        return FAMILIES[family]
