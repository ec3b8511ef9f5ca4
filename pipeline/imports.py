"""Which files of ours a file runs: found by following its imports, without executing anything."""

import ast
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


def reached(files: Iterable[Path], without: Collection[Path] = ()) -> set[Path]:
    """The files, and all of ours that they import, directly or not; `without` are not entered."""
    found: set[Path] = set()
    todo = set(files)
    while todo:
        file = todo.pop()
        found.add(file)
        todo |= imported(file) - found - set(without)
    return found


@cache
def imported(file: Path) -> frozenset[Path]:
    """Files of ours that a file imports itself, packages on the way included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = {
        ".".join(name.split(".")[: k + 1]) for name in names for k in range(name.count(".") + 1)
    }
    return frozenset(found for name in parts if (found := _module_file(name)))


def _module_file(name: str) -> Path | None:
    path = ROOT / name.replace(".", "/")
    if (path / "__init__.py").exists():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None
