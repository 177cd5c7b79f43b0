"""`fdb`: the forwarding databases of bridges and VXLAN devices, as `bridge fdb` shows them.

```yaml
vtep-is-placed: {fdb: {dev: flannel.1, mac: 6a:62:e6:01:62:b5, dst: 192.168.200.205, state: permanent}}
```

Passes where an entry matches. Fails where none does. Errors where the entries could not be read.
Rows: one for each entry; `dst` is the remote end that a VXLAN device sends to.
Source: bridge(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.fdb import Fdb


def see(entry: Fdb) -> str:
    return "bridge -d fdb show" + (f" dev {quoted(entry.dev)}" if entry.dev else "")


KIND = Kind("fdb", Fdb, "entries", see)
