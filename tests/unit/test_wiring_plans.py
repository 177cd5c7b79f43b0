"""Names and addresses of devices, settled before anything is built."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.wiring import check_ifname, interfaces


@pytest.mark.parametrize("ifname", ["eth0", "cali0123456789a", "eth0.5", "a" * 15, "flannel.1", "@x"])
def test_what_linux_takes_as_a_name_is_taken(ifname: str) -> None:
    check_ifname(ifname)


@pytest.mark.parametrize("ifname", ["", ".", "..", "a/b", "a b", "a:b", "a\tb", "eth%d", "a" * 16, "ü" * 8])
def test_what_linux_refuses_as_a_name_is_refused(ifname: str) -> None:
    with pytest.raises(BuildError, match=r"device name|is no name for a device"):
        check_ifname(ifname)


@given(st.ip_addresses(v=4), st.integers(0, 31))
def test_the_first_two_of_a_subnet_are_in_it_and_differ(
    address: ipaddress.IPv4Address, prefixlen: int
) -> None:
    network = ipaddress.ip_network((address, prefixlen), strict=False)
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
    ],
)
def test_a_mistake_is_told(subnets: object, addrs: object, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        interfaces(subnets, addrs)  # type: ignore[arg-type]
