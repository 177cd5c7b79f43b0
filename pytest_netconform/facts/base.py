"""What all facts have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that a field can hold, as its tool prints them; *numbers* where it prints those too."""

    words: tuple[str, ...]
    numbers: bool = False


class Fact:
    """Base of the frozen, slotted dataclasses that hold one observed thing each.

    A field that is None is one that the thing does not have: it matches `absent` only.
    """

    __slots__ = ()

    identity: ClassVar[tuple[str, ...]] = ()
    """The fields that name the thing in a report, and that pair it with itself in a later observation."""

    vocabularies: ClassVar[Mapping[str, Vocabulary]] = {}
    """The fields that hold one of known words only: an expectation of another could never be met."""

    def caption(self) -> str:
        """Name the thing in a report: `eth0`, `10.42.1.0/24 dev flannel.1`."""
        return " ".join(str(value) for name in self.identity if (value := getattr(self, name)) is not None)
