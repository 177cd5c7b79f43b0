"""`file`: files, as they stand on the target's disk.

```yaml
subnet: {file: {path: /run/flannel/subnet.env, env: {FLANNEL_MTU: 1450}}}
no-loop: {file: {path: /etc/resolv.conf, lines: {none: {match: "^nameserver 127"}}}}
one-cni: {file: {where: {path: /etc/cni/net.d/*.conflist}, count: 1}}
```

Passes where a file matches. Fails where none does: a file that is not there is a fact. Errors where it could not be read.
Rows: `path type size mode target`, and of its contents `text lines env json`.
"""

from __future__ import annotations

from typing import Any

from pytest_netconform.checks.base import Body, Kind, TablePart, selected_by
from pytest_netconform.facts.files import File
from pytest_netconform.matching.at import At
from pytest_netconform.matching.compiling import Context, compile_quantified
from pytest_netconform.matching.references import Names, Template
from pytest_netconform.questions import Question


def see(file: File) -> str:
    return f"cat {file.path}"


class FileKind(Kind):
    """Files cannot be read as a whole table, so the spec must say which, by `path`."""

    def compile(self, spec: Any, at: At, names: Names, *, selecting: bool = False) -> Body | None:
        expected = compile_quantified(spec, at, Context(names, self.row, self.noun), selecting=selecting)
        if expected is None:
            return None
        path = selected_by(expected, "path")
        if not isinstance(path, (str, Template)):
            at.problem("say which: a file needs a path, or in 'where' a pattern of paths")
            return None
        if isinstance(path, str) and not path.startswith("/"):
            at.problem(f"a file's path starts with '/', got {path!r}")
            return None
        return Body(self, (TablePart(self.name, Question("file", path), expected),))


KIND = FileKind("file", File, "files", see)
