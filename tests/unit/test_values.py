"""What is expected of one field: every form of a value, and what is refused because it says nothing."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from expecting import refused, rows_of, value_of
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import DocumentError, Unreadable
from pytest_netconform.facts.links import Link
from pytest_netconform.facts.routes import Route
from pytest_netconform.matching import searching
from pytest_netconform.matching.scalars import number, sameness, show
from pytest_netconform.matching.shapes import shape_of
from pytest_netconform.matching.values import Grew, Literal, Not, Regex

OPEN = Mapping[str, Any] | None
NO = "is no regular expression"
VACUOUS = "8: this matches whatever stands there; say more"
MAC = "6a:62:e6:01:62:b5"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("1450", 1450),
        ("1450", "1450"),
        ("'1450'", 1450),
        ("0x4000", "16384"),
        ("'0x4000'", "16384"),
        ("16384", "0x4000"),
        ("0.5", "0.5000000000"),
        ("-1", "-1"),
        ("true", True),
        ("false", False),
        ("flannel.1", "flannel.1"),
        ("'true'", "true"),
        (MAC, MAC.upper()),
        ("10.42.0.0", "10.42.0.0/32"),
        ("10.42.0.0/32", "10.42.0.0"),
        ("10.42.0.0/24", "10.42.0.0/24"),
        ("10.42.1.7/24", "10.42.1.7/24"),
        ("fe80::1", "FE80:0:0::1"),
        ("2001:db8::/64", "2001:DB8:0::/64"),
        ("::1/128", "::1"),
        ("'[x]'", "[x]"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
    ],
)
def test_a_literal_matches_each_spelling_of_the_same(written: str, found: Any) -> None:
    assert value_of(written).matches(found)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("1450", 1500),
        ("1450", "1450 1500"),
        ("1", True),
        ("true", 1),
        ("true", "true"),
        ("false", 0),
        ("false", None),
        ("0", None),
        ("0", ""),
        ("''", None),
        ("eth0", "ETH0"),
        ("eth*", "eth0"),
        ("'1.10'", "1.1"),
        ("10.42.0.0", "10.42.0.0/24"),
        ("10.42.0.0/24", "10.42.0.7/24"),
        ("10.42.0.0/24", "10.42.0.0"),
        ("10.42.0.1/24", "10.42.0.0/24"),
        ("0.0.0.0", "default"),
        ("10.1.1.1", "::ffff:10.1.1.1"),
        ("fe80::1", "fe80::2"),
        (MAC, MAC.replace("6a", "6b")),
        ("x", {"x": 1}),
        ("x", 1),
    ],
)
def test_a_literal_matches_nothing_else(written: str, found: Any) -> None:
    assert not value_of(written).matches(found)


def test_a_default_route_is_the_network_of_its_own_family_only() -> None:
    four = Route(family="inet", dst="default", gateway="10.0.0.1")
    six = Route(family="inet6", dst="default", gateway="fe80::1")

    def found(written: str) -> list[Route]:
        expected = rows_of(f"{{where: {{dst: {written}}}, count: '>= 1'}}", Route)
        return list(expected.select((four, six)))

    assert found("default") == [four, six]
    assert found("0.0.0.0/0") == [four]
    assert found("'::/0'") == [six]
    assert found("{contains: 8.8.8.8}") == [four]
    assert found("{contains: '2001:db8::/32'}") == [six]
    assert found("{within: 10.0.0.0/8}") == []
    assert found("{match: ^default$}") == [four, six]


@pytest.mark.parametrize(
    ("written", "matching", "other"),
    [
        ("'>= 1450'", (1450, "1450", 9000, "0x5aa"), (1449, "1449", None, "lots", True, "1450 9000")),
        ("'<= 1450'", (1450, 0), (1451,)),
        ("'> 0'", (1, "0.5"), (0, -1)),
        ("'< 3'", (2,), (3,)),
        ("'== 3'", (3, "3"), (4,)),
        ("'!= 3'", (4, "0x4"), (3, "3", None, "three")),
        ("'>=0x10'", (16,), (15,)),
        ("'> -1.5'", (0,), (-2,)),
    ],
)
def test_a_comparison_is_between_numbers(
    written: str, matching: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    value = value_of(written)
    assert all(value.matches(found) for found in matching)
    assert not any(value.matches(found) for found in other)


@pytest.mark.parametrize(
    ("written", "matching", "other"),
    [
        ("{any_of: [absent, 0]}", (None, 0, "0"), (1, "", "absent")),
        ("{any_of: ['>= 2', eth0]}", (2, "eth0"), (1, "eth1", None)),
        ("{any_of: [{match: ^a}, {not: {match: z}}]}", ("az", "b"), ("z", None)),
        ("{not: eth0}", ("eth1", 0, ""), ("eth0", None)),
        ("{not: absent}", ("x", 0, False), (None,)),
        ("{not: {any_of: [1, 2]}}", (0, "3"), (1, "2", None)),
        ("{not: {not: 1}}", (1,), (2, None)),
        ("{match: ^nameserver 127}", ("nameserver 127.0.0.1",), ("# nameserver 127", None)),
        ("{match: '^1[45]'}", (1450, "1500"), (9000, True)),
        ("{match: rue}", ("true",), (True, None, {"rue": 1})),
        ("{match: '^(?!nameserver 127)'}", ("search x",), ("nameserver 127.0.0.1",)),
        ("{within: 10.42.0.0/16}", ("10.42.1.0/24", "10.42.3.4"), ("10.0.0.0/8", "10.43.0.1")),
        ("{within: 'fd00::/8'}", ("fd00::1",), ("10.0.0.1", "fe80::1", "x", None, 5)),
        ("{contains: 10.42.1.1}", ("10.42.0.0/16", "10.42.1.1"), ("10.42.2.0/24", "default", "::/0")),
        ("{contains: 10.42.1.7/24}", ("10.42.1.0/24", "10.42.0.0/16"), ("10.42.1.0/25",)),
        ("absent", (None, (), []), ("", 0, False, {}, "absent")),
        ("present", ("", 0, False, {}, ("x",)), (None, ())),
    ],
)  # fmt: skip
def test_each_operator_says_what_it_says(
    written: str, matching: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    value = value_of(written, globs=False)
    assert [found for found in matching if not value.matches(found)] == []
    assert [found for found in other if value.matches(found)] == []


def test_of_a_list_one_element_must_match_and_with_not_none_may() -> None:
    flags = ("BROADCAST", "UP")
    assert value_of("UP", tuple[str, ...]).matches(flags)
    assert value_of("{any_of: [DOWN, UP]}", tuple[str, ...]).matches(flags)
    assert value_of("{match: ^BROAD}", tuple[str, ...]).matches(flags)
    assert not value_of("{not: UP}", tuple[str, ...]).matches(flags)
    assert value_of("{not: DOWN}", tuple[str, ...]).matches(flags)
    assert value_of("{not: UP}", tuple[str, ...]).matches(())
    assert value_of("absent", tuple[str, ...]).matches(())


def test_growth_is_counted_from_the_observation_before() -> None:
    value = value_of("{grew: '> 3'}", int | None, watched=True)
    assert isinstance(value, Grew)
    assert value.matches(14, 10)
    assert not value.matches(13, 10)
    assert value.matches("14", "10")
    assert value.matches(4, None), "a counter that was not there began at 0"
    assert not value.matches(14, "lots")
    assert not value.matches(None, 10)
    assert str(value.differences(12, 10)[0]) == "expected grown by > 3, grew by 2 to 12"
    assert str(value.differences("x", 10)[0]) == "expected grown by > 3, got x, which is no counter"
    assert value.differences(14, 10) == ()


def test_a_pattern_is_one_only_where_names_are_selected() -> None:
    assert value_of("eth*", str, globs=True).matches("eth0")
    assert not value_of("eth*", str, globs=True).matches("veth0")
    assert value_of("'eth?'", str, globs=True).matches("eth0")
    assert value_of("'[ab]1'", str, globs=True).matches("b1")


@pytest.mark.parametrize(
    ("written", "hint", "told"),
    [
        ("{}", OPEN, "8: an empty mapping matches everything; say what is expected"),
        ("{}", str, "8: an empty mapping matches everything; say what is expected"),
        ("", str, "7: nothing stands here; write a value, or 'absent'"),
        ("present", str, "8: this matches whatever stands there; say more"),
        ("{any_of: [absent, present]}", str | None, "8: this matches whatever stands there; say more"),
        ("{any_of: [up, {not: up}]}", str, "8: this matches whatever stands there; say more"),
        ("{any_of: [true, false]}", bool, "8: this matches whatever stands there; say more"),
        ("{any_of: [absent, true, false]}", bool | None, "8: this matches whatever stands there; say more"),
        ("{any_of: ['>= 5', '< 5']}", int, "8: this matches whatever stands there; say more"),
        ("{any_of: ['>= 5', '<= 4']}", int, "8: this matches whatever stands there; say more"),
        ("{any_of: ['> 5', 5, '< 5']}", float, "8: this matches whatever stands there; say more"),
        ("{any_of: ['!= 5', 5]}", str, "8: this matches whatever stands there; say more"),
        ("{any_of: ['!= 5', '!= 6']}", int, "8: this matches whatever stands there; say more"),
        ("{any_of: ['> 9', '< 3', {any_of: ['>= 3', 7]}]}", int, VACUOUS),
        ("{any_of: [absent, '>= 5', '< 5', 7]}", str | None, VACUOUS),
        ("{any_of: ['>= 5', {not: '> 3'}, 4]}", int, "8: this matches whatever stands there; say more"),
        ("{not: absent}", str, "8: this matches whatever stands there; say more"),
        ("'>= 0'", int, "8: this matches whatever stands there; say more"),
        ("'> -1'", int, "8: this matches whatever stands there; say more"),
        ("{not: '< 0'}", int, "8: this matches whatever stands there; say more"),
        ("{grew: '>= 0'}", int, "15: this matches whatever stands there; say more"),
        ("{grew: present}", int, "15: this matches whatever stands there; say more"),
        ("absent", str, "8: nothing can match this: field is never absent"),
        ("{not: present}", str | None, "8: nothing can match this: field is never not present"),
        ("'< 0'", int, "8: nothing can match this: field is never < 0"),
        ("{match: ''}", str, "16: every text matches ''; write 'present', or say more"),
        ("{match: .*}", str, "16: every text matches '.*'; write 'present', or say more"),
        ("{match: 'x?|^'}", str, "16: every text matches 'x?|^'; write 'present', or say more"),
        ("{any_of: []}", str, "17: any_of needs a list of values, got an empty list"),
        ("{any_of: 5}", str, "17: any_of needs a list of values, got a number"),
        ("[UP]", tuple[str, ...], "8: a list needs a word that says how it is meant: some, each, none, "
                                  "exactly, in_order, count or any_of"),
        ("[UP]", str, "8: a list needs a word that says how it is meant, such as any_of"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused(written: str, hint: Any, told: str) -> None:
    assert refused(value_of, written, hint, watched=True) == [told]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("present", str | None),
        ("absent", str | None),
        ("'>= 0'", int | None),
        ("'>= 0'", str),
        ("{match: .}", str),
        ("{match: '^$'}", str),
        ("{any_of: [absent, {not: up}]}", str | None),
        ("{any_of: [{not: up}, {not: down}]}", str),
        ("absent", tuple[str, ...]),
        ("{not: UP}", tuple[str, ...]),
        ("{grew: 0}", int),
        ("{grew: '> 0'}", str),
    ],
)
def test_what_says_something_is_not(written: str, hint: Any) -> None:
    value_of(written, hint, watched=True)


@pytest.mark.parametrize(
    ("written", "hint", "told"),
    [
        ("1", bool, "8: field is true or false, so it is never 1"),
        ("'yes'", bool, "8: field is true or false, so it is never 'yes'"),
        ("{not: 1}", bool, "14: field is true or false, so it is never 1"),
        ("lots", int, "8: field is a number, so it is never 'lots'"),
        ("true", int, "8: field is a number, so it is never true"),
        ("true", str, "8: field is text, so it is never true (write it in quotes)"),
        ("{any_of: [false, eth0]}", str, "18: field is text, so it is never false (write it in quotes)"),
        ("true", tuple[str, ...], "8: field is text, so it is never true (write it in quotes)"),
        ("5", OPEN, "8: field is a mapping, so it is never 5"),
        ("{id: 5}", str, "9: unknown key 'id' (known: any_of, not, match, within, contains, grew)"),
        ("{mach: x}", str, "9: unknown key 'mach' (did you mean 'match'?)"),
        ("{mach: x}", tuple[str, ...], "9: unknown key 'mach' (did you mean 'match'?)"),
        ("{match: ^1}", bool, "9: 'match' is for text, and field is true or false"),
        ("{within: 10.0.0.0/8}", int, "9: 'within' is for addresses and networks, and field is a number"),
        ("{grew: 0}", bool, "9: 'grew' is for counters, and field is true or false"),
        ("'> 1'", bool, "8: '>' compares numbers, and field is true or false"),
        ("'> lots'", int, "8: '>' needs a number to compare with, got 'lots'"),
        ("'>='", int, "8: '>=' needs a number to compare with, got ''"),
        (".nan", int, "8: nan is no number to compare with"),
        (".inf", Any, "8: inf is no number to compare with"),
        ("{match: '('}", str, f"16: '(' {NO}: missing ), unterminated subpattern at position 0"),
        ("{match: 5}", str, "16: match needs a regular expression as text, got a number"),
        ("{match: '[[a]'}", str, f"16: '[[a]' {NO}: Possible nested set at position 1"),
        ("{match: '(?a)(?u)x'}", str, f"16: '(?a)(?u)x' {NO}: ASCII and UNICODE flags are incompatible"),
        ("{match: 'a{9999999999}'}", str, f"16: 'a{{9999999999}}' {NO}: the repetition number is too large"),
        ("{within: 10.0.0}", str, "17: within needs a network such as 10.0.0.0/8, got '10.0.0'"),
        ("{contains: 10.0.0/9x}", str, "19: contains needs a network such as 10.0.0.0/8, got '10.0.0/9x'"),
        ("{within: 10}", str, "17: within needs a network such as 10.0.0.0/8, got a number"),
        ("{match: a, not: b}", str, "9: 'match' stands alone in its mapping"),
        ("{grew: lots}", int, "15: growth is a number, so it is never 'lots'"),
        ("{grew: {grew: 1}}", int, "16: 'grew' is for what a check itself asks, and not for what selects"),
    ],
)  # fmt: skip
def test_what_can_never_match_is_refused_at_its_place(written: str, hint: Any, told: str) -> None:
    assert refused(value_of, written, hint, watched=True) == [told]


def test_a_long_expression_is_refused() -> None:
    assert refused(value_of, "{match: " + "a" * 1001 + "}") == [
        "16: the expression has 1001 characters; at most 1000 are allowed"
    ]


def test_growth_is_refused_where_nothing_is_watched() -> None:
    told = ["9: 'grew' is for what a check itself asks, and not for what selects"]
    assert refused(value_of, "{grew: 0}", int) == told


def test_a_pattern_in_a_name_that_is_not_selected_by_is_refused() -> None:
    told = "23: 'cali*' is a pattern only where rows are selected: put it under 'where'"
    assert refused(rows_of, "{none: {ifname: cali*}}", Link) == [told]
    told = "33: 'cali*' is a pattern only where rows are selected: put it under 'where'"
    assert refused(rows_of, "{none: {ifname: {any_of: [cali*, eth0]}}}", Link) == [told]
    assert rows_of("{where: {ifname: cali*}, count: 0}", Link)
    assert rows_of("{ifname: cali*}", Link, selecting=True)
    assert rows_of("{none: {ifalias: 'a*'}}", Link)


def test_several_mistakes_are_all_told() -> None:
    told = refused(rows_of, "{ifnam: x, mtu: lots, flags: [UP], info: {}}", Link)
    assert [each.split(":")[0] for each in told] == ["8", "23", "36", "48"]
    assert told[0] == "8: unknown field 'ifnam' (did you mean 'ifname'?)"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.ip_addresses().map(str), st.integers().map(hex),
)  # fmt: skip


@given(SCALARS, SCALARS)
def test_no_value_makes_a_comparison_raise(one: Any, other: Any) -> None:
    assert Literal(one).matches(other) in (True, False)
    assert number(one) is None or sameness(one) is not None or "." in str(one)


@given(st.one_of(st.booleans(), st.integers(), st.text(), st.ip_addresses().map(str)))
def test_everything_is_the_same_as_itself(value: Any) -> None:
    assert Literal(value).matches(value)
    assert not Not(Literal(value)).matches(value)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_is_shown_stands_on_one_short_line(value: Any) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert 0 < len(shown) <= 300


def test_what_is_shown_reads_as_a_suite_would_have_it() -> None:
    assert show(True) == "true"
    assert show(None) == "absent"
    assert show(("UP", "LOWER_UP")) == "[UP, LOWER_UP]"
    assert show({"id": 1, "learning": False}) == "{id: 1, learning: false}"
    assert show("two\nlines") == r"'two\nlines'"
    assert show("") == "''"
    assert show("x" * 1000).endswith("...")


def test_no_number_is_too_long_to_read() -> None:
    assert number("9" * 5000) is None
    assert not value_of("5").matches("9" * 5000)
    assert number("1e3") is None
    assert number(math.nan) != number(math.nan)


def test_an_expression_of_any_text_is_refused_or_compiled() -> None:
    @given(st.text(max_size=40))
    def compiles(text: str) -> None:
        with suppress(DocumentError):
            assert isinstance(value_of(f"{{match: {json.dumps(text)}}}", str), Regex)

    compiles()


def test_shapes_are_those_of_the_types() -> None:
    assert shape_of(int | None).optional
    assert shape_of(tuple[str, ...]).listed
    assert shape_of(Mapping[str, Any]).inner is not None
    assert shape_of(Any).kind is None
    assert shape_of(int | str).kind is None


@pytest.mark.parametrize(
    ("expected", "hint"),
    [
        ("{any_of: ['> 5', '< 5']}", int),
        ("{any_of: ['>= 5', '<= 4']}", float),
        ("{any_of: ['>= 5', '< 4']}", int),
        ("{any_of: ['>= 5', 3]}", int),
        ("{any_of: ['>= 5', '< ${x}']}", int),
        ("{any_of: ['>= 5', '< 5']}", str | None),
    ],
)
def test_comparisons_that_leave_a_gap_say_something(expected: str, hint: Any) -> None:
    assert value_of(expected, hint, names={"x": shape_of(int)})


def test_an_expression_that_would_search_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LONGEST_S", 0.05)
    before = signal.getsignal(signal.SIGVTALRM)
    expression = value_of("{match: '(a+)+$'}", str)
    with pytest.raises(Unreadable, match=r"took more than 0\.05 s of processor time; nest no repetitions"):
        expression.matches("a" * 40 + "b")
    assert expression.matches("aa")
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_in_another_thread_an_expression_is_searched_for_as_well() -> None:
    expression, found = value_of("{match: '^a+$'}", str), list[bool]()
    other = Thread(target=lambda: found.extend(map(expression.matches, ("aa", "ab"))))
    other.start()
    other.join()
    assert found == [True, False]
