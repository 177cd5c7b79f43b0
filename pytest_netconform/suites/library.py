"""Where suites come from, and the ids that they go by."""

from __future__ import annotations

from os.path import relpath
from pathlib import Path

from pytest_netconform.documents import Document, shown
from pytest_netconform.errors import DocumentError, Problem
from pytest_netconform.matching.at import At, Limit, meant
from pytest_netconform.suites.loading import NAME, SUFFIX, needs_of, read_suite
from pytest_netconform.suites.model import Check, Suite

LAB_SUFFIX = ".lab.yaml"
MOST_IN_A_ROW = 20
MOST_UPWARDS = 4
PACKAGE = Path(__file__).parents[1]


def builtin(kind: str) -> Path:
    """Give the directory of the built-in `suites` or `labs`: in the package, or beside it in a checkout."""
    inside = PACKAGE / "builtin" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def file_id(path: Path, rootdir: Path | None = None) -> str:
    """Give the name that a suite's or lab's file goes by: `suites/x.suite.yaml` for any built-in one."""
    for kind in ("suites", "labs"):
        if path.parent == builtin(kind):
            return f"{kind}/{path.name}"
    if rootdir is not None and path.is_relative_to(rootdir):
        return path.relative_to(rootdir).as_posix()
    return str(path)


class Library:
    """The suites of a run, and those that a `need` of theirs names: beside them, or built in.

    Shape: *here* is the directory that messages name files from.
    """

    def __init__(self, here: Path | None = None) -> None:
        self.here = here
        self.suites: dict[str, Suite] = {}
        self._reading: list[str] = []

    def load(self, path: Path) -> Suite:
        """Load a file, and see that all that its checks need is there; a file is read once.

        Raises: DocumentError with every problem of the file.
        """
        name = path.name.removesuffix(SUFFIX)
        other = self.suites.get(name)
        if other is not None and other.path.resolve() == path.resolve():
            return other
        file = self.shown(path)
        if other is not None and other.path.parent != builtin("suites"):
            raise DocumentError((Problem(file, 1, 1, f"there is a suite {name!r} already, in {other.file}"),))
        document, suite = read_suite(path, file)
        if suite is not None:
            self.suites[name] = suite
        self._reading.append(name)
        try:
            self._refuse_needs(document, name, path.parent)
            document.check()
        except DocumentError:
            self.suites.pop(name, None)
            raise
        finally:
            self._reading.pop()
        assert suite is not None, "a suite that could not be made has reported why"
        return suite

    def shown(self, path: Path) -> str:
        """Name a file so that a click on it opens it from here; a built-in one elsewhere goes by its id."""
        here, checkout = self.here, PACKAGE.parent
        if here is None or not path.is_absolute():
            return file_id(path)
        if path.is_relative_to(here):
            return path.relative_to(here).as_posix()
        ours = file_id(path)
        if not Path(ours).is_absolute() and not here.is_relative_to(checkout):
            return ours
        upwards = Path(relpath(path, here))
        return upwards.as_posix() if upwards.parts.count("..") <= MOST_UPWARDS else str(path)

    def get(self, name: str, beside: Path | None = None) -> Suite | None:
        """Give a suite by its name: one of the run, one in the directory *beside*, or a built-in one.

        Raises: DocumentError.
        """
        if name not in self.suites:
            directories = [beside, builtin("suites")] if beside is not None else [builtin("suites")]
            paths = (directory / f"{name}{SUFFIX}" for directory in directories)
            if not NAME.fullmatch(name) or (path := next(filter(Path.is_file, paths), None)) is None:
                return None
            return self.load(path)
        return self.suites[name]

    def find(self, check_id: str) -> Check | None:
        """Give a check of a loaded suite by its id."""
        suite, _, name = check_id.partition("::")
        found = self.suites.get(suite)
        return found.checks.get(name) if found is not None else None

    def names(self) -> list[str]:
        """List the suites that can be had by their names."""
        found = {path.name.removesuffix(SUFFIX) for path in builtin_suites()}
        return sorted(found | set(self.suites))

    def _refuse_needs(self, document: Document, here: str, directory: Path) -> None:
        """Report needs in other suites that lead nowhere, or back to where they began."""
        limit = Limit()
        for name, path, need in needs_of(document):
            if "::" not in need or need.startswith(f"{here}::"):
                continue
            at = At(document, path, limit=limit)
            if wrong := self._unknown(need, directory):
                at.problem(wrong)
            elif circle := self._circle(f"{here}::{name}", need):
                at.problem(f"the check needs itself: {' -> '.join(circle)}")

    def _unknown(self, need: str, directory: Path) -> str:
        """Say what is wrong with a need in another suite; empty where nothing is."""
        name, _, check = need.partition("::")
        if len(self._reading) > MOST_IN_A_ROW:
            way = " -> ".join(self._reading[:3])
            return f"needs lead on through more than {MOST_IN_A_ROW} suites: {way} -> ..."
        try:
            suite = self.get(name, directory)
        except DocumentError as error:
            return f"suite {shown(name)} cannot be read: {error.problems[0]}"
        if suite is None:
            return f"unknown suite {shown(name)}{meant(name, self.names())}"
        if check not in suite.checks:
            return f"suite {name!r} has no check {shown(check)}{meant(check, suite.checks)}"
        return ""

    def _circle(self, check_id: str, need: str) -> list[str]:
        """Give the way on which a need leads back to its check; empty where it does not."""
        came_from = {need: check_id}
        waiting = [need]
        for here in waiting:
            if here == check_id:
                way = [here]
                while len(way) < 2 or way[-1] != check_id:
                    way.append(came_from[way[-1]])
                return way[::-1]
            found = self.find(here)
            for each in found.needs if found is not None else ():
                if each not in came_from:
                    came_from[each] = here
                    waiting.append(each)
        return []


def builtin_suites() -> list[Path]:
    """List the files of the built-in suites."""
    return sorted(builtin("suites").glob(f"*{SUFFIX}"))
