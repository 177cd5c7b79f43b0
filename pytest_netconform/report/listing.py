"""What suites and labs there are, for `netconform list`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import fill

from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import suggest
from pytest_netconform.errors import NetconformError
from pytest_netconform.fabrics import kinds as fabric_kinds
from pytest_netconform.labs import load_lab
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.suites.library import LAB_SUFFIX, Library, builtin, builtin_suites
from pytest_netconform.suites.loading import SUFFIX
from pytest_netconform.suites.model import Check, Suite

WIDTH = 110


def listing(names: Sequence[str]) -> str:
    """List all suites, kinds and labs; or some of them in full, suites with their checks, kinds' pages.

    Shape:  a name is a built-in suite's, a kind's, a file's, or that of a directory of such files.
    Raises: NetconformError for an unknown name.
    """
    library = Library(Path.cwd())
    if names:
        return "\n\n".join("\n".join(part) for name in names for part in _parts(name, library))
    suites = [library.load(path) for path in builtin_suites()]
    return "\n".join([*_suites(suites), "", *_kinds(), "", *_labs(library), "", *_fabrics()])


def _parts(name: str, library: Library) -> Iterator[Iterable[str]]:
    """Give what a name stands for, in full."""
    path = Path(name).resolve()
    if name in kinds():
        yield _page(name)
    elif (suite := library.get(name)) is not None:
        yield _in_full(suite)
    elif path.is_dir():
        found = [each for suffix in (SUFFIX, LAB_SUFFIX) for each in sorted(path.rglob(f"*{suffix}"))]
        if not found:
            raise NetconformError(f"{name}: no suite or lab is there")
        yield from (_file(each, library) for each in found)
    elif path.is_file():
        yield _file(path, library)
    else:
        known = suggest(name, [*library.names(), *kinds()])
        raise NetconformError(f"there is no suite or kind {name!r}{known}")


def _file(path: Path, library: Library) -> Iterator[str]:
    if path.name.endswith(LAB_SUFFIX):
        return _lab(path, library)
    if not path.name.endswith(SUFFIX):
        raise NetconformError(f"{path}: is no suite (*{SUFFIX}) and no lab (*{LAB_SUFFIX})")
    return _in_full(library.load(path))


def _kinds() -> Iterator[str]:
    yield "kinds"
    for name, kind in kinds().items():
        yield f"  {name:36} {kind.noun}"


def _page(name: str) -> Iterator[str]:
    """Give a kind's manual page: what its file says, and the fields of its rows."""
    kind = kinds()[name]
    yield (sys.modules[kind.see.__module__].__doc__ or "").strip()
    yield fill(f"Fields: {', '.join(fields_of(kind.row))}", WIDTH, subsequent_indent="        ")


def _suites(suites: Iterable[Suite]) -> Iterator[str]:
    yield "suites"
    for suite in suites:
        yield f"  {suite.file:36} {suite.title}"
        for check in suite.checks.values():
            yield f"    {check.name:32}   {check.severity}"


def _labs(library: Library) -> Iterator[str]:
    yield "labs"
    for path in sorted(builtin("labs").glob(f"*{LAB_SUFFIX}")):
        yield from _lab(path, library, "  ")


def _fabrics() -> Iterator[str]:
    yield "fabrics"
    for name, fabric in fabric_kinds().items():
        yield f"  {name:36} {fabric.description.removesuffix('.')}"


def _lab(path: Path, library: Library, indent: str = "") -> Iterator[str]:
    lab = load_lab(path, library.shown(path), library)
    yield f"{indent}{lab.file:36} {lab.title}"


def _in_full(suite: Suite) -> Iterator[str]:
    yield f"{suite.name}: {suite.title}"
    for check in suite.checks.values():
        yield ""
        yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    yield f"{check.id}   {check.severity}   {check.file}:{check.line}"
    if check.why:
        yield fill(check.why, WIDTH, initial_indent="  why  ", subsequent_indent="       ")
    yield from (f"  fix  {line}" for line in check.fix.splitlines())
    for ref in check.refs:
        yield f"  see  {ref}"
