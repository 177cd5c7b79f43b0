"""What becomes of a ping, in every way that the kernel has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.nodes import Net, Node

FAR = "10.0.2.1"


@pytest.fixture
def routed() -> Iterator[Net]:
    """Two nodes with a router between them; each end reaches the other."""
    with Net() as net:
        left, router, right = net.node("left"), net.node("router"), net.node("right")
        net.veth(left, router, subnet="10.0.1.0/30")
        net.veth(right, router, ifnames=("eth0", "eth1"), subnet="10.0.2.0/30")
        left.run("ip route add default via 10.0.1.2")
        right.run("ip route add default via 10.0.2.2")
        router.sysctl["net.ipv4.ip_forward"] = 1
        yield net


@pytest.fixture
def pair() -> Iterator[tuple[Node, Node]]:
    with Net() as net:
        first, second = net.node("first"), net.node("second")
        net.veth(first, second, subnet=("192.0.2.0/30", "2001:db8::/64"), mtu=1400)
        yield first, second


def test_a_reply_says_by_whom_and_when(routed: Net) -> None:
    outcome = routed["left"].ping(FAR)
    assert outcome.replied
    assert outcome.by == FAR
    assert outcome.rtt_ms is not None
    assert (outcome.lost, outcome.refused, outcome.unreachable, outcome.rejected) == (
        False,
        False,
        None,
        None,
    )


def test_another_namespace_is_pinged_at_its_address_on_the_common_subnet(routed: Net) -> None:
    assert routed["left"].ping(routed["router"]).dst == "10.0.1.2"
    assert routed["right"].ping(routed["router"]).dst == "10.0.2.2"
    assert routed["left"].ping(routed["right"]).dst == FAR


def test_a_namespace_without_an_address_cannot_be_pinged(routed: Net) -> None:
    with pytest.raises(ProbeError, match="lonely has no address"):
        routed["left"].ping(routed.netns("lonely"))


def test_a_dropped_packet_is_lost(routed: Net) -> None:
    routed["router"].run("iptables -A FORWARD -d 10.0.2.1 -j DROP")
    outcome = routed["left"].ping(FAR, timeout_s=0.1)
    assert outcome.lost
    assert outcome.waited_ms is not None
    assert outcome.waited_ms >= 100


def test_a_dropped_reply_is_lost_too(routed: Net) -> None:
    routed["left"].run("iptables -A INPUT -p icmp -j DROP")
    assert routed["left"].ping(FAR, timeout_s=0.1).lost


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("unreachable", "host-unreachable"),
        ("prohibit", "communication-prohibited"),
        ("throw", "network-unreachable"),
    ],
)
def test_a_routers_refusal_has_its_name_and_the_router_s(routed: Net, kind: str, name: str) -> None:
    routed["router"].run(f"ip route add {kind} 203.0.113.0/24")
    outcome = routed["left"].ping("203.0.113.1")
    assert (outcome.unreachable, outcome.by) == (name, "10.0.1.2")


@pytest.mark.parametrize(
    ("word", "name"),
    [("icmp-net-unreachable", "network-unreachable"), ("icmp-admin-prohibited", "communication-prohibited")],
)
def test_a_firewalls_refusal_has_its_name(routed: Net, word: str, name: str) -> None:
    routed["router"].run(f"iptables -A FORWARD -j REJECT --reject-with {word}")
    assert routed["left"].ping(FAR).unreachable == name


def test_port_unreachable_is_a_refusal(routed: Net) -> None:
    routed["router"].run("iptables -A FORWARD -j REJECT")
    outcome = routed["left"].ping(FAR)
    assert outcome.refused
    assert not outcome.unreachable


def test_a_packet_that_dies_on_the_way_is_unreachable(routed: Net) -> None:
    assert routed["left"].ping(FAR, ttl=1).unreachable == "ttl-zero-during-transit"
    assert routed["left"].ping(FAR, ttl=2).replied


def test_a_narrow_hop_says_its_mtu(routed: Net) -> None:
    routed["router"].run("ip link set eth1 mtu 1300")
    outcome = routed["left"].ping(FAR, size=1301, df=True)
    assert (outcome.unreachable, outcome.mtu, outcome.by) == ("fragmentation-needed", 1300, "10.0.1.2")
    assert routed["left"].ping(FAR, size=1301, df=True).rejected == "EMSGSIZE"
    assert routed["left"].ping(FAR, size=1301).replied


@pytest.mark.parametrize("size", [36, 100, 1400])
def test_what_fits_passes_undivided(pair: tuple[Node, Node], size: int) -> None:
    assert pair[0].ping("192.0.2.2", size=size, df=True).replied


def test_one_byte_more_than_the_mtu_does_not(pair: tuple[Node, Node]) -> None:
    outcome = pair[0].ping("192.0.2.2", size=1401, df=True)
    assert (outcome.rejected, outcome.mtu) == ("EMSGSIZE", 1400)


@pytest.mark.parametrize("size", [1401, 65535])
def test_what_does_not_fit_goes_in_pieces(pair: tuple[Node, Node], size: int) -> None:
    assert pair[0].ping("192.0.2.2", size=size).replied


def test_size_counts_every_byte_on_the_wire(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.run("iptables -A INPUT -p icmp -m length --length 777 -j DROP")
    assert first.ping("192.0.2.2", size=777, timeout_s=0.1).lost
    assert first.ping("192.0.2.2", size=776).replied


def test_df_stands_in_the_packet_only_on_request(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.run("nft add table t; nft add chain t c { type filter hook input priority 0\\; }")
    second.run("nft add rule t c ip frag-off 0x4000 drop")
    assert first.ping("192.0.2.2", df=True, timeout_s=0.1).lost
    assert first.ping("192.0.2.2").replied


def test_no_route_is_our_own_kernels_refusal(pair: tuple[Node, Node]) -> None:
    assert pair[0].ping("203.0.113.1").rejected == "ENETUNREACH"


@pytest.mark.parametrize(
    ("kind", "name"), [("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL")]
)
def test_our_own_route_refuses_with_its_errno(pair: tuple[Node, Node], kind: str, name: str) -> None:
    pair[0].run(f"ip route add {kind} 203.0.113.0/24")
    assert pair[0].ping("203.0.113.1").rejected == name


@pytest.mark.parametrize("target", ["DROP", "REJECT"])
def test_our_own_firewall_refuses_with_eperm(pair: tuple[Node, Node], target: str) -> None:
    pair[0].run(f"iptables -A OUTPUT -p icmp --icmp-type echo-request -j {target}")
    assert pair[0].ping("192.0.2.2").rejected == "EPERM"


@pytest.mark.parametrize("dst", ["192.0.2.1", "127.0.0.1", "::1"])
def test_our_own_request_is_not_taken_for_the_reply(pair: tuple[Node, Node], dst: str) -> None:
    first, _ = pair
    assert first.ping(dst).replied
    first.sysctl["net.ipv4.icmp_echo_ignore_all"] = 1
    first.sysctl["net.ipv6.icmp.echo_ignore_all"] = 1
    assert first.ping(dst, timeout_s=0.1).lost


def test_someone_elses_reply_is_not_taken_for_ours(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.run("iptables -A INPUT -p icmp -m length --length 200 -j DROP")
    with first.namespaces.socket(2, 3, 1) as other:
        first.ping("192.0.2.2")
        assert other.recv(100)[20] == 0
        assert first.ping("192.0.2.2", size=200, timeout_s=0.1).lost


def test_an_error_of_an_earlier_ping_does_not_spoil_the_next(routed: Net) -> None:
    left = routed["left"]
    routed["router"].run("ip route add unreachable 203.0.113.1")
    for _ in range(4):
        assert left.ping("203.0.113.1").unreachable
        assert left.ping(FAR).replied


def test_source_may_be_an_address_or_a_device(routed: Net) -> None:
    router = routed["router"]
    routed["right"].run("iptables -A INPUT ! -s 10.0.1.2 -j DROP")
    assert router.ping(FAR, timeout_s=0.1).lost
    assert router.ping(FAR, source="10.0.1.2").replied
    assert router.ping(FAR, source="eth0", timeout_s=0.1).lost


def test_mark_chooses_the_route(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    first.run("ip rule add fwmark 7 blackhole")
    assert first.ping("192.0.2.2", mark=7).rejected == "EINVAL"
    assert first.ping("192.0.2.2", mark=8).replied


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dst": "nowhere"}, "not an IP address"),
        ({"dst": "192.0.2.2", "size": 20}, "expected 36 to 65535"),
        ({"dst": "192.0.2.2", "source": "eth7"}, "No such device"),
        ({"dst": "192.0.2.2", "source": "192.0.2.99"}, "Cannot assign requested address"),
        ({"dst": "fe80::1%eth7"}, "No such device"),
    ],
)
def test_what_has_nothing_to_do_with_the_path_raises(
    pair: tuple[Node, Node], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ProbeError, match=words):
        pair[0].ping(**options)


def test_no_descriptor_left_is_no_loss(pair: tuple[Node, Node]) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(ProbeError, match="Too many open files"):
            pair[0].ping("192.0.2.2")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ipv6_is_the_same(pair: tuple[Node, Node]) -> None:
    first, second = pair
    assert first.ping("2001:db8::2", size=1400, df=True).replied
    assert first.ping("2001:db8::2", size=1401, df=True).rejected == "EMSGSIZE"
    assert first.ping("2001:db8::2", size=1401).replied
    assert first.ping("2001:db9::2").rejected == "ENETUNREACH"
    second.run(
        "ip6tables -A INPUT -p icmpv6 --icmpv6-type echo-request -j REJECT --reject-with adm-prohibited"
    )
    outcome = first.ping("2001:db8::2")
    assert (outcome.unreachable, outcome.by) == ("communication-prohibited", "2001:db8::2")


def test_a_link_local_neighbour_is_named_with_its_device(pair: tuple[Node, Node]) -> None:
    local = next(addr.local for addr in pair[1].addrs if addr.local.startswith("fe80"))
    assert pair[0].ping(f"{local}%eth0").replied


def test_a_ping_works_inside_a_running_event_loop(pair: tuple[Node, Node]) -> None:
    import asyncio

    async def probe() -> bool:
        return pair[0].ping(pair[1]).replied

    assert asyncio.run(probe())


def test_a_ping_leaves_no_descriptor_and_no_thread(
    pair: tuple[Node, Node], descriptors: Callable[[], int]
) -> None:
    pair[0].ping("192.0.2.2")
    before = descriptors()
    pair[0].ping("192.0.2.2")
    assert descriptors() == before


@pytest.mark.parametrize("dst", ["192.0.2.2", "2001:db8::2"])
def test_hundreds_side_by_side_do_not_drown_in_each_others_replies(pair: tuple[Node, Node], dst: str) -> None:
    from pytest_netconform.kernel.probing.driving import drive
    from pytest_netconform.probes.ping import ping

    outcomes = drive(ping(pair[0].namespaces, dst, timeout_s=20) for _ in range(600))
    assert {outcome.verdict for outcome in outcomes} == {"replied"}


def test_a_reply_of_another_address_is_no_reply(pair: tuple[Node, Node]) -> None:
    first, second = pair
    second.run("ip addr add 10.77.0.1/32 dev lo")
    first.run("ip route add 10.77.0.1 via 192.0.2.2")
    second.run(
        "iptables -t raw -A PREROUTING -p icmp -j NOTRACK; iptables -t raw -A OUTPUT -p icmp -j NOTRACK"
    )
    second.run("nft add table ip m; nft 'add chain ip m post { type filter hook postrouting priority 0; }'")
    second.run("nft add rule ip m post ip protocol icmp ip saddr set 192.0.2.2")
    for outcome in (first.ping("10.77.0.1"), first.path_mtu("10.77.0.1")):
        assert (outcome.failed, outcome.by) == ("answered by 192.0.2.2", "192.0.2.2")
        assert outcome.verdict == "failed"


@pytest.mark.parametrize("dst", ["192.0.2.3", "ff02::1%eth0", "0.0.0.0", "::", "224.0.0.1"])
def test_anybody_may_answer_what_is_asked_of_many(pair: tuple[Node, Node], dst: str) -> None:
    first, second = pair
    second.run("sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0; iptables -A INPUT -j ACCEPT")
    source = "eth0" if dst == "224.0.0.1" else None
    assert first.ping(dst, source=source).replied


def test_a_name_that_is_too_long_for_a_device_is_not_cut(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    first.run("ip link add abcdefghijklmno type bridge; ip link set abcdefghijklmno up")
    for words in ({"dst": "192.0.2.2", "source": "abcdefghijklmnoX"}, {"dst": "fe80::1%abcdefghijklmnoX"}):
        with pytest.raises(ProbeError, match="no device can be named 'abcdefghijklmnoX'"):
            first.ping(**words, timeout_s=0.1)
        with pytest.raises(ProbeError, match="no device can be named"):
            first.udp(**words, port=9, timeout_s=0.1)


@pytest.mark.parametrize("probe", ["ping", "path_mtu", "tcp", "udp", "dns", "http"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": ""}, "no device can be named ''"),
        ({"source": "eth0\0junk"}, "no device can be named"),
        ({"source": 5}, "expected an address or a device as source, not 5"),
        ({"source": "2001:db8::1"}, "2001:db8::1 is no source of IPv4"),
        ({"ttl": -1}, "expected a ttl of 1 to 255, not -1"),
        ({"ttl": 256}, "expected a ttl of 1 to 255, not 256"),
        ({"mark": -1}, "expected a mark of 0 to 0xffffffff, not -1"),
        ({"mark": 2**32}, "expected a mark of 0 to 0xffffffff, not 4294967296"),
        ({"timeout_s": -1}, "expected a timeout_s of 0 or more seconds, not -1"),
        ({"timeout_s": float("nan")}, "expected a timeout_s of 0 or more seconds, not nan"),
        ({"timeout_s": "1"}, "expected a timeout_s of 0 or more seconds, not '1'"),
        ({"version": 6}, "192.0.2.2 is no IPv6 address"),
        ({"version": 5}, "expected a version of 4 or 6, not 5"),
    ],
)
def test_what_cannot_be_sent_is_told_before_it_is(
    pair: tuple[Node, Node], probe: str, options: dict[str, object], words: str
) -> None:
    more = {"tcp": [9], "udp": [9], "dns": ["x"]}.get(probe, [])
    with pytest.raises(ProbeError, match=words):
        getattr(pair[0], probe)("192.0.2.2", *more, **options)


def test_a_mark_may_have_all_its_bits(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    first.run("iptables -A OUTPUT -m mark --mark 0xffffffff -j DROP")
    assert first.ping("192.0.2.2", mark=0xFFFF_FFFF).rejected == "EPERM"
    assert first.ping("192.0.2.2", mark=0x7FFF_FFFF).replied


def test_another_namespace_is_pinged_by_the_version_that_is_said(pair: tuple[Node, Node]) -> None:
    first, second = pair
    assert first.ping(second, version=4).dst == "192.0.2.2"
    assert first.ping(second, version=6).dst == "2001:db8::2"
    second.run("ip -6 addr flush dev eth0")
    with pytest.raises(ProbeError, match="second has no IPv6 address to be reached at"):
        first.ping(second, version=6)


def test_a_device_is_pinged_and_sent_through(net: Net) -> None:
    one, two = net.node("one"), net.node("two")
    near, far = net.veth(one, two, subnet=("192.0.2.0/30", "2001:db8::/64"))
    assert one.ping(far, source=near).dst == "192.0.2.2"
    outcome = one.ping(far, version=6, source=near)
    assert (outcome.dst, outcome.source) == ("2001:db8::2", "eth0")
    with pytest.raises(ProbeError, match="<eth0 of two> is no device to send through from here"):
        one.ping(far, source=far)
