"""What is asked for when devices are built, looked over before: a mistake must leave nothing half-built."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from itertools import combinations

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.rtnetlink import Interface

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LONGEST = 15
IFNAME = re.compile(r"[^\s/:\0]+")


def check_ifname(ifname: str) -> None:
    """Refuse what the kernel would refuse as the name of a device, or take for a pattern."""
    if (length := len(os.fsencode(ifname))) > LONGEST:
        raise BuildError(f"device name {ifname!r} has {length} bytes; Linux takes {LONGEST}")
    if not IFNAME.fullmatch(ifname) or "%" in ifname or ifname in (".", ".."):
        raise BuildError(f"{ifname!r} is no name for a device")


def interfaces(
    subnets: str | Sequence[str] | None, addrs: Sequence[str | None] | None
) -> tuple[tuple[Interface, ...], tuple[Interface, ...]]:
    """Settle the addresses of the two ends of a wire: those given, else the first two of each subnet.

    Raises: BuildError for an address that is outside the subnets, or has no prefix length from anywhere.
    """
    networks = [network_of(subnet) for subnet in ([subnets] if isinstance(subnets, str) else subnets or ())]
    if addrs is None:
        pairs = [_first_two(network) for network in networks]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    first, second = ((within(networks, addr),) if addr else () for addr in addrs)
    return first, second


def addresses_of(
    subnets: str | Sequence[str] | None, addrs: Sequence[str | None] | None, n: int
) -> list[tuple[Interface, ...]]:
    """Settle the addresses of *n* ends: those given, else the first ones of each subnet, else none.

    Raises: BuildError for an address that is outside the subnets, or has no prefix length from anywhere.
    """
    if addrs is None:
        return hosts_of(subnets, n) if subnets else [()] * n
    if len(addrs) != n:
        raise BuildError(f"{len(addrs)} addresses for {n} ends: give one for each, or None")
    networks = [network_of(subnet) for subnet in ([subnets] if isinstance(subnets, str) else subnets or ())]
    return [(within(networks, addr),) if addr else () for addr in addrs]


def addresses_from(addrs: str | Sequence[str] | None) -> tuple[Interface, ...]:
    """Read the addresses of one device, each with its prefix length.

    Raises: BuildError.
    """
    return tuple(_interface(addr) for addr in ([addrs] if isinstance(addrs, str) else addrs or ()))


def lladdr(ifindex: int) -> str:
    """Give a device a MAC address of its own: 6e, our process, and the ifindex, by which a person finds it.

    What two processes built may be joined, and two stations of one MAC address do not hear each other.
    """
    return (b"\x6e" + (os.getpid() & 0xFFFF).to_bytes(2) + (ifindex & 0xFF_FFFF).to_bytes(3)).hex(":")


def hosts_of(subnets: str | Sequence[str], n: int) -> list[tuple[Interface, ...]]:
    """Give each of *n* hosts its address of each subnet.

    Raises: BuildError for a subnet that has not so many.
    """
    networks = [network_of(subnet) for subnet in ([subnets] if isinstance(subnets, str) else subnets)]
    if n < 1:
        raise BuildError(f"{n} hosts: expected one or more")
    for network in networks:
        if room(network) < n:
            raise BuildError(
                f"subnet {network} has {room(network)} addresses for hosts, of {n} that are needed"
            )
    check_apart(networks)
    return [tuple(host(network, number) for network in networks) for number in range(n)]


def room(network: Network) -> int:
    """Count the addresses that hosts can have: not the network's own, nor the broadcast address of IPv4."""
    if network.prefixlen >= network.max_prefixlen - 1:
        return network.num_addresses
    return network.num_addresses - (2 if network.version == 4 else 1)


def host(network: Network, number: int) -> Interface:
    """Give the address of a host, counted from 0."""
    first = 0 if network.prefixlen >= network.max_prefixlen - 1 else 1
    return ipaddress.ip_interface((network[first + number], network.prefixlen))


def check_apart(networks: Sequence[Network]) -> None:
    """Refuse subnets that overlap.

    Raises: BuildError.
    """
    for one, other in combinations(networks, 2):
        if one.version == other.version and one.overlaps(other):
            raise BuildError(f"subnet {other} overlaps {one}")


def network_of(subnet: str) -> Network:
    """Read a subnet.

    Raises: BuildError.
    """
    try:
        return ipaddress.ip_network(subnet)
    except ValueError as error:
        raise BuildError(f"subnet {subnet}: {error}") from error


def _first_two(network: Network) -> tuple[Interface, Interface]:
    if room(network) < 2:
        raise BuildError(f"subnet {network} has no two addresses")
    return host(network, 0), host(network, 1)


def within(networks: Sequence[Network], addr: str) -> Interface:
    """Read an address, which takes its prefix length from the subnet that it is in.

    Raises: BuildError for one that is outside, or has no prefix length from anywhere.
    """
    if not networks:
        return _interface(addr)
    for network in networks:
        found = _interface(addr if "/" in addr else f"{addr}/{network.prefixlen}")
        if found.ip in network:
            return found
    raise BuildError(f"address {addr} is outside its subnet {' and '.join(map(str, networks))}")


def _interface(addr: str) -> Interface:
    try:
        found = ipaddress.ip_interface(addr)
    except ValueError as error:
        raise BuildError(f"address {addr!r}: {error}") from error
    if "/" not in addr:
        raise BuildError(f"address {addr} has no prefix length: write {addr}/24, or give a subnet")
    return found
