"""What the calling thread's network namespace counts, and what it forwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

COUNTERS = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
CONF = Path("/proc/sys/net/ipv4/conf")


def read_counters() -> dict[str, int]:
    """Read the protocols' counters of the calling thread's namespace, by nstat's names."""
    return {name: value for path in COUNTERS for name, value in parse_counters(Path(path).read_text())}


def parse_counters(text: str) -> Iterator[tuple[str, int]]:
    """Give the counters of a text of lines in pairs: names, then values, each after the protocol."""
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, _, columns = names.partition(":")
        for column, value in zip(columns.split(), values.partition(":")[2].split(), strict=True):
            yield protocol + column, int(value)


def read_forwarding() -> dict[str, bool]:
    """Read what the kernel uses for each interface of the calling thread's namespace, IPv4."""
    found = {}
    for path in CONF.iterdir():
        if path.name not in ("all", "default"):
            found[path.name] = (path / "forwarding").read_text().strip() != "0"
    return found
