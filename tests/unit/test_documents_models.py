"""Documents against models: each misfit at its place, in YAML's words."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from pytest_netconform.documents import parse, validate
from pytest_netconform.errors import DocumentError
from pytest_netconform.models import Model


class Family(Enum):
    inet = "inet"
    inet6 = "inet6"


class Ping(Model):
    kind: Literal["ping"]
    to: str
    sender: str = Field(default="", alias="from")


class Tcp(Model):
    kind: Literal["tcp"]
    port: int = Field(ge=1, le=65535)


class Check(Model):
    title: str
    severity: Literal["blocker", "critical", "high"] = "high"
    family: Family = Family.inet
    refs: tuple[str, ...] = ()
    mtu: int | Literal["absent"] = 1500
    rate: float = 1.0
    or_none: bool = False
    probe: Annotated[Ping | Tcp, Field(discriminator="kind")] | None = None
    pings: str | list[Ping] = ""
    by_name: dict[Annotated[str, Field(pattern="^[a-z]+$")], Ping] = {}
    pair: tuple[int, str] = (1, "a")
    dst: IPv4Network | None = None
    anything: Any = None

    @field_validator("title")
    @classmethod
    def _titled(cls, title: str) -> str:
        if title.endswith("."):
            raise ValueError("a title has no full stop")
        return title


class Small(Model):
    names: list[str] = Field(default=["a"], min_length=1, max_length=2)
    label: str = Field(default="a", min_length=1, max_length=3)
    ratio: float = Field(default=0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _labelled(self) -> Small:
        if self.label not in self.names:
            raise ValueError("the label is none of the names")
        return self


def problems(text: str, model: type[Model] = Check, path: tuple[str | int, ...] = ()) -> list[str]:
    """List what validation reports, less the file's name."""
    document = parse(text.encode(), "x")
    assert validate(document, path, model) is None
    with pytest.raises(DocumentError) as caught:
        document.check()
    return [str(problem)[2:] for problem in caught.value.problems]


def test_what_fits_becomes_a_model() -> None:
    document = parse(
        b"title: t\nfamily: inet6\nrefs: [a]\nmtu: absent\nrate: 2\ndst: 10.0.0.0/8\n"
        b"anything: [.nan, {a: .inf}]\nprobe: {kind: ping, to: b, from: a}\npair: [2, x]\n",
        "x",
    )
    check = validate(document, (), Check)
    document.check()
    assert check is not None
    assert (check.family, check.refs, check.mtu, check.rate) == (Family.inet6, ("a",), "absent", 2.0)
    assert (check.dst, check.pair) == (IPv4Network("10.0.0.0/8"), (2, "x"))
    assert check.probe == Ping(kind="ping", to="b", sender="a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "1:1: missing key 'title'"),
        ("title: t\nprobe:\n  kind: ping\n", "2:1: missing key 'to'"),
        ("title: t\nrefss: []", "2:1: unknown key 'refss' (did you mean 'refs'?)"),
        ("title: t\nwhatever: []", "2:1: unknown key 'whatever'"),
        ("title: t\nprobe: {kind: ping, to: a, form: b}", "2:28: unknown key 'form' (did you mean 'from'?)"),
        (
            "title: t\nprobe: {kind: ping, to: a, sender: b}",
            "2:28: unknown key 'sender' (known: kind, to, from, port)",
        ),
        (
            "title: t\nby_name: {a: {kind: ping, to: a, form: b}}",
            "2:34: unknown key 'form' (did you mean 'from'?)",
        ),
        (
            "title: t\npings: [{kind: ping, to: a, form: b}]",
            "2:29: unknown key 'form' (did you mean 'from'?)",
        ),
        ("[1]", "1:1: expected a mapping, got a list"),
        ("text", "1:1: expected a mapping, got 'text'"),
        ("title: 8080", "1:8: title: expected text, got 8080 (write it in quotes)"),
        ("title: true", "1:8: title: expected text, got true (write it in quotes)"),
        ("title:", "1:7: title: expected text, got nothing"),
        ("title: [a]", "1:8: title: expected text, got a list"),
        ("title: t\nrefs: a", "2:7: refs: expected a list, got 'a'"),
        ("title: t\nrefs: {a: b}", "2:7: refs: expected a list, got a mapping"),
        ("title: t\nrefs: [a, 1]", "2:11: refs[1]: expected text, got 1 (write it in quotes)"),
        ("title: t\nrate: true", "2:7: rate: expected a number, got true"),
        ("title: t\nor_none: yes", "2:10: or_none: expected true or false, got 'yes'"),
        ("title: t\nby_name: x", "2:10: by_name: expected a mapping, got 'x'"),
        ("title: t\nby_name: {A: {kind: ping, to: a}}", "2:11: key 'A': expected text that matches ^[a-z]+$"),
        ("title: t\npair: [1]", "2:1: entry 2 is missing"),
        (
            "title: t\nseverity: hihg",
            "2:11: severity: expected one of blocker, critical, high, got 'hihg' (did you mean 'high'?)",
        ),
        (
            "title: t\nfamily: ipv4",
            "2:9: family: expected one of inet, inet6, got 'ipv4'",
        ),
        ("title: t\nseverity: 1", "2:11: severity: expected one of blocker, critical, high, got 1"),
        (
            "title: t\nmtu: absnt",
            "2:6: mtu: expected a whole number or absent, got 'absnt' (did you mean 'absent'?)",
        ),
        ("title: t\nmtu: 1.5", "2:6: mtu: expected a whole number or absent, got 1.5"),
        ("title: t\npings: 1", "2:8: pings: expected text or a list, got 1"),
        ("title: t\nprobe: {to: b}", "2:1: missing key 'kind'"),
        (
            "title: t\nprobe: {kind: pong}",
            "2:15: kind: expected one of ping, tcp, got 'pong' (did you mean 'ping'?)",
        ),
        ("title: t\nprobe: {kind: tcp, port: 0}", "2:26: port: expected a number of at least 1, got 0"),
        (
            "title: t\nprobe: {kind: tcp, port: 65536}",
            "2:26: port: expected a number of at most 65535, got 65536",
        ),
        ("title: A title.", "1:8: a title has no full stop"),
        ("title: t\ndst: 10.0.0.0/99", "2:6: '99' is not a valid netmask"),
    ],
)
def test_a_misfit_stands_at_its_place_in_the_words_of_yaml(text: str, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: []", "1:8: names: expected 1 or more entries, got 0"),
        ("names: [a, b, c]", "1:8: names: expected 2 or fewer entries, got 3"),
        ("label: ''", "1:8: label: expected 1 or more characters, got ''"),
        ("label: abcd", "1:8: label: expected 3 or fewer characters, got 'abcd'"),
        ("ratio: 0", "1:8: ratio: expected a number above 0.0, got 0"),
        ("ratio: 1", "1:8: ratio: expected a number below 1.0, got 1"),
        ("label: b", "1:1: the label is none of the names"),
    ],
)
def test_bounds_and_rules_of_a_model_are_told(text: str, expected: str) -> None:
    assert problems(text, Small) == [expected]


def test_all_misfits_are_told_at_once_with_what_loading_found() -> None:
    assert problems("severity: low\nseverity: x\nrefs: 1\n") == [
        "1:1: missing key 'title'",
        "1:11: severity: expected one of blocker, critical, high, got 'low'",
        "2:1: duplicate key 'severity' (first in line 1)",
        "3:7: refs: expected a list, got 1",
    ]


def test_a_part_of_a_document_is_validated_at_its_place() -> None:
    document = parse(b"checks:\n  a: {title: t}\n  b: {titel: t}\n", "x")
    assert validate(document, ("checks", "a"), Check) == Check(title="t")
    text = "checks:\n  a: {title: t}\n  b: {titel: t}\n"
    assert problems(text, path=("checks", "b")) == [
        "3:3: missing key 'title'",
        "3:7: unknown key 'titel' (did you mean 'title'?)",
    ]


def test_a_part_that_is_not_there_is_a_missing_key() -> None:
    assert problems("checks: {}", path=("checks", "a", "x")) == ["1:1: missing key 'a'"]


def test_of_many_misfits_the_first_hundred_are_told() -> None:
    assert len(problems("title: t\nrefs: [" + "1, " * 5000 + "]")) == 100


def test_a_long_value_is_cut() -> None:
    (found,) = problems(f"title: t\nseverity: {'x' * 500}")
    assert found == f"2:11: severity: expected one of blocker, critical, high, got '{'x' * 57}...'"
