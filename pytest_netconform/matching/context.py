"""What a value is compiled for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.parsing import Names
from pytest_netconform.matching.rows import NAMING
from pytest_netconform.matching.scalars import spell
from pytest_netconform.matching.shapes import ANYTHING, Shape


@dataclass(frozen=True, slots=True)
class Context:
    """What a piece of a file stands for.

    Shape: *names* are what references may name, *shape* is what may stand there, *name* what that is called
           and *noun* what several of it are. *selecting* says that rows are chosen and not judged, *globs*
           that `*` is a pattern, *watched* that there is an observation before, *naming* that it names a row.
           *spelling* writes what a reference beside other text in the name of a row stands for.
    """

    names: Names
    shape: Shape = ANYTHING
    name: str = "value"
    noun: str = "entries"
    selecting: bool = False
    globs: bool = False
    watched: bool = False
    naming: bool = False
    spelling: Callable[[Any], str] = spell

    def table(self, row: type[Fact], noun: str) -> Context:
        """Give the context of what is expected of a table."""
        return replace(self, shape=Shape(row, listed=True), name=noun, noun=noun, globs=self.selecting)

    def field(self, name: str, shape: Shape, of_row: bool) -> Context:
        """Give the context of what stands under a name."""
        naming = of_row and name in NAMING
        spelling = self.spelling if naming else spell
        return replace(
            self, shape=shape, name=name, noun=name, selecting=False, naming=naming, spelling=spelling
        )

    def element(self) -> Context:
        """Give the context of one row, or one element of a list."""
        return replace(self, shape=self.shape.element())

    def where(self) -> Context:
        """Give the context of what selects rows."""
        return replace(self, globs=True, watched=False)
