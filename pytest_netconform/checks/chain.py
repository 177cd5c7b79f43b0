"""`chain`: the chains of iptables, as iptables-save prints them, for IPv4 and IPv6.

```yaml
forwards: {chain: {table: filter, name: FORWARD, policy: ACCEPT}}
masquerade: {chain: {table: nat, name: FLANNEL-POSTRTG, rules: {in_order: [
  "-s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully"]}}}
```

Passes where a chain matches. Fails where none does, and shows the nearest. Errors where the rules could not
be read.
Rows: one for each chain of each table, family and backend. A rule as text is the whole rule, less comments
and counters; a rule as a mapping is matched by the fields that it names, and a negated option has its value
after `! `.
Source: iptables-save(8), iptables-extensions(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.chains import Chain


def see(chain: Chain) -> str:
    command = "ip6tables" if chain.family == "ip6" else "iptables"
    return f"{command} -t {quoted(chain.table)} -vnL {quoted(chain.name)}"


KIND = Kind("chain", Chain, "chains", see)
