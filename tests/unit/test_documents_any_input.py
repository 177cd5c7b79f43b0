"""Whatever bytes come, reading ends with a document or with problems that have their place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_netconform.documents import Document, parse, reading
from pytest_netconform.errors import DocumentError, Problem

LOADERS = [loader for loader in (getattr(yaml, "CSafeLoader", None), yaml.SafeLoader) if loader]
PIECES = [
    *"\n\t :-?,[]{}#&*!|>'\"%@`~<=.\\/$", "\r\n", "\n  ", "\n    ", "- ", ": ", "? ", "---\n", "...\n",
    "<<: ", "&a ", "*a ", "!!int ", "!!python/name:os ", "! ", "!<", "%YAML 1.2\n", "%TAG ! x\n", "${a.b}",
    "null", "true", "on", "010", "0x1f", "1e400", ".nan", "-.inf", "9" * 70, r"\x4", r"\ud83d", r"\U00110000",
    "é", "😀", "\u2028", "\ufeff", "\x00", "a", "bc", "key: value\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
KEYS = st.text(st.characters(codec="utf-8"), max_size=20)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**128), 2**128)
    | st.floats(allow_nan=False, allow_infinity=False)
    | KEYS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)
PLAIN_CHARACTERS = st.characters(
    codec="utf-8", exclude_characters="\x7f\u2028\u2029\ufeff\ufffe\uffff", exclude_categories=["Cc"]
)
PLAIN = st.recursive(
    st.booleans() | st.text(PLAIN_CHARACTERS, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(PLAIN_CHARACTERS, max_size=20), inner, max_size=5)
    ),
    max_leaves=30,
)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__, scope="module", autouse=True)
def parser(request: pytest.FixtureRequest) -> Any:
    """Read with each of PyYAML's parsers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "Loader", request.param)
        yield


def survives(data: bytes) -> None:
    """Read anything: plain data comes out, or problems within the text."""
    lines = data.count(b"\n") + data.count(b"\r") + 2
    document, problems = read(data)
    assert document or problems
    for problem in problems:
        assert 1 <= problem.line <= lines
        assert 1 <= problem.column <= len(data) + 1
        assert str(problem).isprintable()
    for path, value in walked(document.data) if document else ():
        assert document.position(path)[0] <= lines
        assert type(value) in (dict, list, str, int, float, bool, type(None))


def read(data: bytes) -> tuple[Document | None, tuple[Problem, ...]]:
    """Read bytes into a document, or into what is wrong with them."""
    try:
        document = parse(data, "x")
        document.check()
    except DocumentError as error:
        return None, error.problems
    return document, ()


def walked(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """List every value in plain data with its path."""
    found = [(path, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += walked(inner, (*path, key))
    return found


@given(st.binary())
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xff")
def test_any_bytes_make_a_document_or_problems(data: bytes) -> None:
    survives(data)


@given(TEXTS)
def test_any_text_like_yaml_makes_a_document_or_problems(text: str) -> None:
    survives(text.encode())


@given(st.text())
def test_any_text_makes_a_document_or_problems(text: str) -> None:
    survives(text.encode("utf-8", "surrogatepass"))


@given(
    st.lists(st.sampled_from(["[", "{", "- ", "? ", "a: ", "&a ", '"', "{a: "]), min_size=1, max_size=3),
    st.integers(1, 3000),
)
def test_any_nesting_makes_a_document_or_problems(pieces: list[str], times: int) -> None:
    survives("".join(pieces * times).encode())


@given(DATA.filter(lambda data: data is not None))
def test_json_reads_as_what_it_was_written_from(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=True)
    if not any(code in text for code in (r"\ud8", r"\ud9", r"\uda", r"\udb")):
        assert parse(text.encode(), "x").data == data


@given(PLAIN)
def test_json_in_utf_8_reads_as_what_it_was_written_from(data: Any) -> None:
    document = parse(json.dumps(data, ensure_ascii=False, indent=1).encode(), "x")
    document.check()
    assert document.data == data
