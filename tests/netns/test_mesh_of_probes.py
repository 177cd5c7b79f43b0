"""A mesh of probes other than pings: side by side, each with its outcome."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.neighbour_table import Occupancy, occupancy
from pytest_netconform.nodes import Net
from pytest_netconform.probes import neighbourhood


def test_every_host_connects_to_every_other(net: Net) -> None:
    lan = net.lan(8, subnet="10.200.0.0/24")
    listeners = [host.listen(80) for host in lan]
    assert lan.mesh("tcp", 80).all_replied
    for listener in listeners:
        assert len(listener.await_connections(7)) == 7
    listeners[2].close()
    name = lan[2].name
    assert lan.mesh("tcp", 80) == {("*", "*"): "replied", ("*", name): "refused"}


def test_a_wrong_answer_has_its_word(net: Net) -> None:
    lan = net.lan(3, subnet="10.200.0.0/24")
    for host in lan:
        host.listen(80, "http")
    mesh = lan.mesh("http", 80, https=True)
    assert {outcome.failed for outcome in mesh.failed} == {"wrong version number"}
    assert len(mesh.failed) == 6


def test_silence_where_neighbours_found_no_room_is_no_loss(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is the whole machine's, so that this only makes believe that it is full."""
    lan = net.lan(3, subnet="10.200.0.0/24")
    refused = count()
    monkeypatch.setattr(
        neighbourhood, "occupancy", lambda version: replace(occupancy(version), refused=next(refused))
    )
    assert not lan.mesh("tcp", 80).replied
    for host in lan:
        host.run("iptables -A INPUT -p tcp -j DROP")
    with pytest.raises(ProbeError, match="tcp between 3 hosts: the machine's table of neighbours is full"):
        lan.mesh("tcp", 80, timeout_s=0.1)


def test_where_the_table_has_little_room_they_go_block_by_block(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    lan = net.lan(12, subnet="10.200.0.0/24")
    little = Occupancy(1024, 950, 0, known=True)
    monkeypatch.setattr(neighbourhood, "occupancy", lambda _: little)
    assert lan.mesh("tcp", 80) == {("*", "*"): "refused"}
    assert sum(len(host.neighs) for host in lan) < 40


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((), {"sizee": 3}, r"mesh of ping: no option 'sizee' \(did you mean 'size'\?\)"),
        (("ping", 80), {}, "mesh of ping: too many positional arguments"),
        (("tcp",), {}, "mesh of tcp: missing a required argument: 'port'"),
    ],
)
def test_what_a_probe_does_not_take_is_refused(
    net: Net, args: tuple[str, ...], options: dict[str, int], words: str
) -> None:
    with pytest.raises(ProbeError, match=words):
        net.lan(2, "192.0.2.0/24").mesh(*args, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("probe", "args"), [("ping", ()), ("tcp", (80,))])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mark": -1}, "expected a mark of 0 to"),
        ({"source": "a-name-that-is-too-long"}, "no device can be named 'a-name-that-is-too-long'"),
        ({"timeout_s": float("nan")}, "expected a timeout_s of 0 or more seconds"),
    ],
)
def test_what_cannot_be_sent_is_told_of_a_mesh_too(
    net: Net, probe: str, args: tuple[int, ...], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ProbeError, match=words):
        net.lan(2, subnet="10.200.0.0/24").mesh(probe, *args, **options)  # type: ignore[arg-type]
