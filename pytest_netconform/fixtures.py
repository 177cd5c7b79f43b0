"""The public fixtures: thin wrappers over a private one, so that a user's own `node` replaces only ours.

Imports stand in the bodies: a plugin that is installed but not used must cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_netconform.nodes import Bridge, Capture, Device, Hosts, Net, Netns, Node


@pytest.fixture
def _netconform_net() -> Iterator[Net]:
    """Hold all that one test builds; teardown ends its processes and destroys its namespaces."""
    from pytest_netconform.kernel import userns
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
    """Make hosts on one bridge: `lan(9, "10.2.0.0/16")`. Scope: function. Needs root. Teardown destroys."""
    return _netconform_net.lan


@pytest.fixture
def capture() -> type[Capture]:
    """Capture packets: `with capture(ns, "eth0", "icmp") as captured:`. Scope: function. Needs root."""
    from pytest_netconform.nodes import Capture

    return Capture
