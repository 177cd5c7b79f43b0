"""Helpers: an expectation written as YAML, compiled, and what is told of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_netconform.documents import parse
from pytest_netconform.errors import DocumentError
from pytest_netconform.facts.base import Fact
from pytest_netconform.matching.at import At
from pytest_netconform.matching.base import Value
from pytest_netconform.matching.compiling import compile_expected, compile_quantified
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.parsing import Names
from pytest_netconform.matching.quantified import Quantified
from pytest_netconform.matching.shapes import shape_of


def value_of(
    written: str, hint: Any = Any, names: Names | None = None, watched: bool = False, globs: bool = False
) -> Value:
    """Compile what is expected of a field whose type is *hint*."""
    document = parse(f"field: {written}\n".encode(), "x.yaml")
    context = Context(names or {}, shape_of(hint), name="field", noun="field", watched=watched, globs=globs)
    value = compile_expected(document.data["field"], At(document, ("field",)), context)
    document.check()
    assert value is not None
    return value


def rows_of(
    written: str, row: type[Fact], names: Names | None = None, selecting: bool = False, watched: bool = False
) -> Quantified:
    """Compile what is expected of a table."""
    document = parse(f"rows: {written}\n".encode(), "x.yaml")
    context = Context(names or {}, selecting=selecting, watched=watched).table(row, "rows")
    value = compile_quantified(document.data["rows"], At(document, ("rows",)), context)
    document.check()
    assert value is not None
    return value


def refused(compile: Any, written: str, *args: Any, **kwargs: Any) -> list[str]:
    """List what is told of a wrong expectation, each with its column."""
    with pytest.raises(DocumentError) as caught:
        compile(written, *args, **kwargs)
    return [f"{problem.column}: {problem.message}" for problem in caught.value.problems]
