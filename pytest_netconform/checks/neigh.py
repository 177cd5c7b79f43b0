"""`neigh`: the neighbour tables (ARP and NDP), as `ip neigh` shows them.

```yaml
vtep-is-known: {neigh: {dev: flannel.1, dst: 10.42.1.0, lladdr: 6a:62:e6:01:62:b5, state: PERMANENT}}
```

Passes where a neighbour matches. Fails where none does. Errors where the neighbours could not be read.
Rows: one for each neighbour; `state` is a list.
Source: ip-neighbour(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.neighs import Neigh


def see(neigh: Neigh) -> str:
    return f"ip neigh show {neigh.dst}" + (f" dev {quoted(neigh.dev)}" if neigh.dev else "")


KIND = Kind("neigh", Neigh, "neighbours", see)
