"""Recordings that were damaged or made up: they are refused, or say nothing but what was recorded."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_node import (
    CLUSTER,
    FILES,
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
from pytest_netconform.questions import Answer, Question, Unknown
from pytest_netconform.targets.replay import open_recordings


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Question], Answer]:
    """Give what the whole recording answers."""
    return answers(target(write(tmp_path_factory.mktemp("whole"), WHOLE)))


def say_the_same_or_nothing(path: Path, whole: Mapping[Any, Answer]) -> None:
    """Hold a damaged recording to the promise: it is refused, or what it says is what was recorded."""
    try:
        (node,) = open_recordings([path])
    except NetconformError as refused:
        said = str(refused)
        assert str(path) in said
        return
    for key, answer in answers(node).items():
        if isinstance(answer, Unknown):
            assert answer.reason
        else:
            assert answer == whole[key], key


NAMES = sorted(WHOLE)
FLANNEL = "files/run/flannel/subnet.env"
POSITION = st.integers(0, 1 << 20)
DAMAGE = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def flip(content: bytes, at: int) -> bytes:
    at %= max(len(content), 1)
    return content[:at] + bytes(255 - byte for byte in content[at : at + 1]) + content[at + 1 :]


CHANGES: dict[str, Callable[[bytes, int], bytes]] = {
    "flip a byte": flip,
    "cut off": lambda content, at: content[: at % max(len(content), 1)],
    "empty": lambda content, at: b"",  # noqa: ARG005
    "add": lambda content, at: content + content[at % max(len(content), 1) :][:50] + b"x",
    "replace by zeros": lambda content, at: bytes(len(content) + at % 3),
    "repeat": lambda content, at: content * 2 + b"\n" * (at % 2),
}


@DAMAGE
@given(name=st.sampled_from(NAMES), change=st.sampled_from(sorted(CHANGES)), at=POSITION)
def test_a_changed_file_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, whole: Mapping[Any, Answer], name: str, change: str, at: int
) -> None:
    files = {**WHOLE, name: CHANGES[change](WHOLE[name], at)}
    place = tmp_path_factory.mktemp("damaged")
    say_the_same_or_nothing(write(place, files), whole)
    shutil.rmtree(place)


def take_away(path: Path) -> None:
    path.unlink()


def to_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_symlink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def to_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def to_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("4026532951/")])
@pytest.mark.parametrize("damage", [take_away, to_directory, to_symlink, to_loop, to_fifo])
def test_what_is_no_file_any_more_is_noticed(
    tmp_path: Path, whole: Mapping[Any, Answer], name: str, damage: Callable[[Path], None]
) -> None:
    damage(write(tmp_path, WHOLE) / name)
    say_the_same_or_nothing(tmp_path, whole)


@pytest.mark.parametrize("name", ["self", "files", POD, "files/run"])
def test_a_directory_that_leads_elsewhere_is_noticed(
    tmp_path: Path, whole: Mapping[Any, Answer], name: str
) -> None:
    write(tmp_path / "in", WHOLE)
    (tmp_path / "in" / name).rename(tmp_path / "moved")
    say_the_same_or_nothing(tmp_path / "in", whole)
    (tmp_path / "in" / name).symlink_to(tmp_path / "moved")
    answer = target(tmp_path / "in").observe(Question("link"))
    if name == "self":
        assert answer == Unknown(f"{tmp_path}/in/self: leads out of the recording")


@pytest.mark.parametrize("damage", [take_away, to_directory, to_symlink, to_loop, to_fifo])
@pytest.mark.parametrize(
    "name", ["self/ip-addr.json", "self/commands.tsv", "netns.tsv", "files/run/flannel/subnet.env"]
)
def test_a_damaged_recording_in_format_0_gives_facts_or_errors(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(CLUSTER / "node1", tmp_path, dirs_exist_ok=True)
    damage(tmp_path / name)
    assert all(isinstance(answer, (tuple, Unknown)) for answer in answers(target(tmp_path)).values())


PACKED = {"tar": packed(WHOLE), "tar.gz": gzip.compress(packed(WHOLE), mtime=0)}


@DAMAGE
@given(form=st.sampled_from(sorted(PACKED)), change=st.sampled_from(["flip a byte", "cut off"]), at=POSITION)
def test_a_changed_tar_file_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, whole: Mapping[Any, Answer], form: str, change: str, at: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"a.{form}"
    path.write_bytes(CHANGES[change](PACKED[form], at))
    say_the_same_or_nothing(path, whole)
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("blocks", range(0, len(PACKED["tar"]) // 512, 37))
def test_a_tar_file_that_ends_between_two_files_is_noticed(
    tmp_path: Path, whole: Mapping[Any, Answer], blocks: int
) -> None:
    say_the_same_or_nothing(written(tmp_path / "a.tar", PACKED["tar"][: blocks * 512]), whole)


@settings(max_examples=60)
@given(content=st.binary(max_size=2000), head=st.sampled_from([b"", b"\x1f\x8b\x08", PACKED["tar"][:512]]))
def test_any_bytes_as_a_recording_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.tar"
    path.write_bytes(head + content)
    with pytest.raises(NetconformError):
        open_recordings([path])


TABLE = st.lists(
    st.lists(
        st.one_of(st.sampled_from(["self", POD, "0", "-1", "kept", "file", "644", "/a"]), st.text(max_size=8))
    ),
    max_size=6,
)


@DAMAGE
@given(
    name=st.sampled_from(["commands.tsv", "netns.tsv", "files.tsv", "recording", "SHA256SUMS"]),
    table=TABLE,
    seal=st.booleans(),
)
def test_any_text_in_a_table_gives_an_error_that_says_where(
    tmp_path_factory: pytest.TempPathFactory, name: str, table: list[list[str]], seal: bool
) -> None:
    text = "\n".join("\t".join(cells) for cells in table)
    name = "self/commands.tsv" if name == "commands.tsv" else name
    files = {**WHOLE, name: WHOLE[name] + text.encode(errors="surrogatepass")}
    place = tmp_path_factory.mktemp("garbage")
    write(place, sealed(files) if seal and name != "SHA256SUMS" else files)
    try:
        found = answers(target(place))
        assert all(isinstance(answer, (tuple, Unknown)) for answer in found.values())
    except NetconformError as refused:
        said = str(refused)
        assert str(place) in said
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        (
            "self/commands.tsv",
            "ip-addr.json",
            "self/commands.tsv:21: expected file, exit status, ms and command",
        ),
        ("self/commands.tsv", "ip-addr.json\t--5\t\t", "self/commands.tsv:21: expected file, exit status"),
        (
            "self/commands.tsv",
            "a\t" + "9" * 5000 + "\t\t",
            "self/commands.tsv:21: expected file, exit status",
        ),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, name: str, line: str, said: str) -> None:
    files = {**WHOLE, name: WHOLE[name] + f"{line}\n".encode()}
    answer = target(write(tmp_path, sealed(files))).observe(Question("link"))
    assert isinstance(answer, Unknown)
    assert said in answer.reason


@pytest.mark.parametrize(
    "line",
    [
        "/etc/nothing",
        "/etc/nothing\tmaybe",
        "/etc/nothing\tkept\tfile\t644",
        "/etc/nothing\tkept\tfile\t999\t1\t",
        "/etc/nothing\tkept\tfile\t644\tmuch\t",
        "/etc/nothing\tkept\tsocket\t644\t1\t",
        "/etc/nothing\terror",
    ],
)
def test_a_broken_line_about_files_is_named(tmp_path: Path, line: str) -> None:
    files = {**WHOLE, "files.tsv": WHOLE["files.tsv"] + f"{line}\n".encode()}
    answer = target(write(tmp_path, sealed(files))).observe(Question("file", "/etc/nothing"))
    assert isinstance(answer, Unknown)
    assert (
        f"{tmp_path}/files.tsv:{FILES.count(chr(10)) + 1}: expected a path and what became of it"
        in answer.reason
    )


def test_a_file_outside_of_the_recording_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    line = "/../../secret\tkept\tfile\t644\t6\t\n/../../secret\tmatched\n"
    files = {**WHOLE, "files.tsv": WHOLE["files.tsv"] + line.encode()}
    files["recording"] = files["recording"].replace(b"sums\tSHA256SUMS\n", b"")
    del files["SHA256SUMS"]
    answer = target(write(tmp_path / "in", files)).observe(Question("file", "/../../secret"))
    assert answer == Unknown(f"{tmp_path}/in/files/..: leads out of the recording")


def test_what_a_command_printed_is_named_by_its_file_and_line(tmp_path: Path) -> None:
    files = {**WHOLE, "self/ip-addr.json": b'[{"ifindex": 1,\n oops}]'}
    answer = target(write(tmp_path, sealed(files))).observe(Question("link"))
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith(f"{tmp_path}/self/ip-addr.json:2:2: ")
    archive = written(tmp_path / "a.tar", packed(sealed(files)))
    answer = target(archive).observe(Question("link"))
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith(f"{archive}:node1/self/ip-addr.json:2:2: ")


def test_an_edited_recording_can_be_judged_when_its_seal_is_taken_off(tmp_path: Path) -> None:
    """As after taking out what others may not see."""
    files = {name: content for name, content in WHOLE.items() if name != "SHA256SUMS"}
    files["self/ip-addr.json"] = files["self/ip-addr.json"].replace(b"cni0", b"cni9")
    with pytest.raises(NetconformError, match="SHA256SUMS: No such file"):
        open_recordings([write(tmp_path, files)])
    files["recording"] = files["recording"].replace(b"sums\tSHA256SUMS\n", b"")
    links = target(write(tmp_path, files)).observe(Question("link"))
    assert "cni9" in [link.ifname for link in links]  # type: ignore[union-attr, attr-defined]


# Foreign things


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> bytes:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made.tobuf(tarfile.GNU_FORMAT)


HOSTILE = {
    "absolute path": member("/etc/passwd"),
    "path that leads out": member("node1/../../etc/passwd"),
    "symbolic link": member("node1/self/ip-addr.json", tarfile.SYMTYPE, link="/etc/shadow"),
    "hard link": member("node1/self/ip-addr.json", tarfile.LNKTYPE, link="node1/recording"),
    "character device": member("node1/null", tarfile.CHRTYPE),
    "block device": member("node1/disk", tarfile.BLKTYPE),
    "fifo": member("node1/fifo", tarfile.FIFOTYPE),
    "file twice": member("node1/recording"),
    "file larger than the archive": member("node1/large", size=1 << 33),
    "file of negative size": member("node1/large").replace(b"00000000000", b"-0000000001", 1),
    "header larger than any": member("node1/large", tarfile.XHDTYPE, size=1 << 30) + bytes(4096),
    "long name larger than any": member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1 << 30)
    + bytes(4096),
    "headers of headers": member("x", tarfile.XHDTYPE) * 5000,
    "sparse file": member("node1/sparse", tarfile.GNUTYPE_SPARSE, size=512) + bytes(512),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_a_tar_file_with_anything_else_in_it_is_refused(
    tmp_path: Path, kind: str, pack: Callable[[bytes], bytes]
) -> None:
    end = PACKED["tar"].rstrip(b"\0")
    end += bytes(-len(end) % 512)
    path = written(tmp_path / "a.tar", pack(end + HOSTILE[kind] + bytes(10240)))
    with pytest.raises(NetconformError) as refused:
        open_recordings([path])
    assert str(refused.value).startswith(f"{path}: ")


def paths_without_recordings(place: Path) -> Iterable[Path]:
    (place / "empty").mkdir()
    (place / "file").write_text("text")
    os.mkfifo(place / "fifo")
    (place / "loop").symlink_to("loop")
    (place / "tests").mkdir()
    (place / "tests" / "recording.py").write_text("")
    return [
        *place.iterdir(),
        place / "nothing",
        place / "file" / "below",
        Path("/dev/null"),
        Path("a" * 5000),
    ]


def test_what_is_no_recording_is_refused_in_words(tmp_path: Path) -> None:
    for path in paths_without_recordings(tmp_path):
        with pytest.raises(NetconformError) as refused:
            open_recordings([path])
        assert str(refused.value).startswith(str(path)), path
