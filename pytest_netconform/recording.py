"""The shell script that records a node: `netconform collect`.

It is POSIX sh, and needs of the node only what a node has. What a missing tool would have told is an error of just the checks
that ask for it: each command's exit status is kept, 127 where there is no such command.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from pytest_netconform.errors import DocumentError
from pytest_netconform.kernel.tables import COMMANDS, LEGACY, SYSCTL_CONF, SYSCTL_DIRECTORIES
from pytest_netconform.matching.references import Template
from pytest_netconform.suites.library import builtin_suites
from pytest_netconform.suites.loading import load_suite
from pytest_netconform.suites.model import Query, Suite, queries

TEMPLATE = Path(__file__).with_name("record.sh")
FILES = (
    *(f"{directory}/*.conf" for directory in SYSCTL_DIRECTORIES),
    SYSCTL_CONF,
    "/etc/resolv.conf",
    "/etc/os-release",
    "/etc/cni/net.d/*",
    "/run/flannel/subnet.env",
    "/var/lib/kubelet/config.yaml",
    "/etc/kubernetes/kubelet.conf",
)
"""What is looked for on every node, beside the files that the built-in suites ask for."""


def script() -> str:
    """Write the script, for the questions of this version's suites."""
    text = TEMPLATE.read_text()
    for word, lines in (("COMMANDS", command_lines()), ("FILES", file_lines())):
        text = text.replace(f"#@{word}@\n", "".join(f"{line}\n" for line in lines))
    return text


def command_lines() -> list[str]:
    """Write one line for each command; those that would create tables run only where there are some."""
    lines = []
    for file, argv in COMMANDS.items():
        line = f"record {file} {shlex.join(argv)}"
        if file in LEGACY:
            line = f'if [ -n "$(cat /proc/net/{LEGACY[file]} 2>/dev/null)" ]; then {line}; fi'
        lines.append(f"\t{line}")
    return lines


def file_lines() -> list[str]:
    """Write one line for each path or pattern to look for."""
    asked = {pattern for path in builtin_suites() for pattern in asked_files(path)}
    return [f"look {shlex.quote(pattern)}" for pattern in sorted({*FILES, *asked})]


def asked_files(path: Path) -> list[str]:
    """List the paths that a suite's file questions name; those with references are known only on the node."""
    try:
        suite = load_suite(path)
    except DocumentError:
        return []
    return [
        str(question.of)
        for query in all_queries(suite)
        for part in query.body.parts
        if (question := part.question).table == "file" and not isinstance(question.of, Template)
    ]


def all_queries(suite: Suite) -> list[Query]:
    """List every query of a suite, wherever in it."""
    found = [query for query in suite.variables.values() if isinstance(query, Query)]
    found += queries(suite.when) if suite.when is not None else []
    for check in suite.checks.values():
        found += [query for _, query in check.bindings]
        found += queries(check.condition)
    return found
