"""The tables of legacy iptables where the kernel's list of them is closed to us.

/proc/net/ip_tables_names belongs to root, who has no number in a user namespace of ours. There each table
is asked for by its name. That makes it if there is none: so only namespaces of our own are asked like this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from subprocess import CompletedProcess

from pytest_netconform.errors import Unreadable

TABLES = ("raw", "mangle", "nat", "filter", "security")
NO_SUCH_TABLE = "does not exist"
FRESH = re.compile(r"#.*|\*\w+|:\w+ ACCEPT \[\d+:\d+\]|COMMIT|")
"""A line that any table has from its beginning."""


def save(run: Callable[[list[str]], CompletedProcess[str]], command: Sequence[str]) -> str | None:
    """Give what `iptables-legacy-save` prints of all tables that are not as the kernel makes them.

    Raises: Unreadable, as *run* does for a command that fails.
    """
    return "".join(_table(run, [*command, "-t", table]) for table in TABLES) or None


def _table(run: Callable[[list[str]], CompletedProcess[str]], command: list[str]) -> str:
    try:
        text = run(command).stdout
    except Unreadable as error:
        if NO_SUCH_TABLE in str(error):  # this kernel has none of that name
            return ""
        raise
    return "" if all(FRESH.fullmatch(line) for line in text.splitlines()) else text
