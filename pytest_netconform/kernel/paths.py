"""Finding and reading files so that what may not be looked at is never taken for what is not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from glob import has_magic

from pytest_netconform.errors import Unreadable
from pytest_netconform.kernel.observing.tables import step_matches

NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What makes a path lead to no file, for us as for the shell's `-e`."""
BLOCK = 1 << 16


def matching(pattern: str) -> Iterator[str]:
    """Go over the paths that an absolute pattern matches, sorted, as the shell does.

    A path that ends in a plain step is given whether there is such a file or not: its reader finds that out.

    Raises: Unreadable for a directory that a wildcard looks into and that may not be listed.
    """
    return _below("", pattern.strip("/").split("/"))


def _below(directory: str, steps: list[str]) -> Iterator[str]:
    step, *more = steps
    names = sorted(_listed(directory or "/", step)) if has_magic(step) else [step]
    for name in names:
        path = f"{directory}/{name}"
        if more:
            yield from _below(path, more)
        else:
            yield path


def _listed(directory: str, step: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if step_matches(entry.name, step)]
    except OSError as error:
        if error.errno in NOT_THERE:
            return []
        raise Unreadable(f"{directory}: {error.strerror}") from None


def content(path: str, most: int) -> bytes:
    """Read up to *most* bytes and one more of a file, without waiting for any.

    Raises: OSError; EAGAIN for what blocks until somebody writes, such as /proc/kmsg.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        found = b""
        while len(found) <= most and (read := os.read(fd, min(BLOCK, most + 1 - len(found)))):
            found += read
        return found
    finally:
        os.close(fd)
