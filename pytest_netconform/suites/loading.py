"""Suite files, from YAML to checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import Document, load, suggest
from pytest_netconform.matching.at import At, described
from pytest_netconform.matching.references import Names
from pytest_netconform.suites.compiling import (
    GROUPS,
    compile_bindings,
    compile_condition,
    compile_group,
    compile_place,
    compile_variables,
    one_kind,
)
from pytest_netconform.suites.model import Check, Condition, Query, Suite, queries

SUFFIX = ".suite.yaml"


def load_suite(path: Path, file: str | None = None) -> Suite:
    """Read a suite file.

    Raises: DocumentError with every problem of the file.
    """
    document = load(path, file or str(path))
    suite = _Loader(document, path).suite()
    document.check()
    assert suite is not None, "a suite that could not be made has reported why"
    return suite


@dataclass
class _Loader:
    """One file on its way to a suite."""

    document: Document
    path: Path
    names: Names = field(default_factory=dict)

    def suite(self) -> Suite | None:
        from pytest_netconform.documents import validate
        from pytest_netconform.suites.envelope import SuiteModel

        data = self.document.data
        at = At(self.document)
        model = validate(self.document, (), SuiteModel)
        if not isinstance(data, dict):
            return None
        self._named(data, at)
        variables, self.names = compile_variables(data.get("vars"), at.child("vars"))
        when = compile_condition(data["when"], at.child("when"), self.names) if "when" in data else None
        place = compile_place(data["in"], at.child("in"), self.names) if "in" in data else None
        checks = self._checks(data.get("checks"), at.child("checks"))
        if model is None:
            return None
        return Suite(model.suite, model.title, self.path, self.document.name, when, variables, place, model.or_none, checks)

    def _named(self, data: dict[str, Any], at: At) -> None:
        stem = self.path.name.removesuffix(SUFFIX)
        if isinstance(data.get("suite"), str) and data["suite"] != stem:
            at.child("suite").problem(f"a suite has its file's name: expected {stem!r}, got {data['suite']!r}")

    def _checks(self, spec: Any, at: At) -> dict[str, Check]:
        if not isinstance(spec, dict):
            return {}
        if not spec:
            at.problem("a suite needs at least one check")
        found = {name: self._check(name, inner, at.child(name)) for name, inner in spec.items()}
        self._local_needs(spec, at)
        return {name: check for name, check in found.items() if check is not None}

    def _local_needs(self, spec: dict[str, Any], at: At) -> None:
        for name, inner in spec.items():
            needs = inner.get("needs") if isinstance(inner, dict) else None
            for i, need in enumerate(needs if isinstance(needs, list) else ()):
                if isinstance(need, str) and "::" not in need and need not in spec:
                    place = at.child(name).child("needs").child(i)
                    place.problem(f"unknown check {need!r}{suggest(need, list(spec))}")

    def _check(self, name: str, spec: Any, at: At) -> Check | None:
        from pytest_netconform.documents import validate
        from pytest_netconform.suites.envelope import CheckModel

        if not isinstance(spec, dict):
            at.problem(f"a check is a mapping with a kind, such as sysctl, got {described(spec)}")
            return None
        model = validate(self.document, at.path, CheckModel)
        bindings, names = (), self.names
        if "for" in spec:
            bindings, names = compile_bindings(spec["for"], at.child("for"), self.names)
        place = compile_place(spec["in"], at.child("in"), self.names) if "in" in spec else None
        condition = self._condition(spec, at, names)
        if condition is None or model is None:
            return None
        self._watched(model.over, condition, at)
        line, _ = self.document.position(at.path, key=True)
        return Check(
            suite=str(self.document.data.get("suite")), name=name, file=self.document.name, line=line, condition=condition,
            title=model.title, severity=model.severity, why=model.why, fix=model.fix, refs=tuple(model.refs),
            needs=tuple(self._full(need) for need in model.needs), eventually_s=model.eventually, over_s=model.over,
            place=place, bindings=bindings, or_none=model.or_none,
        )  # fmt: skip

    def _full(self, need: str) -> str:
        return need if "::" in need else f"{self.document.data.get('suite')}::{need}"

    def _condition(self, spec: dict[str, Any], at: At, names: Names) -> Condition | None:
        from pytest_netconform.suites.envelope import CHECK_KEYS

        words = [word for word in spec if word not in CHECK_KEYS]
        known = (*kinds(), *GROUPS)
        wrong = [word for word in words if word not in known]
        for word in wrong:
            at.child(word).unknown("key", word, (*known, *CHECK_KEYS))
        if wrong:
            return None
        if not words:
            at.problem("a check needs a kind that says what it looks at, such as link or sysctl", key=True)
            return None
        if words[0] in GROUPS and len(words) == 1:
            return compile_group(words[0], spec[words[0]], at.child(words[0]), names)
        if not one_kind(words, spec, at):
            return None
        body = kinds()[words[0]].compile(spec[words[0]], at.child(words[0]), names)
        return body and Query(body)

    def _watched(self, over_s: float | None, condition: Condition, at: At) -> None:
        grows = any(query.body.grows for query in queries(condition))
        if grows and over_s is None:
            at.problem("'grew' needs 'over', the time to watch, such as over: 2s", key=True)
        if over_s is not None and not grows:
            at.child("over").problem("'over' is for a check that says by how much something grew", key=True)
