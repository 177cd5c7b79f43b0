"""YAML 1.2 documents: values, positions, and what is refused."""

from __future__ import annotations

import math
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform.documents import Document, load, parse, suggest
from pytest_netconform.documents.building import DEEPEST, MOST_NODES
from pytest_netconform.documents.files import LARGEST
from pytest_netconform.documents.reading import MOST_PROBLEMS
from pytest_netconform.errors import DocumentError


def read(text: str) -> Document:
    document = parse(text.encode(), "x.yaml")
    document.check()
    return document


def problems(text: str | bytes) -> list[str]:
    """List what reading a text reports, less the file's name."""
    with pytest.raises(DocumentError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "x.yaml").check()
    return [str(problem).removeprefix("x.yaml:") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("22:22", "22:22"),
        ("2001:db8::1", "2001:db8::1"),
        ("2024-01-01", "2024-01-01"),
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("010", 10),
        ("0o17", 15),
        ("0x1f", 31),
        ("-7", -7),
        ("+7", 7),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("10.0.0.1", "10.0.0.1"),
        (".", "."),
        ("-", [None]),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'null'", "null"),
        ('"8080"', "8080"),
        ("!!str 8080", "8080"),
        ("!!int '8080'", 8080),
        ("!!float 3", 3.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!map {a: !!seq [b]}", {"a": ["b"]}),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("${route.x}", "${route.x}"),
        (r'"\0\x7f\u2028"', "\0\x7f\u2028"),
    ],
)
def test_scalars_are_those_of_the_core_schema(written: str, value: Any) -> None:
    prefix = "k:\n  " if written == "-" else "k: "
    found = read(prefix + written).data["k"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(read("[.nan]").data[0])


def test_keys_that_yaml_1_1_takes_for_other_things_are_text() -> None:
    assert read("on: 1\nyes: 2\nn: 3\n52:54:00: 4").data == {"on": 1, "yes": 2, "n": 3, "52:54:00": 4}


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "x.yaml")
    assert document.data == {"a": 1, "b": "x"}
    assert document.position(("b",)) == (2, 4)


NESTED = read("""\
suite: x
checks:
  vtep:
    link: {ifname: flannel.1,
           flags: [UP, "LOWER_UP"]}
  "zwölf 😀": !!str 12
empty:
""")


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("suite",), (1, 8), (1, 1)),
        (("checks",), (3, 3), (2, 1)),
        (("checks", "vtep", "link"), (4, 11), (4, 5)),
        (("checks", "vtep", "link", "flags"), (5, 19), (5, 12)),
        (("checks", "vtep", "link", "flags", 1), (5, 24), (5, 24)),
        (("checks", "zwölf 😀"), (6, 14), (6, 3)),
        (("empty",), (7, 7), (7, 1)),
        (("checks", "vtep", "fdb", "x"), (4, 5), (3, 3)),
        (("checks", "vtep", "link", "flags", 2), (5, 19), (5, 12)),
        (("suite", 0), (1, 8), (1, 1)),
        (("nothing",), (1, 1), (1, 1)),
    ],
)
def test_each_value_and_key_has_its_position(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    assert NESTED.position(path) == value
    assert NESTED.position(path, key=True) == key


def test_an_alias_stands_where_it_is_written_and_its_content_where_the_anchor_is() -> None:
    document = read("a: &x {b: 1}\nc: *x\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.position(("c",)) == (2, 4)
    assert document.position(("c", "b")) == (1, 11)


def test_an_alias_stands_for_the_last_anchor_of_its_name() -> None:
    assert read("[&x 1, *x, &x b, *x, {*x : c}]").data == [1, 1, "b", "b", {"b": "c"}]


def test_reports_are_raised_together_in_the_order_of_the_file_and_once() -> None:
    document = read("a: 1\nb: 2\n")
    document.report(("b",), "second")
    document.report(("a",), "first", key=True)
    document.report(("b",), "second")
    with pytest.raises(DocumentError, match=r"^x\.yaml:1:1: first\nx\.yaml:2:4: second$"):
        document.check()


def test_a_report_is_one_harmless_line() -> None:
    document = parse(b"a: 1", "x\n\x1b[2J.yaml")
    document.report((), "a\nb\x1b[31m\u202e é")
    with pytest.raises(DocumentError) as caught:
        document.check()
    assert str(caught.value) == r"x\n\x1b[2J.yaml:1:1: a\nb\x1b[31m\u202e é"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ["3:1: duplicate key 'a' (first in line 1)"]),
        ("{a: 1, 'a': {x: [1]}}", ["1:8: duplicate key 'a' (first in line 1)"]),
        ("8080: x", ["1:1: key '8080' is a number: write it in quotes"]),
        ("true: x", ["1:1: key 'true' is true/false: write it in quotes"]),
        ("?\n: x", ["1:2: a key is missing here"]),
        ("? [a]\n: 1", ["1:3: a key must be text, not a list"]),
        ("? {a: 1}\n: 1", ["1:3: a key must be text, not a mapping"]),
        ("a: &x [1]\n*x : 1", ["2:1: a key must be text, not a list"]),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", ["3:3: merge key '<<' is not YAML 1.2: write the keys out"]),
        ("a: !foo x", ["1:4: tag '!foo' is not allowed (text that begins with '!' must stand in quotes)"]),
        ("! -d 10.0.0.0/8", ["1:1: tag '!' is not allowed (text that begins with '!' must stand in quotes)"]),
        (
            "a: !!python/object/apply:os.system [id]",
            [
                "1:4: tag '!!python/object/apply:os.system' is not allowed"
                " (text that begins with '!' must stand in quotes)"
            ],
        ),
        (
            "a: !!binary aGk=",
            ["1:4: tag '!!binary' is not allowed (text that begins with '!' must stand in quotes)"],
        ),
        ("a: !!int x", ["1:4: tag '!!int' does not fit this value"]),
        ("a: !!bool yes", ["1:4: tag '!!bool' does not fit this value"]),
        ("a: !!map [x]", ["1:4: tag '!!map' does not fit this value"]),
        ("a: !!seq x", ["1:4: tag '!!seq' does not fit this value"]),
        ("a: *nobody", ["1:4: unknown alias '*nobody' (text that begins with '*' must stand in quotes)"]),
        ("a: &x [1, *x]", ["1:11: alias '*x' stands inside what it names"]),
        ("a: 1\n---\nb: 1\n", ["2:1: a second document begins here; a file holds one"]),
        ("a: 1e400", ["1:4: the number 1e400 is too large"]),
        ("a: -1e400", ["1:4: the number -1e400 is too large"]),
        ("a: " + "7" * 5000, ["1:4: a number of 5000 characters is too long (at most 64)"]),
        ("a: 0x" + "f" * 5000, ["1:4: a number of 5002 characters is too long (at most 64)"]),
        ("", ["1:1: the file is empty"]),
        ("# nothing\n", ["1:1: the file is empty"]),
        ("---\n...\n", ["1:1: the file is empty"]),
    ],
)
def test_what_plain_data_cannot_say_is_refused(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_all_problems_are_told_at_once() -> None:
    text = "a: !x 1\na: 2\n8080: 3\nb: *c\nd: [\n"
    assert problems(text) == [
        "1:4: tag '!x' is not allowed (text that begins with '!' must stand in quotes)",
        "2:1: duplicate key 'a' (first in line 1)",
        "3:1: key '8080' is a number: write it in quotes",
        "4:4: unknown alias '*c' (text that begins with '*' must stand in quotes)",
        "6:1: the file ends inside a bracket",
    ]


def test_reading_goes_on_behind_what_was_refused() -> None:
    document = parse(b"a: 1\na: {x: [2]}\n8080: y\n<<: {z: 1}\nb: !x 3\n", "x.yaml")
    assert document.data == {"a": 1, "8080": "y", "b": "3"}


def test_many_problems_are_cut_short() -> None:
    found = problems("a: 1\n" * 50_000)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == f"{MOST_PROBLEMS + 2}:1: more than 100 problems; read no further"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\nb: \xe9t\xe9\n", "2:4: not UTF-8 text: byte 0xe9"),
        (b"\xff\xfea\0:\0", "1:1: not UTF-8 text: byte 0xff"),
        (b"\x7fELF\x02\x01", "1:1: not a text file: character U+007F is not allowed"),
        (b"a: 1\n\0\0\0\xff", "2:1: not a text file: character U+0000 is not allowed"),
        ("a: \u0085".encode(), "1:4: not a text file: character U+0085 is not allowed"),
        ("a: x\u2028b: y".encode(), "1:5: not a text file: character U+2028 is not allowed"),
        (b"\xed\xa0\x80", "1:1: not UTF-8 text: byte 0xed"),
        (b"a: 1\r\n\x1b[31m", "2:1: not a text file: character U+001B is not allowed"),
    ],
)
def test_what_is_no_text_is_refused_at_its_first_odd_character(data: bytes, expected: str) -> None:
    assert problems(data) == [expected]


def test_depth_is_limited() -> None:
    assert read("[" * DEEPEST + "]" * DEEPEST).data
    assert problems("[" * 500_000) == [f"1:{DEEPEST + 1}: nested more than 50 levels deep"]
    assert problems("- " * 100 + "x") == [f"1:{2 * DEEPEST + 1}: nested more than 50 levels deep"]


def test_an_alias_bomb_ends_when_what_it_stands_for_is_too_much() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 50)]
    assert problems("\n".join(lines)) == [f"5:45: more than {MOST_NODES} values, aliases written out"]


def test_aliases_of_long_text_count_by_its_length() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 200)}]\n"
    assert problems(text) == [f"2:397: more than {MOST_NODES} values, aliases written out"]


def test_a_file_is_read_under_its_path_or_another_name(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: [1]")
    assert load(path).data == {"a": [1]}
    assert load(path).name == str(path)
    assert load(path, "suites/x.yaml").name == "suites/x.yaml"


def unread(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load(path, "x")
    return str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10 * LARGEST)
    monkeypatch.setattr(os, "read", None)
    assert unread(path) == "x:1:1: has 10485760 bytes; at most 1048576 (1 MiB) are read"


def test_bytes_that_are_too_many_are_refused() -> None:
    assert problems(b" " * (LARGEST + 1)) == ["1:1: has 1048577 bytes; at most 1048576 (1 MiB) are read"]


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert unread(tmp_path / "socket") == "x:1:1: is a socket, not a file"
    assert unread(tmp_path / "pipe") == "x:1:1: is a pipe, not a file"
    assert unread(tmp_path) == "x:1:1: is a directory, not a file"
    assert unread(Path("/dev/zero")) == "x:1:1: is a device, not a file"
    assert unread(tmp_path / "none") == "x:1:1: cannot be read: No such file or directory"
    assert unread(tmp_path / ("n" * 300)) == "x:1:1: cannot be read: File name too long"
    told = unread(Path("a\0b"))
    assert re.fullmatch("x:1:1: cannot be read: .*embedded null (byte|character in path)", told)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").touch()

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert unread(tmp_path / "x") == "x:1:1: cannot be read: Permission denied"


def test_a_near_word_is_suggested() -> None:
    assert suggest("polcy", ["policy", "table"]) == " (did you mean 'policy'?)"
    assert suggest("POLICY", ["policy", "table"]) == " (did you mean 'policy'?)"
    assert suggest("polcy", []) == ""


def test_without_a_near_word_all_that_is_known_is_listed() -> None:
    assert suggest("x", ["policy", "table"]) == " (known: policy, table)"
    assert suggest("x", map(str, range(100))) == ""
