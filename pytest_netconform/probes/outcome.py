"""What became of a packet that was sent to see what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NoReturn

from pytest_netconform.facts.base import Fact

WORDS = ("replied", "lost", "refused", "unreachable", "rejected", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Fact):
    """What became of a probe: exactly one of *replied, lost, refused, unreachable, rejected, failed* is true.

    Shape: *unreachable* is the name that iptables has for the ICMP error; *by* who sent that, or the reply;
           *rejected* is the name of our own kernel's errno; *failed* is what was wrong with what the other
           side said after it had taken our connection; *src* names the namespace.
    """

    identity: ClassVar[tuple[str, ...]] = ("src", "dst")

    src: str
    dst: str
    replied: bool = False
    lost: bool = False
    refused: bool = False
    unreachable: str | None = None
    rejected: str | None = None
    failed: str | None = None
    by: str | None = None
    mtu: int | None = None
    rtt_ms: float | None = None
    waited_ms: float | None = None

    @property
    def verdict(self) -> str:
        """Say in one word what became of it."""
        return next(word for word in WORDS if getattr(self, word))

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} has no truth value, for `not` would also be true when nothing was proven: "
            "write .replied, .lost, .refused, .unreachable, .rejected or .failed"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.src} -> {self._to()}: {self._said()})"

    def _to(self) -> str:
        return self.dst

    def _said(self) -> str:
        by = f" by {self.by}" if self.by else ""
        mtu = f", mtu {self.mtu}" if self.mtu else ""
        if self.replied:
            return f"replied in {self.rtt_ms:.2f} ms" + (by if self.by != self.dst.partition("%")[0] else "")
        if self.lost:
            return f"lost, waited {self.waited_ms:.0f} ms"
        if self.refused:
            return f"refused{by}"
        if self.failed:
            return f"failed, {self.failed}"
        return f"{self.verdict}, {self.unreachable or self.rejected}{by}{mtu}"
