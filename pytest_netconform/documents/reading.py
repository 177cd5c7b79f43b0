"""`load` and `parse`: from a file or bytes to a document."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pytest_netconform.documents.building import Builder
from pytest_netconform.documents.document import Document, Mark, ReadError, broken
from pytest_netconform.documents.files import START, decode, limited, read, spot_of
from pytest_netconform.documents.syntax import NO_DIRECTIVE, explained
from pytest_netconform.documents.words import harmless
from pytest_netconform.errors import DocumentError, Problem

MOST_PROBLEMS = 100
TAG_DIRECTIVE = re.compile("^%TAG", re.MULTILINE)
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path, name: str | None = None) -> Document:
    """Read one document from a file; *name* stands for it in messages, else its path.

    Raises: DocumentError, with all problems so far, where reading cannot go on.
    """
    shown_name = str(path) if name is None else name
    try:
        return parse(read(path), shown_name)
    except ReadError as error:
        raise Problems(shown_name).stopped(error.mark, error.message) from None


def parse(data: bytes, name: str) -> Document:
    """Read one document from bytes.

    Raises: DocumentError, with all problems so far, where reading cannot go on.
    """
    problems = Problems(name)
    text = ""
    try:
        text = decode(limited(data))
        if found := TAG_DIRECTIVE.search(text):  # thousands of them would take libyaml minutes
            raise ReadError(spot_of(text, found.start()), NO_DIRECTIVE)
        node = Builder(problems.note).build(yaml.parse(text, Loader=Loader))
    except ReadError as error:
        raise problems.stopped(error.mark, error.message) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise problems.stopped(*explained(error, text)) from None
    if node is None or node[0] is None:
        raise problems.stopped(START, "the file is empty")
    return Document(name, *node, problems.found)


class Problems:
    """What is wrong in one file."""

    def __init__(self, name: str) -> None:
        self.name, self.found = harmless(name), list[Problem]()

    def note(self, mark: Mark, message: str) -> None:
        """Note one problem; too many are the end.

        Raises: ReadError.
        """
        if len(self.found) == MOST_PROBLEMS:
            raise ReadError(mark, f"more than {MOST_PROBLEMS} problems; read no further")
        self.found.append(Problem(self.name, mark.line + 1, mark.column + 1, harmless(message)))

    def stopped(self, mark: Mark, message: str) -> DocumentError:
        """Make the error of all that was noted, and of what ended it."""
        last = Problem(self.name, mark.line + 1, mark.column + 1, harmless(message))
        return broken([*self.found, last])
