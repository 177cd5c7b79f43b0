"""What a target's answers are made from: the output of its own tools, its sysctls and its files.

Two implementations: this one looks at a live node, `targets.recorded` at a recording. Both hand the same
texts to the same parsers, so that they cannot come to different verdicts.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from glob import has_magic
from pathlib import Path
from typing import Protocol

from pytest_netconform.errors import CommandFailed, NetconformError, Unreadable
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.observing import legacy
from pytest_netconform.kernel.observing.tables import (
    COMMANDS,
    LARGEST_FILE,
    LEGACY,
    SECRET_SYSCTLS,
    is_secret,
)
from pytest_netconform.kernel.paths import NOT_THERE, content, matching

DEADLINE_S = 60.0
LONGEST_SAID = 400
INTERRUPTED = "Dump was interrupted"
"""What ip and bridge complain of, ending well, where the kernel's table changed while they read it."""
TRIES = 2
SYSCTL_ROOT = "/proc/sys"


class Evidence(Protocol):
    """Raw material for facts; every method raises Unreadable for what could not be observed."""

    def text(self, file: str) -> str | None:
        """Give what the command behind *file* printed; None where there is nothing to ask."""
        ...

    def source(self, file: str) -> str:
        """Say where the text of *file* is from, for a message to put a line's number behind."""
        ...

    def sysctls(self, pattern: str, keys: Collection[str] = ()) -> Mapping[str, str]:
        """Give values under /proc/sys by path (`net/ipv4/ip_forward`); *pattern* may hold wildcards.

        Shape: where *keys* are given, the last step of the pattern is `*`, and stands for these alone.
        """
        ...

    def files(self, pattern: str) -> tuple[File, ...]:
        """Give the files at a path, or those that a pattern matches."""
        ...


class LiveEvidence:
    """Looks at the namespaces of a live node.

    Needs: what the node's own tools need; without it they say so, and that becomes Unreadable.
    """

    def __init__(
        self, namespaces: Namespaces, deadline_s: float = DEADLINE_S, *, ours: bool | None = None
    ) -> None:
        self.namespaces, self.deadline_s = namespaces, deadline_s
        self.ours = namespaces.mortal if ours is None else ours

    def text(self, file: str) -> str | None:
        """Run the command; none of them changes anything on the node."""
        command = list(COMMANDS[file])
        if file in LEGACY:
            try:
                if not self._has_legacy_tables(LEGACY[file]):
                    return None
            except Unreadable:
                if not self.ours:
                    raise
                return legacy.save(self._run, command)
        for _ in range(TRIES):
            done = self._run(command)
            if INTERRUPTED not in done.stderr:
                return done.stdout
        raise Unreadable(f"`{' '.join(command)}`: {INTERRUPTED} {TRIES} times: the table changed meanwhile")

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self.namespaces.run(command, timeout_s=self.deadline_s, env={"LC_ALL": "C"})
        except CommandFailed as failed:
            said = failed.stderr if failed.stderr.strip() else failed.stdout
            raise Unreadable(failure(command, failed.returncode, said)) from None
        except (NetconformError, OSError) as error:
            raise Unreadable(str(error)) from None

    def source(self, file: str) -> str:
        return f"`{' '.join(COMMANDS[file])}`"

    def _has_legacy_tables(self, names: str) -> bool:
        try:
            return bool(self.namespaces.call_in_net(Path("/proc/thread-self/net", names).read_text).strip())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Unreadable(f"/proc/net/{names}: {error.strerror}") from None

    def sysctls(self, pattern: str, keys: Collection[str] = ()) -> Mapping[str, str]:
        return self.namespaces.call(read_sysctls, pattern, keys)

    def files(self, pattern: str) -> tuple[File, ...]:
        return self.namespaces.call(read_files, pattern)


class PlaceEvidence:
    """Looks at one network namespace beside a node's own: its tables and sysctls, and the node's files.

    Shape: *enter* opens the namespace for one look; looking must not keep it alive.
    """

    def __init__(self, node: LiveEvidence, enter: Callable[[], AbstractContextManager[Namespaces]]) -> None:
        self.node, self.enter = node, enter

    def text(self, file: str) -> str | None:
        with self.enter() as namespaces:
            return LiveEvidence(namespaces, self.node.deadline_s, ours=self.node.ours).text(file)

    def source(self, file: str) -> str:
        return self.node.source(file)

    def sysctls(self, pattern: str, keys: Collection[str] = ()) -> Mapping[str, str]:
        with self.enter() as namespaces:
            return namespaces.call(read_sysctls, pattern, keys)

    def files(self, pattern: str) -> tuple[File, ...]:
        return self.node.files(pattern)


def failure(command: Sequence[str], status: int, said: str) -> str:
    """Say how a command failed, in its own words, shortened in the middle."""
    words = " ".join(said.split())
    if len(words) > LONGEST_SAID:
        words = f"{words[: LONGEST_SAID // 2]} ... {words[-LONGEST_SAID // 2 :]}"
    how = "could not be run" if status in (126, 127) else f"exited with {status}"
    return f"`{' '.join(command)}` {how}" + (f": {words}" if words else "")


def refuse_secret(pattern: str) -> None:
    """Raise Unreadable for a sysctl that is a key: it is left alone, live as recorded."""
    name = pattern.rpartition("/")[2]
    if name in SECRET_SYSCTLS:
        raise Unreadable(f"/proc/sys/{pattern}: {name} is a secret, and left alone")


def read_sysctls(pattern: str, keys: Collection[str] = ()) -> dict[str, str]:
    """Read values under /proc/sys of the namespace that the calling thread is in, but for secrets.

    Raises: Unreadable.
    """
    refuse_secret(pattern)
    if ".." in pattern.split("/"):
        raise Unreadable(f"{pattern} is not the name of a sysctl")
    found = matching(f"{SYSCTL_ROOT}/{pattern}") if not keys else _of_keys(pattern, keys)
    values = ((path, read_sysctl(path)) for path in found if not path.endswith(SECRET_SYSCTLS))
    return {path.removeprefix(f"{SYSCTL_ROOT}/"): value for path, value in values if value is not None}


def _of_keys(pattern: str, keys: Collection[str]) -> Iterator[str]:
    """Go over the paths of these keys alone in each directory that a pattern's last step is in."""
    directories = matching(f"{SYSCTL_ROOT}/{pattern.rpartition('/')[0]}")
    return (f"{directory}/{key}" for directory in directories for key in keys)


def read_sysctl(path: str) -> str | None:
    """Read one value; None where there is none: no such name, or one that can only be written."""
    try:
        return content(path, LARGEST_FILE).decode(errors="replace").rstrip("\n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.EACCES and only_written(path):
            return None
        raise Unreadable(f"{path}: {error.strerror}") from None


def only_written(path: str) -> bool:
    try:
        return not os.stat(path).st_mode & 0o444  # noqa: PTH116
    except OSError:
        return False


def read_files(pattern: str) -> tuple[File, ...]:
    """Read the files at a path, or those that a pattern matches, where the calling thread is mounted.

    Raises: Unreadable.
    """
    paths = matching(pattern) if has_magic(pattern) else [pattern]
    return tuple(file for path in paths if (file := read_file(path)) is not None)


def read_file(path: str) -> File | None:
    """Read one file; None where there is none."""
    try:
        linked = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(linked.st_mode) else None  # noqa: PTH115
        status = os.stat(path)  # noqa: PTH116
        text = text_of(path) if stat.S_ISREG(status.st_mode) and not is_secret(path) else None
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from None
    return file_of(path, type_of(status.st_mode), status.st_size, stat.S_IMODE(status.st_mode), text, target)


def text_of(path: str) -> str | None:
    """Read a file's text; None for more than a file of settings has."""
    found = content(path, LARGEST_FILE)
    return found.decode(errors="replace") if len(found) <= LARGEST_FILE else None


def type_of(mode: int) -> str:
    """Name the type of a file by its mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "other"
