"""A mesh as a value: compared with what is expected, and told in few words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.probes.mesh import WORDS, Mesh, Pair, compared, grouped, ranges
from pytest_netconform.probes.outcome import Outcome

HOSTS = [f"host{number}" for number in range(1, 101)]


def mesh(names: list[str], **wrong: Mapping[Pair, str]) -> Mesh:
    """Make one whose pairs all replied but for those given by verdict."""
    verdicts = dict.fromkeys(permutations(names, 2), "replied")
    for verdict, pairs in wrong.items():
        verdicts.update(dict.fromkeys(pairs, verdict))
    return Mesh(
        "ping", names, verdicts, lambda pair: Outcome(src=pair[0], dst=pair[1], **{verdicts[pair]: True})
    )  # type: ignore[arg-type]


def around(name: str, names: list[str] = HOSTS) -> list[Pair]:
    return [pair for pair in permutations(names, 2) if name in pair]


def test_a_mesh_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"no truth value: write \.all_replied"):
        bool(mesh(["a", "b"]))


def test_all_replied_is_not_said_of_nothing() -> None:
    assert mesh(["a", "b"]).all_replied
    assert not mesh(["a"]).all_replied
    assert not mesh(["a", "b"], lost=[("a", "b")]).all_replied


def test_the_outcomes_of_one_verdict_can_be_had() -> None:
    found = mesh(["a", "b", "c"], lost=[("a", "b")], refused=[("b", "c"), ("c", "b")])
    assert [(each.src, each.dst) for each in found.lost] == [("a", "b")]
    assert [each.verdict for each in found.refused] == ["refused", "refused"]
    assert (len(found.replied), found.unreachable, found.rejected) == (3, (), ())
    assert found["a", "b"].lost
    with pytest.raises(KeyError, match=r"no ping from and to .*, but between a, b, c"):
        found["a", "d"]


def test_names_with_wildcards_say_what_is_expected_and_the_last_counts() -> None:
    found = mesh(HOSTS, lost=around("host7"))
    assert found == {("*", "*"): "replied", ("host7", "*"): "lost", ("*", "host7"): "lost"}
    assert found != {("host7", "*"): "lost", ("*", "host7"): "lost", ("*", "*"): "replied"}
    assert found != mesh(HOSTS)
    assert found == mesh(HOSTS, lost=around("host7"))


def test_what_is_expected_must_say_something_of_every_pair() -> None:
    assert mesh(["a", "b"]) != {("a", "b"): "replied"}
    assert mesh(["a", "b"]).differences({("a", "b"): "replied"}) == [
        "1 of 2 pairs are not as expected",
        "b -> a: expected nothing said, got replied",
    ]


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({("a", "x"): "lost"}, r"\('a', 'x'\) is no pair of this mesh, between a, b"),
        ({("a", "b"): "gone"}, "'gone': expected one of replied, lost, refused"),
        ({"a": "lost"}, "'a': expected a pair of names"),
    ],
)
def test_an_expectation_that_cannot_hold_is_an_error(expected: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        assert mesh(["a", "b"]) == expected


def test_a_mesh_is_not_equal_to_what_is_no_expectation() -> None:
    assert mesh(["a", "b"]) != 7
    assert compared(mesh(["a", "b"]), 7) is None


def test_the_difference_of_a_hundred_hosts_reads_well() -> None:
    told = compared(mesh(HOSTS, lost=around("host7")), {("*", "*"): "replied"})
    assert told == [
        "the mesh is not as expected",
        "198 of 9,900 pairs are not as expected",
        "host1..host6, host8..host100 -> host7: expected replied, got lost",
        "host7 -> host1..host6, host8..host100: expected replied, got lost",
    ]


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        (list(permutations(HOSTS, 2)), ["between host1..host100"]),
        (list(permutations(HOSTS[:50], 2)), ["between host1..host50"]),
        ([(a, b) for a in HOSTS[:50] for b in HOSTS[50:]], ["host1..host50 -> host51..host100"]),
        ([("a", "b"), ("b", "a")], ["a -> b", "b -> a"]),
        ([("a", "c"), ("b", "c")], ["a, b -> c"]),
        ([("c", "a"), ("c", "b")], ["c -> a, b"]),
    ],
    ids=["all", "half of them", "across", "two", "to one", "from one"],
)
def test_hosts_with_a_common_fate_share_a_line(pairs: list[Pair], lines: list[str]) -> None:
    assert grouped(pairs) == lines


@given(
    st.dictionaries(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), st.sampled_from(WORDS))
)
def test_every_difference_is_told(verdicts: dict[Pair, str]) -> None:
    verdicts = {pair: verdict for pair, verdict in verdicts.items() if pair[0] != pair[1]}
    found = Mesh("ping", "abcdef", verdicts, lambda _: Outcome(src="a", dst="b", lost=True))
    wanted = dict.fromkeys(verdicts, "replied")
    wrong = sum(verdict != "replied" for verdict in verdicts.values())
    assert (found == wanted) == (wrong == 0)
    assert found.differences(wanted)[0] == f"{wrong} of {len(verdicts)} pairs are not as expected"


def test_numbered_names_are_shortened_where_they_follow_each_other() -> None:
    assert ranges(["host1", "host2", "host3", "host5", "web1", "x"]) == "host1..host3, host5, web1, x"


def test_pytest_shows_the_difference(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from pytest_netconform.probes.mesh import Mesh

        def test_all_reach_all():
            verdicts = {("a", "b"): "replied", ("b", "a"): "lost"}
            assert Mesh("ping", ["a", "b"], verdicts, None) == {("*", "*"): "replied"}
    """)
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    run.stdout.fnmatch_lines(
        ["E * 1 of 2 pairs are not as expected", "E * b -> a: expected replied, got lost"]
    )
