"""Links and what they join, drawn as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """A device on a segment, and its addresses there."""

    node: str
    dev: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """What joins devices, so that a frame of one can reach the others."""

    name: str
    subnets: tuple[str, ...]
    sides: tuple[Side, ...]
    mtu: int | None = None


def draw(segments: Iterable[Segment]) -> str:
    """Draw segments, one under the other: two sides in a line, more as a tree."""
    return "\n".join(line for segment in segments for line in _drawn(segment))


def _drawn(segment: Segment) -> list[str]:
    mtu = f"mtu {segment.mtu}" if segment.mtu else ""
    head = "  ".join(filter(None, (segment.name, *segment.subnets, mtu)))
    if len(segment.sides) == 2:
        one, other = segment.sides
        near = "  ".join((one.node, one.dev, *one.addresses))
        far = "  ".join((*other.addresses, other.dev, other.node))
        return [head, f"  {near} ────── {far}"]
    widths = [
        max((len(getattr(side, field)) for side in segment.sides), default=0) for field in ("node", "dev")
    ]
    lines = []
    for number, side in enumerate(segment.sides, 1):
        branch = "└─" if number == len(segment.sides) else "├─"
        cells = (side.node.ljust(widths[0]), side.dev.ljust(widths[1]), *side.addresses)
        lines.append(f"  {branch} {'  '.join(cells)}".rstrip())
    return [head, *lines]
