"""The list of files in the package's map: `python -m tests.support.house_map` writes it anew from the code."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.fixtures import ROOT

PACKAGE = ROOT / "mlflow_tune"
MAP = PACKAGE / "README.md"
HEADING = "## Every file\n"


def files_section() -> str:
    """Return a table for each room: its files, what each holds, and the public names that it defines."""
    folders = sorted({path.parent for path in PACKAGE.rglob("*.py")})
    return "\n".join(_table(folder) for folder in folders)


def written_section() -> str:
    """Return the list as it stands in the map."""
    return MAP.read_text().partition(HEADING)[2].strip() + "\n"


def _table(folder: Path) -> str:
    name = folder.relative_to(PACKAGE.parent).as_posix()
    rows = [f"| {path.name} | {_first_line(path)} | {_names(path)} |" for path in sorted(folder.glob("*.py"))]
    return "\n".join([f"**{name}/**", "", "| file | what it holds | names |", "| --- | --- | --- |", *rows, ""])


def _first_line(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    return said.splitlines()[0].replace("|", "\\|")


def _names(path: Path) -> str:
    defined = (ast.ClassDef, ast.FunctionDef)
    names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, defined)]
    return ", ".join(f"`{name}`" for name in names if not name.startswith("_"))


if __name__ == "__main__":
    kept = MAP.read_text().partition(HEADING)[0]
    MAP.write_text(f"{kept}{HEADING}\n{files_section()}")
