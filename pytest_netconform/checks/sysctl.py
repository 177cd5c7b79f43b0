"""`sysctl`: values of /proc/sys.

```yaml
forwarding: {sysctl: {net.ipv4.ip_forward: 1}}
no-recycling: {sysctl: {net.ipv4.tcp_tw_recycle: {any_of: [absent, 0]}}}
loose-everywhere: {sysctl: {where: {name: net.ipv4.conf.*.rp_filter}, each: {value: {not: 1}}}}
```

Passes where each named value matches. Fails where one does not; a name that this kernel lacks is `absent`.
Errors where a value could not be read.
Rows: `name` and `value`. A dot in an interface's name is written as a slash, as sysctl(8) does:
`net.ipv4.conf.eth0/5.forwarding`; a reference in a name, `net.ipv4.conf.${link.ifname}.forwarding`, needs
no such care.
Source: sysctl(8).
"""

from __future__ import annotations

from pytest_netconform.checks.named import NamedValueKind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.sysctls import Sysctl


def see(row: Sysctl) -> str:
    return f"sysctl {quoted(row.name)}"


KIND = NamedValueKind("sysctl", Sysctl, "values", see)
