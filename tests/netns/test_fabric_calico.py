"""The Calico-shaped fabric: healthy as built, unchanged by restarts, broken as nodes in the field were."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE

import pytest

from pytest_netconform.explain.evidence import gather
from pytest_netconform.fabrics import Fabric, build, find
from pytest_netconform.nodes import Net, Netns

STATE = """
ip -j addr; ip -j rule
for family in -4 -6; do ip "$family" route show table all | sort; done
for table in raw mangle nat filter; do iptables-save -t "$table" | sed '/^#/d; s/ \\[.*//'; done
ipset save
cd /proc/sys/net && grep -r . ipv4/conf ipv4/ip_forward ipv6/conf 2>/dev/null | grep -v stable_secret | sort
"""
COUNTING = """
table ip watching {
    counter prerouting { }
    counter forward { }
    chain pre { type filter hook prerouting priority -350; icmp type echo-reply counter name prerouting; }
    chain forw { type filter hook forward priority -350; icmp type echo-reply counter name forward; }
}
"""
REPLIED = [
    ("node1/pod1", "outside"),
    ("node2/pod2", "outside"),
    ("node1/pod1", "node2/pod1"),
    ("node1/pod1", "node1/pod2"),
    ("node1/pod1", "node1"),
    ("node1/pod1", "node2"),
    ("node1", "node1/pod1"),
    ("node2", "node1/pod1"),
    ("node1", "node2"),
    ("node1", "outside"),
    ("outside", "node1"),
]


@pytest.fixture
def fabric() -> Iterator[Fabric]:
    with Net() as net:
        yield build(net, "calico", nodes=2, pods=2)


@pytest.fixture
def restarted(fabric: Fabric) -> Fabric:
    """The fabric, after the network of a node was restarted whose forwarding stands in no file."""
    fabric["node1"].run("rm /etc/sysctl.d/90-forwarding.conf")
    fabric["node1"].run("network-service restart")
    fabric["node1"].run("calico-node restart")
    return fabric


@contextmanager
def tcpdump(place: Netns, ifname: str, packets: int) -> Iterator[list[str]]:
    """Capture ICMP on a device; the list holds one line a packet when the context ends."""
    command = ["tcpdump", "-nni", ifname, "--immediate-mode", "-lqt", "-c", str(packets), "icmp"]
    with place.popen(command, stdout=PIPE, stderr=PIPE) as process:
        assert process.stderr is not None
        assert any("listening on" in line for line in process.stderr)
        lines: list[str] = []
        yield lines
        lines += process.communicate(timeout=5)[0].splitlines()


def state(place: Netns) -> str:
    return place.run(STATE).stdout


def outcome(fabric: Fabric, source: str, to: str, *, expected: str = "replied") -> str:
    """Ping; what must not be answered is waited for less long."""
    return fabric[source].ping(fabric.address(to), timeout_s=3 if expected == "replied" else 0.4).verdict


def replies_counted(place: Netns) -> dict[str, int]:
    listed = json.loads(place.run("nft -j list counters table ip watching").stdout)["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed if "counter" in entry}


def in_addr_errors(place: Netns) -> int:
    return int(place.run("nstat -asz IpInAddrErrors | awk '/InAddr/ {print $2}'").stdout)


def test_all_healthy_ways_are_open(fabric: Fabric) -> None:
    assert {pair: outcome(fabric, *pair) for pair in REPLIED} == dict.fromkeys(REPLIED, "replied")


def test_the_outside_sees_a_pod_as_its_node(fabric: Fabric) -> None:
    with tcpdump(fabric.outside, "eth0", packets=1) as lines:
        assert outcome(fabric, "node1/pod1", "outside") == "replied"
    assert lines[0].startswith(f"IP {fabric.address('node1')} > {fabric.address('outside')}: ")


def test_a_pod_sees_another_node_s_pod_as_itself(fabric: Fabric) -> None:
    with tcpdump(fabric["node2/pod1"], "eth0", packets=1) as lines:
        assert outcome(fabric, "node1/pod1", "node2/pod1") == "replied"
    assert lines[0].startswith(f"IP {fabric.address('node1/pod1')} > {fabric.address('node2/pod1')}: ")


def test_the_outside_does_not_know_the_pods(fabric: Fabric) -> None:
    fabric["node1"].run("iptables -t nat -F cali-nat-outgoing")
    assert outcome(fabric, "node1/pod1", "outside", expected="lost") == "lost"


def test_the_places_are_those_that_were_foretold(fabric: Fabric) -> None:
    assert set(fabric.places) == set(find("calico").places({"pods": 2}))


def test_a_pod_hangs_on_its_node_as_calico_attaches_it(fabric: Fabric) -> None:
    node, pod = fabric["node1"], fabric["node1/pod1"]
    (port,) = [link for link in node.links if link.ifindex == pod.links["eth0"].link_index]
    assert re.fullmatch(r"cali[0-9a-f]{11}", port.ifname)
    assert port.address == "ee:ee:ee:ee:ee:ee"
    routes = [line.strip() for line in pod.run("ip -4 route").stdout.splitlines()]
    assert routes == ["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]


def test_a_node_is_persistently_a_kubernetes_node_with_calico(fabric: Fabric) -> None:
    assert fabric["node1"].run("sysctl --system").returncode == 0
    plugins = json.loads(fabric["node1"].run("cat /etc/cni/net.d/10-calico.conflist").stdout)["plugins"]
    assert plugins[0]["type"] == "calico"
    fabric["node1"].run("test -f /var/lib/kubelet/config.yaml")
    assert fabric["node1"].sysctl["net.ipv4.ip_forward"] == 1


@pytest.mark.parametrize("program", ["network-service", "calico-node"])
def test_the_programs_say_that_they_emulate(fabric: Fabric, program: str) -> None:
    assert "mulates" in fabric["node1"].run([program, "--help"]).stdout
    assert fabric["node1"].run([program, "bla"], check=False).returncode == 2


def test_restarting_both_services_leaves_a_healthy_node_as_it_was(fabric: Fabric) -> None:
    before = state(fabric["node1"])
    fabric["node1"].run("network-service restart && calico-node restart")
    assert state(fabric["node1"]) == before


def test_the_network_service_takes_away_what_only_calico_puts_back(fabric: Fabric) -> None:
    before = state(fabric["node1"])
    fabric["node1"].run("network-service restart")
    assert f"10.244.2.0/26 via {fabric.address('node2')}" not in state(fabric["node1"])
    fabric["node1"].run("calico-node restart")
    assert state(fabric["node1"]) == before


def test_calico_removes_what_is_no_more_in_its_datastore(fabric: Fabric) -> None:
    node, before = fabric["node1"], state(fabric["node1"])
    node.run(
        "cp -r /etc/calico/datastore /run/; sed -i /10.244.1.2/d /etc/calico/datastore/workloadendpoints"
    )
    node.run("echo 10.245.0.0/16 true > /etc/calico/datastore/ippools; calico-node restart")
    assert outcome(fabric, "node1", "node1/pod2", expected="rejected") == "rejected"
    assert "10.244.0.0/16" not in node.run("ipset save").stdout
    assert len(re.findall("^:cali-fw-", node.run("iptables-save").stdout, re.MULTILINE)) == 1
    node.run("cp /run/datastore/* /etc/calico/datastore; calico-node restart")
    assert state(node) == before


def test_calico_accepts_what_the_policy_of_forward_would_drop(fabric: Fabric) -> None:
    fabric["node1"].run("iptables -P FORWARD DROP")
    assert outcome(fabric, "node1/pod1", "outside") == "replied"
    fabric["node1"].run("iptables -I cali-from-wl-dispatch -j DROP")
    assert outcome(fabric, "node1/pod1", "outside", expected="lost") == "lost"


def test_calico_puts_its_jumps_first_again(fabric: Fabric) -> None:
    fabric["node1"].run("iptables -I FORWARD -j DROP")
    assert outcome(fabric, "node1/pod1", "outside", expected="lost") == "lost"
    fabric["node1"].run("calico-node restart")
    assert outcome(fabric, "node1/pod1", "outside") == "replied"


def test_after_the_restart_in_the_field_exactly_these_ways_are_closed(restarted: Fabric) -> None:
    from_pod = {("node1/pod1", "outside"), ("node1/pod1", "node2/pod1"), ("node1/pod1", "node2")}
    closed = {*from_pod, ("node2", "node1/pod1")}
    expected = {pair: "lost" if pair in closed else "replied" for pair in REPLIED}
    assert {pair: outcome(restarted, *pair, expected=expected[pair]) for pair in REPLIED} == expected


def test_after_the_restart_forwarding_is_on_for_workloads_alone(restarted: Fabric) -> None:
    sysctl = restarted["node1"].sysctl
    assert sysctl["net.ipv4.ip_forward"] == 0
    for link in restarted["node1"].links:
        assert sysctl[f"net.ipv4.conf.{link.ifname}.forwarding"] == link.ifname.startswith("cali")


def test_after_the_restart_requests_leave_masqueraded_and_replies_arrive(restarted: Fabric) -> None:
    node, outside = restarted.address("node1"), restarted.address("outside")
    with tcpdump(restarted["node1"], "eth0", packets=2) as lines:
        assert outcome(restarted, "node1/pod1", "outside", expected="lost") == "lost"
    assert [line.partition(",")[0] for line in lines] == [
        f"IP {node} > {outside}: ICMP echo request",
        f"IP {outside} > {node}: ICMP echo reply",
    ]


def test_after_the_restart_replies_pass_prerouting_and_never_forward(restarted: Fabric) -> None:
    node = restarted["node1"]
    node.run(["nft", "-f", "-"], input=COUNTING)
    errors = in_addr_errors(node)
    assert outcome(restarted, "node1/pod1", "outside", expected="lost") == "lost"
    assert replies_counted(node) == {"prerouting": 1, "forward": 0}
    assert in_addr_errors(node) == errors + 1


def test_the_cause_of_the_field_is_found_from_one_lost_ping(restarted: Fabric) -> None:
    cause = gather(
        restarted.places,
        lambda: restarted["node1/pod1"].ping(restarted.address("outside"), timeout_s=0.4).replied,
    )
    assert (cause.id, cause.at) == ("forwarding-off", "node1")
    assert cause.evidence == (
        "node1: IpInAddrErrors +1",
        "node1: net.ipv4.conf.eth0.forwarding = 0",
    )


def test_a_persisted_setting_survives_the_restart(fabric: Fabric) -> None:
    fabric["node1"].run("network-service restart && calico-node restart")
    assert outcome(fabric, "node1/pod1", "outside") == "replied"
    assert gather(fabric.places, lambda: True).id == "not-reproduced"
