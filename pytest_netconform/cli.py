"""`netconform`: the commands beside pytest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

CLOSED_DOORS = (
    *("--noconftest", "-c", os.devnull, "--rootdir", "."),
    *("-p", "no:cacheprovider", "-p", "no:tmpdir", "-p", "no:python"),
)
"""Without plugin `python`, pytest runs no test_*.py, nor the __init__.py beside a suite; without `tmpdir`,
xdist makes no directory for its workers.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; gives the process's exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"]:
        check(given[1:])
    options = parser().parse_args(given)
    status: int = options.run(options)
    return status


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="netconform", description="Check a container node's network, and record it."
    )
    commands = top.add_subparsers(required=True, metavar="command")
    checking = commands.add_parser(
        "check",
        add_help=False,
        help="check this node as `pytest --netconform` does, executing and leaving nothing here",
    )
    checking.set_defaults(run=lambda options: check([]))  # noqa: ARG005 - main() hands on what pytest is to get
    listing = commands.add_parser("list", help="list suites with their checks, and labs")
    listing.add_argument("names", nargs="*", metavar="suite", help="only these, each with its checks in full")
    listing.set_defaults(run=list_all)
    collecting = commands.add_parser("collect", help="print the shell script that records a node")
    collecting.set_defaults(run=collect)
    return top


def check(arguments: Sequence[str]) -> NoReturn:
    """Check this node; nothing of the current directory is executed, and no cache is left there.

    Becomes a Python that does not look for modules in the current directory, nor do its children.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--netconform",
        "-rfEs",
        "--assert=plain",
        *CLOSED_DOORS,
        *arguments,
    ]
    os.execve(sys.executable, command, environment)


def list_all(options: argparse.Namespace) -> int:
    """Print the suites and labs that there are."""
    from pytest_netconform.errors import NetconformError
    from pytest_netconform.report.listing import listing

    try:
        print(listing(options.names))
    except NetconformError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def collect(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Print the recording script."""
    from pytest_netconform.recording import script

    print(script(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
