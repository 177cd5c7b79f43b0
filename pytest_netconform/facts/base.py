"""What all facts have in common."""

from __future__ import annotations

from typing import ClassVar


class Fact:
    """Base of the frozen, slotted dataclasses that hold one observed thing each.

    A field that is None is one that the thing does not have: it matches `absent` only.
    """

    __slots__ = ()

    identity: ClassVar[tuple[str, ...]] = ()
    """The fields that name the thing in a report, and that pair it with itself in a later observation."""

    def label(self) -> str:
        """Name the thing in a report: `eth0`, `10.42.1.0/24 dev flannel.1`."""
        return " ".join(str(value) for name in self.identity if (value := getattr(self, name)) is not None)
