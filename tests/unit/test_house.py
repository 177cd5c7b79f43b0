"""The house of DESIGN: a file imports only from lower floors, or from its own folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pytest_netconform"
FLOORS = {
    "plugin": 9, "cli": 9, "collect": 8, "fixtures": 8, "report": 7, "labs": 6, "fabrics": 5, "twin": 5,
    "recording": 5, "suites": 4, "topology": 4, "explain": 4, "nodes": 3.5, "targets": 3, "checks": 2,
    "probes": 2, "kernel": 1, "matching": 0.3, "questions": 0.2, "verdicts": 0.2, "facts": 0.1,
    "documents": 0.1, "models": 0.1, "errors": 0,
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported(path: Path) -> set[str]:
    """List the rooms that a file imports from, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_netconform"):
            parts = (node.module or "").split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("pytest_netconform.")
            }
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_from_lower_floors_only(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        assert not imported(path)
        return
    wrong = {
        name
        for name in imported(path)
        if name != "__version__" and name != here and not FLOORS[name] < FLOORS[here]
    }
    assert not wrong, f"{here} (floor {FLOORS[here]}) imports {sorted(wrong)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_stands_on_a_floor(path: Path) -> None:
    assert room(path) in FLOORS or room(path) == "__init__"
