"""Where the files of a recording stand: in a directory, or in a tar file, which is read as it is.

Nothing is unpacked, so nothing has to be cleaned up and no name in a tar file leads anywhere.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from pytest_netconform.errors import NetconformError, Unreadable

LARGEST = 256 << 20
LARGEST_ARCHIVE = 2 << 30
LARGEST_HEADER = 1 << 20
MOST_MEMBERS = 100_000
BLOCK = 512
GZIP = b"\x1f\x8b"
Members = Mapping[str, tuple[int, int]]
"""The files of a tar file: where in it each begins, and its size."""


class Store(Protocol):
    """The files of one recording, by name: `self/ip-addr.json`."""

    def shown(self, name: str) -> str:
        """Name a file for a message."""
        ...

    def names(self) -> Iterator[str]: ...

    def has(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises: Unreadable.
        """
        ...


@dataclass(frozen=True)
class Directory:
    """A recording that was unpacked. It holds files and directories: what a link leads to is none of it."""

    path: Path

    def shown(self, name: str) -> str:
        return str(self.path / name)

    def names(self) -> Iterator[str]:
        for place, _, names in os.walk(self.path):
            for name in sorted(names):
                yield str(Path(place, name).relative_to(self.path))

    def has(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def read(self, name: str) -> bytes:
        try:
            with open(self._opened(name), "rb") as file:  # noqa: PTH123
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreadable(f"{self.shown(name)}: is no file")
                content = file.read(LARGEST + 1)
                refuse_larger(len(content), self.shown(name))
                return content
        except (OSError, ValueError) as error:
            raise Unreadable(f"{self.shown(name)}: {getattr(error, 'strerror', error)}") from None

    def _opened(self, name: str) -> int:
        path = self.path
        for step in name.split("/"):
            path = path / step
            if step == ".." or path.is_symlink():
                raise Unreadable(f"{path}: leads out of the recording")
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


@dataclass(frozen=True)
class Archive:
    """A recording in a tar file, packed by gzip or not; *top* is what all its names begin with."""

    path: Path
    top: str
    members: Members

    def shown(self, name: str) -> str:
        return f"{self.path}:{self.top}{name}"

    def names(self) -> Iterator[str]:
        return (name[len(self.top) :] for name in self.members if name.startswith(self.top))

    def has(self, name: str) -> bool:
        return self.top + name in self.members

    def read(self, name: str) -> bytes:
        if not self.has(name):
            raise Unreadable(f"{self.shown(name)}: {os.strerror(2)}")
        start, size = self.members[self.top + name]
        refuse_larger(size, self.shown(name))
        try:
            with unpacked(self.path) as file:
                file.seek(start)
                found = file.read(size)
        except (OSError, EOFError) as error:
            raise Unreadable(f"{self.shown(name)}: {error}") from None
        if len(found) != size:
            raise Unreadable(f"{self.shown(name)}: is cut short")
        return found


def refuse_larger(size: int, where: str) -> None:
    """Refuse what is larger than a file of a recording may be."""
    if size > LARGEST:
        raise Unreadable(f"{where}: larger than {LARGEST >> 20} MiB")


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, through gzip if it is packed so."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as inner:
            yield inner  # type: ignore[misc]


class _Bounded:
    """A file as tarfile sees it, which refuses what would take more memory or time than a recording may."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.file.read(size)

    def seek(self, position: int) -> int:
        if position > LARGEST_ARCHIVE:
            raise tarfile.ReadError(f"larger than {LARGEST_ARCHIVE >> 30} GiB")
        return self.file.seek(position)

    def tell(self) -> int:
        return self.file.tell()


def members_of(path: Path) -> Members:
    """List the files in a tar file.

    Raises: NetconformError for what is none, is damaged, or holds what no recording does.
    """
    try:
        with unpacked(path) as file:
            bounded: Any = _Bounded(file)
            with tarfile.open(fileobj=bounded, mode="r:") as archive:
                return _listed(archive, file)
    except NetconformError as error:
        raise NetconformError(f"{path}: {error}") from None
    except Exception as error:  # tarfile and gzip raise whatever they trip over
        raise NetconformError(f"{path}: cannot be read as a tar file: {error}") from None


def _listed(archive: tarfile.TarFile, file: IO[bytes]) -> Members:
    found: dict[str, tuple[int, int]] = {}
    end = 0
    for number, member in enumerate(archive):
        name = member.name.removeprefix("./")
        if not (member.isdir() or (member.isreg() and not member.issparse())):
            raise NetconformError(f"holds {name!r}, which is neither file nor directory")
        if name.startswith("/") or ".." in name.split("/"):
            raise NetconformError(f"holds {name!r}, which is not inside it")
        if name in found or number > MOST_MEMBERS:
            raise NetconformError(f"holds {name!r} twice" if name in found else "holds too many files")
        end = max(end, member.offset_data + -(-member.size // BLOCK) * BLOCK)
        if member.isreg():
            found[name] = (member.offset_data, member.size)
    _see_its_end(file, end)
    return found


def _see_its_end(file: IO[bytes], end: int) -> None:
    """Refuse a tar file that does not end where its last file does: tarfile takes damage for the end."""
    file.seek(end)
    if file.read(BLOCK) != bytes(BLOCK):
        raise NetconformError(f"is cut short, or damaged at byte {end}")
    file.read(LARGEST_HEADER)  # on to where gzip finds out about damage
