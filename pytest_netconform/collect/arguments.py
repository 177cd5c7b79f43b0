"""What a command line's arguments lead to: suites, labs and recordings. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_netconform.errors import NetconformError
from pytest_netconform.suites.library import LAB_SUFFIX, builtin
from pytest_netconform.suites.loading import SUFFIX


def path_of(argument: str, here: Path) -> Path:
    """Give the path that an argument names, less what it selects inside the file."""
    return (here / argument.partition("::")[0]).resolve()


def with_builtin(argument: str, here: Path) -> str:
    """Give the path of a built-in suite or lab for its id, `labs/x.lab.yaml`, where no such file is here."""
    path, colons, rest = argument.partition("::")
    kind, _, name = path.partition("/")
    if kind not in ("suites", "labs") or (here / path).exists() or not (builtin(kind) / name).exists():
        return argument
    return f"{builtin(kind) / name}{colons}{rest}"


def suite_files(arguments: Iterable[str], here: Path) -> list[Path]:
    """Find the suite files that a command line's arguments lead to."""
    found: list[Path] = []
    for argument in arguments:
        path = path_of(argument, here)
        if path.is_dir():
            found += sorted(path.rglob(f"*{SUFFIX}"))
        elif path.name.endswith(SUFFIX) and path.is_file():
            found.append(path)
    return found


def recordings_apart(arguments: Iterable[str], here: Path) -> tuple[list[str], list[str]]:
    """Tell the recordings among the arguments from what names suites and labs.

    Shape: the recordings, and the others.
    """
    recordings: list[str] = []
    others: list[str] = []
    for argument in arguments:
        (recordings if _is_recording(path_of(argument, here)) else others).append(argument)
    return recordings, others


def _is_recording(path: Path) -> bool:
    """Say whether a path holds recordings: any file but a test's, or a directory with one and no suites."""
    from pytest_netconform.targets.recordings import stores_at

    if path.is_file():
        return path.suffix not in (".yaml", ".yml", ".py")
    if not path.is_dir() or any(any(path.rglob(f"*{suffix}")) for suffix in (SUFFIX, LAB_SUFFIX)):
        return False
    try:
        return next(iter(stores_at(path)), None) is not None
    except NetconformError:
        return False


def rooted(config: pytest.Config) -> None:
    """Put pytest's root, which ids start from, back to where we are, if a recording's path has moved it.

    pytest looks for its root beside all arguments, before it knows which of them are an option's.
    """
    here, root = config.invocation_params.dir, config.rootpath
    is_ours = config.inipath is not None and here.is_relative_to(root)
    if not is_ours and not config.getoption("rootdir", None):
        config._rootpath = here
