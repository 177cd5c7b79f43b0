"""Devices upon other devices: vxlan, macvlan, vlan; and dummy, which stands upon nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making.features import require
from pytest_netconform.kernel.rtnetlink import Dev, Interface, Request, link_add, macvlan_add, vlan_add
from pytest_netconform.kernel.wiring import Several, addresses_from, addresses_of
from pytest_netconform.nodes.batch import Batch
from pytest_netconform.nodes.devices import Device
from pytest_netconform.nodes.namespaces import Netns
from pytest_netconform.nodes.tunnels import Tunnel, check_neighs, underlays

VXLAN_PORT = 4789
"""IANA's; Linux itself would take 8472, as flannel does."""


class VirtualDevices:
    """What a Net builds upon devices that are there."""

    def vxlan(
        self,
        *ends: Netns,
        vni: int,
        dev: str | Sequence[str | Dev] = "eth0",
        ifname: str | None = None,
        subnet: Several = None,
        addrs: Sequence[Several] | None = None,
        local: Sequence[str] | None = None,
        group: str | None = None,
        dstport: int = VXLAN_PORT,
        learning: bool = True,
        ttl: int | None = None,
        mtu: int | None = None,
        permanent_neighs: bool = False,
    ) -> tuple[Device, ...]:
        """Join namespaces by a VXLAN over a device that each has: `vxlan10` on all sides, up.

        Each end knows by static FDB entries where all others are, unless a multicast *group* is to find them;
        without *learning* it also knows their MAC addresses. With *permanent_neighs* it need not ask for
        those below, of which the kernel keeps only so many for all namespaces together.

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
        below = underlays(ends, [dev] * len(ends) if isinstance(dev, str) else dev, local)
        tunnels = [
            Tunnel(self.device(netns, name, addresses), under)
            for netns, addresses, under in zip(ends, own, below, strict=True)
        ]
        if not permanent_neighs and group is None:
            check_neighs(tunnels)
        options = {"group": group, "dstport": dstport, "learning": learning, "ttl": ttl, "mtu": mtu}
        batch = Batch()
        for tunnel in tunnels:
            others = [other for other in tunnels if other is not tunnel]
            batch.link(tunnel.device, tunnel.request(vni, options))
            batch.later(tunnel.device.netns, *(tunnel.neighs(others) if permanent_neighs else ()))
            batch.later(tunnel.device.netns, *tunnel.entries(others, flood=group is None, learning=learning))
        batch.build()
        return tuple(tunnel.device for tunnel in tunnels)

    def macvlan(
        self,
        link: Device,
        netns: Netns | None = None,
        *,
        ifname: str = "macvlan0",
        mode: str = "bridge",
        addr: Several = None,
        address: str | None = None,
        mtu: int | None = None,
    ) -> Device:
        """Make a device of its own MAC address upon *link*, there or in another namespace.

        Shape:  *mode* is bridge, private, vepa or passthru; *addr* is with its prefix length; *address* is
                the MAC address.
        Raises: BuildError.
        """
        require("macvlan")
        _check_device(link)
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
        addr: Several = None,
        mtu: int | None = None,
    ) -> Device:
        """Make the VLAN of a number upon *link*, there or in another namespace; by default `eth0.10`.

        Raises: BuildError, also where the kernel has no VLAN devices.
        """
        require("vlan")
        _check_device(link)
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
        addr: Several = None,
        mtu: int | None = None,
    ) -> Device:
        """Make a device that leads nowhere.

        Raises: BuildError, also where the kernel has no dummy devices.
        """
        require("dummy")
        device = self._planned(netns, ifname, addr)
        return _built(device, link_add(ifname, "dummy", index=device.ifindex, mtu=mtu, up=True), netns)

    def _planned(self, netns: Netns, ifname: str, addr: Several) -> Device:
        self._check_ifnames([netns], [ifname])
        return self.device(netns, ifname, addresses_from(addr))

    def device(self, netns: Netns, ifname: str, addresses: tuple[Interface, ...] = ()) -> Device:
        raise NotImplementedError

    def _check_ifnames(self, netnses: Sequence[Netns], ifnames: Sequence[str]) -> None:
        raise NotImplementedError


def _check_device(device: object) -> None:
    if not isinstance(device, Device):
        raise BuildError(f"expected a device, got {device!r}; Device.of(ns, ifname) takes one that is there")


def _built(device: Device, request: Request, asked: Netns) -> Device:
    batch = Batch()
    batch.link(device, request, asked)
    batch.build()
    return device
