"""What a node is observed by: one list for live nodes, the recording script and those who read recordings."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from pytest_netconform.facts.sysctl_files import CONF, DIRECTORIES

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "ip-addr.json": ("ip", "-s", "-d", "-j", "addr"),
    "ip-route4.json": ("ip", "-4", "-d", "-j", "route", "show", "table", "all"),
    "ip-route6.json": ("ip", "-6", "-d", "-j", "route", "show", "table", "all"),
    "ip-rule4.json": ("ip", "-4", "-d", "-j", "rule"),
    "ip-rule6.json": ("ip", "-6", "-d", "-j", "rule"),
    "ip-neigh.json": ("ip", "-s", "-d", "-j", "neigh"),
    "bridge-fdb.json": ("bridge", "-d", "-j", "fdb"),
    "iptables-nft-save.txt": ("iptables-nft-save", "-c"),
    "ip6tables-nft-save.txt": ("ip6tables-nft-save", "-c"),
    "iptables-legacy-save.txt": ("iptables-legacy-save", "-c"),
    "ip6tables-legacy-save.txt": ("ip6tables-legacy-save", "-c"),
}
"""Each command by the file that a recording keeps of it; it runs in the namespace that is looked at."""

LEGACY: Mapping[str, str] = {
    "iptables-legacy-save.txt": "ip_tables_names",
    "ip6tables-legacy-save.txt": "ip6_tables_names",
}
"""Commands that would create tables where there are none: run only where this file of /proc/net has some."""

SYSCTL_FILES = (
    *(f"{directory}/{names}" for directory in DIRECTORIES for names in ("*.conf", ".*.conf")),
    CONF,
)
"""What holds the sysctls of the next boot; `sysctl --system` reads hidden files too."""
LARGEST_FILE = 1 << 20

SECRET_SYSCTLS = ("stable_secret", "tcp_fastopen_key")
SECRET_FILES = ("*kubeconfig*", "*.key", "/etc/kubernetes/*.conf", "/etc/kubernetes/pki/*")
"""What no check asks for and no report may show: keys and tokens. They are left alone, live as recorded."""


def is_secret(path: str) -> bool:
    """Say whether what a file holds is left alone; that it is there is a fact like any other.

    A wildcard reaches over slashes, as in a shell's `case`.
    """
    return any(fnmatchcase(path, pattern) for pattern in SECRET_FILES)


def path_matches(path: str, pattern: str) -> bool:
    """Match as the shell does: a wildcard reaches over no slash, and stands for no leading dot."""
    steps, wanted = path.split("/"), pattern.split("/")
    return len(steps) == len(wanted) and all(map(step_matches, steps, wanted))


def step_matches(step: str, wanted: str) -> bool:
    hidden = step.startswith(".") and not wanted.startswith(".")
    return not hidden and fnmatchcase(step, wanted)
