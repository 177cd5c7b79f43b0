"""The built-in suites on nodes that once made them say something wrong."""

from __future__ import annotations

import json

import pytest
from dictionary import ERROR, FAIL, PASS, SKIP, Answers, Dictionary, link

from pytest_netconform.facts.chains import parse_iptables_save
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.facts.neighs import Neigh
from pytest_netconform.facts.routes import Route
from pytest_netconform.facts.sysctls import Sysctl
from pytest_netconform.questions import Unknown
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library, builtin_suites
from pytest_netconform.verdicts import Judgement

LIBRARY = Library()
for path in builtin_suites():
    LIBRARY.load(path)
UP = ("UP", "LOWER_UP")
HOPS = tuple({"dev": f"eth{i}", "gateway": f"10.0.{i}.1", "weight": 1, "flags": []} for i in (0, 1))
WAYS = (Route(family="inet", dst="default", nexthops=HOPS),)


def judged(check_id: str, answers: Answers) -> Judgement:
    suite, _, name = check_id.partition("::")
    return Judge(Dictionary(answers), LIBRARY.suites).judge(LIBRARY.suites[suite].checks[name])


def applies(suite: str, answers: Answers) -> Judgement:
    return Judge(Dictionary(answers), LIBRARY.suites).applies(LIBRARY.suites[suite])


# linux


def test_each_way_of_a_default_route_of_several_is_looked_at() -> None:
    both = (link("eth0", flags=UP), link("eth1", flags=UP))
    one = (link("eth0", flags=UP), link("eth1", flags=("UP",)))
    assert judged("linux::ways-out-are-up", {"route": WAYS, "link": both}).verdict is PASS
    assert judged("linux::ways-out-are-up", {"route": WAYS, "link": one}).verdict is FAIL
    assert judged("linux::ways-out-are-up", {"link": one}).verdict is PASS
    assert judged("linux::way-out-is-up", {"route": WAYS, "link": one}).verdict is PASS


@pytest.mark.parametrize(
    ("dst", "dev", "verdict"),
    [("10.0.1.1", "eth1", FAIL), ("10.0.0.1", "eth1", PASS), ("10.0.9.1", "eth0", PASS)],
)
def test_each_gateway_of_a_default_route_of_several_is_looked_at(dst: str, dev: str, verdict: object) -> None:
    dead = (Neigh(family="inet", dst=dst, dev=dev, state=("FAILED",)),)
    assert judged("linux::gateways-answer", {"route": WAYS, "neigh": dead}).verdict is verdict


# kubernetes-node


def test_a_bridge_without_pods_needs_no_netfilter() -> None:
    docker0 = link("docker0", kind="bridge")
    port = link("veth0", kind="veth", slave_kind="bridge", master="docker0")
    check, on = (
        "kubernetes-node::bridged-packets-meet-iptables",
        (Sysctl("net.bridge.bridge-nf-call-iptables", "1"),),
    )
    assert judged(check, {"link": (docker0,)}).verdict is PASS
    assert judged(check, {"link": (docker0, port)}).verdict is FAIL
    assert judged(check, {"link": (docker0, port), "sysctl": on}).verdict is PASS


# calico

CALICO = {"name": "k8s-pod-network", "plugins": [{"type": "calico"}, {"type": "portmap"}]}
OTHER = {"name": "cbr0", "plugins": [{"type": "flannel"}]}


def conflist(content: object) -> tuple[File, ...]:
    return (file_of("/etc/cni/net.d/10-x.conflist", "file", 9, 0o644, json.dumps(content)),)


def test_only_what_calico_itself_leaves_makes_it_apply() -> None:
    assert applies("calico", {"file": conflist(CALICO)}).verdict is PASS
    assert applies("calico", {"link": (link("cali0", kind="veth"),)}).verdict is PASS
    assert applies("calico", {"file": conflist(OTHER)}).verdict is FAIL
    assert applies("calico", {"file": conflist("no list")}).verdict is FAIL
    assert applies("calico", {}).verdict is FAIL
    assert applies("calico", {"file": Unknown("not allowed")}).verdict is ERROR


NAT = """*nat
:POSTROUTING ACCEPT [0:0]
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -j MASQUERADE
COMMIT
"""


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        ("", PASS),
        ("-A cali-nat-outgoing -j MASQUERADE\n", PASS),
        ("-A cali-POSTROUTING -j cali-nat-outgoing\n", FAIL),
        ("-A POSTROUTING -j cali-POSTROUTING\n", FAIL),
    ],
)
def test_pools_without_outgoing_nat_need_no_masquerade(without: str, verdict: object) -> None:
    chains = parse_iptables_save(NAT.replace(without, "", 1) if without else NAT, "ip", "nft")
    assert judged("calico::pods-leave-masqueraded", {"chain": chains}).verdict is verdict


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (":cali-FORWARD - [0:0]\n-A FORWARD -j cali-FORWARD\n", PASS),
        (":cali-FORWARD - [0:0]\n", FAIL),
        (":KUBE-FORWARD - [0:0]\n", FAIL),
        ("", PASS),
    ],
    ids=["dispatched", "jump lost", "all lost", "nftables"],
)
def test_where_iptables_is_not_used_calico_needs_no_jump_there(rules: str, verdict: object) -> None:
    chains = parse_iptables_save(f"*filter\n:FORWARD ACCEPT [0:0]\n{rules}COMMIT\n", "ip", "nft")
    assert judged("calico::forward-is-dispatched", {"chain": chains}).verdict is verdict


# flannel-vxlan

SUBNET = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_MTU={}\n"
DEFAULTS = tuple(Route(family="inet", dst="default", dev=f"eth{i}", metric=100 + i) for i in (0, 1))


@pytest.mark.parametrize(("mtu", "verdict"), [(1450, PASS), (1500, FAIL)], ids=["vxlan", "host-gw"])
def test_a_node_with_two_default_routes_is_known_by_its_mtu(mtu: int, verdict: object) -> None:
    subnet = (file_of("/run/flannel/subnet.env", "file", 9, 0o644, SUBNET.format(mtu)),)
    links = (link("eth0", mtu=1500, flags=UP), link("eth1", mtu=9000, flags=UP))
    answers: Answers = {"file": subnet, "link": links, "route": DEFAULTS}
    assert applies("flannel-vxlan", answers).verdict is verdict


def test_without_evidence_a_recording_that_is_silent_makes_nothing_apply() -> None:
    silent = Unknown("a recording of format 0 does not tell of it", untold=True)
    assert applies("flannel-vxlan", {"file": silent, "link": (link("eth0", mtu=1500),)}).verdict is FAIL


def test_a_route_without_a_neighbour_is_not_passed_over() -> None:
    routes = (Route(family="inet", dst="10.42.1.0/24", gateway="10.42.1.0", dev="flannel.1"),)
    answers: Answers = {"route": routes, "link": (link("flannel.1"),)}
    assert judged("flannel-vxlan::routes-have-neighbours", answers).verdict is FAIL
    assert judged("flannel-vxlan::neighbours-have-ends", answers).verdict is SKIP
