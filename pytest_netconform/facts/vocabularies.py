"""The words that fields of facts can hold, as iproute2 and iptables-save print them.

Source: iproute2 6.1: ip/ipaddress.c, iproute.c, ipneigh.c and iprule.c, bridge/fdb.c, lib/rt_names.c.
"""

from __future__ import annotations

from pytest_netconform.facts.base import Vocabulary


def words(text: str, *, numbers: bool = False) -> Vocabulary:
    return Vocabulary(tuple(text.split()), numbers)


FAMILY = words("inet inet6")
SCOPE = words("global site link host nowhere", numbers=True)
NEIGH_STATE = words("INCOMPLETE REACHABLE STALE DELAY PROBE FAILED NOARP PERMANENT")
FDB_STATE = words("permanent static stale")
OPERSTATE = words("UNKNOWN NOTPRESENT DOWN LOWERLAYERDOWN TESTING DORMANT UP", numbers=True)
LINK_FLAGS = words(
    "LOOPBACK BROADCAST POINTOPOINT MULTICAST NOARP ALLMULTI PROMISC MASTER SLAVE DEBUG DYNAMIC AUTOMEDIA"
    " PORTSEL NOTRAILERS UP LOWER_UP DORMANT ECHO NO-CARRIER M-DOWN",
    numbers=True,
)
ADDR_FLAGS = words(
    "secondary temporary nodad optimistic dadfailed home homeaddress deprecated tentative permanent dynamic"
    " mngtmpaddr noprefixroute autojoin stable-privacy",
    numbers=True,
)
ROUTE_TYPE = words(
    "unicast local broadcast anycast multicast blackhole unreachable prohibit throw nat xresolve",
    numbers=True,
)
ROUTE_FLAGS = words(
    "dead onlink pervasive offload trap notify linkdown unresolved cloned rt_offload rt_trap"
    " rt_offload_failed"
)
ROUTE_PREF = words("low medium high", numbers=True)
ROUTE_PROTOCOL = words(
    "unspec redirect kernel boot static gated ra mrt zebra bird dnrouted xorp ntk dhcp keepalived mrouted"
    " babel openr bgp isis ospf rip ripng nhrp eigrp ldp sharp pbr zstatic openfabric srte",
    numbers=True,
)
"""Those of iproute2 and of FRR; a name of one's own in /etc/iproute2/rt_protos can be had by `match`."""
RULE_ACTION = words("lookup goto nop blackhole unreachable prohibit", numbers=True)
CHAIN_FAMILY = words("ip ip6")
CHAIN_BACKEND = words("nft legacy")
CHAIN_TABLE = words("filter nat mangle raw security")
CHAIN_POLICY = words("ACCEPT DROP QUEUE RETURN")
FILE_TYPE = words("file directory device other")
NETNS_KIND = words("pod")
