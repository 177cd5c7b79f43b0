"""Suite files, from YAML to checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import Document, KeyPath, load, shown, validate
from pytest_netconform.documents.words import closest
from pytest_netconform.matching.at import At, Limit, meant
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.parsing import Names
from pytest_netconform.suites.circles import circles
from pytest_netconform.suites.compiling import (
    GROUPS,
    Bindings,
    compile_bindings,
    compile_condition,
    compile_group,
    compile_place,
    compile_variables,
)
from pytest_netconform.suites.fixes import known_variables
from pytest_netconform.suites.model import Check, Condition, Place, Query, Suite, queries
from pytest_netconform.suites.shell import assigned_in, names_in

if TYPE_CHECKING:
    from pytest_netconform.suites.envelope import SuiteModel

SUFFIX = ".suite.yaml"
DEEPEST = 50
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def load_suite(path: Path, file: str | None = None) -> Suite:
    """Read a suite file by itself; whether what its checks need of other suites is there, a Library knows.

    Raises: DocumentError with every problem of the file.
    """
    document, suite = read_suite(path, file or str(path))
    document.check()
    assert suite is not None, "a suite that could not be made has reported why"
    return suite


def read_suite(path: Path, file: str) -> tuple[Document, Suite | None]:
    """Read a suite file; the document has its problems, and there may be no suite then.

    Raises: DocumentError where nothing more could be read.
    """
    document = load(path, file)
    if (deep := too_deep(document.data)) is not None:
        document.report(deep, f"nested more than {DEEPEST} levels deep, aliases written out")
        return document, None
    return document, _Reader(document, path).suite()


def too_deep(data: Any) -> KeyPath | None:
    """Give the path to something that is nested too deep, as aliases of aliases can be; None without any."""
    level: list[tuple[KeyPath, Any]] = [((), data)] if isinstance(data, (dict, list)) else []
    for _ in range(DEEPEST):
        level = [
            ((*path, key), inner)
            for path, value in level
            for key, inner in (value.items() if isinstance(value, dict) else enumerate(value))
            if isinstance(inner, (dict, list))
        ]
    return level[0][0] if level else None


def needs_of(document: Document) -> Iterator[tuple[str, KeyPath, str]]:
    """Go over the needs as they stand in a file: a check's name, where its need stands, and the need."""
    checks = document.data.get("checks") if isinstance(document.data, dict) else None
    for name, spec in checks.items() if isinstance(checks, dict) else ():
        needs = spec.get("needs") if isinstance(spec, dict) else None
        for number, need in enumerate(needs if isinstance(needs, list) else ()):
            if isinstance(need, str):
                yield name, ("checks", name, "needs", number), need


@dataclass(frozen=True)
class _Compiled:
    """What of a check its kinds have compiled."""

    condition: Condition
    place: Place | None
    bindings: Bindings


class _Reader:
    """One file on its way to a suite."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document, self.path = document, path
        self.names: Names = {}
        self.kinds = kinds()

    def suite(self) -> Suite | None:
        """Read all of it, so that all that is wrong is told; None where no suite can be made of it."""
        from pytest_netconform.suites.envelope import SuiteModel

        model, data = validate(self.document, (), SuiteModel), self.document.data
        if not isinstance(data, dict):
            return None
        at = At(self.document, limit=Limit())
        self._named(data, at.child("suite"))
        variables, self.names = compile_variables(data.get("vars"), at.child("vars"))
        when = (
            compile_condition(data["when"], at.child("when"), Context(self.names)) if "when" in data else None
        )
        place = compile_place(data["in"], at.child("in"), self.names) if "in" in data else None
        compiled = self._compiled(data.get("checks"), at.child("checks"))
        if model is None:
            return None
        checks = {name: self._check(model, name, found) for name, found in compiled.items()}
        return Suite(
            model.suite, model.title or model.suite, self.path, self.document.name,
            when=when, variables=variables, place=place, or_none=model.or_none, checks=checks,
        )  # fmt: skip

    def _named(self, data: dict[str, Any], at: At) -> None:
        stem = self.path.name.removesuffix(SUFFIX)
        if not NAME.fullmatch(stem):
            at.problem(f"a suite's file is named by letters, digits, '.', '_' and '-', not {shown(stem)}")
        elif isinstance(data.get("suite"), str) and data["suite"] != stem:
            at.problem(f"a suite has its file's name: expected {stem!r}, got {shown(data['suite'])}")

    def _compiled(self, spec: Any, at: At) -> dict[str, _Compiled]:
        """Compile the checks; leaves out those that are wrong."""
        if spec == {}:
            at.problem("a suite needs at least one check")
        if not isinstance(spec, dict):
            return {}
        self._refuse_needs(spec, at)
        found = {name: self._compile(name, inner, at.child(name)) for name, inner in spec.items()}
        return {name: compiled for name, compiled in found.items() if compiled is not None}

    def _refuse_needs(self, spec: dict[str, Any], at: At) -> None:
        """Report needs that name no check of this file, or lead back to where they began."""
        local: dict[str, list[str]] = {name: [] for name in spec}
        for name, path, need in needs_of(self.document):
            check = need.removeprefix(f"{self.path.name.removesuffix(SUFFIX)}::")
            if check in spec:
                local[name].append(check)
            elif "::" not in check:
                number = path[-1]
                place = at.child(name).child("needs").child(number)
                place.problem(f"unknown check {shown(check)}{meant(check, spec)}")
        for circle in circles(local):
            way = " -> ".join(circle)
            at.child(circle[0]).child("needs").problem(f"the check needs itself: {way}", key=True)

    def _compile(self, name: str, spec: Any, at: At) -> _Compiled | None:
        if not NAME.fullmatch(name):
            at.problem(f"a check is named by letters, digits, '.', '_' and '-', not {shown(name)}", key=True)
        if not isinstance(spec, dict):
            return None
        bindings: Bindings | None = ()
        names = self.names
        if "for" in spec:
            bindings, names = compile_bindings(spec["for"], at.child("for"), self.names)
        place = compile_place(spec["in"], at.child("in"), self.names) if "in" in spec else None
        condition = self._condition(spec, at, Context(names, watched=True))
        if condition is None or bindings is None or ("in" in spec and place is None):
            return None
        _refuse_over(spec, condition, at)
        if isinstance(fix := spec.get("fix"), str):
            self._refuse_variables(fix, known_variables(queries(condition), bindings), at.child("fix"))
        return _Compiled(condition, place, bindings)

    def _refuse_variables(self, fix: str, known: list[str], at: At) -> None:
        """Report variables of a fix that read like a row's field and are none: they would be empty."""
        prefixes = tuple(f"{word}_" for word in {name.partition("_")[0] for name in known} | {*self.kinds})
        own = assigned_in(fix)
        for name in names_in(fix):
            if name in known or name in own or not (name.startswith(prefixes) or closest(name, known)):
                continue
            hint = closest(name, known)
            at.problem(f"unknown variable ${shown(name)[1:-1]}: no row that this check judges has it{hint}")

    def _condition(self, spec: dict[str, Any], at: At, context: Context) -> Condition | None:
        from pytest_netconform.suites.envelope import CHECK_KEYS

        words = [word for word in spec if word not in CHECK_KEYS]
        known = (*self.kinds, *GROUPS)
        wrong = [word for word in words if word not in known]
        for word in wrong:
            at.child(word).unknown("key", word, (*known, *CHECK_KEYS))
        if not words:
            at.problem("a check needs a kind that says what it looks at, such as link or sysctl", key=True)
        words = [word for word in words if word in known]
        if len(words) > 1:
            one = f"a check has one kind, but here are {', '.join(words)}; use all: [...] or any: [...]"
            at.problem(one, key=True)
        found = [self._question(word, spec[word], at.child(word), context) for word in words]
        return found[0] if len(found) == 1 and not wrong else None

    @staticmethod
    def _question(word: str, spec: Any, at: At, context: Context) -> Condition | None:
        if word in GROUPS:
            return compile_group(word, spec, at, context)
        body = kinds()[word].compile(spec, at, context)
        return None if body is None else Query(body)

    def _check(self, suite: SuiteModel, name: str, compiled: _Compiled) -> Check:
        model = suite.checks[name]
        needs = tuple(need if "::" in need else f"{suite.suite}::{need}" for need in model.needs)
        line, _ = self.document.position(("checks", name), key=True)
        return Check(
            suite.suite, name, self.document.name, line, compiled.condition,
            title=model.title, severity=model.severity, why=model.why, fix=model.fix, refs=model.refs,
            needs=needs, eventually_s=model.eventually, over_s=model.over, or_none=model.or_none,
            place=compiled.place, bindings=compiled.bindings,
        )  # fmt: skip


def _refuse_over(spec: dict[str, Any], condition: Condition, at: At) -> None:
    """Report `grew` without `over`, and the other way round."""
    grows = any(query.body.grows for query in queries(condition))
    if grows and "over" not in spec:
        at.problem("'grew' needs 'over', the time to watch, such as over: 2s", key=True)
    if "over" in spec and not grows:
        at.child("over").problem("'over' is for a check that says by how much something grew", key=True)
