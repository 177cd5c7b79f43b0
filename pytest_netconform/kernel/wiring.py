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
Several = str | Sequence[str] | None
"""One, several or none."""
LONGEST = 15
IFNAME = re.compile(r"[^\s/:\0]+")


def check_ifname(ifname: str) -> None:
    """Refuse what the kernel would refuse as the name of a device, or take for a pattern."""
    check_text("device name", ifname)
    if (length := len(os.fsencode(ifname))) > LONGEST:
        raise BuildError(f"device name {ifname!r} has {length} bytes; Linux takes {LONGEST}")
    if not IFNAME.fullmatch(ifname) or "%" in ifname or ifname in (".", ".."):
        raise BuildError(f"{ifname!r} is no name for a device")


def interfaces(
    subnets: Several, addrs: Sequence[Several] | None
) -> tuple[tuple[Interface, ...], tuple[Interface, ...]]:
    """Settle the addresses of the two ends of a wire: those given, else the first two of each subnet.

    Raises: BuildError for an address that is outside the subnets, or has no prefix length from anywhere.
    """
    if addrs is None:
        pairs = [_first_two(network) for network in _subnets(subnets)]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    first, second = addresses_of(subnets, addrs, 2)
    return first, second


def addresses_of(subnets: Several, addrs: Sequence[Several] | None, n: int) -> list[tuple[Interface, ...]]:
    """Settle the addresses of *n* ends: those given, else the first ones of each subnet, else none.

    Raises: BuildError for an address that is outside the subnets, or has no prefix length from anywhere.
    """
    if addrs is None:
        return hosts_of(subnets, n) if subnets else [()] * n
    if isinstance(addrs, str) or len(addrs) != n:
        given = repr(addrs) if isinstance(addrs, str) else len(addrs)
        raise BuildError(f"addrs: {given} for {n} ends: give one for each, or None, or a list of several")
    networks = _subnets(subnets)
    return [tuple(within(networks, addr) for addr in _each("address", end)) for end in addrs]


def addresses_from(addrs: Several) -> tuple[Interface, ...]:
    """Read the addresses of one device, each with its prefix length.

    Raises: BuildError.
    """
    return tuple(check_host(interface_of(addr)) for addr in _each("address", addrs))


def check_host(address: Interface) -> Interface:
    """Refuse an address that no host can have.

    Raises: BuildError.
    """
    ip, network = address.ip, address.network
    inside = ip.version == 4 and network.prefixlen < 31
    reasons = {
        "is a multicast address": ip.is_multicast,
        "means no address": ip.is_unspecified,
        "is every host's": str(ip) == "255.255.255.255",
        f"is the network {network} itself": inside and ip == network.network_address,
        f"is the broadcast address of {network}": inside and ip == network.broadcast_address,
    }
    for reason in (reason for reason, holds in reasons.items() if holds):
        raise BuildError(f"address {ip} {reason}: no host can have it")
    return address


def lladdr(ifindex: int) -> str:
    """Give a device a MAC address of its own: 6e, our process, and the ifindex, by which a person finds it.

    What two processes built may be joined, and two stations of one MAC address do not hear each other.
    """
    return (b"\x6e" + (os.getpid() & 0xFFFF).to_bytes(2) + (ifindex & 0xFF_FFFF).to_bytes(3)).hex(":")


def hosts_of(subnets: Several, n: int) -> list[tuple[Interface, ...]]:
    """Give each of *n* hosts its address of each subnet.

    Raises: BuildError for a subnet that has not so many.
    """
    networks = _subnets(subnets)
    check_number("hosts", n)
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


def subnet_of(subnet: str) -> Network:
    """Read a subnet whose addresses hosts can have.

    Raises: BuildError.
    """
    network = network_of(subnet)
    if network.network_address.is_multicast:
        raise BuildError(f"subnet {subnet} is of multicast addresses: no host can have one")
    return network


def check_text(what: str, value: object) -> None:
    """Refuse what is no text.

    Raises: BuildError.
    """
    if not isinstance(value, str):
        raise BuildError(f"{what}: expected text, got {value!r}")


def check_number(what: str, value: object) -> None:
    """Refuse what is no whole number.

    Raises: BuildError.
    """
    if not isinstance(value, int):
        raise BuildError(f"{what}: expected a whole number, got {value!r}")


def _subnets(subnets: Several) -> list[Network]:
    return [subnet_of(subnet) for subnet in _each("subnet", subnets)]


def _each(what: str, given: object) -> list[str]:
    """Give one, several or none as a list of texts.

    Raises: BuildError for what is no text.
    """
    found = []
    for each in given if isinstance(given, list | tuple) else () if given is None else (given,):
        text = str(each) if isinstance(each, Network | Interface) else each
        check_text(what, text)
        found.append(text)
    return found


def _first_two(network: Network) -> tuple[Interface, Interface]:
    if room(network) < 2:
        raise BuildError(f"subnet {network} has no two addresses")
    return host(network, 0), host(network, 1)


def within(networks: Sequence[Network], addr: str) -> Interface:
    """Read an address, which takes its prefix length from the subnet that it is in.

    Raises: BuildError for one that is outside, or has no prefix length from anywhere.
    """
    if not networks:
        return check_host(interface_of(addr))
    for network in networks:
        found = interface_of(addr if "/" in addr else f"{addr}/{network.prefixlen}")
        if found.ip in network:
            return check_host(found)
    raise BuildError(f"address {addr} is outside its subnet {' and '.join(map(str, networks))}")


def interface_of(addr: str) -> Interface:
    """Read an address with its prefix length.

    Raises: BuildError.
    """
    check_text("address", addr)
    try:
        found = ipaddress.ip_interface(addr)
    except ValueError as error:
        raise BuildError(f"address {addr!r}: {error}") from error
    if "/" not in addr:
        raise BuildError(f"address {addr} has no prefix length: write {addr}/24, or give a subnet")
    return found
