"""What became of a probe from each of many hosts to each other, as one value that can be compared."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NoReturn

from pytest_netconform.probes.outcome import WORDS, Outcome

Pair = tuple[str, str]
MOST_LINES = 20
MOST_FATES = 3
NUMBERED = re.compile(r"(.*?)(\d+)")


class Mesh(Mapping[Pair, Outcome]):
    """Outcomes by source and destination: `mesh["host1", "host2"]`.

    Two meshes are equal where every pair came to the same verdict. A mesh also equals a mapping of pairs of
    names to verdicts, such as `{("*", "*"): "replied", ("host7", "*"): "lost"}`: names may have wildcards,
    the last entry that matches a pair counts, and every pair must be matched.
    """

    def __init__(
        self,
        probe: str,
        names: Sequence[str],
        verdicts: Mapping[Pair, str],
        outcome: Callable[[Pair], Outcome],
    ) -> None:
        """Take verdicts of all pairs, and how to make the outcome of one."""
        self.probe, self.names, self.verdicts, self._outcome = probe, tuple(names), verdicts, outcome

    @classmethod
    def of(cls, probe: str, names: Sequence[str], outcomes: Mapping[Pair, Outcome]) -> Mesh:
        return cls(
            probe, names, {pair: each.verdict for pair, each in outcomes.items()}, outcomes.__getitem__
        )

    def __getitem__(self, pair: Pair) -> Outcome:
        if pair not in self.verdicts:
            raise KeyError(f"no {self.probe} from and to {pair!r}, but between {ranges(self.names)}")
        return self._outcome(pair)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} has no truth value: write .all_replied, or compare with what is expected")

    @property
    def all_replied(self) -> bool:
        """Say whether every probe was answered; false if there was none."""
        return set(self.verdicts.values()) == {"replied"}

    @property
    def replied(self) -> tuple[Outcome, ...]:
        return self._with("replied")

    @property
    def lost(self) -> tuple[Outcome, ...]:
        return self._with("lost")

    @property
    def refused(self) -> tuple[Outcome, ...]:
        return self._with("refused")

    @property
    def unreachable(self) -> tuple[Outcome, ...]:
        return self._with("unreachable")

    @property
    def rejected(self) -> tuple[Outcome, ...]:
        return self._with("rejected")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return self._with("failed")

    def __eq__(self, other: object) -> bool:
        expected = self.expected(other)
        return NotImplemented if expected is None else expected == self.verdicts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = Counter(self.verdicts.values())
        said = ", ".join(f"{counts[word]:,} {word}" for word in WORDS if counts[word])
        fates = [
            f"{line} {word}"
            for word in WORDS[1:]
            for line in grouped([pair for pair, each in self.verdicts.items() if each == word])
        ]
        most = "".join(f"; {fate}" for fate in fates[:MOST_FATES]) + (
            "; ..." if len(fates) > MOST_FATES else ""
        )
        return f"Mesh({self.probe} between {len(self.names)} hosts: {said or 'nothing'}{most})"

    def expected(self, other: object) -> dict[Pair, str | None] | None:
        """Read what the other side of a comparison says of every pair; None if it is nothing to compare with.

        Raises: ValueError for an entry that says nothing: no verdict, or of no pair of ours.
        """
        if isinstance(other, Mesh):
            return dict(other.verdicts)
        if not isinstance(other, Mapping):
            return None
        said: dict[Pair, str | None] = dict.fromkeys(self.verdicts)
        for entry, verdict in other.items():
            pairs = [pair for pair in self.verdicts if _matches(pair, entry)]
            if not pairs:
                raise ValueError(f"{entry!r} is no pair of this mesh, between {ranges(self.names)}")
            if verdict not in WORDS:
                raise ValueError(f"{entry!r}: {verdict!r}: expected one of {', '.join(WORDS)}")
            said.update(dict.fromkeys(pairs, verdict))
        return said

    def differences(self, other: object) -> list[str]:
        """Tell where a mesh is not what was expected: hosts that share a fate in one line."""
        expected = self.expected(other) or {}
        wrong: dict[tuple[str, str], list[Pair]] = defaultdict(list)
        for pair in dict.fromkeys([*self.verdicts, *expected]):
            wanted, got = expected.get(pair) or "nothing said", self.verdicts.get(pair, "not probed")
            if wanted != got:
                wrong[wanted, got].append(pair)
        lines = [
            f"{line}: expected {wanted}, got {got}"
            for (wanted, got), pairs in wrong.items()
            for line in grouped(pairs)
        ]
        count = sum(map(len, wrong.values()))
        left_out = [f"... and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
        return [
            f"{count:,} of {len(self.verdicts):,} pairs are not as expected",
            *lines[:MOST_LINES],
            *left_out,
        ]

    def _with(self, verdict: str) -> tuple[Outcome, ...]:
        return tuple(self._outcome(pair) for pair, each in self.verdicts.items() if each == verdict)


def compared(left: object, right: object) -> list[str] | None:
    """Explain a failed `==` for pytest; None if no mesh is in it."""
    if not isinstance(left, Mesh):
        left, right = right, left
    if not isinstance(left, Mesh) or left.expected(right) is None:
        return None
    return ["the mesh is not as expected", *left.differences(right)]


def grouped(pairs: Sequence[Pair]) -> list[str]:
    """Say many pairs in few words: hosts with the same others share a line."""
    onwards, backwards = _shared(pairs), _shared([(there, here) for here, there in pairs])
    if len(onwards) <= len(backwards):
        return [f"{here} -> {there}" if there else f"between {here}" for here, there in onwards]
    return [f"{there} -> {here}" if there else f"between {here}" for here, there in backwards]


def _shared(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Give hosts with their others; no others where it is all of them among each other."""
    others: dict[str, list[str]] = defaultdict(list)
    for here, there in pairs:
        others[here].append(there)
    circles: dict[frozenset[str], list[str]] = defaultdict(list)
    for here, own in others.items():
        circles[frozenset((here, *own))].append(here)
    found, alike = [], defaultdict(list)
    for circle, members in circles.items():
        if len(members) == len(circle) > 2:
            found.append((ranges(members), ""))
            continue
        for here in members:
            alike[tuple(others[here])].append(here)
    return [*found, *((ranges(members), ranges(own)) for own, members in alike.items())]


def ranges(names: Iterable[str]) -> str:
    """Shorten host1, host2, host3 to host1..host3."""
    said: list[list[str]] = []
    last: tuple[str, int] | None = None
    for name in names:
        found = NUMBERED.fullmatch(name)
        place = (found[1], int(found[2])) if found else None
        if place and last and place == (last[0], last[1] + 1):
            said[-1][1:] = [name]
        else:
            said.append([name])
        last = place
    return ", ".join("..".join(each) if len(each) == 2 else each[0] for each in said)


def _matches(pair: Pair, entry: object) -> bool:
    if not isinstance(entry, tuple) or len(entry) != 2:
        raise ValueError(f"{entry!r}: expected a pair of names, as ('host1', '*')")
    return all(fnmatchcase(name, str(pattern)) for name, pattern in zip(pair, entry, strict=True))
