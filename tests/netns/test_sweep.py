"""Pings from each of many hosts to each other."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing import neighbour_table
from pytest_netconform.kernel.probing.icmp import Echo, EchoSocket, Rejection
from pytest_netconform.kernel.probing.neighbour_table import Occupancy, occupancy
from pytest_netconform.nodes import Device, Net, Netns
from pytest_netconform.probes import neighbourhood, ping, sweep


def room(monkeypatch: pytest.MonkeyPatch, entries: int) -> None:
    """Have the table look as if it had so much room."""
    monkeypatch.setattr(
        neighbourhood, "occupancy", lambda _: Occupancy(1024, 1024 - entries * 10 // 9 - 1, 0, known=True)
    )


def test_everybody_reaches_everybody(net: Net) -> None:
    mesh = net.lan(20, subnet="10.200.0.0/16").mesh()
    assert mesh.all_replied
    assert len(mesh) == 380
    assert mesh["host3", "host7"].by == "10.200.0.7"
    assert 0 < (mesh["host3", "host7"].rtt_ms or 0) < 1000


def test_by_ipv6_too(net: Net) -> None:
    hosts = net.lan(12, subnet=("10.200.0.0/16", "2001:db8::/64"))
    assert hosts.mesh(version=6).all_replied
    assert hosts.mesh(version=6)["host2", "host1"].dst == "2001:db8::1"
    with pytest.raises(ProbeError, match="have no IPv6 addresses"):
        net.lan(2, subnet="192.0.2.0/24", name="dmz", prefix="web").mesh(version=6)


@pytest.mark.parametrize("entries", [0, 60])
def test_where_the_table_has_little_room_they_go_block_by_block(
    net: Net, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    hosts = net.lan(25, subnet="10.200.0.0/16")
    room(monkeypatch, entries)
    assert hosts.mesh().all_replied
    assert sum(len(host.neighs) for host in hosts) < 60


def test_more_hosts_than_a_stock_kernel_has_neighbours_for(net: Net) -> None:
    assert net.lan(60, subnet="10.200.0.0/16").mesh().all_replied


def test_neighbours_that_were_set_for_good_stay_and_take_no_room(net: Net) -> None:
    hosts = net.lan(40, subnet="10.200.0.0/16", permanent_neighs=True)
    assert hosts.mesh().all_replied
    assert {neigh.state for host in hosts for neigh in host.neighs} == {("PERMANENT",)}
    assert len(hosts[0].neighs) == 39


def test_a_host_that_is_cut_off_is_seen_from_both_sides(net: Net) -> None:
    hosts = net.lan(10, subnet="10.200.0.0/16")
    hosts[6].run("ip link set eth0 down")
    expected = {("*", "*"): "replied", ("*", "host7"): "lost", ("host7", "*"): "rejected"}
    mesh = hosts.mesh(timeout_s=0.3)
    assert mesh == expected
    assert {outcome.rejected for outcome in mesh.rejected} == {"ENETUNREACH"}
    hosts[6].run("ip link set eth0 up")
    assert not mesh.all_replied


def test_icmp_errors_are_told_pair_by_pair(net: Net) -> None:
    hosts = net.lan(4, subnet="10.200.0.0/16")
    hosts[1].run("iptables -A INPUT -s 10.200.0.1 -j REJECT --reject-with icmp-admin-prohibited")
    hosts[2].run("iptables -A INPUT -s 10.200.0.4 -j REJECT")
    mesh = hosts.mesh(timeout_s=0.5)
    assert mesh == {
        ("*", "*"): "replied",
        ("host1", "host2"): "unreachable",
        ("host2", "host1"): "lost",
        ("host4", "host3"): "refused",
        ("host3", "host4"): "lost",
    }
    assert mesh["host1", "host2"].unreachable == "communication-prohibited"
    assert mesh["host1", "host2"].by == "10.200.0.2"


def test_what_our_own_firewall_refuses_is_rejected(net: Net) -> None:
    hosts = net.lan(3, subnet="10.200.0.0/16")
    hosts[0].run("iptables -A OUTPUT -d 10.200.0.2 -j DROP")
    mesh = hosts.mesh(timeout_s=0.3)
    assert mesh["host1", "host2"].rejected == "EPERM"
    assert mesh["host1", "host3"].replied


def test_all_that_is_lost_costs_one_timeout(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = net.lan(20, subnet="10.200.0.0/16")
    room(monkeypatch, 60)
    hosts.bridge.netns.run("ip link set br0 down")
    mesh = hosts.mesh(timeout_s=0.2)
    assert mesh == {("*", "*"): "lost"}
    waited = [outcome.waited_ms or 0 for outcome in mesh.lost]
    assert min(waited) >= 199
    assert max(waited) - min(waited) < 1000


def test_size_and_df_are_those_of_ping(net: Net) -> None:
    hosts = net.lan(3, subnet="10.200.0.0/16", mtu=1400)
    assert hosts.mesh(size=1400, df=True).all_replied
    assert hosts.mesh(size=1401, df=True) == {("*", "*"): "rejected"}
    with pytest.raises(ProbeError, match="ping between 3 hosts: a ping of 8 bytes"):
        hosts.mesh(size=8)


def test_other_probes_make_a_mesh_too(net: Net) -> None:
    hosts = net.lan(4, subnet="10.200.0.0/16")
    with hosts[2].namespaces.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("", 8080))
        server.listen()
        expected = {("*", "*"): "refused", ("*", "host3"): "replied"}
        assert hosts.mesh("tcp", 8080) == expected
        assert hosts.mesh(Netns.tcp, port=8080) == expected
    with pytest.raises(ProbeError, match=r"no probe 'pings' \(did you mean 'ping'\?\)"):
        hosts.mesh("pings")


def refuse(*_: object) -> None:
    raise OSError(errno.ENOBUFS, "No buffer space available")


def test_a_table_that_stays_full_is_named(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = net.lan(3, subnet="10.200.0.0/16")
    monkeypatch.setattr(sweep, "PATIENCE_S", 0.05)
    monkeypatch.setattr(sweep.Echoes, "send", refuse)
    with pytest.raises(ProbeError, match=r"table of neighbours is full: it holds \d+ \(gc_thresh3\)"):
        hosts.mesh(timeout_s=0.05)


@pytest.mark.skipif(
    "NETCONFORM_ALONE" not in os.environ, reason="fills the machine's table; make soak runs it alone"
)
def test_several_at_once_find_room(net: Net) -> None:
    lans = [
        net.lan(24, subnet=f"10.{number}.0.0/16", name=f"lan{number}", prefix=f"h{number}x")
        for number in range(4)
    ]
    with ThreadPoolExecutor() as pool:
        assert all(mesh.all_replied for mesh in pool.map(lambda hosts: hosts.mesh(), lans))


def test_a_ping_that_finds_the_table_full_tries_again(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = net.lan(2, subnet="10.200.0.0/16")
    send, refusals = EchoSocket.send, iter([Rejection(errno.ENOBUFS, None)] * 3)
    monkeypatch.setattr(EchoSocket, "send", lambda sock, echo: next(refusals, None) or send(sock, echo))
    monkeypatch.setattr(ping, "occupancy", lambda _: Occupancy(1024, 1024, 0, known=True))
    assert hosts[0].ping(hosts[1]).replied
    monkeypatch.setattr(EchoSocket, "send", lambda *_: Rejection(errno.ENOBUFS, None))
    with pytest.raises(
        ProbeError, match=r"host1: ping 10\.200\.0\.2: the machine's table of neighbours is full"
    ):
        hosts[0].ping(hosts[1], timeout_s=0.1)
    monkeypatch.setattr(ping, "occupancy", lambda _: Occupancy(1024, 10, 0, known=True))
    assert hosts[0].ping(hosts[1]).rejected == "ENOBUFS"


def test_replies_that_come_late_find_room(net: Net) -> None:
    hosts = net.lan(120, subnet="10.200.0.0/16", permanent_neighs=True)
    with Device.of(hosts[0], "eth0").rate(4000, "out", queue_ms=2000):
        mesh = hosts.mesh(timeout_s=5)
    assert mesh.all_replied
    assert max(mesh["host1", host.name].rtt_ms or 0 for host in hosts[1:]) > 5


def test_more_replies_than_a_usual_buffer_holds_are_kept(net: Net) -> None:
    one, other = net.lan(2, subnet="10.200.0.0/16")
    with one.namespaces.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        echoes = EchoSocket(one.namespaces, 4, sock)
        echoes.make_room(1000)
        for number in range(1000):
            assert echoes.send(Echo.new(other.address(), 84)) is None, number
        assert len(echoes.answers()) == 1000


def test_a_reply_of_somebody_else_is_none(net: Net) -> None:
    hosts = net.lan(3, subnet="10.200.0.0/16")
    hosts[1].add_addr("lo", "10.200.0.77/32")
    hosts[1].run("nft add table ip t; nft 'add chain ip t o { type filter hook postrouting priority 300; }'")
    hosts[1].run("nft add rule ip t o icmp type echo-reply ip saddr set 10.200.0.77")
    mesh = hosts.mesh(timeout_s=0.3)
    assert mesh == {("*", "*"): "replied", ("*", "host2"): "failed"}
    assert mesh["host1", "host2"].failed == "answered by 10.200.0.77"


def test_nothing_stays_open(net: Net, descriptors: Callable[[], int]) -> None:
    hosts = net.lan(5, subnet="10.200.0.0/16")
    before = descriptors()
    hosts.mesh()
    assert descriptors() == before


def test_the_table_tells_how_full_it_is(net: Net) -> None:
    if not Path("/proc/net/stat/arp_cache").exists():
        pytest.skip("only the machine's first network namespace tells how full its table is")
    hosts = net.lan(12, subnet="10.200.0.0/16")
    before = occupancy(4)
    hosts.mesh()
    after = occupancy(4)
    assert after.known
    assert after.limit == before.limit > 0
    assert after.entries > 0


def test_where_the_machine_does_not_tell_a_stock_kernel_is_taken_for_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbour_table, "PROTOCOLS", {4: ("ipv4", "no_such_cache")})
    assert occupancy(4) == Occupancy(1024, 0, 0, known=False)
    assert occupancy(4).room == 256
