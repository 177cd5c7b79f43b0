"""The table of neighbours: one for each version of IP, shared by all namespaces of the machine.

A stock kernel holds 1,024 entries, which a mesh of 33 hosts fills; those that were set for good do not count.
Source: arp(7), gc_thresh3; net/core/neighbour.c, neigh_alloc.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STOCK_LIMIT = 1024
PROTOCOLS = {4: ("ipv4", "arp_cache"), 6: ("ipv6", "ndisc_cache")}


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How full the table is.

    Shape: *refused* counts the entries that found no room since the machine started; *known* is false where
           the machine does not tell, as it does only in its first network namespace.
    """

    limit: int
    entries: int
    refused: int
    known: bool

    @property
    def room(self) -> int:
        """Count the entries that may be made; some of what is free is left to others."""
        free = self.limit - self.entries
        if not self.known or free <= 0:  # permanent ones are among the entries, and take no room
            return self.limit // 4
        return free * 9 // 10

    @property
    def is_full(self) -> bool:
        """Say whether there is hardly room for one more."""
        return self.known and self.entries >= self.limit - self.limit // 50

    @property
    def crowded(self) -> bool:
        """Say whether little room is left for others."""
        return self.entries > self.limit * 3 // 4

    def said_full(self) -> str:
        """Say that no entry found room, and what to do."""
        return (
            f"the machine's table of neighbours is full: it holds {self.limit} (gc_thresh3), and "
            f"{self.entries} are there; let others end, raise the limit, or use "
            "lan(..., permanent_neighs=True)"
        )


def occupancy(version: int) -> Occupancy:
    """Read how full the table is, of the machine whose /proc we see."""
    protocol, cache = PROTOCOLS[version]
    try:
        limit = int(Path(f"/proc/sys/net/{protocol}/neigh/default/gc_thresh3").read_text())
        names, *cpus = (line.split() for line in Path(f"/proc/net/stat/{cache}").read_text().splitlines())
        entries = int(cpus[0][names.index("entries")], 16)
        refused = sum(int(cpu[names.index("table_fulls")], 16) for cpu in cpus)
    except (OSError, ValueError, IndexError):
        return Occupancy(STOCK_LIMIT, 0, 0, known=False)
    return Occupancy(limit, entries, refused, known=True)
