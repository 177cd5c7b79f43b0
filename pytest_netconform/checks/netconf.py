"""`netconf`: what the kernel uses for each interface, as `ip netconf` shows it.

```yaml
forwarding: {netconf: {where: {family: inet}, each: {forwarding: true}}}
rp-filter: {netconf: {where: {family: inet, ifname: eth0}, each: {rp_filter: {not: 1}}}}
```

Passes where the interfaces match. Fails where one does not. Errors where the values could not be read.
Rows: one for each family and interface, without `all` and `default`; rp_filter is as applied, the larger of
those of `all` and of the interface.
Source: ip-netconf(8); the kernel's ip-sysctl documentation.
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.netconf import Netconf


def see(row: Netconf) -> str:
    return f"ip {'-6 ' if row.family == 'inet6' else ''}netconf show dev {quoted(row.ifname)}"


KIND = Kind("netconf", Netconf, "interfaces", see)
