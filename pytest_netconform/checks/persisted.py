"""`persisted`: what a sysctl will be after the next boot or network restart.

```yaml
forwarding-survives: {persisted: {net.ipv4.ip_forward: 1}}
```

Passes where both systemd-sysctl and `sysctl --system` end with a value that matches. Fails where one of them
does not, and names the file and line that win. Errors where a file could not be read.
Rows: two for each name, one for each reader: `name reader value file line`. Aliases are resolved:
net.ipv4.conf.all.forwarding is net.ipv4.ip_forward.
Source: sysctl.d(5), systemd-sysctl(8), sysctl(8).
"""

from __future__ import annotations

from pytest_netconform.checks.named import NamedValueKind
from pytest_netconform.facts.persisted import Persisted
from pytest_netconform.matching.scalars import show


def see(row: Persisted) -> str:
    if row.reader == "systemd-sysctl":
        return "systemd-analyze cat-config sysctl.d"
    return "cat /run/sysctl.d/*.conf /etc/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf /etc/sysctl.conf"


def because(row: Persisted) -> str:
    if row.file is None:
        return f"   ({row.reader} reads no file that sets it)"
    return f"   ({row.reader} takes it from {show(row.file)}:{row.line})"


KIND = NamedValueKind("persisted", Persisted, "values", see, because=because, patterns=False)
