"""`link`: network devices, as `ip -d link` shows them.

```yaml
vtep: {link: {ifname: flannel.1, kind: vxlan, flags: UP, info: {id: 1, port: 8472, learning: false}}}
```

Passes where a device matches. Fails where none does, and shows the one that comes nearest. Errors where the
devices could not be read.
Rows: one for each device. `kind` is that of `ip link add ... type`; `info.*` and `slave.*` are what the
kernel says of a kind and of a port. `flags` is a list. A working vxlan device has operstate UNKNOWN: match
its flags.
Source: ip-link(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.links import Link


def see(link: Link) -> str:
    return f"ip -d link show dev {quoted(link.ifname)}"


KIND = Kind("link", Link, "links", see)
