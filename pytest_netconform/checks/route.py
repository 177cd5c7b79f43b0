"""`route`: routes of all tables and both families, as `ip -d route show table all` shows them.

```yaml
way-out: {route: {dst: default, family: inet, gateway: present}}
no-unreachable: {route: {none: {table: main, type: {any_of: [unreachable, prohibit]}, family: inet}}}
```

Passes where a route matches. Fails where none does, and shows the nearest. Errors where the routes could not
be read.
Rows: one for each route. `dst` is `default` or a network; a route in no named table has table `main`.
Source: ip-route(8).
"""

from __future__ import annotations

from pytest_netconform.checks.base import Kind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.routes import Route


def see(route: Route) -> str:
    family = "-6 " if route.family == "inet6" else ""
    return f"ip {family}route show table {quoted(route.table)} {quoted(route.dst)}"


KIND = Kind("route", Route, "routes", see)
