"""What became of a packet that was sent to see what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NoReturn

from pytest_netconform.facts.base import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Fact):
    """The outcome of one probe: exactly one of *replied, lost, refused, unreachable, rejected* is true.

    Shape: *unreachable* is the name that iptables has for the ICMP error; *by* who sent that, or the reply;
           *rejected* is the name of our own kernel's errno; *src* names the namespace.
    """

    identity: ClassVar[tuple[str, ...]] = ("src", "dst")

    src: str
    dst: str
    replied: bool = False
    lost: bool = False
    refused: bool = False
    unreachable: str | None = None
    rejected: str | None = None
    by: str | None = None
    mtu: int | None = None
    rtt_ms: float | None = None
    waited_ms: float | None = None

    @property
    def verdict(self) -> str:
        """Say in one word what became of it."""
        words = ("replied", "lost", "refused", "unreachable", "rejected")
        return next(word for word in words if getattr(self, word))

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} has no truth value, for `not` would also be true when nothing was proven: "
            "write .replied, .lost, .refused, .unreachable or .rejected"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.src} -> {self.dst}: {self._said()})"

    def _said(self) -> str:
        by = f" by {self.by}" if self.by else ""
        mtu = f", mtu {self.mtu}" if self.mtu else ""
        if self.replied:
            return f"replied in {self.rtt_ms:.2f} ms" + (by if self.by != self.dst.partition("%")[0] else "")
        if self.lost:
            return f"lost, waited {self.waited_ms:.0f} ms"
        if self.refused:
            return f"refused{by}"
        return f"{self.verdict}, {self.unreachable or self.rejected}{by}{mtu}"
