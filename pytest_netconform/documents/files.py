"""From a file to text: only regular files, up to a size, only text that means the same to every reader."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from pytest_netconform.documents.document import ReadError

LARGEST = 1024 * 1024
KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
REFUSED = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
LINE_END = re.compile(r"\r\n|\r|\n")


class Spot(NamedTuple):
    """A place in a text; counts from 0."""

    line: int
    column: int


START = Spot(0, 0)


def read(path: Path) -> bytes:
    """Read a regular file of at most LARGEST bytes; never waits for one.

    Raises: ReadError, for whatever reason it cannot be read.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind != stat.S_IFREG:
            raise ReadError(START, f"is {KINDS.get(kind, 'no regular file')}, not a file")
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return limited(file.read(LARGEST + 1) if size <= LARGEST else b"", size)
    except OSError as error:
        raise ReadError(START, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ReadError(START, f"cannot be read: {error}") from None


def limited(data: bytes, size: int = 0) -> bytes:
    """Give *data* back if it is not too much.

    Raises: ReadError for more than LARGEST bytes.
    """
    size = max(size, len(data))
    if size > LARGEST:
        raise ReadError(START, f"has {size} bytes; at most {LARGEST} (1 MiB) are read")
    return data


def decode(data: bytes) -> str:
    """Decode UTF-8, less a byte order mark.

    Raises: ReadError for anything else, and at the first control character, or line end to some readers only.
    """
    try:
        text, bad = data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, bad = data[: error.start].decode("utf-8"), data[error.start]
    text = text.removeprefix("\ufeff")
    if found := REFUSED.search(text):
        name = f"U+{ord(found[0]):04X}"
        raise ReadError(spot_of(text, found.start()), f"not a text file: character {name} is not allowed")
    if bad is not None:
        raise ReadError(spot_of(text, len(text)), f"not UTF-8 text: byte 0x{bad:02x}")
    return text


def spot_of(text: str, index: int) -> Spot:
    """Say in which line and column a character stands."""
    ends = [end.end() for end in LINE_END.finditer(text, 0, index)]
    return Spot(len(ends), index - (ends[-1] if ends else 0))
