"""References: what they stand for, what goes over a list, and what is refused when the file is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from expecting import refused, rows_of, value_of

from pytest_netconform.documents import parse
from pytest_netconform.errors import DocumentError
from pytest_netconform.facts.files import File
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.routes import Route
from pytest_netconform.matching.at import At
from pytest_netconform.matching.parsing import parse_text
from pytest_netconform.matching.references import (
    MOST_COMBINATIONS,
    Absent,
    NotResolved,
    Scope,
    Template,
    Unresolved,
)
from pytest_netconform.matching.shapes import ANYTHING, Shape, shape_of_value
from pytest_netconform.matching.values import Cidr, Comparison, Literal
from pytest_netconform.verdicts import Verdict

ERROR, FAIL = Verdict.ERROR, Verdict.FAIL
PARTS = "has only ip, network, prefixlen"
WRITE = "is no reference; write ${name.field} or ${name.field + 1}"
NAMES = {
    "link": Shape(Link),
    "route": Shape(Route),
    "file": Shape(File),
    "server": Shape(str),
    "port": Shape(int),
    "servers": Shape(str, listed=True),
    "odd": ANYTHING,
}
LINK = Link(
    ifindex=4, ifname="eth0.5", mtu=1450, flags=("UP", "LOWER_UP"),
    info={"id": 1, "local": "192.0.2.1", "learning": False, "ports": [1, 2],
          "deep": [{"a": [1, 2]}, {"a": [3]}]},
)  # fmt: skip
ROUTE = Route(
    family="inet",
    dst="10.42.1.0/24",
    nexthops=({"dev": "eth0", "gateway": "10.0.0.1"}, {"dev": "eth1", "gateway": "10.0.0.2"}),
)
ENV = File(
    path="/x", type="file", size=1, mode=0o644, env={"SUBNET": "10.42.1.1/24", "MTU": "1450", "WORD": "lots"},
)  # fmt: skip
VALUES: dict[str, Any] = {
    "link": LINK, "route": ROUTE, "file": ENV, "server": "10.96.0.10", "port": 53, "servers": ["a", "b"],
    "odd": None,
}  # fmt: skip


def scope(**values: Any) -> Scope:
    return Scope(lambda name: {**VALUES, **values}[name])


def template(written: str, names: Mapping[str, Shape] = NAMES) -> str | Template:
    document = parse(b"x: 1", "x.yaml")
    parsed = parse_text(written, At(document, ("x",)), names)
    document.check()
    return parsed


def filled(written: str, **values: Any) -> Any:
    found = template(written)
    assert isinstance(found, Template)
    return found.fill(scope(**values))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${link.mtu}", 1450),
        ("${ link.mtu }", 1450),
        ("${link.mtu - 50}", 1400),
        ("${link.mtu -50}", 1400),
        ("${link.mtu+8}", 1458),
        ("${port}", 53),
        ("${port + 1}", 54),
        ("${link.ifname}", "eth0.5"),
        ("${link.info.learning}", False),
        ("mtu ${link.mtu} of ${link.ifname}", "mtu 1450 of eth0.5"),
        ("${link.info.learning}!", "false!"),
        ("${file.env.SUBNET.network}", "10.42.1.0/24"),
        ("${file.env.SUBNET.ip}", "10.42.1.1"),
        ("${file.env.SUBNET.prefixlen}", 24),
        ("${route.dst.network}", "10.42.1.0/24"),
        ("${server.prefixlen}", 32),
        ("${link.info.local.network}", "192.0.2.1/32"),
        ("${file.env.MTU - 50}", 1400),
        ("-s ${file.env.SUBNET.network} -j X", "-s 10.42.1.0/24 -j X"),
    ],
)
def test_a_reference_alone_keeps_its_type_and_beside_text_becomes_text(written: str, value: Any) -> None:
    found = filled(written)
    assert found == value
    assert type(found) is type(value)


def test_text_without_references_stays_as_it_is() -> None:
    assert template("$HOME {x} $x") == "$HOME {x} $x"


@pytest.mark.parametrize(
    ("written", "why", "verdict"),
    [
        ("${link.master}", "${link.master} is absent", FAIL),
        ("${link.info.vlan}", "${link.info.vlan} is absent", FAIL),
        ("${link.info.vlan.id + 1}", "${link.info.vlan.id + 1} is absent", FAIL),
        ("${file.env.NOPE.network}", "${file.env.NOPE.network} is absent", FAIL),
        ("${odd.x}", "${odd.x} is absent", FAIL),
        ("${file.env.WORD + 1}", "${file.env.WORD + 1} needs a number, but found lots", ERROR),
        ("${file.env.WORD.network}", "lots is no address, so it has no .network", ERROR),
        ("${link.info.learning + 1}", "${link.info.learning + 1} needs a number, but found false", ERROR),
        ("${link.info.deep}", "${link.info.deep} stands for a list where one value is needed", ERROR),
        ("${odd}", "${odd} is absent", FAIL),
    ],
)  # fmt: skip
def test_what_stands_for_nothing_says_why_and_what_that_makes_of_the_check(
    written: str, why: str, verdict: Verdict
) -> None:
    with pytest.raises(Unresolved) as caught:
        filled(written)
    assert str(caught.value) == why
    assert caught.value.verdict is verdict


def test_no_attribute_of_python_can_be_reached() -> None:
    for path in ("__class__", "label", "upper", "real", "format"):
        with pytest.raises(Absent):
            filled(f"${{odd.{path}}}", odd=LINK)
        with pytest.raises(Absent):
            filled(f"${{odd.{path}}}", odd="text")
        with pytest.raises(Absent):
            filled(f"${{odd.{path}}}", odd=5)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("${lnk.mtu}", "unknown variable 'lnk' in '${lnk.mtu}' (did you mean 'link'?)"),
        ("${xyz}", f"unknown variable 'xyz' in '${{xyz}}' (known: {', '.join(NAMES)})"),
        ("${link.mtuu}", "'${link.mtuu}': unknown field 'mtuu' (did you mean 'mtu'?)"),
        ("${link}", "'${link}': a Link is no single value; name a field of it"),
        ("${link.info}", "'${link.info}': a mapping is no single value; name what is in it"),
        ("${link.mtu.x}", "'${link.mtu.x}': field 'mtu' is a number and has no 'x'"),
        ("${link.ifname.netwrk}", f"'${{link.ifname.netwrk}}': field 'ifname' is text and {PARTS}, not "
                                  "'netwrk' (did you mean 'network'?)"),
        ("${file.env.A.ip.x}", f"'${{file.env.A.ip.x}}': field 'ip' is text and {PARTS}, not 'x'"),
        ("${file.env.A.b}", f"'${{file.env.A.b}}': field 'A' is text and {PARTS}, not 'b'"),
        ("${server.x}", f"'${{server.x}}': it is text and {PARTS}, not 'x'"),
        ("${port.x}", "'${port.x}': it is a number and has no 'x'"),
        ("${}", f"'${{}}' {WRITE}"),
        ("${link.mtu * 2}", f"'${{link.mtu * 2}}' {WRITE}"),
        ("${link.mtu + x}", f"'${{link.mtu + x}}' {WRITE}"),
        ("${link..mtu}", f"'${{link..mtu}}' {WRITE}"),
        ("${link.mtu", "a reference is not closed: '${link.mtu'"),
        ("a ${port} b ${", "a reference is not closed: ' b ${'"),
        ("${port + 9999999999999999999}", f"'${{port + 9999999999999999999}}' {WRITE}"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused_when_the_file_is_read(written: str, told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        template(written)
    assert [problem.message for problem in caught.value.problems] == [told]


def test_every_wrong_reference_of_a_text_is_told() -> None:
    with pytest.raises(DocumentError) as caught:
        template("${lnk.mtu} and ${link.nope} and ${")
    assert len(caught.value.problems) == 3


def test_a_reference_in_a_value_is_told_at_its_place() -> None:
    told = refused(rows_of, '{ifname: x, mtu: "<= ${link.mtuu - 50}", info: {id: "${x.y}"}}', Link, NAMES)
    assert told == [
        "24: '${link.mtuu - 50}': unknown field 'mtuu' (did you mean 'mtu'?)",
        f"59: unknown variable 'x' in '${{x.y}}' (known: {', '.join(NAMES)})",
    ]


@pytest.mark.parametrize(
    ("written", "hint", "found", "other"),
    [
        ("'${link.mtu}'", int, 1450, 1449),
        ("'<= ${link.mtu - 50}'", int, 1400, 1401),
        ("{any_of: [absent, '${link.ifname}']}", str | None, None, "eth0"),
        ("{not: '${link.ifname}'}", str, "eth0", "eth0.5"),
        ("{within: '${file.env.SUBNET}'}", str, "10.42.1.9", "10.42.2.9"),
        ("{contains: '${server}'}", str, "10.96.0.0/12", "10.0.0.0/12"),
        ("{grew: '${port}'}", int, 53, 54),
        ("{some: '${server}'}", tuple[str, ...], ("10.96.0.10",), ("10.96.0.1",)),
    ],
)
def test_every_form_of_a_value_takes_references(written: str, hint: Any, found: Any, other: Any) -> None:
    value = value_of(written, hint, NAMES, watched=True).bind(scope())
    assert value.matches(found)
    assert not value.matches(other)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Comparison("<=", Template(template("${file.env.WORD}").references)),  # type: ignore[union-attr]
         "${file.env.WORD} needs a number to compare with, but stands for lots"),
        (Cidr("within", Template(template("${file.env.WORD}").references)),  # type: ignore[union-attr]
         "${file.env.WORD} needs an address or network, but stands for lots"),
    ],
)  # fmt: skip
def test_a_reference_to_what_is_of_no_use_there_is_an_error(value: Any, why: str) -> None:
    with pytest.raises(NotResolved) as caught:
        value.bind(scope())
    assert str(caught.value) == why


def test_a_pattern_may_hold_a_reference_whose_own_value_is_no_pattern() -> None:
    value = value_of("'${server}*'", str, NAMES, globs=True)
    assert value.bind(scope(server="cali")).matches("cali123")
    assert value.bind(scope(server="c*")).matches("c*x")
    assert not value.bind(scope(server="c*")).matches("calix")
    assert value_of("'${link.info.learning}'", bool, NAMES, globs=True).bind(scope()).matches(False)
    alone = value_of("'${server}'", str, NAMES, globs=True)
    assert not alone.bind(scope(server="c*")).matches("calix")


# Lists


def expanded(*written: str, **values: Any) -> list[tuple[Any, ...]]:
    templates = [found for text in written if isinstance(found := template(text), Template)]
    references = [reference for each in templates for reference in each.references]
    return [tuple(each.fill(one) for each in templates) for one in scope(**values).expansions(references)]


def test_a_reference_to_a_list_goes_over_it() -> None:
    assert expanded("${servers}") == [("a",), ("b",)]
    assert expanded("${link.flags}") == [("UP",), ("LOWER_UP",)]
    assert expanded("${link.info.deep.a}") == [(1,), (2,), (3,)]
    assert expanded("${link.mtu}") == [(1450,)]
    assert expanded("dev ${route.nexthops.dev}") == [("dev eth0",), ("dev eth1",)]


def test_references_through_one_list_stay_together() -> None:
    assert expanded("${route.nexthops.dev}", "${route.nexthops.gateway}") == [
        ("eth0", "10.0.0.1"),
        ("eth1", "10.0.0.2"),
    ]
    assert expanded("${link.info.ports}", "${link.info.ports + 10}") == [(1, 11), (2, 12)]


def test_references_through_different_lists_are_combined() -> None:
    assert expanded("${servers}", "${link.info.ports}") == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_an_empty_list_and_an_element_without_the_field_are_absent() -> None:
    with pytest.raises(Absent):
        expanded("${servers}", servers=[])
    with pytest.raises(Absent):
        expanded("${odd.x}", odd=[{"x": 1}, {"y": 2}])


def test_too_many_combinations_are_an_error_and_take_no_time() -> None:
    many = list(range(200))
    with pytest.raises(NotResolved):
        expanded("${servers}", "${link.info.ports}", "${odd}", servers=many, odd=many,
                 link=Link(ifindex=1, ifname="x", info={"ports": many}))  # fmt: skip
    with pytest.raises(NotResolved):
        expanded("${odd}", odd=list(range(MOST_COMBINATIONS + 1)))
    with pytest.raises(NotResolved):
        expanded("${odd.a.a}", odd=[{"a": [{"a": list(range(100))} for _ in range(100)]} for _ in range(100)])


def test_rows_bound_by_for_hide_no_variable_and_are_found_first() -> None:
    inner = scope().with_("server", "bound")
    found = template("${server}")
    assert isinstance(found, Template)
    assert found.fill(inner) == "bound"


def test_a_variable_is_asked_for_only_when_it_is_used() -> None:
    asked: list[str] = []

    def variables(name: str) -> Any:
        asked.append(name)
        return VALUES[name]

    lazily = Scope(variables)
    assert asked == []
    found = template("${port}")
    assert isinstance(found, Template)
    found.fill(lazily)
    assert set(asked) == {"port"}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("x", Shape(str)),
        (1, Shape(int)),
        (True, Shape(bool)),
        (0.5, Shape(float)),
        (["a", "b"], Shape(str, listed=True)),
        (["a", 1], ANYTHING),
        ([], ANYTHING),
        (None, ANYTHING),
    ],
)
def test_plain_variables_have_the_shape_of_their_value(value: Any, shape: Shape) -> None:
    assert shape_of_value(value) == shape


def test_a_rule_with_references_is_refused_if_no_value_could_make_it_one() -> None:
    from pytest_netconform.facts.chains import Chain

    wrong = '{name: X, rules: {some: "-s ${file.env.SUBNET} j RETURN"}}'
    assert refused(rows_of, wrong, Chain, NAMES)[0].startswith("31: ")
    assert rows_of('{name: X, rules: {some: "-s ${server} -j RETURN"}}', Chain, NAMES)
    assert rows_of('{name: X, rules: {some: "-s 10.0.0.${port}/32 -j RETURN"}}', Chain, NAMES)


def test_a_rule_whose_reference_makes_it_none_is_an_error() -> None:
    from pytest_netconform.facts.chains import Chain

    expected = rows_of('{name: X, rules: {some: "-s ${server} -j RETURN"}}', Chain, NAMES)
    with pytest.raises(NotResolved):
        expected.bind(scope(server="lots"))
    for several_words in ("10.0.0.1 -j ACCEPT", '10.0.0.1" -j "ACCEPT', "! 10.0.0.1", "-j"):
        with pytest.raises(NotResolved):
            expected.bind(scope(server=several_words))
    bound = expected.bind(scope(server="10.0.0.1"))
    assert "-s 10.0.0.1 -j RETURN" in str(bound)


def test_a_literal_that_stands_for_a_row_is_never_equal_to_text() -> None:
    assert not Literal("eth0").matches(LINK)
