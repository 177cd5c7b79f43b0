"""What is asked of route netlink: links, addresses, routes, rules, neighbours, in the words of ip(8).

Each function gives a `Request`, whose bytes are settled at once: a mistake in its arguments is a BuildError
that names the deed, before anything is sent.
"""

from pytest_netconform.kernel.rtnetlink.addresses import addr_add, addr_delete
from pytest_netconform.kernel.rtnetlink.base import Dev, Interface, Request
from pytest_netconform.kernel.rtnetlink.kinds import (
    bridge_add,
    bridge_set,
    macvlan_add,
    port_set,
    vlan_add,
    vxlan_add,
)
from pytest_netconform.kernel.rtnetlink.links import (
    link_add,
    link_delete,
    link_master,
    link_nomaster,
    link_set,
    link_up,
    veth_add,
)
from pytest_netconform.kernel.rtnetlink.neighbours import (
    EVERY,
    NUD_PERMANENT,
    fdb_add,
    fdb_delete,
    neigh_delete,
    neigh_replace,
)
from pytest_netconform.kernel.rtnetlink.routes import RT_TABLE_MAIN, Nexthop, route_add, route_delete
from pytest_netconform.kernel.rtnetlink.rules import rule_add, rule_delete

__all__ = [
    "EVERY",
    "NUD_PERMANENT",
    "RT_TABLE_MAIN",
    "Dev",
    "Interface",
    "Nexthop",
    "Request",
    "addr_add",
    "addr_delete",
    "bridge_add",
    "bridge_set",
    "fdb_add",
    "fdb_delete",
    "link_add",
    "link_delete",
    "link_master",
    "link_nomaster",
    "link_set",
    "link_up",
    "macvlan_add",
    "neigh_delete",
    "neigh_replace",
    "port_set",
    "route_add",
    "route_delete",
    "rule_add",
    "rule_delete",
    "veth_add",
    "vlan_add",
    "vxlan_add",
]
