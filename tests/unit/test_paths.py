"""What stands on a disk: found as the shell finds it, and never taken for absent where it may not be seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import Unreadable
from pytest_netconform.kernel.observing.evidence import read_files, read_sysctls
from pytest_netconform.kernel.paths import content, matching

Nobody = Callable[..., subprocess.CompletedProcess[str]]
ASKING = """
import sys
from pytest_netconform.errors import Unreadable
from pytest_netconform.kernel.observing.evidence import read_files
for pattern in sys.argv[1:]:
    try:
        print("found", *(file.path for file in read_files(pattern)))
    except Unreadable as error:
        print("error", error)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/x.conf", "a/y.conf", "a/.hidden.conf", "b/x.conf", "c"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    (tmp_path / "link").symlink_to("b")
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    ["*/x.conf", "a/*", "*/*", "a/.*", "?/[xz].conf", "nothing/*", "c/*", "a/*.txt", "*", "lin*/x.conf"],
)
def test_a_pattern_matches_what_the_shell_finds(tree: Path, pattern: str) -> None:
    listing = 'cd "$1"; for path in $2; do [ ! -e "$path" ] || echo "$path"; done'
    found = subprocess.run(
        ["sh", "-c", listing, "sh", tree, pattern], capture_output=True, text=True, check=True
    )
    mine = [str(Path(file.path).relative_to(tree)) for file in read_files(f"{tree}/{pattern}")]
    assert sorted(mine) == sorted(name for name in found.stdout.split() if name not in ("a/.", "a/.."))


def test_a_path_through_a_link_keeps_its_name(tree: Path) -> None:
    assert [*matching(f"{tree}/l*/*.conf")] == [f"{tree}/link/x.conf"]


def test_a_directory_that_may_not_be_listed_is_not_empty(nobody: Nobody, tmp_path: Path) -> None:
    for name, mode in (("open", 0o755), ("closed", 0o000), ("dark", 0o111), ("listed", 0o444)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.conf").touch()
        (tmp_path / name).chmod(mode)
    patterns = ("open/*", "closed/*", "*/*.conf", "[d]ark/*", "[d]ark/x.conf", "open/*/*", "listed/*")
    done = nobody(sys.executable, "-c", ASKING, *(f"{tmp_path}/{pattern}" for pattern in patterns))
    told = done.stdout.replace(f"{tmp_path}/", "").splitlines()
    assert told == [
        "found open/x.conf",
        "error closed: Permission denied",
        "error closed: Permission denied",
        "error dark: Permission denied",
        "found dark/x.conf",
        "found",
        "error listed/x.conf: Permission denied",
    ], done.stderr


def test_a_file_that_would_block_is_one_that_could_not_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert [(file.type, file.text) for file in read_files(str(pipe))] == [("other", None)]
    writer = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            content(str(pipe), 10)
    finally:
        os.close(writer)


@pytest.mark.root("/proc/kmsg is root's to open")
def test_the_kernels_log_is_not_waited_for() -> None:
    with pytest.raises(Unreadable, match="/proc/kmsg: "):
        read_files("/proc/kmsg")


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 200_000)
    assert len(content(str(tmp_path / "large"), 100_000)) == 100_001
    assert len(content("/dev/zero", 5)) == 6


def test_of_sysctls_only_the_keys_that_are_asked_for_are_read() -> None:
    found = read_sysctls("net/ipv4/conf/*/*", ("rp_filter", "no_such_key"))
    assert set(found) == set(read_sysctls("net/ipv4/conf/*/rp_filter")) >= {"net/ipv4/conf/all/rp_filter"}
