"""`addr`: addresses of the devices, as `ip addr` shows them.

```yaml
loopback: {addr: {ifname: lo, family: inet, local: 127.0.0.1}}
no-duplicates: {addr: {none: {flags: dadfailed}}}
```

Passes where an address matches. Fails where none does. Errors where the addresses could not be read.
Rows: one for each address; `local` is the address itself, `prefixlen` its prefix, `address` the other end of
a point-to-point link.
Source: ip-address(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.addrs import Addr


def see(addr: Addr) -> str:
    return f"ip addr show dev {quoted(addr.ifname)}"


KIND = Kind("addr", Addr, "addresses", see)
