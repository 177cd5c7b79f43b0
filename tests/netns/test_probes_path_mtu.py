"""The path MTU, with and without routers that tell it."""

from __future__ import annotations

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.nodes import Net, Node

FAR, FAR6 = "10.0.2.1", "2001:db8:2::1"
NEAR, NEAR6 = "10.0.1.2", "2001:db8:1::2"


def narrow(routed: Net, mtu: int) -> None:
    """Make the far wire narrow, at both ends."""
    routed["router"].run(f"ip link set eth1 mtu {mtu}")
    routed["right"].run(f"ip link set eth0 mtu {mtu}")


def silence(router: Node) -> None:
    """Let the router tell nobody what is too big."""
    router.run("iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP")
    router.run("ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP")


@pytest.mark.parametrize("dst", [FAR, FAR6])
def test_nothing_narrower_than_our_own_device(routed: Net, dst: str) -> None:
    outcome = routed["left"].path_mtu(dst)
    assert outcome.replied
    assert (outcome.mtu, outcome.narrowed_by, outcome.black_hole, outcome.by) == (1500, None, False, dst)
    assert repr(outcome) == f"PathMtu(left -> {dst}: 1500 bytes, our own device's)"


@pytest.mark.parametrize(("dst", "router"), [(FAR, NEAR), (FAR6, NEAR6)])
@pytest.mark.parametrize("mtu", [1499, 1400, 1280])
def test_a_router_tells(routed: Net, dst: str, router: str, mtu: int) -> None:
    narrow(routed, mtu)
    outcome = routed["left"].path_mtu(dst)
    assert (outcome.mtu, outcome.narrowed_by, outcome.black_hole) == (mtu, router, False)
    assert repr(outcome) == f"PathMtu(left -> {dst}: {mtu} bytes, told by {router})"


@pytest.mark.parametrize("dst", [FAR, FAR6])
@pytest.mark.parametrize("mtu", [1499, 1400, 1280])
def test_a_black_hole_is_searched_out(routed: Net, dst: str, mtu: int) -> None:
    narrow(routed, mtu)
    silence(routed["router"])  # type: ignore[arg-type]
    outcome = routed["left"].path_mtu(dst, timeout_s=0.3)
    assert (outcome.mtu, outcome.narrowed_by, outcome.black_hole) == (mtu, None, True)
    assert repr(outcome) == f"PathMtu(left -> {dst}: {mtu} bytes, what is larger is swallowed in silence)"


def test_one_may_tell_and_the_next_be_silent(routed: Net) -> None:
    narrow(routed, 1400)
    routed["right"].run("iptables -A INPUT -p icmp -m length --length 1301: -j DROP")
    outcome = routed["left"].path_mtu(FAR, timeout_s=0.3)
    assert (outcome.mtu, outcome.narrowed_by, outcome.black_hole) == (1300, None, True)


def test_what_the_kernel_learnt_before_is_not_believed(routed: Net) -> None:
    narrow(routed, 1400)
    assert routed["left"].path_mtu(FAR).mtu == 1400
    narrow(routed, 1500)
    assert "mtu 1400" in routed["left"].run(f"ip route get {FAR}").stdout
    assert routed["left"].path_mtu(FAR).mtu == 1500


def test_a_large_path_is_measured(routed: Net) -> None:
    for node, dev in (("left", "eth0"), ("router", "eth0"), ("router", "eth1"), ("right", "eth0")):
        routed[node].run(f"ip link set {dev} mtu 9000")
    assert routed["left"].path_mtu(FAR).mtu == 9000
    routed["right"].run("iptables -A INPUT -p icmp -m length --length 8951: -j DROP")
    outcome = routed["left"].path_mtu(FAR, timeout_s=0.3)
    assert (outcome.mtu, outcome.black_hole) == (8950, True)


@pytest.mark.parametrize("dst", ["127.0.0.1", "::1"])
def test_ourselves_are_reached_by_the_largest(routed: Net, dst: str) -> None:
    assert routed["left"].path_mtu(dst).mtu == 65535


def test_who_does_not_answer_has_the_outcome_of_a_ping(routed: Net) -> None:
    left, right = routed["left"], routed["right"]
    assert left.path_mtu("203.0.113.1").unreachable == "network-unreachable"
    left.run("ip route add prohibit 198.51.100.0/24")
    assert left.path_mtu("198.51.100.1").rejected == "EACCES"
    right.run("iptables -A INPUT -p icmp -j DROP")
    outcome = left.path_mtu(right, timeout_s=0.1)
    assert outcome.lost
    assert repr(outcome).startswith("PathMtu(left -> 10.0.2.1: lost, waited 1")


def test_a_lost_packet_does_not_pass_for_a_black_hole(routed: Net) -> None:
    left, right = routed["left"], routed["right"]
    right.run(
        "iptables -A INPUT -p icmp -m length --length 1500 -m limit --limit 1/hour --limit-burst 1 -j DROP"
    )
    outcome = left.path_mtu(FAR, timeout_s=0.3)
    assert (outcome.mtu, outcome.narrowed_by) == (1500, None)
    assert not outcome.black_hole


def test_what_has_nothing_to_do_with_the_path_raises(routed: Net) -> None:
    with pytest.raises(ProbeError, match=r"left: path_mtu 10\.0\.2\.1: No such device"):
        routed["left"].path_mtu(FAR, source="eth7")
    with pytest.raises(ProbeError, match="left: path_mtu nowhere: not an IP address"):
        routed["left"].path_mtu("nowhere")


def lose(node: Node, lengths: str, every: int) -> None:
    """Lose the first and every so many-th ping of these lengths, and say nothing."""
    node.run(
        f"iptables -A INPUT -p icmp -m length --length {lengths} "
        f"-m statistic --mode nth --every {every} --packet 0 -j DROP"
    )


@pytest.mark.parametrize("lengths", ["84", "1500", "85:1500", "0:65535"])
def test_what_is_lost_once_is_no_black_hole(a: Node, b: Node, lengths: str) -> None:
    lose(b, lengths, 2)
    outcome = a.path_mtu("10.0.0.2", timeout_s=0.1)
    assert (outcome.mtu, outcome.black_hole) == (1500, False)


def test_the_bound_of_a_black_hole_is_found_on_a_path_that_loses(a: Node, b: Node) -> None:
    b.run("iptables -A INPUT -p icmp -m length --length 1301: -j DROP")
    lose(b, "1250:1300", 3)
    outcome = a.path_mtu("10.0.0.2", timeout_s=0.1)
    assert (outcome.mtu, outcome.black_hole) == (1300, True)
