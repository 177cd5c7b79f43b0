"""The commands that a node is observed by: one table for live nodes, for the recording script and for reading recordings."""

from __future__ import annotations

from collections.abc import Mapping

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
"""The file that a recording keeps of each command, and the command; run in the namespace that is looked at."""

LEGACY: Mapping[str, str] = {
    "iptables-legacy-save.txt": "ip_tables_names",
    "ip6tables-legacy-save.txt": "ip6_tables_names",
}
"""Commands that would create tables where there are none: run only where this file of /proc/net is not empty."""

SYSCTL_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
SYSCTL_CONF = "/etc/sysctl.conf"
