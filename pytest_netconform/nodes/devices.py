"""Devices that were built, and what can be done with them."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_netconform.errors import BuildError
from pytest_netconform.facts.links import Link
from pytest_netconform.kernel.rtnetlink import Interface, link_master
from pytest_netconform.nodes.namespaces import Netns


@dataclass(frozen=True, slots=True)
class Device:
    """A network device that was built, and the addresses that it was given."""

    netns: Netns
    ifname: str
    ifindex: int
    addresses: tuple[Interface, ...] = ()

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

    def attach(self, *ports: Device) -> None:
        """Make devices ports of the bridge, and wait until it forwards between those that are up.

        Raises: BuildError for a device of another namespace.
        """
        for port in ports:
            if port.netns is not self.netns:
                raise BuildError(f"{port!r} cannot be a port of {self!r}, which is in another namespace")
        rtnetlink = self.netns.rtnetlink
        rtnetlink.do(*(link_master(port, self) for port in ports))
        if any(rtnetlink.is_up(port) for port in ports):
            rtnetlink.await_up(self)
