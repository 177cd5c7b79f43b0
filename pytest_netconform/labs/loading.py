"""Lab files, from YAML to labs; whatever a lab names must be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_netconform.documents import Document, described, load, suggest, validate
from pytest_netconform.explain.causes import RULES
from pytest_netconform.fabrics import kinds
from pytest_netconform.labs.model import CauseExpected, Command, Lab, LabProbe
from pytest_netconform.matching.at import At
from pytest_netconform.suites.library import LAB_SUFFIX, Library
from pytest_netconform.suites.loading import SUFFIX
from pytest_netconform.suites.model import Suite

if TYPE_CHECKING:
    from pytest_netconform.labs.envelope import ProbeEntry

T = TypeVar("T", list[Any], dict[str, Any])

NODE = re.compile(r"node\d+")


def load_lab(path: Path, file: str, library: Library) -> Lab:
    """Read a lab file.

    Raises: DocumentError with every problem of the file, or of a suite that it names.
    """
    document = load(path, file)
    lab = _Loader(document, path, library).lab()
    document.check()
    assert lab is not None, "a lab that could not be made has reported why"
    return lab


@dataclass
class _Loader:
    """One file on its way to a lab."""

    document: Document
    path: Path
    library: Library
    places: list[str] = field(default_factory=list)

    def lab(self) -> Lab | None:
        """Check all of the file, whatever is wrong with a part of it; gives the lab if nothing is."""
        from pytest_netconform.labs.envelope import LabModel

        model = validate(self.document, (), LabModel)
        if not isinstance(self.document.data, dict):
            return None
        at = At(self.document)
        if model is not None and model.lab != (stem := self.path.name.removesuffix(LAB_SUFFIX)):
            at.child("lab").problem(f"a lab has its file's name: expected {stem!r}, got {model.lab!r}")
        self.places = self._places(self._section("fabric", dict), at.child("fabric"))
        suites = self._suites(self._section("suites", list), at.child("suites"))
        before, fault, fix = map(self._commands, ("before", "fault", "fix"))
        healthy, symptom = map(self._probes, ("healthy", "symptom"))
        foreseen, detected = map(self._checks, ("foreseen", "detected"))
        if symptom and all(probe.expected == "replied" for probe in symptom):
            at.child("symptom").problem("every symptom is answered, so none shows the fault", key=True)
        cause, leaves = self._cause(), self._leaves()
        if model is None:
            return None
        return Lab(
            name=model.lab, title=model.title, story=model.story, severity=model.severity, path=self.path,
            file=self.document.name, refs=tuple(model.refs), fabric=model.fabric, suites=suites,
            before=before, healthy=healthy, foreseen=foreseen, fault=fault, symptom=symptom,
            detected=detected, cause=cause, fix=fix, leaves=leaves, immune=model.immune,
        )  # fmt: skip

    def _section(self, name: str, kind: type[T]) -> T:
        """Give what stands under a key; nothing where it is of another kind, which the model reports."""
        found = self.document.data.get(name)
        return found if isinstance(found, kind) else kind()

    def _places(self, fabric: Mapping[str, Any], at: At) -> list[str]:
        """Check the fabric's options; gives the places that it will have."""
        known = kinds()
        kind = fabric.get("kind")
        if not isinstance(kind, str):
            at.problem("a fabric needs a kind, such as calico")
            return []
        if kind not in known:
            at.child("kind").problem(f"unknown fabric {kind!r}{suggest(kind, list(known))}")
            return []
        options = {name: value for name, value in fabric.items() if name != "kind"}
        wrong = list(known[kind].problems(options))
        for name, message in wrong:
            at.child(name).problem(message, key=True)
        return [] if wrong else list(known[kind].places(options))

    def _suites(self, names: Iterable[Any], at: At) -> tuple[str, ...]:
        for i, name in enumerate(names):
            if not isinstance(name, str):
                at.child(i).problem(f"expected the name of a suite, got {described(name)}")
            elif self._suite(name) is None:
                at.child(i).problem(f"unknown suite {name!r}{suggest(name, self.library.names())}")
        return tuple(map(str, names))

    def _suite(self, name: str) -> Suite | None:
        """Give a suite of the run, one that stands beside the lab, or a built-in one."""
        beside = self.path.with_name(f"{name}{SUFFIX}")
        if name not in self.library.suites and beside.is_file():
            return self.library.load(beside)
        return self.library.get(name)

    def _place(self, name: str, at: At, *, key: bool = False) -> None:
        if self.places and name not in self.places:
            at.problem(f"unknown place {name!r}{suggest(name, self.places)}", key=key)

    def _pairs(self, stage: str, what: str) -> Iterator[tuple[At, str, str]]:
        """Go over a list of one place and a text each: where the text stands, the place, and the text."""
        for i, entry in enumerate(self._section(stage, list)):
            at = At(self.document, (stage, i))
            if (
                not isinstance(entry, dict)
                or len(entry) != 1
                or not isinstance(next(iter(entry.values())), str)
            ):
                at.problem(f"expected one place and {what}, such as {{node1: ...}}, got {described(entry)}")
                continue
            ((place, text),) = entry.items()
            self._place(place, at.child(place), key=True)
            yield at.child(place), place, text

    def _commands(self, stage: str) -> tuple[Command, ...]:
        found = []
        for at, place, text in self._pairs(stage, "what to do there"):
            command = Command(place, text, self.document.position(at.path)[0])
            if stage == "fix" and command.is_fix_of is not None:
                self._check_id(command.is_fix_of, at, must_have_fix=True)
            found.append(command)
        return tuple(found)

    def _probes(self, stage: str) -> tuple[LabProbe, ...]:
        from pytest_netconform.labs.envelope import ProbeEntry

        found = []
        for i in range(len(self._section(stage, list))):
            at = At(self.document, (stage, i))
            entry = validate(self.document, at.path, ProbeEntry)
            if entry is not None:
                found.append(self._probe(entry, at))
        return tuple(found)

    def _probe(self, entry: ProbeEntry, at: At) -> LabProbe:
        probe = entry.ping
        self._place(probe.source, at.child("ping").child("from"))
        self._place(probe.to, at.child("ping").child("to"))
        options = {name: value for name, value in (("size", probe.size), ("df", probe.df)) if value}
        return LabProbe(
            "ping", probe.source, probe.to, probe.expected, self.document.position(at.path)[0], options
        )

    def _checks(self, stage: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for place, ids in self._section(stage, dict).items():
            at = At(self.document, (stage, place))
            self._place(place, at, key=True)
            if place in self.places and not NODE.fullmatch(place):
                at.problem(f"suites judge nodes, and {place} is none", key=True)
            if not isinstance(ids, list) or not ids:
                at.problem(
                    f"expected a list of checks, got {'an empty list' if ids == [] else described(ids)}"
                )
                continue
            for i, check_id in enumerate(ids):
                self._check_id(check_id, at.child(i))
            found[place] = tuple(map(str, ids))
        return found

    def _check_id(self, check_id: Any, at: At, *, must_have_fix: bool = False) -> None:
        if not isinstance(check_id, str):
            at.problem(f"expected a check such as kubernetes-node::forwarding, got {described(check_id)}")
            return
        name, _, wanted = check_id.partition("::")
        suite = self._suite(name)
        if suite is None:
            at.problem(f"unknown suite {name!r} in {check_id!r}{suggest(name, self.library.names())}")
        elif wanted not in suite.checks:
            at.problem(f"unknown check {wanted!r} of suite {name}{suggest(wanted, list(suite.checks))}")
        elif name not in self._section("suites", list):
            at.problem(f"suite {name} is not among the lab's suites, so nothing judges {check_id}")
        elif must_have_fix and not suite.checks[wanted].fix:
            at.problem(f"check {check_id} prints no fix")

    def _cause(self) -> CauseExpected | None:
        from pytest_netconform.labs.envelope import CauseModel

        at = At(self.document, ("cause",))
        cause = validate(self.document, at.path, CauseModel) if "cause" in self.document.data else None
        if cause is None:
            return None
        self._place(cause.at, at.child("at"))
        if cause.id not in RULES:
            at.child("is").problem(f"unknown cause {cause.id!r}{suggest(cause.id, list(RULES))}")
        return CauseExpected(cause.at, cause.id)

    def _leaves(self) -> tuple[tuple[str, str], ...]:
        return tuple((place, path) for _, place, path in self._pairs("leaves", "a file"))
