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

from pytest_netconform.checks.base import KeyedKind
from pytest_netconform.documents.words import quoted
from pytest_netconform.facts.files import File


def see(file: File) -> str:
    return f"cat {quoted(file.path)}"


class FileKind(KeyedKind):
    """Files are asked for by their path."""

    def misnamed(self, name: Any) -> str:
        return "" if name.startswith("/") else f"a file's path starts with '/', got {name!r}"


KIND = FileKind("file", File, "files", see, key="path")
