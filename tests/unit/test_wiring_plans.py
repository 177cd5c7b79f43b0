"""Names and addresses of devices, settled before anything is built."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.wiring import addresses_from, check_ifname, interfaces


@pytest.mark.parametrize("ifname", ["eth0", "cali0123456789a", "eth0.5", "a" * 15, "flannel.1", "@x"])
def test_what_linux_takes_as_a_name_is_taken(ifname: str) -> None:
    check_ifname(ifname)


@pytest.mark.parametrize(
    "ifname", [5, "", ".", "..", "a/b", "a b", "a:b", "a\tb", "eth%d", "a" * 16, "ü" * 8]
)
def test_what_linux_refuses_as_a_name_is_refused(ifname: str) -> None:
    with pytest.raises(BuildError, match=r"device name|is no name for a device"):
        check_ifname(ifname)


@given(st.ip_addresses(v=4), st.integers(0, 31))
def test_the_first_two_of_a_subnet_are_in_it_and_differ(
    address: ipaddress.IPv4Address, prefixlen: int
) -> None:
    network = ipaddress.ip_network((address, prefixlen), strict=False)
    assume(not network.network_address.is_multicast)
    (first,), (second,) = interfaces(str(network), None)
    assert first.network == second.network == network
    assert int(second.ip) - int(first.ip) == 1
    assert prefixlen == 31 or network.network_address < first.ip < second.ip < network.broadcast_address


def test_no_subnet_and_no_address_is_fine() -> None:
    assert interfaces(None, None) == ((), ())


def test_one_end_may_have_an_address_alone() -> None:
    assert interfaces(None, (None, "192.0.2.1/24")) == ((), (ipaddress.ip_interface("192.0.2.1/24"),))


def test_of_two_subnets_the_one_that_an_address_is_in_counts() -> None:
    chosen = interfaces(("192.0.2.0/24", "2001:db8::/64"), ("2001:db8::7", "192.0.2.7"))
    assert [str(end[0]) for end in chosen] == ["2001:db8::7/64", "192.0.2.7/24"]


@pytest.mark.parametrize("addr", ["10.0.0.0/32", "10.0.0.0/31", "10.0.0.255/16", "2001:db8::/128"])
def test_what_a_host_can_have_is_taken(addr: str) -> None:
    assert [str(address) for address in addresses_from(addr)] == [addr]


def test_an_end_may_have_several() -> None:
    first, second = interfaces(("192.0.2.0/24", "2001:db8::/64"), (["192.0.2.7", "2001:db8::7"], None))
    assert [str(address) for address in first] == ["192.0.2.7/24", "2001:db8::7/64"]
    assert second == ()


@pytest.mark.parametrize(
    ("subnets", "addrs", "words"),
    [
        ("192.0.2.1/24", None, "host bits"),
        ("192.0.2.0/33", None, "subnet 192.0.2.0/33"),
        ("192.0.2.7/32", None, "no two addresses"),
        ("192.0.2.0/24", ("192.0.2.1", "192.0.3.1"), "192.0.3.1 is outside its subnet 192.0.2.0/24"),
        (
            ("192.0.2.0/24", "2001:db8::/64"),
            ("::1", None),
            "outside its subnet 192.0.2.0/24 and 2001:db8::/64",
        ),
        (None, ("192.0.2.1", None), "write 192.0.2.1/24"),
        (None, ("house", None), "address 'house'"),
        (None, ("224.0.0.1/24", None), "address 224.0.0.1 is a multicast address: no host can have it"),
        (None, (None, "ff02::1/64"), "address ff02::1 is a multicast address"),
        (None, ("0.0.0.0/24", None), "address 0.0.0.0 means no address"),
        ("192.0.2.0/30", ("192.0.2.0", None), "address 192.0.2.0 is the network 192.0.2.0/30 itself"),
        ("192.0.2.0/30", ("192.0.2.3", None), "192.0.2.3 is the broadcast address of 192.0.2.0/30"),
        (None, ("255.255.255.255/32", None), "every host's"),
        ("224.0.0.0/24", None, "subnet 224.0.0.0/24 is of multicast addresses"),
        (10, None, "subnet: expected text, got 10"),
        (None, (5, None), "address: expected text, got 5"),
        (None, ("192.0.2.1/24",), "addrs: 1 for 2 ends: give one for each"),
        (None, "192.0.2.1/24", "addrs: '192.0.2.1/24' for 2 ends"),
    ],
)
def test_a_mistake_is_told(subnets: object, addrs: object, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        interfaces(subnets, addrs)  # type: ignore[arg-type]
