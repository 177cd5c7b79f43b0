"""A copy of the host's /etc that belongs to us, for nodes that are made in a user namespace.

There, what others own can be read but never be changed, not even in an overlay: its owner has no number.
"""

# ruff: noqa: PTH102, PTH115, PTH211 - a Path costs more than the call

from __future__ import annotations

import os
from collections.abc import Container
from contextlib import suppress

BLOCK = 1 << 20


def copy(source: str, target: str, absent: Container[str], empty: Container[str], below: str = "") -> None:
    """Copy a directory with all that may be read in it, less what is to be absent or empty in the copy."""
    with os.scandir(source) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if name in absent:
                continue
            with suppress(OSError):  # may not be read, or is gone by now
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), f"{target}/{entry.name}")
                elif entry.is_dir():
                    os.mkdir(f"{target}/{entry.name}", entry.stat().st_mode & 0o777 | 0o700)
                    if name not in empty:
                        copy(entry.path, f"{target}/{entry.name}", absent, empty, f"{name}/")
                elif entry.is_file():
                    _copy_file(entry.path, f"{target}/{entry.name}")


def _copy_file(source: str, target: str) -> None:
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode & 0o777
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            while block := os.read(fd, BLOCK):
                os.write(new, block)
        finally:
            os.close(new)
    finally:
        os.close(fd)
