"""`file`: files, as they stand on the target's disk.

```yaml
subnet: {file: {path: /run/flannel/subnet.env, env: {FLANNEL_MTU: 1450}}}
no-loop: {file: {path: /etc/resolv.conf, lines: {none: {match: "^nameserver 127"}}}}
one-cni: {file: {where: {path: /etc/cni/net.d/*.conflist}, count: 1}}
```

Passes where a file matches. Fails where none does: a file that is not there is a fact. Errors where it could
not be read.
Rows: `path type size mode target`, and of its contents `text lines env json`.
"""

from __future__ import annotations

from typing import Any

from pytest_netconform.checks.base import NO_DEPTH, Body, KeyedKind
from pytest_netconform.checks.parts import Rows, TablePart
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.files import File
from pytest_netconform.matching.at import At
from pytest_netconform.matching.base import Value
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.references import Scope
from pytest_netconform.matching.rows import Fields
from pytest_netconform.verdicts import Judgement, erred


def see(file: File) -> str:
    return f"cat {quoted(file.path)}"


CONTENT = frozenset({"text", "lines", "env", "json"})


class FilePart(TablePart):
    """Files, of which the content of some is not read: it is not known to be without what is asked for."""

    def bind(self, scope: Scope) -> FilePart:
        part = super().bind(scope)
        return FilePart(part.kind, part.question, part.expected)

    def judge(self, rows: Rows, before: Rows | None) -> Judgement:
        unread = next((row for row in rows if isinstance(row, File) and unread_because(row)), None)
        if unread is not None and asks_for_content(self.expected):
            return erred(f"file {unread.path}: its content is not read, {unread_because(unread)}")
        return super().judge(rows, before)


def unread_because(file: File) -> str:
    """Say why what is in a file is not known; empty where it is, or where there cannot be anything in it."""
    if file.text is not None or file.type not in ("file", "other"):
        return ""
    return "being a secret or over 1 MiB" if file.type == "file" else "since it is a pipe or a socket"


def asks_for_content(value: Value) -> bool:
    """Say whether an expectation names what stands in a file, anywhere in it."""
    if isinstance(value, Fields) and any(value.field(name) is not None for name in CONTENT):
        return True
    return any(isinstance(part, Value) and asks_for_content(part) for part in value.inner())


class FileKind(KeyedKind):
    """Files are asked for by their path."""

    def compile(self, spec: Any, at: At, context: Context) -> Body | None:
        body = super().compile(spec, at, context)
        if body is None:
            return None
        parts = (part for part in body.parts if isinstance(part, TablePart))
        return Body(self, tuple(FilePart(part.kind, part.question, part.expected) for part in parts))

    def misnamed(self, name: Any) -> str:
        if "**" in name:
            return NO_DEPTH
        return "" if name.startswith("/") else f"a file's path starts with '/', got {name!r}"


KIND = FileKind("file", File, "files", see, key="path")
