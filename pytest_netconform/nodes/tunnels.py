"""The ends of a VXLAN: what each stands upon, and what it is told of the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.probing.neighbour_table import occupancy
from pytest_netconform.kernel.rtnetlink import (
    EVERY,
    Dev,
    Interface,
    Request,
    fdb_add,
    neigh_replace,
    vxlan_add,
)
from pytest_netconform.kernel.wiring import lladdr
from pytest_netconform.nodes.devices import Device
from pytest_netconform.nodes.namespaces import Netns

OVERHEAD = {4: 50, 6: 70}
"""What a tunnel puts around an IP packet: Ethernet 14, VXLAN 8, UDP 8, IP 20 or 40."""
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Underlay:
    """What one end stands upon: a device, what it is reached by, and the address that the end sends from."""

    dev: Dev
    lladdr: str
    addresses: Sequence[Interface]
    local: IpAddress

    def reaches(self, other: Underlay) -> bool:
        """Ask whether the other is on the same link, by the addresses."""
        return any(other.local in address.network for address in self.addresses)


@dataclass(frozen=True)
class Tunnel:
    """One end."""

    device: Device
    under: Underlay

    def request(self, vni: int, options: Mapping[str, Any]) -> Request:
        """Ask for it; an MTU that the kernel would silently cut down is refused here."""
        if options["mtu"] is not None:
            self._check_mtu(options["mtu"])
        return vxlan_add(
            self.device.ifname,
            vni,
            index=self.device.ifindex,
            dev=self.under.dev,
            local=str(self.under.local),
            address=lladdr(self.device.ifindex),
            up=True,
            **options,
        )

    def entries(self, others: Sequence[Tunnel], *, flood: bool, learning: bool) -> Iterator[Request]:
        """Tell it where the others are."""
        for other in others:
            if flood:
                yield fdb_add(EVERY, self.device, dst=str(other.under.local), append=True)
            if not learning:
                yield fdb_add(lladdr(other.device.ifindex), self.device, dst=str(other.under.local))

    def neighs(self, others: Sequence[Tunnel]) -> Iterator[Request]:
        """Tell what it stands upon the MAC addresses of those on the same link."""
        for other in others:
            if self.under.reaches(other.under):
                yield neigh_replace(str(other.under.local), other.under.lladdr, self.under.dev)

    def _check_mtu(self, mtu: int) -> None:
        below = self.device.netns.rtnetlink.mtu(self.under.dev)
        version = self.under.local.version
        most = below - OVERHEAD[version]
        if mtu > most:
            where = f"{self.device.netns.name}: {self.device.ifname}"
            raise BuildError(
                f"{where}: mtu {mtu} is more than {most}: the {below} of"
                f" {self.under.dev.ifname} less {OVERHEAD[version]} for the tunnel over IPv{version}"
            )


def check_neighs(tunnels: Sequence[Tunnel]) -> None:
    """Refuse more ends than can know each other, as all must for what IPv6 sends when a link comes up."""
    version = tunnels[0].under.local.version
    table = occupancy(version)
    limit = table.limit
    if not table.known or len(tunnels) ** 2 <= limit:
        return
    needed = sum(one.under.reaches(other.under) for one in tunnels for other in tunnels if one is not other)
    if needed > limit:
        raise BuildError(
            f"{len(tunnels)} ends are {needed} neighbours of each other, and the kernel keeps {limit} for all"
            f" namespaces together (net.ipv{version}.neigh.default.gc_thresh3): say permanent_neighs=True"
        )


def underlays(
    ends: Sequence[Netns], devs: Sequence[str | Dev], local: Sequence[str] | None
) -> list[Underlay]:
    """Settle what the ends stand upon.

    Raises: BuildError where they cannot all reach each other by one family.
    """
    for word, given in (("dev", devs), ("local", local)):
        if given is not None and len(given) != len(ends):
            raise BuildError(f"{word}: {len(given)} for {len(ends)} ends: give one for each")
    found = [
        _underlay(netns, dev, local[number] if local else None)
        for number, (netns, dev) in enumerate(zip(ends, devs, strict=True))
    ]
    if len({under.local.version for under in found}) > 1:
        said = ", ".join(f"{netns.name} {under.local}" for netns, under in zip(ends, found, strict=True))
        raise BuildError(f"the ends of a VXLAN are of one family, but these are {said}; say which by local")
    return found


def _underlay(netns: Netns, dev: str | Dev, local: str | None) -> Underlay:
    found = netns.resolve_dev(dev)
    mac = netns.rtnetlink.address(found)
    own = [address for index, address in netns.rtnetlink.addresses() if index == found.ifindex]
    if local is not None:
        try:
            return Underlay(found, mac, own, ipaddress.ip_address(local))
        except ValueError as error:
            raise BuildError(f"{netns.name}: local: {error}") from error
    for address in own:
        if not (address.is_link_local or address.is_loopback):
            return Underlay(found, mac, own, address.ip)
    raise BuildError(
        f"{netns.name}: {found.ifname} has no address that a VXLAN could send from; give it one, or local"
    )
