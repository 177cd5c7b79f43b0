"""Why a probe was not answered: rules over the kernel's evidence, which know nothing of what was broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Observation:
    """What one namespace showed around a second try of the probe.

    Shape: `grew` holds by how much counters of /proc/net/snmp and netstat grew, by nstat's names;
           `forwarding` holds each interface's IPv4 forwarding, as the kernel uses it.
    """

    at: str
    grew: Mapping[str, int]
    forwarding: Mapping[str, bool]

    def lines(self) -> tuple[str, ...]:
        """Tell it in words, one thing a line."""
        counted = (f"{self.at}: {name} +{by}" for name, by in sorted(self.grew.items()))
        off = ", ".join(name for name, on in sorted(self.forwarding.items()) if not on)
        return (*counted, f"{self.at}: forwarding is off on {off or 'no interface'}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was gathered around a second try: whether that one was answered, and each namespace on the way."""

    answered: bool
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """Where and why a packet stopped.

    Shape: `id` is a rule's, or `unknown` or `not-reproduced`; `at` is empty for these two.
    """

    id: str
    at: str
    sentence: str
    evidence: tuple[str, ...]


Rule = Callable[[Observation], Cause | None]


def forwarding_off(seen: Observation) -> Cause | None:
    """Find the namespace that had a packet for another host, and an interface that must not forward.

    Only one with two interfaces or more could have forwarded it; elsewhere it was sent to the wrong place.
    Source: ip_error() in net/ipv4/route.c, which counts IpInAddrErrors then, and says nothing to the sender.
    """
    interfaces = {name: on for name, on in seen.forwarding.items() if name != "lo"}
    off = sorted(name for name, on in interfaces.items() if not on)
    dropped = seen.grew.get("IpInAddrErrors", 0)
    if not (dropped and off and len(interfaces) > 1):
        return None
    where = ", ".join(off)
    return Cause(
        "forwarding-off",
        seen.at,
        f"{seen.at} drops packets that are not for itself: forwarding is off on {where}",
        (
            f"{seen.at}: IpInAddrErrors +{dropped}",
            *(f"{seen.at}: net.ipv4.conf.{name}.forwarding = 0" for name in off),
        ),
    )


RULES: Mapping[str, Rule] = {"forwarding-off": forwarding_off}
"""The rules by the id of the cause that each finds, in the order in which they are asked."""


def find_cause(evidence: Evidence) -> Cause:
    """Give the cause that the first fitting rule finds; without one, `unknown` with all the evidence."""
    if evidence.answered:
        return Cause("not-reproduced", "", "the second try was answered", ())
    for rule in RULES.values():
        for seen in evidence.observations:
            if cause := rule(seen):
                return cause
    everything = tuple(line for seen in evidence.observations for line in seen.lines())
    return Cause("unknown", "", "no rule knows why the probe was not answered", everything)
