"""Recordings as they are read: what was recorded is told, and what nobody looked at is not known."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from recorded_node import (
    CLUSTER,
    POD,
    WHOLE,
    answers,
    packed,
    sealed,
    target,
    write,
    written,
)

from pytest_netconform.errors import NetconformError
from pytest_netconform.questions import Answer, NotHere, Question, Unknown
from pytest_netconform.targets.recorded import covers
from pytest_netconform.targets.recordings import Recording, opened
from pytest_netconform.targets.replay import RecordedTarget, open_recordings
from pytest_netconform.targets.stores import Directory


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Question], Answer]:
    """Give what the whole recording answers."""
    return answers(target(write(tmp_path_factory.mktemp("whole"), WHOLE)))


def test_a_whole_recording_answers_everything(whole: Mapping[Any, Answer]) -> None:
    assert [key for key, answer in whole.items() if not isinstance(answer, tuple)] == []
    assert len(whole["", Question("route")]) > 20  # type: ignore[arg-type]
    assert [(row.name, row.kind, row.nsid) for row in whole["", Question("netns")]] == [  # type: ignore[union-attr, attr-defined]
        ("fl-p11", "pod", 1),
        ("fl-p12", "pod", 2),
    ]


FORMS: dict[str, Callable[[Path], Path]] = {
    "directory": lambda place: write(place / "node1", WHOLE),
    "directory of directories": lambda place: write(place / "in" / "node1", WHOLE).parent,
    "tar": lambda place: written(place / "a.tar", packed(WHOLE)),
    "tar of the directory's contents": lambda place: written(place / "a.tar", packed(WHOLE, "./")),
    "tar.gz": lambda place: written(place / "a.tar.gz", gzip.compress(packed(WHOLE))),
    "tar.gz by another name": lambda place: written(
        place / "recording-of-node1", gzip.compress(packed(WHOLE))
    ),
    "directory of tar files": lambda place: (
        written(place / "in" / "a.tgz", gzip.compress(packed(WHOLE))).parent
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_answers_the_same_in_every_form(tmp_path: Path, whole: Mapping[Any, Answer], form: str) -> None:
    assert answers(target(FORMS[form](tmp_path))) == whole


def test_reading_a_tar_file_unpacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.tar.gz", gzip.compress(packed(WHOLE)))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    answers(target(path))
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.gz"]
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_several_are_found_in_one_directory_and_in_one_tar_file(tmp_path: Path) -> None:
    nodes = ["node1", "node2", "node3"]
    assert [each.name for each in open_recordings([CLUSTER])] == nodes
    assert [each.name for each in open_recordings(CLUSTER / node for node in nodes)] == nodes
    files = {
        str(path.relative_to(CLUSTER)): path.read_bytes()
        for path in sorted(CLUSTER.rglob("*"))
        if path.is_file()
    }
    assert [each.name for each in open_recordings([written(tmp_path / "a.tar", packed(files, ""))])] == nodes


def test_two_of_one_node_are_refused_with_both_places(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", WHOLE), write(tmp_path / "second", WHOLE)
    with pytest.raises(NetconformError) as refused:
        open_recordings([first, second])
    assert str(refused.value) == f"{second}/recording: there is one of node1 already: {first}/recording"


# What only a live node can tell, and what nobody looked for


def test_what_only_a_live_node_can_answer_is_not_here(tmp_path: Path) -> None:
    node = target(write(tmp_path, WHOLE))
    places = node.places()
    assert not isinstance(places, Unknown)
    for looked_at in (node, places[0][1]):
        assert isinstance(looked_at.observe(Question("ping", "192.0.2.1")), NotHere)
        assert not looked_at.moves


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question("file", "/etc/hosts"), "files.tsv: /etc/hosts was not looked for"),
        (Question("file", "/etc/*"), "files.tsv: /etc/* was not looked for"),
        (Question("file", "/etc/cni/net.d/.*"), "files.tsv: /etc/cni/net.d/.* was not looked for"),
        (Question("file", "/etc/closed/a"), "/etc/closed/*: /etc/closed cannot be listed"),
        (Question("file", "/etc/broken/a"), "/etc/broken/a: cannot be read"),
        (Question("file", "/etc/broken/*"), "/etc/broken/a: cannot be read"),
        (Question("sysctl", "vm.swappiness"), "sysctl.txt: /proc/sys/vm/swappiness was not recorded"),
        (Question("sysctl", "vm.*"), "sysctl.txt: /proc/sys/vm/* was not recorded"),
        (Question("sysctl", "net.ipv4.tcp_fastopen_key"), "tcp_fastopen_key is a secret, and left alone"),
    ],
    ids=str,
)
def test_what_was_not_looked_at_is_not_known_to_be_absent(
    tmp_path: Path, question: Question, said: str
) -> None:
    answer = target(write(tmp_path, WHOLE)).observe(question)
    assert isinstance(answer, Unknown)
    assert said in answer.reason


def test_what_was_looked_for_and_not_found_is_absent(tmp_path: Path) -> None:
    node = target(write(tmp_path, WHOLE))
    for question in (
        Question("file", "/etc/nothing"),
        Question("file", "/etc/cni/net.d/*calico*"),
        Question("file", "/etc/cni/net.d/10-calico.conflist"),
        Question("sysctl", "net.ipv4.tcp_tw_recycle"),
    ):
        assert node.observe(question) == (), question


@pytest.mark.parametrize(
    ("looked_for", "pattern", "covered"),
    [
        ("/a/*", "/a/*", True),
        ("/a/*", "/a/b*", True),
        ("/a/*", "/a/?", True),
        ("/a/*.conf", "/a/b?.conf", True),
        ("/a/*.conf", "/a/*", False),
        ("/a/?", "/a/*", False),
        ("/a/[b]", "/a/b", False),
        ("/a/[b]", "/a/[b]", True),
        ("/a/*b*", "/a/[bc]", False),
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/*", False),
        ("/a/*", "/a/b/c", False),
        ("/*/b", "/a/b", True),
    ],
)
def test_a_pattern_covers_only_what_it_surely_matched(looked_for: str, pattern: str, covered: bool) -> None:
    assert covers(looked_for, pattern) is covered


def test_legacy_rules_are_absent_only_where_the_kernel_said_that_there_are_no_tables(tmp_path: Path) -> None:
    files = dict(WHOLE)
    files["self/commands.tsv"] = WHOLE["self/commands.tsv"].replace(
        b"ip6_tables_names\t0", b"ip6_tables_names\t127"
    )
    files["self/ip6_tables_names.err"] = b"nsenter: not found\n"
    answer = target(write(tmp_path, sealed(files))).observe(Question("chain"))
    assert isinstance(answer, Unknown)
    assert "`cat /proc/net/ip6_tables_names` could not be run: nsenter: not found" in answer.reason


def test_a_table_that_changed_while_it_was_recorded_is_unknown(tmp_path: Path) -> None:
    files = {**WHOLE, "self/bridge-fdb.json.err": b"Dump was interrupted and may be inconsistent.\n"}
    answer = target(write(tmp_path, sealed(files))).observe(Question("fdb"))
    assert isinstance(answer, Unknown)
    assert answer.reason.endswith("self/bridge-fdb.json: Dump was interrupted when the node was recorded")


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (Question("file", "/run/flannel/subnet.env"), True),
        (Question("file", "/etc/cni/net.d/10-calico.conflist"), False),
        (Question("file", "/etc/cni/net.d/*"), False),
        (Question("persisted", "net.ipv4.ip_forward"), False),
    ],
    ids=str,
)
def test_what_format_0_did_not_keep_is_not_known_to_be_absent(question: Question, told: bool) -> None:
    answer = target(CLUSTER / "node1").observe(question)
    assert isinstance(answer, Unknown) is not told
    if isinstance(answer, Unknown):
        assert answer.untold
        assert "recording: a recording of format 0 does not tell of /etc/" in answer.reason


def test_format_0_with_a_list_of_files_is_believed(tmp_path: Path) -> None:
    files = {name: content for name, content in WHOLE.items() if name != "SHA256SUMS"}
    files["recording"] = b"format\tnetconform-recording-0\nnode\tnode1\n"
    node = target(write(tmp_path, files))
    assert node.observe(Question("file", "/etc/nothing")) == ()
    assert isinstance(node.observe(Question("file", "/etc/hosts")), Unknown)


def test_a_sysctl_that_could_not_be_read_is_unknown_and_the_others_are_not(tmp_path: Path) -> None:
    files = dict(WHOLE)
    complaints = (
        "grep: /proc/sys/net/ipv4/route/flush: Permission denied\n"
        "/usr/bin/grep: /proc/sys/net/ipv4/conf/eth9/forwarding: No such file or directory\n"
        "/usr/bin/grep: /proc/sys/net/ipv6/conf/all/stable_secret: Input/output error\n"
        "grep: /proc/sys/net/ipv4/tcp_mem: Input/output error\n"
    )
    files["self/sysctl.txt.err"] = complaints.encode()
    files["self/commands.tsv"] = WHOLE["self/commands.tsv"].replace(b"sysctl.txt\t0", b"sysctl.txt\t2")
    node = target(write(tmp_path, sealed(files)))
    for name in ("net.ipv4.tcp_mem", "net.ipv4.*"):
        answer = node.observe(Question("sysctl", name))
        assert answer == Unknown(
            "/proc/sys/net/ipv4/tcp_mem: Input/output error (when the node was recorded)"
        )
    assert node.observe(Question("sysctl", "net.ipv4.route.flush")) == ()
    assert isinstance(node.observe(Question("netconf")), tuple)


@pytest.mark.parametrize(
    ("lsns", "kinds"), [("1", ["pod", "pod"]), ("7", [None, "pod"]), ("unassigned", [None, "pod"])]
)
def test_a_number_tells_a_pod_before_its_devices_do(
    tmp_path: Path, lsns: str, kinds: list[str | None]
) -> None:
    files = {**WHOLE, "self/lsns.txt": f"4026532657 unassigned\n{POD} {lsns}\n".encode()}
    files["self/commands.tsv"] += b"lsns.txt\t0\t-\tlsns\n"
    rows = target(write(tmp_path, sealed(files))).observe(Question("netns"))
    assert [row.kind for row in rows] == kinds  # type: ignore[union-attr, attr-defined]


def test_without_numbers_both_ends_of_a_pair_tell_a_pod(tmp_path: Path) -> None:
    files = {name: content for name, content in WHOLE.items() if name != "self/nsid.txt"}
    files["self/commands.tsv"] = files["self/commands.tsv"].replace(b"nsid.txt\t0", b"nsid.txt\t127")
    rows = target(write(tmp_path, sealed(files))).observe(Question("netns"))
    assert [(row.name, row.kind) for row in rows] == [("fl-p11", "pod"), ("fl-p12", "pod")]  # type: ignore[union-attr, attr-defined]


@pytest.mark.parametrize(
    "line", ["incomplete\t\t", "no-inode\tname\t", f"{POD}\tname\tno-process", "", "\t\t"]
)
def test_a_list_of_namespaces_that_is_not_whole_is_unknown(tmp_path: Path, line: str) -> None:
    files = {**WHOLE, "netns.tsv": WHOLE["netns.tsv"] + f"{line}\n".encode()}
    node = target(write(tmp_path, sealed(files)))
    if line:
        assert isinstance(node.observe(Question("netns")), Unknown)
        assert isinstance(node.places(), Unknown)
    else:
        assert len(node.observe(Question("netns"))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("", "recording:1: format None is not one of netconform-recording-0, netconform-recording-1"),
        (
            "format\tnetconform-recording-9\nnode\ta\n",
            "recording:1: format 'netconform-recording-9' is not one of",
        ),
        ("format\tnetconform-recording-0\n", "recording: does not say of which node it is"),
    ],
)
def test_another_format_is_refused_with_those_that_are_known(tmp_path: Path, about: str, said: str) -> None:
    (tmp_path / "recording").write_text(about)
    with pytest.raises(NetconformError) as refused:
        open_recordings([tmp_path])
    assert f"{tmp_path}/{said}" in str(refused.value)


@pytest.mark.parametrize("node", ["../../etc", "a b", "a::b", "a[b]", "\x1b[31m", "n" * 500, "\udcff"])
def test_a_nodes_name_is_fit_for_an_id_of_a_test(tmp_path: Path, node: str) -> None:
    about = f"format\tnetconform-recording-0\nnode\t{node}\n".encode(errors="surrogateescape")
    (tmp_path / "recording").write_bytes(about)
    name = opened(Directory(tmp_path)).node
    assert name.isprintable()
    assert not set(name) & set(" :[]/")
    assert len(name) <= 100


def test_a_recording_in_format_0_is_told_by_its_files_alone() -> None:
    recording: Recording = opened(Directory(CLUSTER / "node1"))
    assert not recording.complete
    node = RecordedTarget(recording)
    (file,) = node.observe(Question("file", "/run/flannel/subnet.env"))  # type: ignore[misc]
    assert file.env["FLANNEL_MTU"] == "1450"  # type: ignore[attr-defined]
