"""`pytest --netconform`, as a user runs it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

LOOPBACK = "link: {ifname: lo, flags: UP}"


def test_without_the_option_nothing_is_collected(pytester: pytest.Pytester, suite) -> None:
    suite("mine", f"loopback:\n  {LOOPBACK}")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_node_is_checked_from_anywhere_without_a_path(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--netconform", "-v")
    result.stdout.fnmatch_lines(
        ["netconform: kernel *", "suites: *linux*", "suites/linux.suite.yaml::loopback PASSED*"]
    )


def test_suites_that_do_not_apply_are_named_in_the_header_and_not_collected(
    pytester: pytest.Pytester,
) -> None:
    result = pytester.runpytest("--netconform", "-v")
    result.stdout.fnmatch_lines(["  not flannel-vxlan: link: no links match*"])
    result.stdout.no_fnmatch_line("suites/flannel-vxlan.suite.yaml::*")


def test_a_failure_says_what_was_expected_and_seen_and_how_to_mend_it(
    pytester: pytest.Pytester, suite
) -> None:
    suite(
        "mine",
        """
        up:
          severity: blocker
          link: {where: {ifname: lo}, each: {mtu: 17}}
          why: It is a test.
          fix: ip link set "$link_ifname" mtu 17
        """,
    )
    result = pytester.runpytest("--netconform", "mine.suite.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "mine.suite.yaml:4 mine::up on *",
            "  link lo mtu: expected 17, got 65536",
            "  why  It is a test.",
            "  fix  link_ifname=lo",
            '  fix  ip link set "$link_ifname" mtu 17',
            "  see  ip -d link show dev lo",
            "FAILED mine.suite.yaml::up - link lo mtu: expected 17, got 65536",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*checks/base.py*")


def test_what_cannot_be_observed_is_an_error_and_not_a_failure(
    pytester: pytest.Pytester, suite, monkeypatch
) -> None:
    suite("mine", "chains:\n  chain: {none: {table: nat}}\nup:\n  " + LOOPBACK)
    tool = pytester.mkdir("tools") / "iptables-nft-save"
    tool.write_text("#!/bin/sh\necho 'Permission denied (you must be root)' >&2; exit 4\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    result = pytester.runpytest("--netconform", "mine.suite.yaml")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of chains*",
            "  chain could not be observed: `iptables-nft-save -c` exited with 4: Permission denied*",
        ]
    )


def test_a_need_that_fails_skips_what_needs_it_and_says_so(pytester: pytest.Pytester, suite) -> None:
    suite("mine", "first:\n  link: {ifname: lo, mtu: 1}\nsecond:\n  needs: [first]\n  " + LOOPBACK)
    result = pytester.runpytest("--netconform", "mine.suite.yaml", "-rs")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] mine.suite.yaml:6: blocked by mine::first (fail)"])


def test_a_named_suite_that_does_not_apply_fails(pytester: pytest.Pytester, suite) -> None:
    suite("mine", f"up:\n  {LOOPBACK}", head="when: {link: {ifname: nosuch0}}\n")
    result = pytester.runpytest("--netconform", "mine.suite.yaml", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["mine.suite.yaml::when FAILED*", "mine.suite.yaml:1 mine does not apply, but was named"]
    )


def test_a_suite_in_a_directory_that_does_not_apply_is_skipped_in_one_line(
    pytester: pytest.Pytester, suite
) -> None:
    suite("mine", f"up:\n  {LOOPBACK}\nagain:\n  {LOOPBACK}", head="when: {link: {ifname: nosuch0}}\n")
    result = pytester.runpytest("--netconform", ".", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        ["SKIPPED [[]2[]] mine.suite.yaml: mine does not apply: link: no links match*"]
    )


def test_a_condition_that_cannot_be_read_is_one_error(pytester: pytest.Pytester, suite) -> None:
    suite(
        "mine",
        f"up:\n  {LOOPBACK}\nagain:\n  {LOOPBACK}",
        head="when: {file: {path: /proc/self/mem, text: x}}\n",
    )
    result = pytester.runpytest("--netconform", ".")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*whether it applies could not be observed*", "*/proc/self/mem*"])


def test_a_broken_file_tells_all_its_problems_with_their_positions(pytester: pytest.Pytester, suite) -> None:
    suite("mine", "up:\n  lnik: {ifname: lo}\n  severity: hihg\ndown:\n  link: {ifnam: lo}")
    result = pytester.runpytest("--netconform", "mine.suite.yaml")
    result.stdout.fnmatch_lines(
        [
            "mine.suite.yaml:5:5: unknown key 'lnik' (did you mean 'link'?)",
            "mine.suite.yaml:6:15: *severity*",
            "mine.suite.yaml:8:12: unknown field 'ifnam' (did you mean 'ifname'?)",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_checks_are_selected_by_name_suite_and_severity(pytester: pytest.Pytester, suite) -> None:
    suite("mine", f"first:\n  severity: blocker\n  {LOOPBACK}\nsecond:\n  {LOOPBACK}")
    for options in (
        ["-k", "second", "."],
        ["-m", "netconform(severity='blocker')", "."],
        ["mine.suite.yaml::first"],
    ):
        result = pytester.runpytest("--netconform", "--strict-markers", *options)
        assert result.parseoutcomes()["passed"] == 1, options


def test_xdist_workers_agree(pytester: pytest.Pytester, suite) -> None:
    suite("mine", "".join(f"check-{i}:\n  {LOOPBACK}\n" for i in range(20)))
    suite("other", f"up:\n  {LOOPBACK}", head="when: {link: {ifname: nosuch0}}\n")
    pytester.runpytest_subprocess("--netconform", ".", "-n", "2").assert_outcomes(passed=20, skipped=1)


def test_a_recording_is_judged_like_the_node(pytester: pytest.Pytester, recordings: Path) -> None:
    result = pytester.runpytest("--netconform-replay", str(recordings / "flannel-cluster" / "vxlan"), "-v")
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    for node in ("node1", "node2", "node3"):
        result.stdout.fnmatch_lines_random([f"*suites/flannel-vxlan.suite.yaml::masquerade@{node} PASSED*"])


UNREAD = "cannot be read as a tar file: *"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such recording"), ("garbage", UNREAD), ("", UNREAD)],
    ids=["missing", "garbage", "empty"],
)
def test_what_is_no_recording_is_refused_in_words(
    pytester: pytest.Pytester, content: str | None, said: str
) -> None:
    if content is not None:
        (pytester.path / "node.tar").write_text(content)
    result = pytester.runpytest("--netconform-replay", "node.tar")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: node.tar: {said}"])


def test_allure_is_told_title_suite_severity_why_fix_and_links(pytester: pytest.Pytester, suite) -> None:
    suite(
        "mine",
        """
        up:
          title: The loopback device is up
          severity: blocker
          link: {where: {ifname: lo}, each: {mtu: 17}}
          why: It is a {test}.
          fix: ip link set lo mtu 17
          refs: [https://example.org/lo]
        """,
    )
    pytester.runpytest("--netconform", "mine.suite.yaml", "--alluredir", "results")
    (file,) = (pytester.path / "results").glob("*-result.json")
    result = json.loads(file.read_text())
    labels = {label["name"]: label["value"] for label in result["labels"]}
    assert result["name"] == "The loopback device is up"
    assert result["status"] == "failed"
    assert (labels["suite"], labels["severity"], labels["feature"]) == (
        "A suite of a test",
        "blocker",
        "mine",
    )
    assert "It is a {test}." in result["description"]
    assert "ip link set lo mtu 17" in result["description"]
    assert [link["url"] for link in result["links"]] == ["https://example.org/lo"]
    assert [(step["name"], step["status"]) for step in result["steps"]] == [
        ("link lo mtu: expected 17, got 65536", "failed")
    ]


def test_a_built_in_suite_or_lab_is_named_by_its_id_from_anywhere(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--netconform", "suites/linux.suite.yaml::loopback", "-v")
    result.stdout.fnmatch_lines(["suites/linux.suite.yaml::loopback PASSED*"])
    result.assert_outcomes(passed=1)
    labs = pytester.runpytest("--netconform", "labs", "--collect-only", "-q")
    labs.stdout.fnmatch_lines(["labs/network-restart.lab.yaml::network-restart"])


def test_a_fix_may_use_what_for_bound(pytester: pytest.Pytester, suite) -> None:
    suite(
        "mine",
        """
        up:
          for: {addr: {ifname: lo, family: inet}, way: {route: {table: local, dst: "${addr.local}"}}}
          link: {ifname: "${way.dev}", mtu: 17}
          fix: echo "$addr_local" "$way_dev"
        """,
    )
    result = pytester.runpytest("--netconform", "mine.suite.yaml")
    result.stdout.fnmatch_lines(["  fix  addr_local=127.0.0.1", "  fix  way_dev=lo"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_a_named_check_of_a_suite_that_does_not_apply_fails_under_its_own_name(
    pytester: pytest.Pytester, suite, workers: tuple[str, ...]
) -> None:
    suite("mine", f"up:\n  {LOOPBACK}\nother:\n  {LOOPBACK}\n", head="when: {link: {ifname: nosuch0}}\n")
    result = pytester.runpytest("--netconform", "mine.suite.yaml::up", *workers)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine.suite.yaml:1 mine does not apply, but was named"])
    result.stdout.fnmatch_lines(["FAILED mine.suite.yaml::up - *"])


def test_a_failure_names_its_file_from_where_pytest_was_started(
    pytester: pytest.Pytester, suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite("mine", "up:\n  link: {ifname: lo, mtu: 17}")
    pytester.makeini("[pytest]")
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    result = pytester.runpytest("--netconform", "../mine.suite.yaml")
    result.stdout.fnmatch_lines(["../mine.suite.yaml:4 mine::up on *", "FAILED ../mine.suite.yaml::up - *"])


@pytest.fixture
def nodes(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the recordings of two nodes, somewhere else."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    found = []
    for name in ("node1", "node2"):
        with tarfile.open(elsewhere / f"{name}.tar", "w") as archive:
            archive.add(recordings / "flannel-cluster" / "vxlan" / name, name)
        found.append(str(elsewhere / f"{name}.tar"))
    return found


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_ids_are_the_same_wherever_the_recordings_are(
    pytester: pytest.Pytester, suite, nodes: list[str], workers: tuple[str, ...]
) -> None:
    suite("mine", f"up:\n  {LOOPBACK}")
    ids = [f"mine.suite.yaml::up@{node}" for node in ("node1", "node2")]
    one, two = nodes
    for arguments in (
        ("--netconform-replay", one, two, "mine.suite.yaml"),
        ("mine.suite.yaml", "--netconform-replay", one, two),
        ("--netconform-replay", one, "mine.suite.yaml", f"--netconform-replay={two}"),
    ):
        result = pytester.runpytest_subprocess(*arguments, "-v", *workers)
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines_random([f"*{each}*" for each in ids])
        result.stdout.no_fnmatch_line("*/mine.suite.yaml::*")


def test_several_recordings_may_follow_and_a_directory_of_them(
    pytester: pytest.Pytester, nodes: list[str]
) -> None:
    result = pytester.runpytest("--netconform-replay", *nodes, "--collect-only", "-q")
    for node in ("node1", "node2"):
        result.stdout.fnmatch_lines_random([f"suites/linux.suite.yaml::loopback@{node}"])
    result = pytester.runpytest("--netconform-replay", nodes[0], "nosuch.tar")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: nosuch.tar"])


def test_the_summary_of_a_failure_holds_what_was_seen(pytester: pytest.Pytester, suite) -> None:
    link = "link: {ifname: lo, mtu: 17}"
    suite("mine", f"up:\n  {link}\nany-of:\n  any: [{{link: {{ifname: x9}}}}, {{{link}}}]")
    result = pytester.runpytest("--netconform", "mine.suite.yaml")
    nearest = "nearest is lo: mtu: expected 17, got 65536"
    result.stdout.fnmatch_lines(
        [
            "  none of 2 holds:",
            "    link: no links match {ifname: x9}",
            "    link: no links match {ifname: lo, mtu: 17}",
            f"      {nearest}",
            f"FAILED mine.suite.yaml::up - link: {nearest}",
            "FAILED mine.suite.yaml::any-of - none of 2 holds: link: no links match {ifnam*",
        ]
    )
