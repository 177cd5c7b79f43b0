"""Devices that were built, and what can be done with them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from pytest_netconform.errors import BuildError
from pytest_netconform.facts.links import Link
from pytest_netconform.kernel.rtnetlink import Dev, Interface, link_master, link_nomaster, port_set
from pytest_netconform.nodes.impairment import Impairable
from pytest_netconform.nodes.namespaces import Netns


@dataclass(frozen=True, slots=True)
class Device(Impairable):
    """A network device that was built, and the addresses that it was given."""

    netns: Netns
    ifname: str
    ifindex: int
    addresses: tuple[Interface, ...] = ()

    @classmethod
    def of(cls, netns: Netns, ifname: str) -> Self:
        """Take a device that is there already, such as one that a command made.

        Raises: BuildError if there is none of this name.
        """
        ifindex = netns.resolve_dev(ifname).ifindex
        addresses = (address for index, address in netns.rtnetlink.addresses() if index == ifindex)
        return cls(netns, ifname, ifindex, tuple(addresses))

    def __repr__(self) -> str:
        return f"<{self.ifname} of {self.netns.name}>"

    @property
    def link(self) -> Link:
        return self.netns.links[self.ifname]

    @property
    def ip(self) -> str:
        """Give the first address, without its prefix length."""
        if not self.addresses:
            raise BuildError(f"{self.netns.name}: {self.ifname} was given no address")
        return str(self.addresses[0].ip)


class Bridge(Device):
    """A bridge that was built."""

    __slots__ = ()

    def attach(
        self,
        *ports: str | Device,
        hairpin: bool | None = None,
        learning: bool | None = None,
        flood: bool | None = None,
        isolated: bool | None = None,
        neigh_suppress: bool | None = None,
    ) -> None:
        """Make devices ports of the bridge, and wait until it forwards between those that are up.

        Shape:  a port is a device, or the name of one.
        Raises: BuildError for a device of another namespace, or that can be no port; then none of them is.
        """
        devs = [self._dev(port) for port in ports]
        given = {
            "hairpin": hairpin,
            "learning": learning,
            "flood": flood,
            "isolated": isolated,
            "neigh_suppress": neigh_suppress,
        }
        options = {name: value for name, value in given.items() if value is not None}
        rtnetlink = self.netns.rtnetlink
        try:
            rtnetlink.do(*(link_master(port, self) for port in devs))
            if options:
                rtnetlink.do(*(port_set(port, **options) for port in devs))
        except BuildError:
            for port in devs:
                with suppress(BuildError):
                    rtnetlink.do(link_nomaster(port))
            raise
        if any(rtnetlink.is_up(port) for port in devs):
            rtnetlink.await_up(self)

    def detach(self, *ports: str | Device) -> None:
        """Take ports from the bridge.

        Raises: BuildError for a device that is no port of it; then all of them stay.
        """
        devs, own = [self._dev(port) for port in ports], self.netns.links
        for dev in devs:
            if own[dev.ifname].master != self.ifname:
                raise BuildError(f"{self.netns.name}: {dev.ifname} is no port of {self.ifname}")
        self.netns.rtnetlink.do(*(link_nomaster(dev) for dev in devs))

    def _dev(self, port: str | Device) -> Dev:
        if isinstance(port, Device) and port.netns is not self.netns:
            raise BuildError(f"{port!r} cannot be a port of {self!r}, which is in another namespace")
        return self.netns.resolve_dev(port)
