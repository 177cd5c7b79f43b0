"""What configures the namespaces that the calling thread is in: its sysctls and its files, all of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from pytest_netconform.errors import Unreadable
from pytest_netconform.kernel.paths import NOT_THERE

SYSCTLS = Path("/proc/sys")


def net_sysctls() -> Iterator[tuple[str, str]]:
    """Go over the sysctls of the network namespace, each by its path below /proc/sys, with its value."""
    for directory, _, names in os.walk(SYSCTLS / "net"):
        for name in names:
            path = Path(directory, name)
            try:
                yield str(path.relative_to(SYSCTLS)), path.read_text(errors="replace").strip()
            except OSError:  # can only be written, or was never set
                continue


def files_below(top: str) -> Iterator[tuple[str, str]]:
    """Go over the files and directories below *top*, each with what it is: mode, and a digest of its content.

    Raises: Unreadable.
    """
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except OSError as error:
        if error.errno in NOT_THERE:
            return
        raise Unreadable(f"{top}: {error.strerror}") from None
    for entry in entries:
        try:
            yield entry.path, _described(entry)
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise Unreadable(f"{entry.path}: {error.strerror}") from None
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path)


def _described(entry: os.DirEntry[str]) -> str:
    status = entry.stat(follow_symlinks=False)
    mode = f"{stat.S_IMODE(status.st_mode):o}"
    if entry.is_symlink():
        return f"link to {os.readlink(entry.path)}"  # noqa: PTH115
    if entry.is_dir(follow_symlinks=False):
        return f"directory {mode}"
    if not entry.is_file(follow_symlinks=False):
        return f"{stat.filemode(status.st_mode)[0]} {mode}"
    with open(entry.path, "rb") as file:  # noqa: PTH123
        return f"{mode} {file_digest(file, 'sha256').hexdigest()[:12]}"
