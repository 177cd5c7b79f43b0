"""Devices upon other devices: vxlan, macvlan, vlan; and dummy, which stands upon nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.features import require
from pytest_netconform.kernel.rtnetlink import (
    EVERY,
    Dev,
    Interface,
    Request,
    fdb_add,
    link_add,
    macvlan_add,
    vlan_add,
    vxlan_add,
)
from pytest_netconform.kernel.wiring import addresses_from, addresses_of, lladdr
from pytest_netconform.nodes.batch import Batch
from pytest_netconform.nodes.devices import Device
from pytest_netconform.nodes.namespaces import Netns

VXLAN_PORT = 4789
"""IANA's; Linux itself would take 8472, as flannel does."""
OVERHEAD = {4: 50, 6: 70}
"""What a tunnel puts around an IP packet: Ethernet 14, VXLAN 8, UDP 8, IP 20 or 40."""
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Underlay:
    """What one end of a tunnel stands upon: a device, and the address there that it sends from."""

    dev: Dev
    local: IpAddress


class VirtualDevices:
    """What a Net builds upon devices that are there."""

    def vxlan(
        self,
        *ends: Netns,
        vni: int,
        dev: str | Sequence[str] = "eth0",
        ifname: str | None = None,
        subnet: str | Sequence[str] | None = None,
        addrs: Sequence[str | None] | None = None,
        local: Sequence[str] | None = None,
        group: str | None = None,
        dstport: int = VXLAN_PORT,
        learning: bool = True,
        ttl: int | None = None,
        mtu: int | None = None,
    ) -> tuple[Device, ...]:
        """Join namespaces by a VXLAN over a device that each has: `vxlan10` on all sides, up.

        Each end knows by static FDB entries where all others are, unless a multicast *group* is to find them;
        without *learning* it also knows their MAC addresses.

        Units:  by default the MTU of *dev* less 50 bytes, or 70 over IPv6.
        Shape:  *dev*, *addrs* and *local* may be given for each end; by default they have the first addresses
                of each subnet, and send from the first address of *dev*.
        Raises: BuildError, and then there is none of the devices.
        """
        require("vxlan")
        if not ends:
            raise BuildError("a VXLAN has one end or more, and none was given")
        name = f"vxlan{vni}" if ifname is None else ifname
        own = addresses_of(subnet, addrs, len(ends))
        self._check_ifnames(ends, [name] * len(ends))
        below = _underlays(ends, [dev] * len(ends) if isinstance(dev, str) else dev, local)
        tunnels = [
            (self._device(netns, name, addresses), under)
            for netns, addresses, under in zip(ends, own, below, strict=True)
        ]
        options = {"group": group, "dstport": dstport, "learning": learning, "ttl": ttl, "mtu": mtu}
        batch = Batch()
        for device, under in tunnels:
            batch.link(device, _vxlan(device, vni, under, options))
            others = [(other, there) for other, there in tunnels if other is not device]
            batch.later(device.netns, *_entries(device, others, flood=group is None, learning=learning))
        batch.build()
        return tuple(device for device, _ in tunnels)

    def macvlan(
        self,
        link: Device,
        netns: Netns | None = None,
        *,
        ifname: str = "macvlan0",
        mode: str = "bridge",
        addr: str | Sequence[str] | None = None,
        address: str | None = None,
        mtu: int | None = None,
    ) -> Device:
        """Make a device of its own MAC address upon *link*, there or in another namespace.

        Shape:  *mode* is bridge, private, vepa or passthru; *addr* is with its prefix length; *address* is
                the MAC address.
        Raises: BuildError.
        """
        require("macvlan")
        device = self._planned(netns or link.netns, ifname, addr)
        request = macvlan_add(
            ifname,
            link,
            mode=mode,
            index=device.ifindex,
            netns=device.netns.namespaces.net,
            address=address,
            mtu=mtu,
            up=True,
        )
        return _built(device, request, link.netns)

    def vlan(
        self,
        link: Device,
        id: int,
        netns: Netns | None = None,
        *,
        ifname: str | None = None,
        addr: str | Sequence[str] | None = None,
        mtu: int | None = None,
    ) -> Device:
        """Make the VLAN of a number upon *link*, there or in another namespace; by default `eth0.10`.

        Raises: BuildError, also where the kernel has no VLAN devices.
        """
        require("vlan")
        name = f"{link.ifname}.{id}" if ifname is None else ifname
        device = self._planned(netns or link.netns, name, addr)
        request = vlan_add(
            name, link, id, index=device.ifindex, netns=device.netns.namespaces.net, mtu=mtu, up=True
        )
        return _built(device, request, link.netns)

    def dummy(
        self,
        netns: Netns,
        ifname: str = "dummy0",
        *,
        addr: str | Sequence[str] | None = None,
        mtu: int | None = None,
    ) -> Device:
        """Make a device that leads nowhere.

        Raises: BuildError, also where the kernel has no dummy devices.
        """
        require("dummy")
        device = self._planned(netns, ifname, addr)
        return _built(device, link_add(ifname, "dummy", index=device.ifindex, mtu=mtu, up=True), netns)

    def _planned(self, netns: Netns, ifname: str, addr: str | Sequence[str] | None) -> Device:
        self._check_ifnames([netns], [ifname])
        return self._device(netns, ifname, addresses_from(addr))

    def _device(self, netns: Netns, ifname: str, addresses: tuple[Interface, ...] = ()) -> Device:
        raise NotImplementedError

    def _check_ifnames(self, netnses: Sequence[Netns], ifnames: Sequence[str]) -> None:
        raise NotImplementedError


def _built(device: Device, request: Request, asked: Netns) -> Device:
    batch = Batch()
    batch.link(device, request, asked)
    batch.build()
    return device


def _underlays(ends: Sequence[Netns], devs: Sequence[str], local: Sequence[str] | None) -> list[Underlay]:
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


def _underlay(netns: Netns, dev: str, local: str | None) -> Underlay:
    found = netns.resolve_dev(dev)
    if local is not None:
        try:
            return Underlay(found, ipaddress.ip_address(local))
        except ValueError as error:
            raise BuildError(f"{netns.name}: local: {error}") from error
    for index, address in netns.rtnetlink.addresses():
        if index == found.ifindex and not (address.is_link_local or address.is_loopback):
            return Underlay(found, address.ip)
    raise BuildError(
        f"{netns.name}: {dev} has no address that a VXLAN could send from; give it one, or local"
    )


def _vxlan(device: Device, vni: int, under: Underlay, options: Mapping[str, Any]) -> Request:
    """Ask for one end; an MTU that the kernel would silently cut down is refused here."""
    if options["mtu"] is not None:
        _check_mtu(device, under, options["mtu"])
    return vxlan_add(
        device.ifname,
        vni,
        index=device.ifindex,
        dev=under.dev,
        local=str(under.local),
        address=lladdr(device.ifindex),
        up=True,
        **options,
    )


def _check_mtu(device: Device, under: Underlay, mtu: int) -> None:
    below, overhead = device.netns.rtnetlink.mtu(under.dev), OVERHEAD[under.local.version]
    if mtu > below - overhead:
        raise BuildError(
            f"{device.netns.name}: {device.ifname}: mtu {mtu} is more than {below - overhead}: the {below} of"
            f" {under.dev.ifname} less {overhead} for the tunnel over IPv{under.local.version}"
        )


def _entries(
    device: Device, others: Sequence[tuple[Device, Underlay]], *, flood: bool, learning: bool
) -> Iterator[Request]:
    """Tell an end where the others are."""
    for other, under in others:
        if flood:
            yield fdb_add(EVERY, device, dst=str(under.local), append=True)
        if not learning:
            yield fdb_add(lladdr(other.ifindex), device, dst=str(under.local))
