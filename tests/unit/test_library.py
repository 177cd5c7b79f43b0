"""Suites that need each other: found beside each other and built in, each read once."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import checks, load_all, write

from pytest_netconform.checks.registry import RESERVED
from pytest_netconform.errors import DocumentError
from pytest_netconform.suites.compiling import GROUPS
from pytest_netconform.suites.library import Library, builtin, builtin_suites, file_id
from pytest_netconform.suites.loading import load_suite

K = "link: {ifname: lo}"


def test_a_need_is_found_in_a_suite_beside_whichever_is_loaded_first(tmp_path: Path) -> None:
    one = write(tmp_path, checks(f"a: {{needs: [two::b], {K}}}", name="one"), "one")
    two = write(tmp_path, checks(f"b: {{{K}}}", name="two"), "two")
    assert set(load_all([one])) == {"one"}
    assert set(load_all([one, two], tmp_path)) == {"one", "two"}
    assert set(load_all([two, one], tmp_path)) == {"one", "two"}


def test_needs_that_lead_back_through_another_suite_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path, checks(f"a: {{needs: [two::b], {K}}}", name="one"), "one")
    write(tmp_path, checks(f"b: {{needs: [c], {K}}}\nc: {{needs: [one::a], {K}}}", name="two"), "two")
    with pytest.raises(DocumentError) as caught:
        Library(tmp_path).load(one)
    (problem,) = caught.value.problems
    assert str(problem).startswith("one.suite.yaml:4:15: suite 'two' cannot be read: two.suite.yaml:5:15: ")
    assert "two::c -> one::a -> two::b -> two::c" in problem.message


def test_a_need_in_a_broken_suite_says_what_is_wrong_there(tmp_path: Path) -> None:
    one = write(tmp_path, checks(f"a: {{needs: [two::b], {K}}}\nc: {{lnk: 1}}", name="one"), "one")
    write(tmp_path, checks("b: {lnk: {}}", name="two"), "two")
    library = Library(tmp_path)
    with pytest.raises(DocumentError) as caught:
        library.load(one)
    assert [str(problem) for problem in caught.value.problems] == [
        "one.suite.yaml:4:15: suite 'two' cannot be read: two.suite.yaml:4:7: unknown key 'lnk' "
        "(did you mean 'link'?)",
        "one.suite.yaml:5:7: unknown key 'lnk' (did you mean 'link'?)",
    ]  # fmt: skip
    assert library.suites == {}


def test_suites_that_need_each_other_are_no_circle_if_their_checks_are_none(tmp_path: Path) -> None:
    one = write(tmp_path, checks(f"a: {{needs: [two::b], {K}}}\nc: {{{K}}}", name="one"), "one")
    write(tmp_path, checks(f"b: {{{K}}}\nd: {{needs: [one::c], {K}}}", name="two"), "two")
    assert Library(tmp_path).load(one).checks["a"].needs == ("two::b",)


def test_needs_through_too_many_suites_are_refused(tmp_path: Path) -> None:
    for i in range(60):
        write(tmp_path, checks(f"a: {{needs: [s{i + 1}::a], {K}}}", name=f"s{i}"), f"s{i}")
    with pytest.raises(DocumentError, match="needs lead on through more than 20 suites"):
        Library(tmp_path).load(tmp_path / "s0.suite.yaml")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    text = f"suite: x\ntitle: t\nchecks: {{k: {{{K}}}}}\n"
    with pytest.raises(DocumentError, match=r"there is a suite 'x' already, in x\.suite\.yaml"):
        load_all([write(tmp_path, text), write(other, text)], tmp_path)


def test_a_suite_of_ones_own_may_have_the_name_of_a_built_in_one(tmp_path: Path) -> None:
    library = Library(tmp_path)
    builtin = library.get("linux")
    mine = library.load(write(tmp_path, f"suite: linux\ntitle: t\nchecks: {{k: {{{K}}}}}\n", "linux"))
    assert library.get("linux") is mine is not builtin


def test_a_file_is_read_once(tmp_path: Path) -> None:
    library = Library(tmp_path)
    path = write(tmp_path, f"suite: x\ntitle: t\nchecks: {{k: {{{K}}}}}\n")
    assert library.load(path) is library.load(path)


def test_a_suite_without_a_title_goes_by_its_name(tmp_path: Path) -> None:
    assert load_suite(write(tmp_path, f"suite: x\nchecks: {{k: {{{K}}}}}\n")).title == "x"


def test_files_go_by_names_that_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    assert file_id(builtin("suites") / "linux.suite.yaml") == "suites/linux.suite.yaml"
    assert file_id(tmp_path / "a" / "x.suite.yaml", tmp_path) == "a/x.suite.yaml"
    assert file_id(tmp_path / "x.suite.yaml", tmp_path / "a") == str(tmp_path / "x.suite.yaml")


def test_a_file_is_shown_so_that_it_can_be_opened_from_here(tmp_path: Path) -> None:
    path, here = tmp_path / "a" / "x.suite.yaml", tmp_path / "b" / "c"
    assert Library(tmp_path).shown(path) == "a/x.suite.yaml"
    assert Library(here).shown(path) == "../../a/x.suite.yaml"
    assert Library(tmp_path / "1/2/3/4/5/6").shown(path) == str(path)
    linux = builtin("suites") / "linux.suite.yaml"
    assert Library(tmp_path).shown(linux) == "suites/linux.suite.yaml"
    assert Library(linux.parents[1] / "tests").shown(linux) == "../suites/linux.suite.yaml"


def test_every_check_knows_where_it_stands(tmp_path: Path) -> None:
    suite = load_suite(
        write(tmp_path, checks(f"a:\n  {K}\nb: {{{K}, needs: [a], eventually: 500ms}}")), "s/x.yaml"
    )
    assert [(check.id, check.file, check.line) for check in suite.checks.values()] == [
        ("x::a", "s/x.yaml", 4),
        ("x::b", "s/x.yaml", 6),
    ]
    assert suite.checks["b"].needs == ("x::a",)
    assert suite.checks["b"].eventually_s == 0.5


def test_the_built_in_suites_are_in_order() -> None:
    assert len(load_all(builtin_suites())) == len(builtin_suites()) > 0


def test_no_kind_can_take_a_word_that_suites_use() -> None:
    from pytest_netconform.suites.envelope import CHECK_KEYS

    assert {*CHECK_KEYS, *GROUPS} <= RESERVED
