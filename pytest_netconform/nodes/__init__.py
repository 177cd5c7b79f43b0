"""What a test holds in its hand: nets, their namespaces and nodes, and the devices between them."""

from pytest_netconform.kernel.making.features import supports
from pytest_netconform.kernel.making.userns import enter as enter_userns
from pytest_netconform.nodes.capture import Capture
from pytest_netconform.nodes.devices import Bridge, Device
from pytest_netconform.nodes.hosts import Hosts
from pytest_netconform.nodes.namespaces import Links, Netns, Node
from pytest_netconform.nodes.net import Net
from pytest_netconform.nodes.waiting import eventually

__all__ = [
    "Bridge",
    "Capture",
    "Device",
    "Hosts",
    "Links",
    "Net",
    "Netns",
    "Node",
    "enter_userns",
    "eventually",
    "supports",
]
