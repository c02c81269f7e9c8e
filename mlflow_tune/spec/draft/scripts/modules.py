"""A script and the modules beside it that it imports, as syntax trees: nothing of them is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.scripts.literals import value_of

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_MODULES = 40
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Module:
    """A file of Python: the values of its names, and the statements that count.

    Of an imported module the block under `if __name__ == "__main__"` does not count.
    """

    path: Path
    names: Mapping[str, ast.AST]
    nodes: Sequence[ast.AST]

    def value(self, node: ast.AST | None) -> Any:
        """Return the value of an expression, UNKNOWN unless it is written out."""
        return value_of(node, self.names)

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Yield the calls of functions or methods of these names, in the order of the text."""
        found = (node for node in self.nodes if isinstance(node, ast.Call) and called(node) in names)
        yield from sorted(found, key=lambda call: (call.lineno, call.col_offset))

    def functions(self) -> Iterator[Function]:
        """Yield the functions, in the order of the text."""
        found = (node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        yield from sorted(found, key=lambda function: function.lineno)

    def imports(self, *packages: str) -> bool:
        """Return whether one of the packages is imported."""
        return any(name.partition(".")[0] in packages for _, name in _imported(self.nodes))


def read_modules(script: Path) -> list[Module]:
    """Return the script and, after it, the modules that it imports from its own folder, the nearest first.

    Raises InputError when the script itself cannot be read as Python; others are then left out.
    """
    modules = [_read(script, True)]
    seen = {script.resolve()}
    for module in modules:
        for path in _local(module, script.parent):
            if path.resolve() in seen or len(modules) >= _MOST_MODULES:
                continue
            seen.add(path.resolve())
            try:
                modules.append(_read(path, False))
            except InputError:
                continue
    return modules


def called(call: ast.Call) -> str:
    """Return the name of the function or method that is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def owner(call: ast.Call) -> str:
    """Return the text of what the method is called on; "" for a function."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def keyword(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """Return the argument of this name, or at this position; None when it is not given."""
    for each in call.keywords:
        if each.arg == name:
            return each.value
    return call.args[position] if position is not None and position < len(call.args) else None


def class_named(modules: Sequence[Module], name: str) -> tuple[Module, ast.ClassDef] | None:
    """Return the class of this name with its module; None when no module defines it."""
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
    return None


def _read(path: Path, is_script: bool) -> Module:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{str(path)!r} is too large to be read for its parameters")
        tree = ast.parse(path.read_bytes())
        body = [node for node in tree.body if is_script or not _is_main_guard(node)]
        nodes = [inner for node in body for inner in ast.walk(node)]
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        raise InputError(f"{str(path)!r} is no Python that can be read{where}") from None
    return Module(path, _names(body, nodes), nodes)


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _names(body: Sequence[ast.stmt], nodes: Sequence[ast.AST]) -> dict[str, ast.AST]:
    """Return what is assigned to names that are assigned once, those of the module first."""
    found: dict[str, list[ast.AST]] = {}
    top = {id(node) for node in body}
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if id(node) in top and isinstance(node, ast.Assign | ast.AnnAssign) and value is not None:
            for target in targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _imported(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the level and the name of each import: of `from .a import b` 1, `a.b` and 1, `a`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((0, each.name) for each in node.names)
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.level, f"{base}.{each.name}".strip(".")) for each in node.names)
            if base:
                yield node.level, base


def _local(module: Module, folder: Path) -> Iterator[Path]:
    for level, name in _imported(module.nodes):
        base = folder if level == 0 else module.path.parent
        for _ in range(level - 1):
            base = base.parent
        path = base.joinpath(*name.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                yield file
