"""What is asked for when devices are built, looked over before: a mistake must leave nothing half-built."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.rtnetlink import Interface

LONGEST = 15
IFNAME = re.compile(r"[^\s/:]+")


def check_ifname(ifname: str) -> None:
    """Refuse what the kernel would refuse as the name of a device, or take for a pattern."""
    if len(ifname.encode()) > LONGEST:
        raise BuildError(f"device name {ifname!r} has {len(ifname.encode())} bytes; Linux takes {LONGEST}")
    if not IFNAME.fullmatch(ifname) or "%" in ifname or ifname in (".", ".."):
        raise BuildError(f"{ifname!r} is no name for a device")


def interfaces(subnet: str | None, addrs: Sequence[str | None] | None) -> tuple[Interface | None, ...]:
    """Settle the addresses of the two ends: those given, else the first two of the subnet.

    Raises: BuildError for an address that is outside the subnet, or has no prefix length from anywhere.
    """
    if subnet is None:
        return tuple(_interface(addr) if addr else None for addr in addrs or (None, None))
    try:
        network = ipaddress.ip_network(subnet)
    except ValueError as error:
        raise BuildError(f"subnet {subnet}: {error}") from error
    if addrs is None:
        first = 0 if network.num_addresses == 2 else 1
        if network.num_addresses < 2:
            raise BuildError(f"subnet {subnet} has no two addresses")
        addrs = [str(network[first]), str(network[first + 1])]
    return tuple(_within(network, addr) if addr else None for addr in addrs)


def _within(network: ipaddress.IPv4Network | ipaddress.IPv6Network, addr: str) -> Interface:
    found = _interface(addr if "/" in addr else f"{addr}/{network.prefixlen}")
    if found.ip not in network:
        raise BuildError(f"address {addr} is outside its subnet {network}")
    return found


def _interface(addr: str) -> Interface:
    try:
        found = ipaddress.ip_interface(addr)
    except ValueError as error:
        raise BuildError(f"address {addr!r}: {error}") from error
    if "/" not in addr:
        raise BuildError(f"address {addr} has no prefix length: write {addr}/24, or give a subnet")
    return found
