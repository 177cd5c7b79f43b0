"""Fabrics by name: their options, their places, and what is said of a mistake. Nothing is built."""

from __future__ import annotations

import os
import subprocess
from ipaddress import IPv4Network
from typing import cast

import pytest

from pytest_netconform import fabrics
from pytest_netconform.errors import BuildError
from pytest_netconform.fabrics import Fabric, Kind, build, find, kinds, register
from pytest_netconform.fabrics.calico import POOL, block, interface
from pytest_netconform.fabrics.underlay import PROGRAMS
from pytest_netconform.nodes import Net, Netns

NO_NET = cast(Net, None)


def build_example(net: Net, *, nodes: int = 1, pods: int = 0, mode: str, strict: bool = False) -> Fabric:
    """An example of a kind.

    More about it.
    """
    return Fabric(f"{mode} {nodes} {pods} {strict} {net}")


EXAMPLE = Kind("example", build_example)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Kind:
    monkeypatch.setattr(fabrics, "_added", {"example": EXAMPLE})
    return EXAMPLE


@pytest.fixture
def fabric() -> Fabric:
    made = Fabric("calico")
    for name, address in {
        "node1": "192.0.2.11",
        "node1/pod1": "10.244.1.1",
        "outside": "198.51.100.2",
    }.items():
        made.add(name, cast(Netns, object()), address)
    return made


def test_every_kind_says_in_one_line_what_it_is() -> None:
    assert all(kind.description.endswith(".") for kind in kinds().values())


def test_an_unknown_fabric_names_the_one_that_was_meant() -> None:
    with pytest.raises(BuildError, match=r"unknown fabric 'calcio' \(did you mean 'calico'\?\)"):
        find("calcio")


def test_a_description_is_the_first_line_of_the_docstring() -> None:
    assert EXAMPLE.description == "An example of a kind."


def test_options_reach_the_function_by_name(example: Kind) -> None:
    assert build(NO_NET, example.name, mode="vxlan", nodes=3).kind == "vxlan 3 0 False None"


def test_everything_wrong_in_the_options_is_told_at_once(example: Kind) -> None:
    with pytest.raises(BuildError) as caught:
        build(NO_NET, example.name, node=3, nodes="two", strict="yes", pods=True)
    assert str(caught.value) == (
        "fabric example: unknown option 'node' (did you mean 'nodes'?); nodes: expected a number, got 'two'; "
        "strict: expected true/false, got 'yes'; pods: expected a number, got true; mode: missing"
    )


def test_each_problem_comes_with_its_option() -> None:
    assert list(EXAMPLE.problems({"mode": 1})) == [("mode", "mode: expected text, got 1")]


def test_a_name_that_is_taken_is_refused(example: Kind) -> None:
    with pytest.raises(ValueError, match="there is a fabric 'example' already"):
        register(example)


def test_a_registered_kind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabrics, "_added", {})
    register(EXAMPLE)
    assert find("example") is EXAMPLE


def test_the_places_are_known_before_anything_is_built() -> None:
    assert find("calico").places({"nodes": 1, "pods": 2}) == [
        *("node1", "node1/pod1", "node1/pod2", "router", "outside"),
    ]


def test_addresses_have_names_that_a_shell_can_use(fabric: Fabric) -> None:
    assert fabric.environment() == {
        "NODE1_IP": "192.0.2.11",
        "NODE1_POD1_IP": "10.244.1.1",
        "OUTSIDE_IP": "198.51.100.2",
    }


def test_an_unknown_place_names_the_one_that_was_meant(fabric: Fabric) -> None:
    with pytest.raises(
        BuildError, match=r"fabric calico: no place 'node1/pod2' \(did you mean 'node1/pod1'\?\)"
    ):
        fabric["node1/pod2"]
    with pytest.raises(BuildError, match="no place 'outsde'"):
        fabric.address("outsde")


@pytest.mark.parametrize("options", [{"nodes": 0}, {"nodes": 10**9}, {"pods": 63}, {"pods": -1}, {"mtu": 67}])
def test_numbers_out_of_bounds_are_refused_before_anything_is_built(options: dict[str, object]) -> None:
    with pytest.raises(BuildError, match=r"fabric calico: (nodes|pods|mtu): expected"):
        build(NO_NET, "calico", **options)


def test_every_node_has_a_block_of_its_own() -> None:
    numbers = find("calico").options["nodes"].bounds
    assert numbers is not None
    blocks = [block(number) for number in numbers]
    assert len(set(blocks)) == len(numbers)
    assert all(each.subnet_of(POOL) for each in blocks)
    assert block(1) == IPv4Network("10.244.1.0/26")


def test_an_interface_is_named_as_calico_names_it() -> None:
    assert interface("node1/pod1") == "cali20a2ad68006"


@pytest.mark.parametrize("program", ["network-service", "calico-node"])
def test_a_program_is_sound_posix_sh_and_can_be_run(program: str) -> None:
    path = PROGRAMS / program
    subprocess.run(["sh", "-n", path], check=True)
    assert path.read_text().startswith("#!/bin/sh\n")
    assert os.access(path, os.X_OK)
