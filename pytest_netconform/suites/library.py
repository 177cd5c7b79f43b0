"""Where suites come from, and the ids that they go by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_netconform.documents import suggest
from pytest_netconform.errors import DocumentError, Problem
from pytest_netconform.suites.loading import SUFFIX, load_suite
from pytest_netconform.suites.model import Check, Suite

PACKAGE = Path(__file__).parents[1]


def builtin(kind: str) -> Path:
    """Give the directory of the built-in `suites` or `labs`: inside an installed package, beside it in a checkout."""
    inside = PACKAGE / "builtin" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def file_id(path: Path, rootdir: Path | None = None) -> str:
    """Give the name that a suite's or lab's file goes by: `suites/x.suite.yaml` for a built-in one, wherever it stands."""
    for kind in ("suites", "labs"):
        if path.parent == builtin(kind):
            return f"{kind}/{path.name}"
    if rootdir is not None and path.is_relative_to(rootdir):
        return path.relative_to(rootdir).as_posix()
    return str(path)


@dataclass
class Library:
    """The suites of a run, and behind them the built-in ones, for a `need` to name."""

    suites: dict[str, Suite] = field(default_factory=dict)
    rootdir: Path | None = None

    def load(self, path: Path) -> Suite:
        """Load a file of its own, and see that all that its checks need is there.

        Raises: DocumentError.
        """
        suite = load_suite(path, file_id(path, self.rootdir))
        self._unique(suite)
        self.suites[suite.name] = suite
        self._check_needs(suite)
        return suite

    def get(self, name: str) -> Suite | None:
        """Give a suite by its name, a built-in one if the run has none of that name."""
        if name not in self.suites:
            path = builtin("suites") / f"{name}{SUFFIX}"
            if not path.is_file():
                return None
            self.suites[name] = load_suite(path, file_id(path))
            self._check_needs(self.suites[name])
        return self.suites[name]

    def names(self) -> list[str]:
        found = {path.name.removesuffix(SUFFIX) for path in builtin("suites").glob(f"*{SUFFIX}")}
        return sorted(found | set(self.suites))

    def _unique(self, suite: Suite) -> None:
        other = self.suites.get(suite.name)
        if other is not None and other.path.resolve() != suite.path.resolve() and other.path.parent != builtin("suites"):
            message = f"there is a suite {suite.name!r} already, in {other.file}"
            raise DocumentError((Problem(suite.file, 1, 1, message),))

    def _check_needs(self, suite: Suite) -> None:
        problems = [
            Problem(check.file, check.line, 1, wrong)
            for check in suite.checks.values()
            for need in check.needs
            if (wrong := self._unknown_need(check, need))
        ]
        problems += [Problem(suite.file, check.line, 1, wrong) for check in suite.checks.values() if (wrong := self._circle(check))]
        if problems:
            raise DocumentError(tuple(problems))

    def _unknown_need(self, check: Check, need: str) -> str:
        name, _, wanted = need.partition("::")
        if (suite := self.get(name)) is None:
            return f"check {check.name!r} needs {need!r}, but there is no suite {name!r}{suggest(name, self.names())}"
        if wanted not in suite.checks:
            return f"check {check.name!r} needs {need!r}, which {name} does not have{suggest(wanted, list(suite.checks))}"
        return ""

    def _circle(self, check: Check) -> str:
        """Say how a check needs itself; empty where it does not."""
        way: list[tuple[Check, tuple[str, ...]]] = [(check, (check.id,))]
        seen = set()
        while way:
            here, path = way.pop()
            for need in here.needs:
                if need == check.id:
                    return f"check {check.name!r} needs itself: {' -> '.join((*path, need))}"
                if need not in seen and (found := self.find(need)) is not None:
                    seen.add(need)
                    way.append((found, (*path, need)))
        return ""

    def find(self, check_id: str) -> Check | None:
        suite, _, name = check_id.partition("::")
        found = self.suites.get(suite)
        return found.checks.get(name) if found is not None else None


def builtin_suites() -> list[Path]:
    """List the files of the built-in suites."""
    return sorted(builtin("suites").glob(f"*{SUFFIX}"))


def load_all(paths: Iterable[Path], rootdir: Path | None = None) -> Mapping[str, Suite]:
    """Load several suite files as one library."""
    library = Library(rootdir=rootdir)
    return {suite.name: suite for suite in [library.load(path) for path in paths]}
