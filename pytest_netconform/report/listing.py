"""What suites and labs there are, for `netconform list`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import suggest
from pytest_netconform.errors import NetconformError
from pytest_netconform.labs import LAB_SUFFIX, load_lab
from pytest_netconform.matching.shapes import fields_of
from pytest_netconform.suites.library import Library, builtin, builtin_suites
from pytest_netconform.suites.model import Check, Suite

WIDTH = 110


def listing(names: Sequence[str]) -> str:
    """List all suites, kinds and labs; or some suites with their checks in full, and some kinds' pages.

    Raises: NetconformError for an unknown name.
    """
    library = Library()
    suites = {suite.name: suite for suite in (library.load(path) for path in builtin_suites())}
    known = [*suites, *kinds()]
    for name in names:
        if name not in known:
            raise NetconformError(f"there is no suite or kind {name!r}{suggest(name, known)}")
    if names:
        return "\n\n".join(
            "\n".join(_in_full(suites[name]) if name in suites else _page(name)) for name in names
        )
    return "\n".join([*_suites(suites.values()), "", *_kinds(), "", *_labs(library)])


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
        lab = load_lab(path, f"labs/{path.name}", library)
        yield f"  {lab.file:36} {lab.title}"


def _in_full(suite: Suite) -> Iterator[str]:
    yield f"{suite.name}: {suite.title}"
    for check in suite.checks.values():
        yield ""
        yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    yield f"{check.id}   {check.severity}   {check.file}:{check.line}"
    for word, text in (("why", check.why), ("fix", check.fix)):
        if text:
            yield fill(text, WIDTH, initial_indent=f"  {word}  ", subsequent_indent="       ")
    for ref in check.refs:
        yield f"  see  {ref}"
