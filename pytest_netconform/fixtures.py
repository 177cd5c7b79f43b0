"""The public fixtures: thin wrappers over a private one, so that a user's own `node` replaces only ours.

Imports stand in the bodies: a plugin that is installed but not used must cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_netconform.nodes import Bridge, Capture, Device, Hosts, Net, Netns, Node


@pytest.fixture
def _netconform_net() -> Iterator[Net]:
    """Hold all that one test builds; teardown ends its processes and destroys its namespaces."""
    from pytest_netconform.kernel.making import userns
    from pytest_netconform.nodes import Net

    if reason := userns.why_not():
        pytest.skip(reason)
    with Net() as net:
        yield net


@pytest.fixture
def netns(_netconform_net: Net) -> Callable[[str], Netns]:
    """Make network namespaces: `netns("leaf1")`. Scope: function.

    Needs root, or netconform_userns. Teardown destroys them.
    """
    return _netconform_net.netns


@pytest.fixture
def node(_netconform_net: Net) -> Callable[[str], Node]:
    """Make nodes: `node("node1")`. Scope: function.

    Needs root, or netconform_userns. Teardown ends and destroys them.
    """
    return _netconform_net.node


@pytest.fixture
def veth(_netconform_net: Net) -> Callable[..., tuple[Device, Device]]:
    """Join namespaces: `veth(a, b, subnet="192.0.2.0/30")`. Scope: function.

    Needs root, or netconform_userns. Teardown unjoins.
    """
    return _netconform_net.veth


@pytest.fixture
def bridge(_netconform_net: Net) -> Callable[..., Bridge]:
    """Make bridges: `bridge(a).attach(port)`. Scope: function.

    Needs root, or netconform_userns. Teardown destroys them.
    """
    return _netconform_net.bridge


@pytest.fixture
def lan(_netconform_net: Net) -> Callable[..., Hosts]:
    """Make hosts on one bridge: `lan(9, "10.2.0.0/16")`. Scope: function.

    Needs root, or netconform_userns. Teardown destroys them.
    """
    return _netconform_net.lan


@pytest.fixture
def capture() -> type[Capture]:
    """Capture packets: `with capture(ns, "eth0", "icmp") as captured:`. Scope: function.

    Needs root, or netconform_userns. Its context's end ends it.
    """
    from pytest_netconform.nodes import Capture

    return Capture


@pytest.fixture
def vxlan(_netconform_net: Net) -> Callable[..., tuple[Device, ...]]:
    """Join namespaces by a VXLAN: `vxlan(a, b, vni=10, dev="eth0", subnet="10.9.0.0/24")`. Scope: function.

    Needs root, or netconform_userns. Teardown destroys its devices.
    """
    _skip_without("vxlan")
    return _netconform_net.vxlan


@pytest.fixture
def macvlan(_netconform_net: Net) -> Callable[..., Device]:
    """Make devices with a MAC address of their own upon another: `macvlan(eth0, pod)`. Scope: function.

    Needs root, or netconform_userns. Teardown destroys them.
    """
    _skip_without("macvlan")
    return _netconform_net.macvlan


@pytest.fixture
def vlan(_netconform_net: Net) -> Callable[..., Device]:
    """Make VLANs upon a device: `vlan(eth0, 10)`. Scope: function.

    Needs root, or netconform_userns, and a kernel that has them; else skips. Teardown destroys them.
    """
    _skip_without("vlan")
    return _netconform_net.vlan


@pytest.fixture
def dummy(_netconform_net: Net) -> Callable[..., Device]:
    """Make devices that lead nowhere: `dummy(a, addr="10.0.0.1/32")`. Scope: function.

    Needs root, or netconform_userns, and a kernel that has them; else skips. Teardown destroys them.
    """
    _skip_without("dummy")
    return _netconform_net.dummy


@pytest.fixture
def topology(_netconform_net: Net, request: pytest.FixtureRequest) -> Callable[..., Net]:
    """Build a declared topology: `topology("two-racks.topology.yaml")`, `topology(nodes={...}, links={...})`.

    A file is looked for beside the test, then from where pytest was started. Gives the net: `net["node1"]`.
    Scope: function. Needs root, or netconform_userns. Teardown destroys it.
    """

    def build(path: str | Path | None = None, /, **declared: Any) -> Net:
        from pathlib import Path

        from pytest_netconform.topology import load_topology, topology_of

        if path is None:
            return topology_of(**declared).build(_netconform_net)
        beside = request.path.parent / path
        return load_topology(beside if beside.exists() else Path(path)).build(_netconform_net)

    return build


def _skip_without(kind: str) -> None:
    from pytest_netconform.kernel.making.features import lacking

    if reason := lacking(kind):
        pytest.skip(reason)
