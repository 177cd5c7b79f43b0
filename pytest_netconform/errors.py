"""What can go wrong, by who has to act on it.

A verdict is never an exception: a check that fails is a value (`matching.Judgement`). These are raised where
there is no verdict to give.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_LINES = 40


class NetconformError(Exception):
    """Base of everything that this package raises on purpose; its text is fit to be shown as it is."""


class Unreadable(NetconformError):
    """A fact could not be observed: a missing tool, no permission, output that cannot be parsed.

    It becomes an `Unknown` answer, and so the verdict *error*, whatever the check asserts.
    """


class Untold(Unreadable):
    """What was recorded does not tell of it, be it there or not.

    A check of it is an *error* like any other; a suite of which nothing else is evidence does not apply.
    """


class Gone(Unreadable):
    """What was to be looked at ended meanwhile: it is none of those to judge any more."""


class BuildError(NetconformError):
    """A namespace, device or daemon could not be made; names it, with the kernel's own words."""


class ProbeError(NetconformError):
    """A probe could not be sent, for a reason that has nothing to do with the path."""


class CommandFailed(NetconformError):
    """A command in a node ended with a non-zero status.

    Shape: `argv`, `returncode`, `stdout`, `stderr` as of subprocess, text.
    """

    def __init__(self, where: str, command: str, returncode: int, stdout: str, stderr: str) -> None:
        self.where, self.command, self.returncode = where, command, returncode
        self.stdout, self.stderr = stdout, stderr
        lines = "\n".join(part.rstrip() for part in (stdout, stderr) if part.strip()).splitlines()
        left_out = [f"... {len(lines) - MOST_LINES} lines"] if len(lines) > MOST_LINES else []
        output = "\n".join([*left_out, *lines[-MOST_LINES:]])
        super().__init__(f"{where}: `{command}` exited with {returncode}" + (f"\n{output}" if output else ""))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: `suites/x.suite.yaml:12:9: unknown key 'polcy' (did you mean 'policy'?)`.

    Units: line and column count from 1.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class DocumentError(NetconformError):
    """A suite, lab or recording is broken; holds every problem of it, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
