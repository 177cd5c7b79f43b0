"""`rule`: the routing policy, in the order in which the kernel asks it, as `ip rule` shows it.

```yaml
main-is-asked: {rule: {where: {family: inet}, in_order: [{table: local, src: all}, {table: main, src: all}]}}
```

Passes where a rule matches. Fails where none does. Errors where the rules could not be read.
Rows: one for each rule, IPv4 and IPv6, by priority. `src` and `dst` are `all` or a network.
Source: ip-rule(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.facts.rules import Rule


def see(rule: Rule) -> str:
    return f"ip {'-6 ' if rule.family == 'inet6' else ''}rule show priority {rule.priority}"


KIND = Kind("rule", Rule, "rules", see)
