"""What becomes of a connection and of a datagram, in every way that the kernel has."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.driving import drive
from pytest_netconform.nodes import Net, Netns, Node
from pytest_netconform.probes.tcp import tcp

FAR = "10.0.2.1"


@pytest.fixture
def both_families(routed: Net) -> Iterator[int]:
    """Listen at the right, and never accept: the kernel answers by itself."""

    def listen() -> socket.socket:
        return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    with routed["right"].call(listen) as sock:
        yield sock.getsockname()[1]


@pytest.mark.parametrize("dst", [FAR, "2001:db8:2::1"])
def test_a_listener_is_connected_to(routed: Net, both_families: int, dst: str) -> None:
    outcome = routed["left"].tcp(dst, both_families)
    assert outcome.replied
    assert outcome.by == dst
    assert outcome.rtt_ms is not None
    assert repr(outcome).startswith(f"Tcp(left -> {dst} port {both_families}: replied in ")


def test_another_namespace_is_connected_to(routed: Net, both_families: int) -> None:
    assert routed["left"].tcp(routed["right"], both_families).dst == FAR


@pytest.mark.parametrize("dst", [FAR, "2001:db8:2::1"])
def test_a_port_without_a_listener_refuses_by_a_reset(routed: Net, dst: str) -> None:
    outcome = routed["left"].tcp(dst, 9)
    assert (outcome.refused, outcome.refused_with, outcome.by) == (True, "tcp-reset", dst)


@pytest.mark.parametrize("dst", [FAR, "2001:db8:2::1"])
def test_a_port_without_a_socket_refuses_a_datagram(routed: Net, dst: str) -> None:
    outcome = routed["left"].udp(dst, 9)
    assert (outcome.refused, outcome.refused_with, outcome.by) == (True, "port-unreachable", dst)


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_what_is_dropped_on_the_way_is_lost(routed: Net, probe: str) -> None:
    routed["router"].run("iptables -A FORWARD -j DROP")
    outcome = getattr(routed["left"], probe)(FAR, 9, timeout_s=0.1)
    assert outcome.lost
    assert outcome.waited_ms >= 100


@pytest.mark.parametrize("probe", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("tool", "dst", "word", "name"),
    [
        ("iptables", FAR, "icmp-net-unreachable", "network-unreachable"),
        ("iptables", FAR, "icmp-host-unreachable", "host-unreachable"),
        ("iptables", FAR, "icmp-admin-prohibited", "communication-prohibited"),
        ("ip6tables", "2001:db8:2::1", "icmp6-no-route", "no-route"),
        ("ip6tables", "2001:db8:2::1", "icmp6-adm-prohibited", "communication-prohibited"),
    ],
)
def test_a_firewalls_refusal_has_its_name_and_the_router_s(
    routed: Net, probe: str, tool: str, dst: str, word: str, name: str
) -> None:
    routed["router"].run(f"{tool} -A FORWARD -d {dst} -j REJECT --reject-with {word}")
    outcome = getattr(routed["left"], probe)(dst, 9)
    assert outcome.unreachable == name
    assert outcome.by in ("10.0.1.2", "2001:db8:1::2")


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_a_firewall_may_say_that_the_port_is_unreachable(routed: Net, probe: str) -> None:
    routed["router"].run("iptables -A FORWARD -j REJECT")
    outcome = getattr(routed["left"], probe)(FAR, 9)
    assert (outcome.refused, outcome.refused_with, outcome.by) == (True, "port-unreachable", "10.0.1.2")


def test_a_firewall_may_reset_in_the_name_of_the_other_side(routed: Net, both_families: int) -> None:
    routed["router"].run("iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset")
    outcome = routed["left"].tcp(FAR, both_families)
    assert (outcome.refused_with, outcome.by) == ("tcp-reset", FAR)


@pytest.mark.parametrize("probe", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("kind", "name"), [("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL")]
)
def test_our_own_route_refuses_with_its_errno(routed: Net, probe: str, kind: str, name: str) -> None:
    routed["left"].run(f"ip route add {kind} 203.0.113.0/24")
    outcome = getattr(routed["left"], probe)("203.0.113.1", 9)
    assert outcome.rejected == name
    assert repr(outcome).endswith(f"203.0.113.1 port 9: rejected, {name})")


@pytest.mark.parametrize("probe", ["tcp", "udp"])
@pytest.mark.parametrize("dst", ["203.0.113.1", "2001:db8:9::1"])
def test_no_route_is_our_own_kernels_refusal(routed: Net, probe: str, dst: str) -> None:
    routed["left"].run("ip route del default; ip -6 route del default")
    assert getattr(routed["left"], probe)(dst, 9).rejected == "ENETUNREACH"


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_a_routers_lack_of_a_route_has_its_name(routed: Net, probe: str) -> None:
    outcome = getattr(routed["left"], probe)("203.0.113.1", 9)
    assert (outcome.unreachable, outcome.by) == ("network-unreachable", "10.0.1.2")


@pytest.mark.parametrize("probe", ["tcp", "udp", "ping"])
def test_an_address_that_nobody_has_is_told_by_ourselves(routed: Net, probe: str) -> None:
    left = routed["left"]
    left.run("ip route add 198.51.100.1 dev eth0; sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=10")
    arguments = () if probe == "ping" else (9,)
    outcome = getattr(left, probe)("198.51.100.1", *arguments, timeout_s=10)
    assert (outcome.unreachable, outcome.by) == ("host-unreachable", "10.0.1.1")


@pytest.mark.parametrize(("target", "said"), [("DROP", "EPERM"), ("REJECT", "EPERM")])
def test_our_own_firewall_refuses_a_datagram_with_eperm(routed: Net, target: str, said: str) -> None:
    routed["left"].run(f"iptables -A OUTPUT -p udp -j {target}")
    assert routed["left"].udp(FAR, 9).rejected == said


def test_our_own_firewall_is_silent_about_a_connection_that_it_drops(routed: Net) -> None:
    routed["left"].run("iptables -A OUTPUT -p tcp -j DROP")
    assert routed["left"].tcp(FAR, 9, timeout_s=0.1).lost


def test_our_own_firewall_refuses_a_connection_in_our_own_name(routed: Net) -> None:
    routed["left"].run("iptables -A OUTPUT -p tcp -j REJECT")
    outcome = routed["left"].tcp(FAR, 9)
    assert (outcome.refused_with, outcome.by) == ("port-unreachable", "10.0.1.1")


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_a_packet_that_dies_on_the_way_is_unreachable(routed: Net, probe: str) -> None:
    assert getattr(routed["left"], probe)(FAR, 9, ttl=1).unreachable == "ttl-zero-during-transit"
    assert getattr(routed["left"], probe)(FAR, 9, ttl=2).refused


def test_a_datagram_too_big_for_the_way_is_told_its_mtu(routed: Net) -> None:
    routed["router"].run("ip link set eth1 mtu 1300")
    outcome = routed["left"].udp(FAR, 9, bytes(1400))
    assert (outcome.unreachable, outcome.mtu, outcome.by) == ("fragmentation-needed", 1300, "10.0.1.2")


def test_a_datagram_beyond_all_bounds_is_rejected(routed: Net) -> None:
    assert routed["left"].udp(FAR, 9, bytes(65536)).rejected == "EMSGSIZE"


def echo_once(netns: Netns) -> tuple[int, threading.Thread]:
    """Answer one datagram with its reverse."""
    sock = netns.namespaces.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    sock.settimeout(10)

    def serve() -> None:
        with sock:
            data, peer = sock.recvfrom(100)
            sock.sendto(data[::-1], peer)

    thread = threading.Thread(target=serve)
    thread.start()
    return sock.getsockname()[1], thread


def test_an_answer_is_kept(routed: Net) -> None:
    port, thread = echo_once(routed["right"])
    outcome = routed["left"].udp(FAR, port, b"abc")
    thread.join()
    assert outcome.replied
    assert (outcome.answer, outcome.payload, outcome.by) == (b"cba", b"abc", FAR)


def test_an_answer_from_elsewhere_is_none(routed: Net) -> None:
    port, thread = echo_once(routed["right"])
    routed["right"].run(f"iptables -t nat -A POSTROUTING -p udp --sport {port} -j SNAT --to 10.0.2.1:777")
    routed["right"].run("iptables -t raw -A PREROUTING -j NOTRACK; iptables -t raw -A OUTPUT -j NOTRACK")
    routed["right"].run("ip addr add 10.0.2.5/32 dev lo; ip route add 10.0.1.0/30 via 10.0.2.2 src 10.0.2.5")
    assert routed["left"].udp(FAR, port, timeout_s=0.1).lost
    thread.join()


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_source_may_be_an_address_or_a_device(routed: Net, probe: str) -> None:
    router = routed["router"]
    routed["right"].run("iptables -A INPUT ! -s 10.0.1.2 -j DROP")
    send = getattr(router, probe)
    assert send(FAR, 9, timeout_s=0.1).lost
    assert send(FAR, 9, source="10.0.1.2").refused
    assert send(FAR, 9, source="eth0", timeout_s=0.1).lost


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_mark_chooses_the_route(routed: Net, probe: str) -> None:
    routed["left"].run("ip rule add fwmark 7 blackhole")
    assert getattr(routed["left"], probe)(FAR, 9, mark=7).rejected == "EINVAL"
    assert getattr(routed["left"], probe)(FAR, 9, mark=8).refused


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_a_link_local_neighbour_is_named_with_its_device(routed: Net, probe: str) -> None:
    local = next(
        addr.local for addr in routed["router"].addrs if addr.ifname == "eth0" and addr.local[:4] == "fe80"
    )
    assert getattr(routed["left"], probe)(f"{local}%eth0", 9).refused


@pytest.mark.parametrize("probe", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dst": "nowhere"}, "left: {} nowhere port 9: not an IP address"),
        ({"port": 0}, "expected a port of 1 to 65535"),
        ({"port": 65536}, "expected a port of 1 to 65535"),
        ({"source": "eth7"}, "No such device"),
        ({"source": "192.0.2.99"}, "Cannot assign requested address"),
        ({"dst": "fe80::1%eth7"}, "No such device"),
        ({"dst": "fe80::1%a-name-that-is-too-long"}, "no device can be named"),
    ],
)
def test_what_has_nothing_to_do_with_the_path_raises(
    routed: Net, probe: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ProbeError, match=words.format(probe)):
        getattr(routed["left"], probe)(**{"dst": FAR, "port": 9, **options})


def test_no_local_port_left_is_no_word_about_the_path(routed: Net, both_families: int) -> None:
    left = routed["left"]
    left.sysctl["net.ipv4.ip_local_port_range"] = "40000 40000"
    with left.namespaces.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect((FAR, both_families))
        with pytest.raises(ProbeError, match="no local port is left"):
            left.tcp(FAR, both_families)


@pytest.mark.parametrize("probe", ["tcp", "udp"])
def test_a_probe_leaves_no_descriptor(routed: Net, probe: str, descriptors: Callable[[], int]) -> None:
    getattr(routed["left"], probe)(FAR, 9)
    before = descriptors()
    getattr(routed["left"], probe)(FAR, 9)
    with pytest.raises(ProbeError):
        getattr(routed["left"], probe)(FAR, 9, source="eth7")
    assert descriptors() == before


def test_thousands_go_side_by_side_with_fewer_descriptors(
    routed: Net, both_families: int, descriptors: Callable[[], int]
) -> None:
    import resource

    left: Node = routed["left"]  # type: ignore[assignment]
    before = descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 100, limits[1]))
    try:
        outcomes = drive(tcp(left.namespaces, FAR, port) for port in [both_families, *[9] * 9] * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [outcome.verdict for outcome in outcomes] == ["replied", *["refused"] * 9] * 100
    assert descriptors() == before


def test_the_lost_ones_are_waited_for_together(routed: Net) -> None:
    routed["right"].run("iptables -A INPUT -j DROP")
    places = [routed["left"], routed["router"]]
    outcomes = drive(tcp(place.namespaces, FAR, 9, timeout_s=1) for place in places for _ in range(200))
    assert all(outcome.lost for outcome in outcomes)


def test_one_that_cannot_be_sent_ends_all(routed: Net, descriptors: Callable[[], int]) -> None:
    routed["right"].run("iptables -A INPUT -j DROP")
    before = descriptors()
    with pytest.raises(ProbeError, match="No such device"):
        drive(
            tcp(routed["left"].namespaces, FAR, 9, source=source, timeout_s=30)
            for source in [None] * 30 + ["eth7"] + [None] * 30
        )
    assert descriptors() == before


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("number", [1, 300])
def test_an_interrupt_ends_them_all_at_once(routed: Net, number: int, descriptors: Callable[[], int]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    routed["right"].run("iptables -A INPUT -j DROP")
    before, threads = descriptors(), threading.active_count()
    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            drive(tcp(routed["left"].namespaces, FAR, 9, timeout_s=100) for _ in range(number))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert descriptors() == before
    assert threading.active_count() == threads


def test_a_connection_that_meets_itself_is_refused(a: Node) -> None:
    a.sysctl["net.ipv4.ip_local_port_range"] = "40000 40001"
    for _ in range(20):
        outcome = a.tcp("127.0.0.1", 40000)
        assert (outcome.refused, outcome.refused_with) == (True, "tcp-reset")
        assert a.http("127.0.0.1", 40000).refused
        assert a.dns("127.0.0.1", "x", port=40000, over="tcp").refused


@pytest.mark.parametrize("dst", ["10.0.0.2", "2001:db8::2"])
@pytest.mark.parametrize("source", [None, "eth0"])
def test_a_port_of_ours_is_chosen_as_often_as_we_like(a: Node, b: Node, dst: str, source: str | None) -> None:
    datagrams, connections = b.listen(53, "udp"), b.listen(80)
    for _ in range(3):
        assert a.udp(dst, 53, sport=1053, source=source).replied
        assert a.tcp(dst, 80, sport=1080, source=source).sport == 1080
    assert [each.peer.port for each in datagrams.requests] == [1053] * 3
    assert [each.port for each in connections.connections] == [1080] * 3


@pytest.mark.parametrize(
    ("probe", "options", "words"),
    [
        ("tcp", {"port": "80"}, "expected a port of 1 to 65535, not '80'"),
        ("tcp", {"port": True}, "expected a port of 1 to 65535, not True"),
        ("udp", {"port": 80, "sport": 65536}, "expected a sport of 1 to 65535, not 65536"),
        ("udp", {"port": 80, "payload": "x"}, "expected a payload of bytes, not 'x'"),
    ],
)
def test_what_is_no_port_and_no_payload_is_told(
    a: Node, probe: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ProbeError, match=words):
        getattr(a, probe)("10.0.0.2", **options)


def test_a_port_that_another_has_is_told(a: Node) -> None:
    a.listen(1053, "udp")
    with pytest.raises(ProbeError, match="Address already in use"):
        a.udp("10.0.0.2", 53, sport=1053)
