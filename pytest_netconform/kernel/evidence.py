"""What a target's answers are made from: the output of its own tools, its sysctls and its files.

Two implementations: this one looks at a live node, `targets.recorded` at a recording. Both hand the same texts to the same
parsers, so that they cannot come to different verdicts.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from glob import glob, has_magic
from pathlib import Path
from typing import Protocol

from pytest_netconform.errors import CommandFailed, NetconformError, Unreadable
from pytest_netconform.facts.files import File, file_of
from pytest_netconform.kernel.tables import COMMANDS, LEGACY
from pytest_netconform.kernel.namespaces import Namespaces

LARGEST_FILE = 1 << 20
DEADLINE_S = 60.0


class Evidence(Protocol):
    """Raw material for facts; every method raises Unreadable for what could not be observed."""

    def text(self, file: str) -> str | None:
        """Give the output of the command that a recording keeps as *file*; None where there is nothing to ask."""
        ...

    def sysctls(self, pattern: str) -> Mapping[str, str]:
        """Give values under /proc/sys by path (`net/ipv4/ip_forward`); *pattern* may hold wildcards."""
        ...

    def files(self, pattern: str) -> tuple[File, ...]:
        """Give the files at a path, or those that a pattern matches."""
        ...


class LiveEvidence:
    """Looks at the namespaces of a live node.

    Needs: what the node's own tools need; without it they say so, and that becomes Unreadable.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces

    def text(self, file: str) -> str | None:
        """Run the command; nothing is changed on the node by any of them."""
        if file in LEGACY and not self._legacy(LEGACY[file]):
            return None
        try:
            done = self.namespaces.run(list(COMMANDS[file]), timeout_s=DEADLINE_S)
        except CommandFailed as failed:
            said = (failed.stderr or failed.stdout).strip().splitlines()
            raise Unreadable(f"`{' '.join(COMMANDS[file])}` exited with {failed.returncode}: {' '.join(said[:3])}") from None
        except (NetconformError, OSError) as error:
            raise Unreadable(str(error)) from None
        return done.stdout

    def _legacy(self, names: str) -> bool:
        try:
            return bool(self.namespaces.call_in_net(Path("/proc/thread-self/net", names).read_text).strip())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Unreadable(f"/proc/net/{names}: {error.strerror}") from None

    def sysctls(self, pattern: str) -> Mapping[str, str]:
        return self.namespaces.call(read_sysctls, pattern)

    def files(self, pattern: str) -> tuple[File, ...]:
        return self.namespaces.call(read_files, pattern)


def read_sysctls(pattern: str) -> dict[str, str]:
    """Read values under /proc/sys of the namespace that the calling thread is in.

    Raises: Unreadable.
    """
    root = Path("/proc/sys")
    paths = sorted(root.glob(pattern)) if has_magic(pattern) else [root / pattern]
    values = ((path, read_sysctl(path)) for path in paths)
    return {str(path.relative_to(root)): value for path, value in values if value is not None}


def read_sysctl(path: Path) -> str | None:
    """Read one value; None where there is none: no such name, one that can only be written, a secret that was never set.

    Source: the kernel's addrconf_sysctl_stable_secret(), which answers EIO then.
    """
    try:
        return path.read_text().rstrip("\n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        if (error.errno == errno.EIO and path.name == "stable_secret") or not path.stat().st_mode & 0o444:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: {error}") from None


def read_files(pattern: str) -> tuple[File, ...]:
    """Read the files at a path, or those that a pattern matches, in the mount namespace that the calling thread is in.

    Raises: Unreadable.
    """
    paths = sorted(glob(pattern)) if has_magic(pattern) else [pattern]  # noqa: PTH207 - keeps the path as asked
    if has_magic(pattern):
        refuse_closed_directory(pattern)
    return tuple(file for path in paths if (file := read_file(path)) is not None)


def refuse_closed_directory(pattern: str) -> None:
    """Raise Unreadable where the directory that a pattern looks into may not be listed: glob takes that for empty."""
    directory = Path(pattern).parent
    while has_magic(str(directory)):
        directory = directory.parent
    try:
        os.scandir(directory).close()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise Unreadable(f"{directory}: {error.strerror}") from None


def read_file(path: str) -> File | None:
    """Read one file; None where there is none."""
    try:
        linked = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(linked.st_mode) else None
        return _contents(path, target)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None


def _contents(path: str, target: str | None) -> File:
    status = os.stat(path)
    text = None
    if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_FILE:
        text = Path(path).read_bytes().decode(errors="replace")
    return file_of(path, type_of(status.st_mode), status.st_size, stat.S_IMODE(status.st_mode), text, target)


def type_of(mode: int) -> str:
    """Name the type of a file by its mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "other"
