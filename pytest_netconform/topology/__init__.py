"""Declared topologies: nodes, links, addresses, routes; checked as a whole, then built in one go."""

from pytest_netconform.topology.loading import load_topology, topology_of
from pytest_netconform.topology.plan import Topology

__all__ = ["Topology", "load_topology", "topology_of"]
