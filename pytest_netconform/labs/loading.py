"""Lab files, from YAML to labs; whatever a lab names must be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_netconform.documents import Document, load, suggest, validate
from pytest_netconform.explain.causes import RULES
from pytest_netconform.fabrics import kinds
from pytest_netconform.labs.model import CauseExpected, Command, Lab, LabProbe
from pytest_netconform.matching.at import At
from pytest_netconform.suites.library import Library

if TYPE_CHECKING:
    from pytest_netconform.labs.envelope import LabModel, ProbeEntry

LAB_SUFFIX = ".lab.yaml"


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
        from pytest_netconform.labs.envelope import LabModel

        at = At(self.document)
        model = validate(self.document, (), LabModel)
        if model is None:
            return None
        if model.lab != (stem := self.path.name.removesuffix(LAB_SUFFIX)):
            at.child("lab").problem(f"a lab has its file's name: expected {stem!r}, got {model.lab!r}")
        self.places = self._places(model.fabric, at.child("fabric"))
        self._suites(model.suites, at.child("suites"))
        return Lab(
            name=model.lab, title=model.title, story=model.story, severity=model.severity, path=self.path,
            file=self.document.name, fabric=model.fabric, suites=tuple(model.suites), refs=tuple(model.refs),
            before=self._commands("before", model), healthy=self._probes("healthy", model),
            foreseen=self._checks("foreseen", model), fault=self._commands("fault", model),
            symptom=self._probes("symptom", model), detected=self._checks("detected", model), cause=self._cause(model),
            fix=self._commands("fix", model), leaves=self._leaves(model), immune=model.immune,
        )  # fmt: skip

    def _places(self, fabric: Mapping[str, Any], at: At) -> list[str]:
        """Check the fabric's options; gives the places that it will have."""
        known = kinds()
        kind = fabric.get("kind")
        if kind not in known:
            if isinstance(kind, str):
                at.child("kind").problem(f"unknown fabric {kind!r}{suggest(kind, list(known))}")
            else:
                at.problem("a fabric needs a kind, such as calico")
            return []
        options = {name: value for name, value in fabric.items() if name != "kind"}
        wrong = list(known[kind].problems(options))
        for name, message in wrong:
            at.child(name).problem(message, key=True)
        return [] if wrong else known[kind].places(options)

    def _suites(self, names: Iterable[str], at: At) -> None:
        for i, name in enumerate(names):
            if self.library.get(name) is None:
                at.child(i).problem(f"unknown suite {name!r}{suggest(name, self.library.names())}")

    def _place(self, name: str, at: At, *, key: bool = False) -> None:
        if self.places and name not in self.places:
            at.problem(f"unknown place {name!r}{suggest(name, self.places)}", key=key)

    def _commands(self, stage: str, model: LabModel) -> tuple[Command, ...]:
        found = []
        for i, entry in enumerate(getattr(model, stage)):
            at = At(self.document, (stage, i))
            if len(entry) != 1:
                at.problem(f"expected one place and what to do there, such as {{node1: ip link set eth0 down}}, got {len(entry)}")
                continue
            (place, text), *_ = entry.items()
            self._place(place, at.child(place), key=True)
            command = Command(place, text, self.document.position(at.path)[0])
            if stage == "fix" and command.is_fix_of is not None:
                self._check_id(command.is_fix_of, at.child(place), must_have_fix=True)
            found.append(command)
        return tuple(found)

    def _probes(self, stage: str, model: LabModel) -> tuple[LabProbe, ...]:
        entries: list[ProbeEntry] = getattr(model, stage)
        return tuple(self._probe(entry, At(self.document, (stage, i))) for i, entry in enumerate(entries))

    def _probe(self, entry: ProbeEntry, at: At) -> LabProbe:
        probe = entry.ping
        self._place(probe.source, at.child("ping").child("from"))
        self._place(probe.to, at.child("ping").child("to"))
        options = {name: value for name, value in (("size", probe.size), ("df", probe.df)) if value}
        return LabProbe("ping", probe.source, probe.to, probe.expected, self.document.position(at.path)[0], options)

    def _checks(self, stage: str, model: LabModel) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for place, ids in getattr(model, stage).items():
            at = At(self.document, (stage, place))
            self._place(place, at, key=True)
            for i, check_id in enumerate(ids):
                self._check_id(check_id, at.child(i))
            found[place] = tuple(ids)
        return found

    def _check_id(self, check_id: str, at: At, *, must_have_fix: bool = False) -> None:
        name, _, wanted = check_id.partition("::")
        suite = self.library.get(name)
        if suite is None:
            at.problem(f"unknown suite {name!r} in {check_id!r}{suggest(name, self.library.names())}")
        elif wanted not in suite.checks:
            at.problem(f"unknown check {wanted!r} of suite {name}{suggest(wanted, list(suite.checks))}")
        elif must_have_fix and not suite.checks[wanted].fix:
            at.problem(f"check {check_id} prints no fix")

    def _cause(self, model: LabModel) -> CauseExpected | None:
        if model.cause is None:
            return None
        at = At(self.document, ("cause",))
        self._place(model.cause.at, at.child("at"))
        if model.cause.id not in RULES:
            at.child("is").problem(f"unknown cause {model.cause.id!r}{suggest(model.cause.id, list(RULES))}")
        return CauseExpected(model.cause.at, model.cause.id)

    def _leaves(self, model: LabModel) -> tuple[tuple[str, str], ...]:
        found = [pair for entry in model.leaves for pair in entry.items()]
        for i, entry in enumerate(model.leaves):
            for place in entry:
                self._place(place, At(self.document, ("leaves", i, place)), key=True)
        return tuple(found)
