"""`netns`: the network namespaces of a node beside its own.

```yaml
has-pods: {netns: {kind: pod}}
```

Passes where a namespace matches. Fails where none does. Errors where the namespaces could not be listed.
Rows: one for each namespace that is held by a process or a name; `kind` is `pod` where a veth in it has its
peer in the node.
Source: /proc/PID/ns/net, /run/netns.
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.facts.netns import Netns


def see(netns: Netns) -> str:
    return f"nsenter --net=/proc/{netns.pid}/ns/net ip addr" if netns.pid else "ip netns list"


KIND = Kind("netns", Netns, "namespaces", see)
