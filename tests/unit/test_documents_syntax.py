"""Syntax errors: the same plain words from PyYAML's C parser and its Python parser."""

from __future__ import annotations

import pytest
import yaml

from pytest_netconform.documents import parse, reading
from pytest_netconform.errors import DocumentError


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with each of PyYAML's parsers; the C parser is missing where PyYAML was built without libyaml."""
    if not hasattr(yaml, request.param):
        pytest.skip(f"this PyYAML has no {request.param}")
    monkeypatch.setattr(reading, "Loader", getattr(yaml, request.param))


def problem(text: str) -> str:
    """Read a broken text and return its one problem, less the file's name."""
    with pytest.raises(DocumentError) as caught:
        parse(text.encode(), "x.yaml")
    (found,) = caught.value.problems
    return str(found).removeprefix("x.yaml:")


CASES = {
    "a:\n\tb: 1": "2:1: a tab cannot indent: use spaces",
    "a:\n  b: 1\n\tc: 2": "3:1: a tab cannot indent: use spaces",
    "checks:\n  vtep:\n    link: {}\n   why: x\n": (
        "4:4: wrong indentation: this line begins in column 4, but the keys of the mapping that begins"
        " in line 2 stand in column 3"
    ),
    "title: foo\n  why: bar\n": (
        "2:3: a key cannot stand here, inside the value that the line above begins: this line is"
        " indented too far, or ': ' is missing above"
    ),
    "a: b: c": "1:5: ': ' cannot stand inside text: put the whole value in quotes",
    "refs:\n  - a\n  b: c\n": "3:3: this line is no '- entry' of the list that begins in line 2",
    "refs:\n  - 'a' b\n": "2:9: the value has ended before this: put the whole value in quotes",
    "refs:\n  - a\n - b\n": (
        "3:2: wrong indentation: this line begins in column 2, but the keys of the mapping that begins"
        " in line 1 stand in column 1"
    ),
    "a: {ifname: ${gateway.dev}}": "1:13: inside {...} and [...], text with ${...} must stand in quotes",
    "mtu: >= 1450": "1:6: text cannot begin with '>': put it in quotes",
    "mtu: | x": "1:6: text cannot begin with '|': put it in quotes",
    "a: *": "1:4: text cannot begin with '*': put it in quotes",
    "a: &": "1:4: text cannot begin with '&': put it in quotes",
    "a: @x": "1:4: text cannot begin with '@': put it in quotes",
    "a: `x`": "1:4: text cannot begin with '`': put it in quotes",
    "a: %x": "1:4: text cannot begin with '%': put it in quotes",
    "a: !<x": "1:4: text cannot begin with '!': put it in quotes",
    "!foo!bar x": "1:1: text cannot begin with '!': put it in quotes",
    "a: 1\nfoo\nbar: 1": "2:1: ': ' is missing: this line is no 'key: value'",
    "key:value\nb: 1": (
        "2:1: a key cannot stand here, inside the value that the line above begins: this line is"
        " indented too far, or ': ' is missing above"
    ),
    'a: "\\d+"': "1:5: \\d means nothing in double quotes: write \\\\d, or use single quotes",
    'a: "\\xag"': "1:5: not the code of a character: \\x, \\u and \\U take 2, 4 and 8 hexadecimal digits",
    'a: "abc\nb: 1': "1:4: this quote is never closed",
    " a: 1\nb: 2\n": "2:1: the document has ended above: is this line indented less than the first?",
    "[a, b": "1:1: '[' is never closed",
    "{a: 1]": "1:6: expected ',' or '}' here, since '{' in line 1, column 1",
    "[": "1:2: the file ends inside a bracket",
    "a: [1, 2\nb: 3\n": "2:2: expected ',' or ']' here, since '[' in line 1, column 4",
    "a: 'it's'": "1:8: the value has ended before this: put the whole value in quotes",
    "%YAML 3.0\n---\na": "1:1: '%' begins a directive, and only '%YAML 1.2' is known",
    "%TAG ! x\n--- a": "1:1: '%' begins a directive, and only '%YAML 1.2' is known",
    "%%": "1:2: '%' begins a directive, and only '%YAML 1.2' is known",
    "a: 1\n...\nb": "3:1: the document has ended above: is this line indented less than the first?",
    "a: - b": "1:4: a list cannot begin behind its key: put each '- ' on a line of its own",
    "a: ? b": "1:4: text cannot begin with '?': put it in quotes",
    "a: ]": "1:4: text cannot begin with ']': put it in quotes",
    "a: 1\n- b": "2:1: this line is no 'key: value' of the mapping that begins in line 1",
}


@pytest.mark.parametrize("text", CASES)
def test_a_syntax_error_says_where_it_is_and_what_to_write(text: str) -> None:
    assert problem(text) == CASES[text]


@pytest.mark.parametrize(
    "text", [r'a: "\ud83d"', r'a: "\ud83d\ude00"', r'a: "\U99999999"', "%YAML 1." + "9" * 5000, "!<%c0%80> x"]
)
def test_what_the_two_parsers_tell_differently_is_told_by_both(text: str) -> None:
    assert problem(text)


def test_what_was_found_before_a_syntax_error_is_told_too() -> None:
    with pytest.raises(
        DocumentError, match=r"^x\.yaml:2:1: duplicate key 'a' .*\nx\.yaml:3:4: text cannot begin"
    ):
        parse(b"a: 1\na: 2\nb: @\n", "x.yaml")


def test_places_are_the_same_from_both_parsers() -> None:
    document = parse("a: [b, {c: é😀}]\nd:\n  - &x e\n  - *x\n".encode(), "x.yaml")
    assert document.position(("a", 1, "c")) == (1, 12)
    assert document.position(("d", 1)) == (4, 5)
