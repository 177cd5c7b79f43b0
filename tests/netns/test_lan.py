"""Hosts on one bridge, built in one go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.nodes import Net


def test_hosts_have_the_first_addresses_of_the_subnet(net: Net) -> None:
    hosts = net.lan(3, subnet="10.200.0.0/16")
    assert [(host.name, host.address()) for host in hosts] == [
        ("host1", "10.200.0.1"),
        ("host2", "10.200.0.2"),
        ("host3", "10.200.0.3"),
    ]
    assert hosts[0].links["eth0"].operstate == "UP"
    assert hosts[0].ping(hosts[-1]).replied


def test_hosts_may_have_an_address_of_each_kind(net: Net) -> None:
    hosts = net.lan(2, subnet=("192.0.2.0/24", "2001:db8::/64"), mtu=1400)
    assert hosts[0].ping("192.0.2.2").replied
    assert hosts[0].ping("2001:db8::2", timeout_s=0.3).replied
    assert {link.mtu for host in hosts for link in host.links if link.ifname == "eth0"} == {1400}
    assert hosts.bridge.link.mtu == 1400


def test_more_hosts_than_descriptors_can_be_held_at_once_are_built(net: Net) -> None:
    hosts = net.lan(200, subnet="10.200.0.0/16")
    assert len(hosts.bridge.netns.links) == 202
    assert hosts[0].ping(hosts[199]).replied


def test_lans_of_one_net_have_names_of_their_own(net: Net) -> None:
    net.lan(2, subnet="10.1.0.0/24")
    with pytest.raises(BuildError, match="there is a namespace 'lan' already"):
        net.lan(2, subnet="10.2.0.0/24")
    other = net.lan(2, subnet="10.2.0.0/24", name="dmz", prefix="web")
    assert [host.name for host in other] == ["web1", "web2"]


def test_when_one_of_many_fails_all_of_it_goes(
    net: Net, descriptors: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    numbers = iter([*range(1001, 1100), 1050, *range(1100, 1300)])
    monkeypatch.setattr("pytest_netconform.nodes.net.ifindexes", numbers)
    with pytest.raises(BuildError, match=r"lan: link add host50 type veth: .*\(EEXIST\)"):
        net.lan(100, subnet="10.200.0.0/16")
    assert list(net) == []
    assert descriptors() == before
    assert len(net.lan(2, subnet="10.200.0.0/16")) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"n": 3, "subnet": "192.0.2.0/30"},
            "subnet 192.0.2.0/30 has 2 addresses for hosts, of 3 that are needed",
        ),
        ({"n": 2, "subnet": "192.0.2.0/24", "prefix": "longer-than-15-"}, "device name .* has 16 bytes"),
        ({"n": 0, "subnet": "192.0.2.0/30"}, "0 hosts: expected one or more"),
        ({"n": 2, "subnet": "192.0.2.1/24"}, "subnet 192.0.2.1/24: .* has host bits set"),
        ({"n": 2, "subnet": ("192.0.2.0/24", "192.0.2.128/25")}, "192.0.2.128/25 overlaps 192.0.2.0/24"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(
    net: Net, options: dict[str, object], words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        net.lan(**options)  # type: ignore[arg-type]
    assert list(net) == []


def test_the_fixture_builds_one(lan: Callable[..., object]) -> None:
    assert repr(lan(2, subnet="192.0.2.0/24")) == "<2 hosts on <br0 of lan>>"


def test_its_bridge_is_as_any_other_when_it_is_built(net: Net) -> None:
    br0 = net.lan(3, "192.0.2.0/24").bridge.netns.links["br0"]
    assert br0.info is not None
    assert {"UP", "LOWER_UP"} <= set(br0.flags)
    assert (br0.info["mcast_snooping"], br0.info["stp_state"]) == (1, 0)
