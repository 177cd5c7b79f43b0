"""Topologies from YAML files, and from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_netconform.documents import Document, KeyPath, load, validate
from pytest_netconform.errors import BuildError
from pytest_netconform.topology.plan import Topology

SUFFIX = ".topology.yaml"


def load_topology(path: Path, file: str | None = None) -> Topology:
    """Read a topology file; *file* is its name in messages.

    Raises: DocumentError with every problem, each with its line and column; BuildError for a file of another
            name.
    """
    if not path.name.endswith(SUFFIX):
        raise BuildError(f"{path}: the name of a topology's file ends in {SUFFIX}")
    document = load(path, file or str(path))
    topology = _read(document)
    if topology and topology.name != (stem := path.name.removesuffix(SUFFIX)):
        document.report(
            ("topology",), f"a topology has its file's name: expected {stem!r}, got {topology.name!r}"
        )
    document.check()
    assert topology is not None, "a topology that could not be made has reported why"
    return topology


def topology_of(
    nodes: Mapping[str, Any] | list[str], links: Mapping[str, Any], *, name: str = "topology", title: str = ""
) -> Topology:
    """Make a topology of the same keys as in a file.

    Raises: BuildError with every problem, each with the keys that lead to it.
    """
    declared = _Declared({"topology": name, "title": title, "nodes": nodes, "links": links})
    topology = _read(declared)
    declared.check()
    assert topology is not None, "a topology that could not be made has reported why"
    return topology


class _Declared(Document):
    """What is declared in Python: a problem stands at its keys, not at a line."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.name = data, str(data["topology"])
        self._told: list[str] = []

    def report(self, path: KeyPath, message: str, key: bool = False) -> None:  # noqa: ARG002
        self._told.append(f"{self.name}: {'.'.join(map(str, path))}: {message}")

    def check(self) -> None:
        if self._told:
            raise BuildError("\n".join(dict.fromkeys(self._told)))


def _read(document: Document) -> Topology | None:
    from pytest_netconform.topology.checking import planned  # pydantic takes 80 ms to import
    from pytest_netconform.topology.envelope import TopologyModel

    model = validate(document, (), TopologyModel)
    return planned(document, model) if model else None
