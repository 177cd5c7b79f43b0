"""`netconform`: the commands beside pytest."""

from __future__ import annotations

import argparse
import os
import signal
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


CHECKING = """\
Checks this node against the built-in suites that apply to it, or against suites of your own, and changes
nothing. Nothing of the current directory is executed, and nothing is left there.

  netconform check                                           all that applies here
  netconform check suites/linux.suite.yaml mine.suite.yaml   these
  netconform check mine.suite.yaml::forwarding               one check
  netconform check --netconform-replay node1.tar             a recording
"""
OFTEN = {
    "-k": ("WORDS", "only what has these words in its name, suite or severity"),
    "-m": ("MARK", "only such, as in \"netconform(severity='blocker')\""),
    "-v": ("", "name each check"),
    "-n": ("NUMBER", "in so many processes"),
    "--junitxml": ("FILE", "write a JUnit report"),
    "--alluredir": ("DIRECTORY", "write results for Allure"),
    "--netconform-replay": ("PATH", "judge recordings instead of this node"),
    "--netconform-withhold": ("fault|fix", "run labs without it, to see that they then fail"),
}
"""The options of pytest and of ours that serve a node."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; gives the process's exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"] and not {"-h", "--help"} & set(given[1:]):
        check(given[1:])
    options = parser().parse_args(given)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `netconform collect | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="netconform", description="Check a container node's network, and record it."
    )
    commands = top.add_subparsers(required=True, metavar="command")
    checking = commands.add_parser(
        "check",
        usage="netconform check [PATH ...] [option ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="check this node as `pytest --netconform` does, executing and leaving nothing here",
        description=CHECKING,
        epilog="All other options are pytest's own: `pytest --help` lists them.",
    )
    checking.add_argument(
        "paths", nargs="*", metavar="PATH", help="a suite or a lab, or one check of a suite"
    )
    for option, (value, meaning) in OFTEN.items():
        if value:
            checking.add_argument(option, metavar=value, help=meaning)
        else:
            checking.add_argument(option, action="store_true", help=meaning)
    listing = commands.add_parser("list", help="list suites with their checks, kinds and labs")
    listing.add_argument(
        "names", nargs="*", metavar="name", help="only these suites, kinds and files, each in full"
    )
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
