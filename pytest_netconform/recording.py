"""The shell script that records a node: `netconform collect`.

It is POSIX sh, and needs of the node only what a node has. What a missing tool would have told is an error of
just the checks that ask for it: each command's exit status is kept, 127 where there is no such command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from glob import has_magic
from itertools import takewhile
from pathlib import Path

from pytest_netconform.facts.sysctls import path_of
from pytest_netconform.kernel.observing.tables import (
    COMMANDS,
    LARGEST_FILE,
    LEGACY,
    SECRET_FILES,
    SECRET_SYSCTLS,
    SYSCTL_FILES,
)
from pytest_netconform.suites.library import builtin_suites
from pytest_netconform.suites.loading import load_suite
from pytest_netconform.suites.model import Query, Suite, queries

TEMPLATE = Path(__file__).with_name("record.sh")
PLACEHOLDER = re.compile(r"^#@([A-Z_]+)@$", re.MULTILINE)
FILES = (
    *SYSCTL_FILES,
    "/etc/resolv.conf",
    "/etc/os-release",
    "/etc/cni/net.d/*",
    "/run/flannel/subnet.env",
    "/var/lib/kubelet/config.yaml",
    "/etc/kubernetes/kubelet.conf",
)
"""What is looked for on every node, beside the files that suites ask for."""


def script(suites: Iterable[Path] = ()) -> str:
    """Write the script, for the questions of the built-in suites and of others.

    Raises: DocumentError for a suite that is broken.
    """
    loaded = [load_suite(path) for path in (*builtin_suites(), *suites)]
    lines = {
        "LARGEST": [f"largest={LARGEST_FILE}"],
        "COMMANDS": command_lines(),
        "SYSCTLS": [f'\tset -- "$@" {shlex.quote(path)}' for path in asked_sysctls(loaded)],
        "SECRET_SYSCTLS": [f'\tset -- "$@" -e {shlex.quote(f"/{name}:")}' for name in SECRET_SYSCTLS],
        "FILES": [f"\tlook {shlex.quote(path)}" for path in asked_files(loaded)],
        "SECRET_FILES": [f"\t{path}) return 0 ;;" for path in SECRET_FILES],
    }
    return PLACEHOLDER.sub(lambda found: "\n".join(lines[found[1]]), TEMPLATE.read_text())


def command_lines() -> list[str]:
    """Write one line for each command; those that would create tables run only where there are some."""
    return [
        f"\tlegacy {LEGACY[file]} {file} {shlex.join(argv)}"
        if file in LEGACY
        else f"\trecord {file} {shlex.join(argv)}"
        for file, argv in COMMANDS.items()
    ]


def asked_files(suites: Iterable[Suite]) -> list[str]:
    """List the paths to look for; those with references are known only on the node."""
    return sorted({*FILES, *asked("file", suites)})


def asked_sysctls(suites: Iterable[Suite]) -> list[str]:
    """List the sysctls to read beside those of net, which are all read; of a pattern, its directory."""
    paths = {path_of(name) for name in asked("sysctl", suites)}
    plain = {"/".join(takewhile(lambda step: not has_magic(step), path.split("/"))) for path in paths}
    return sorted(f"/proc/sys/{path}" for path in plain if path and path.partition("/")[0] != "net")


def asked(table: str, suites: Iterable[Suite]) -> Iterator[str]:
    """Go over what the suites' questions of a table are of, as far as it stands in the files."""
    for suite in suites:
        for query in all_queries(suite):
            for question in query.body.asks():
                if question.table == table and isinstance(question.of, str):
                    yield question.of


def all_queries(suite: Suite) -> Iterator[Query]:
    """Go over every query of a suite, wherever in it."""
    yield from (query for query in suite.variables.values() if isinstance(query, Query))
    if suite.when is not None:
        yield from queries(suite.when)
    for check in suite.checks.values():
        yield from (query for _, query in check.bindings)
        yield from queries(check.condition)
