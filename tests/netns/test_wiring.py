"""Devices between namespaces."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import rtnetlink
from pytest_netconform.kernel.wiring import lladdr
from pytest_netconform.nodes import Net, Netns


@pytest.fixture
def two(net: Net) -> tuple[Netns, Netns]:
    return net.netns("one"), net.netns("two")


def test_a_subnet_gives_its_first_two_addresses(net: Net, two: tuple[Netns, Netns]) -> None:
    first, second = net.veth(*two, subnet="192.0.2.0/24")
    assert (first.ip, second.ip) == ("192.0.2.1", "192.0.2.2")
    assert [str(address) for address in first.addresses] == ["192.0.2.1/24"]
    assert two[0].ping(two[1]).replied


@pytest.mark.parametrize(
    ("subnet", "ips"),
    [
        ("192.0.2.4/31", ("192.0.2.4", "192.0.2.5")),
        ("2001:db8::/64", ("2001:db8::1", "2001:db8::2")),
        ("2001:db8::2/127", ("2001:db8::2", "2001:db8::3")),
    ],
)
def test_other_subnets_do_too(net: Net, two: tuple[Netns, Netns], subnet: str, ips: tuple[str, str]) -> None:
    ends = net.veth(*two, subnet=subnet)
    assert tuple(end.ip for end in ends) == ips
    assert two[0].ping(ips[1]).replied


def test_a_wire_may_have_a_subnet_of_each_kind(net: Net, two: tuple[Netns, Netns]) -> None:
    first, _ = net.veth(*two, subnet=("192.0.2.0/30", "2001:db8::/64"))
    assert [str(address) for address in first.addresses] == ["192.0.2.1/30", "2001:db8::1/64"]
    assert two[0].ping("192.0.2.2").replied
    assert two[0].ping("2001:db8::2").replied
    assert two[1].ping(two[0]).dst == "192.0.2.1"


def test_a_bridge_may_have_an_ipv6_address(net: Net, two: tuple[Netns, Netns]) -> None:
    bridge = net.bridge(two[0], addr="2001:db8::1/64")
    port, _ = net.veth(*two, addrs=(None, "2001:db8::2/64"))
    bridge.attach(port)
    assert two[1].ping(bridge.ip).replied


def test_addresses_may_be_chosen(net: Net, two: tuple[Netns, Netns]) -> None:
    net.veth(*two, subnet="192.0.2.0/24", addrs=("192.0.2.7", "192.0.2.9/24"))
    assert two[0].ping("192.0.2.9").replied
    assert two[1].ping("192.0.2.7").replied


def test_an_ipv6_address_can_be_used_at_once(net: Net, two: tuple[Netns, Netns]) -> None:
    net.veth(*two, subnet="2001:db8::/64")
    assert not {flag for addr in two[0].addrs for flag in addr.flags} & {"tentative", "dadfailed"}
    assert two[0].ping("2001:db8::2", timeout_s=0.3).replied


def test_both_ends_have_the_mtu_and_are_up(net: Net, two: tuple[Netns, Netns]) -> None:
    ends = net.veth(*two, ifnames=("left0", "right0"), mtu=1400)
    assert [(end.link.ifname, end.link.mtu, end.link.operstate) for end in ends] == [
        ("left0", 1400, "UP"),
        ("right0", 1400, "UP"),
    ]


def test_no_two_devices_of_a_net_have_the_same_ifindex(net: Net, two: tuple[Netns, Netns]) -> None:
    devices = [*net.veth(*two), *net.veth(*two, ifnames=("eth1", "eth1")), net.bridge(two[0])]
    assert len({device.ifindex for device in devices}) == 5
    assert [device.link.ifindex for device in devices] == [device.ifindex for device in devices]


def test_a_bridge_forwards_between_its_ports_from_the_first_packet_on(net: Net) -> None:
    switch, hosts = net.netns("switch"), [net.netns(f"host{number}") for number in range(4)]
    bridge = net.bridge(switch, addr="192.0.2.254/24")
    for number, host in enumerate(hosts):
        port, _ = net.veth(
            switch, host, ifnames=(f"port{number}", "eth0"), addrs=(None, f"192.0.2.{number + 1}/24")
        )
        bridge.attach(port)
        assert host.ping("192.0.2.254", timeout_s=0.2).replied
        assert all(host.ping(other, timeout_s=0.2).replied for other in hosts[:number])


def test_a_bridge_takes_ports_that_are_down(
    net: Net, two: tuple[Netns, Netns], eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    bridge = net.bridge(two[0])
    port, _ = net.veth(*two)
    two[1].run("ip link set eth0 down")
    bridge.attach(port)
    assert port.link.master == "br0"
    assert eventually(lambda: bridge.link.operstate != "UP")


def test_a_port_of_another_namespace_is_refused(net: Net, two: tuple[Netns, Netns]) -> None:
    bridge = net.bridge(two[0])
    _, there = net.veth(*two)
    with pytest.raises(BuildError, match=r"eth0 of two.*cannot be a port of.*br0 of one"):
        bridge.attach(there)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ifnames": ("a-name-too-long-", "eth0")}, "'a-name-too-long-' has 16 bytes; Linux takes 15"),
        ({"ifnames": ("eth0", "ö" * 8)}, "has 16 bytes"),
        ({"ifnames": ("eth 0", "eth0")}, "'eth 0' is no name for a device"),
        ({"ifnames": ("", "eth0")}, "'' is no name for a device"),
        ({"ifnames": ("eth%d", "eth0")}, "'eth%d' is no name for a device"),
        ({"ifnames": ("taken", "eth0")}, "one has a device 'taken' already"),
        ({"ifnames": ("eth0", "taken")}, "two has a device 'taken' already"),
        ({"subnet": "192.0.2.1/24"}, "subnet 192.0.2.1/24: .*host bits set"),
        ({"subnet": "192.0.2.0/32"}, "has no two addresses"),
        ({"subnet": "nonsense"}, "subnet nonsense: "),
        ({"subnet": "192.0.2.0/24", "addrs": ("192.0.2.1", "192.0.3.1")}, "192.0.3.1 is outside its subnet"),
        ({"subnet": "192.0.2.0/24", "addrs": ("192.0.2.1", "2001:db8::1")}, "outside its subnet"),
        ({"addrs": ("192.0.2.1", None)}, "192.0.2.1 has no prefix length"),
        ({"ifnames": ("x0",)}, r"ifnames: expected 2, one for each end, got \('x0',\)"),
        ({"addrs": ("192.0.2.1/24",)}, "addrs: 1 for 2 ends"),
        ({"addrs": ("0.0.0.0/24", None)}, "0.0.0.0 means no address"),
        ({"mtu": "big"}, "mtu: expected a number"),
        ({"mtu": 20}, "one: link add eth0 type veth: .*EINVAL"),
        ({"mtu": 1000, "subnet": "2001:db8::/64"}, r"one: addr add 2001:db8::1/64 dev eth0: .*\("),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing_half_built(
    net: Net, two: tuple[Netns, Netns], options: dict[str, Any], words: str
) -> None:
    net.veth(*two, ifnames=("taken", "taken"))
    with pytest.raises(BuildError, match=words):
        net.veth(*two, **options)
    assert [[link.ifname for link in netns.links] for netns in two] == [["lo", "taken"]] * 2
    net.veth(*two, subnet="192.0.2.0/30")


def test_both_ends_in_one_namespace_need_two_names(net: Net, two: tuple[Netns, Netns]) -> None:
    with pytest.raises(BuildError, match="one has a device 'eth0' already"):
        net.veth(two[0], two[0])
    net.veth(two[0], two[0], ifnames=("eth0", "eth1"))
    assert [link.ifname for link in two[0].links] == ["lo", "eth0", "eth1"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one", "a namespace 'one' already"),
        ("", "'' is no name"),
        ("a b", "'a b' is no name"),
        ("../x", "is no name"),
    ],
)
def test_a_bad_name_for_a_namespace_is_refused(net: Net, name: str, words: str) -> None:
    net.netns("one")
    for make in (net.netns, net.node):
        with pytest.raises(BuildError, match=words):
            make(name)
    assert [member.name for member in net] == ["one"]


def test_a_netns_of_a_net_is_found_by_its_name(net: Net) -> None:
    made = net.netns("node1/pod1")
    assert net["node1/pod1"] is made
    with pytest.raises(KeyError, match="no namespace 'node2', but node1/pod1"):
        net["node2"]


def test_the_kernels_own_words_are_in_an_error(two: tuple[Netns, Netns]) -> None:
    with pytest.raises(BuildError, match=r"^one: link add br0 type brigde: Unknown device type \(\w+\)$"):
        two[0].rtnetlink.do(rtnetlink.link_add("br0", "brigde"))


def test_of_several_requests_the_refused_one_is_named(two: tuple[Netns, Netns]) -> None:
    requests = [rtnetlink.link_add(f"br{number}", "bridge") for number in (0, 1, 1, 2)]
    with pytest.raises(BuildError, match="one: link add br1 type bridge: File exists"):
        two[0].rtnetlink.do(*requests)
    assert [link.ifname for link in two[0].links] == ["lo", "br0", "br1", "br2"]


def test_many_requests_are_more_than_one_batch(net: Net, two: tuple[Netns, Netns]) -> None:
    near, _ = net.veth(*two)
    wanted = [ipaddress.ip_interface(f"10.0.{number // 250}.{number % 250 + 1}/32") for number in range(1000)]
    two[0].rtnetlink.do(*(rtnetlink.addr_add(near, address) for address in wanted))
    assert {address for _, address in two[0].rtnetlink.addresses() if address.network.prefixlen == 32} == set(
        wanted
    )


def test_routes_and_neighbours_are_set_without_a_command(net: Net, two: tuple[Netns, Netns]) -> None:
    near, far = net.veth(*two, subnet="192.0.2.0/30")
    two[1].rtnetlink.do(rtnetlink.addr_add(far, ipaddress.ip_interface("203.0.113.1/32")))
    two[0].rtnetlink.do(
        rtnetlink.route_add("203.0.113.0/24", near, via="192.0.2.2"),
        rtnetlink.route_add("2001:db8::/32", kind="unreachable", table=777),
        rtnetlink.neigh_replace("192.0.2.2", far.link.address or "", near),
    )
    assert two[0].ping("203.0.113.1").replied
    assert ("PERMANENT",) in [neigh.state for neigh in two[0].neighs]
    assert [(route.type, route.table) for route in two[0].routes if route.dst == "2001:db8::/32"] == [
        ("unreachable", "777")
    ]


def test_a_link_that_does_not_come_up_is_an_error(net: Net, two: tuple[Netns, Netns]) -> None:
    near, _ = net.veth(*two)
    two[1].run("ip link set eth0 down")
    with pytest.raises(BuildError, match=r"one: no event within 0\.1 s that said eth0 up"):
        two[0].rtnetlink.await_up(near, timeout_s=0.1)


def test_building_works_inside_a_running_event_loop() -> None:
    async def build() -> bool:
        with Net() as net:
            one, two = net.node("one"), net.netns("two")
            net.veth(one, two, subnet="192.0.2.0/30")
            return one.ping(two).replied

    assert asyncio.run(build())


def test_the_fixtures_serve_beside_a_users_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def node():
            return "mine"

        def test_theirs_and_ours(node, netns, veth, bridge):
            assert node == "mine"
            one, two = netns("one"), netns("two")
            port, _ = veth(one, two, addrs=(None, "192.0.2.2/24"))
            bridge(one, addr="192.0.2.1/24").attach(port)
            assert two.ping(one).replied
    """)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_two_nets_may_share_a_namespace(net: Net, two: tuple[Netns, Netns]) -> None:
    with Net() as other:
        three = other.netns("three")
        net.veth(*two, ifnames=("port1", "eth0"), subnet="192.0.2.0/24")
        _, far = other.veth(two[0], three, ifnames=("port2", "eth0"), subnet="198.51.100.0/24")
        assert two[1].ping(two[0]).replied
        assert three.ping(two[0]).replied
        assert far.link.address != two[1].links["eth0"].address


def test_a_failed_build_leaves_alone_what_others_made(
    net: Net, two: tuple[Netns, Netns], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, _ = net.veth(*two, ifnames=("port1", "eth0"))
    monkeypatch.setattr("pytest_netconform.nodes.net.ifindexes", iter([theirs.ifindex, *range(9001, 9010)]))
    with pytest.raises(BuildError, match=r"one: link add port2 type veth: .*\(EEXIST\)"):
        net.veth(*two, ifnames=("port2", "eth1"))
    assert [[link.ifname for link in netns.links] for netns in two] == [["lo", "port1"], ["lo", "eth0"]]


def test_what_another_process_built_has_other_mac_addresses(
    net: Net, two: tuple[Netns, Netns], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = net.veth(*two)
    monkeypatch.setattr("os.getpid", lambda: 4_000_000)
    assert lladdr(ours.ifindex) != ours.link.address


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda net: net.veth(net["one"], "two"),
            r"expected a namespace, got 'two'; net\[\"two\"\] is the one",
        ),
        (lambda net: net.bridge("one"), "expected a namespace, got 'one'"),
        (lambda net: net.bridge(None), "expected a namespace, got None$"),
        (lambda net: net.macvlan("eth0", net["one"]), "expected a device, got 'eth0'; Device.of"),
        (lambda net: net.netns(5), "a namespace's name: expected text, got 5"),
        (lambda net: net.lan(2.5, "192.0.2.0/24"), "hosts: expected a whole number, got 2.5"),
    ],
)
def test_what_is_no_namespace_or_device_is_refused(
    net: Net, two: tuple[Netns, Netns], build: Callable[[Net], object], words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        build(net)
    assert list(net) == list(two)


def test_ends_and_bridges_may_have_several_addresses(net: Net, two: tuple[Netns, Netns]) -> None:
    bridge = net.bridge(two[0], addr=["192.0.2.1/24", "2001:db8::1/64"])
    port, _ = net.veth(*two, addrs=(None, ["192.0.2.2/24", "2001:db8::2/64"]))
    bridge.attach(port)
    assert two[1].ping("192.0.2.1").replied
    assert two[1].ping("2001:db8::1").replied


def test_ports_come_and_go_by_name(net: Net, two: tuple[Netns, Netns]) -> None:
    bridge, other = net.bridge(two[0], addr="192.0.2.1/24"), net.bridge(two[0], "br1")
    port, _ = net.veth(*two, ifnames=("port", "eth0"), addrs=(None, "192.0.2.2/24"))
    bridge.attach("port")
    assert two[1].ping("192.0.2.1").replied
    with pytest.raises(BuildError, match="one: port is no port of br1"):
        other.detach(port)
    with pytest.raises(BuildError, match="one has no device 'prot'"):
        bridge.attach("prot")
    bridge.detach("port")
    assert port.link.master is None
    assert two[1].ping("192.0.2.1", timeout_s=0.1).lost


def test_a_subnet_that_one_end_is_in_already_is_refused(net: Net, two: tuple[Netns, Netns]) -> None:
    three = net.netns("three")
    net.veth(*two, subnet=("192.0.2.0/24", "2001:db8::/64"))
    with pytest.raises(BuildError, match=r"one is at 192\.0\.2\.1/24 already: subnet .* overlaps"):
        net.veth(two[0], three, ifnames=("eth1", "eth0"), subnet="192.0.2.128/25")
    with pytest.raises(BuildError, match="one is at 2001:db8::1/64 already"):
        net.veth(two[0], three, ifnames=("eth1", "eth0"), subnet="2001:db8::/96")
    assert [link.ifname for link in three.links] == ["lo"]
    net.veth(two[0], three, ifnames=("eth1", "eth0"), addrs=("192.0.2.129/25", "192.0.2.130/25"))
