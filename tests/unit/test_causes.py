"""The cause rules, from recorded evidence."""

from __future__ import annotations

import pytest

from pytest_netconform.explain.causes import Evidence, Observation, find_cause
from pytest_netconform.kernel.observing.counters import parse_counters

QUIET = Observation("router", {}, {"lo": True, "lan": True, "eth1": True})
BROKEN = Observation("node1", {"IpInAddrErrors": 2}, {"lo": False, "eth0": False, "cali1": True})


def test_a_node_that_dropped_packets_for_others_is_named() -> None:
    cause = find_cause(Evidence(False, (QUIET, BROKEN)))
    assert (cause.id, cause.at) == ("forwarding-off", "node1")
    assert cause.sentence == "node1 drops packets that are not for itself: forwarding is off on eth0"
    assert cause.evidence == ("node1: IpInAddrErrors +2", "node1: net.ipv4.conf.eth0.forwarding = 0")


def test_a_probe_answered_at_the_second_try_has_no_cause() -> None:
    assert find_cause(Evidence(True, (BROKEN,))).id == "not-reproduced"


def test_forwarding_that_is_off_where_nothing_was_dropped_is_no_cause() -> None:
    cause = find_cause(Evidence(False, (Observation("node1", {"IpInDelivers": 1}, BROKEN.forwarding),)))
    assert cause.id == "unknown"
    assert cause.evidence == ("node1: IpInDelivers +1", "node1: forwarding is off on eth0, lo")


def test_a_host_with_one_interface_could_not_have_forwarded() -> None:
    pod = Observation("node2/pod1", {"IpInAddrErrors": 1}, {"lo": False, "eth0": False})
    assert find_cause(Evidence(False, (pod,))).id == "unknown"


def test_packets_dropped_while_all_forwards_have_another_cause() -> None:
    seen = Observation("node1", {"IpInAddrErrors": 1}, {"lo": False, "eth0": True, "cali1": True})
    assert find_cause(Evidence(False, (seen,))).id == "unknown"


def test_counters_have_the_names_that_nstat_gives_them() -> None:
    text = "Ip: Forwarding InAddrErrors\nIp: 2 7\nTcpExt: IPReversePathFilter\nTcpExt: 3\n"
    assert dict(parse_counters(text)) == {
        "IpForwarding": 2,
        "IpInAddrErrors": 7,
        "TcpExtIPReversePathFilter": 3,
    }


def test_counters_without_their_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        dict(parse_counters("Ip: Forwarding InAddrErrors\nIp: 2\n"))
