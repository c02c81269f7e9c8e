"""The list of files in the package's map: `python -m tests.support.house_map` writes it anew from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TypeGuard

from tests.fixtures import ROOT

PACKAGE = ROOT / "mlflow_tune"
MAP = PACKAGE / "README.md"
HEADING = "## Every file\n\nWritten by `python -m tests.support.house_map`. In brackets stand the methods of a class.\n"


def files_section() -> str:
    """Return a table for each room: its files, what each holds, and the names that it defines."""
    folders = sorted({path.parent for path in PACKAGE.rglob("*.py")})
    return "\n".join(_table(folder) for folder in folders)


def written_section() -> str:
    """Return the list as it stands in the map."""
    return MAP.read_text().partition(HEADING)[2].strip() + "\n"


def _table(folder: Path) -> str:
    name = folder.relative_to(PACKAGE.parent).as_posix()
    rows = [_row(path) for path in sorted(folder.glob("*.py"))]
    return "\n".join(
        [f"**{name}/**", "", "| file | what it holds | names | inner names |", "| --- " * 4 + "|", *rows, ""]
    )


def _row(path: Path) -> str:
    tree = ast.parse(path.read_text())
    said = (ast.get_docstring(tree) or "").splitlines()[0].replace("|", "\\|")
    outer = [_with_methods(node) for node in tree.body if _is_definition(node) and not node.name.startswith("_")]
    inner = [node.name for node in ast.walk(tree) if _is_definition(node) and re.match("_[a-z]", node.name)]
    return f"| {path.name} | {said} | {', '.join(outer)} | {', '.join(dict.fromkeys(inner))} |"


def _with_methods(node: ast.ClassDef | ast.FunctionDef) -> str:
    methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
    listed = f" ({', '.join(dict.fromkeys(methods))})" if isinstance(node, ast.ClassDef) and methods else ""
    return f"`{node.name}`{listed}"


def _is_definition(node: ast.AST) -> TypeGuard[ast.ClassDef | ast.FunctionDef]:
    return isinstance(node, ast.ClassDef | ast.FunctionDef)


if __name__ == "__main__":
    kept = MAP.read_text().partition(HEADING)[0]
    MAP.write_text(f"{kept}{HEADING}\n{files_section()}")
