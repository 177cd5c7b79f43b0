"""The pytest plugin."""

from pytest_netconform.fixtures import _netconform_net, bridge, netns, node, veth

__all__ = ["_netconform_net", "bridge", "netns", "node", "veth"]
