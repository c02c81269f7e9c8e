"""Signatures of functions, as they stand in the text of a program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_tune.spec.draft.scripts.modules import Function

_PLAIN = {"int": "int", "float": "float", "bool": "bool", "str": "string", "Path": "path"}
_LISTS = ("List", "list", "Tuple", "tuple", "Sequence", "Set", "set")


@dataclass(frozen=True)
class Argument:
    """An argument of a function: its annotation and its default as expressions, None where there is none."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None


def signature(function: Function) -> Iterator[Argument]:
    """Yield the arguments that bear a name, but for `self`, in the order of the text."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults]
    for each, default in [
        *zip(plain, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]:
        if each.arg not in ("self", "cls"):
            yield Argument(each.arg, each.annotation, default)


def plain_type(annotation: ast.expr | None) -> tuple[str, ast.expr | None]:
    """Return the type that an annotation names as a parameter has it, and the expression that names it.

    `Optional[int]` and `int | None` are int, a list of anything is "list", `Literal` itself comes with its values,
    "other" is what is none of these, and no annotation "string".
    """
    if annotation is None:
        return "string", None
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _of_text(annotation.value)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [side for side in (annotation.left, annotation.right) if ast.unparse(side) != "None"]
        return plain_type(sides[0]) if len(sides) == 1 else ("other", None)
    if isinstance(annotation, ast.Subscript):
        return _subscripted(annotation)
    name = ast.unparse(annotation).rpartition(".")[2]
    return ("list" if name in _LISTS else _PLAIN.get(name, "other")), annotation


def _subscripted(annotation: ast.Subscript) -> tuple[str, ast.expr | None]:
    outer = ast.unparse(annotation.value).rpartition(".")[2]
    if outer == "Optional":
        return plain_type(annotation.slice)
    kind = "list" if outer in _LISTS else "Literal" if outer == "Literal" else "other"
    return kind, annotation if kind == "other" else annotation.slice


def _of_text(text: str) -> tuple[str, ast.expr | None]:
    try:
        return plain_type(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return "other", None
