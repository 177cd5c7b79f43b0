"""Files and what their text says."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_netconform.facts.files import File, file_of

SUBNET_ENV = Path(__file__).parents[1] / "data/flannel-cluster/vxlan/node1/files/run/flannel/subnet.env"


def file(text: str | None, **known: str) -> File:
    return file_of("/x", "file", len(text or ""), 0o644, text, **known)


def test_flannels_subnet_env_is_read_as_assignments() -> None:
    found = file(SUBNET_ENV.read_text())
    assert found.env == {
        "FLANNEL_NETWORK": "10.42.0.0/16", "FLANNEL_SUBNET": "10.42.0.1/24", "FLANNEL_MTU": "1450",
        "FLANNEL_IPMASQ": "true",
    }  # fmt: skip
    assert found.lines[0] == "FLANNEL_NETWORK=10.42.0.0/16"
    assert found.json is None


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('A="b c"', "b c"), ("A='b \\\" c'", 'b \\" c'), ('A="b \\"c\\" \\$d"', 'b "c" $d'),
        ("export A=b # why", "b"),
        ("A=", ""), ("  A = b", None), ("A=b=c", "b=c"), ("# A=b", None), ("1A=b", None), ('A="', '"'),
    ],
)  # fmt: skip
def test_an_assignment_is_read_as_a_shell_would(line: str, value: str | None) -> None:
    assert (file(f"\n{line}\n").env or {}).get("A") == value


def test_lines_are_those_that_newlines_end() -> None:
    assert file("a\n\x0cb\r\n\nc").lines == ("a", "\x0cb\r", "", "c")
    assert file("").lines == file(None).lines == ()
    assert file("\n").lines == ("",)


def test_json_is_read_where_it_is_json() -> None:
    assert file('{"cniVersion": "1.0.0", "plugins": [1]}').json == {"cniVersion": "1.0.0", "plugins": [1]}
    assert file('{"a": ').json is file("7").json is file(None).json is file("[" * 100_000).json is None


def test_a_file_keeps_what_is_known_of_it_and_can_be_sent_elsewhere() -> None:
    link = file("A=b\n", target="../y")
    assert (link.path, link.type, link.size, link.mode, link.target) == ("/x", "file", 4, 0o644, "../y")
    assert link.caption() == "/x"
    assert pickle.loads(pickle.dumps(link)) == link
