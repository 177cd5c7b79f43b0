"""An error as its reader needs it: the line of the test, and what we say of it. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_netconform.errors import NetconformError

OURS = (str(Path(__file__).parents[1]), str(contextlib.__file__))


def shorten(excinfo: Any) -> None:
    """Leave our own frames out of an error that we raised on purpose, and what we made it of."""
    entries = list(_entries(excinfo.value.__traceback__))
    last = entries[-1].tb_frame.f_code if entries else None
    refused = last is not None and last.co_name == "__bool__" and last.co_filename.startswith(OURS)
    if not (isinstance(excinfo.value, NetconformError) or refused):
        return
    shown: TracebackType | None = None
    for entry in reversed(entries):
        if not entry.tb_frame.f_code.co_filename.startswith(OURS):
            shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    if shown is not None:
        excinfo.traceback = type(excinfo.traceback)(shown)
        excinfo.value.__cause__, excinfo.value.__suppress_context__ = None, True


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
