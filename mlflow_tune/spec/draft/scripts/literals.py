"""Values that stand in a program's text: read where they are written out, never computed by running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mlflow_tune.text import is_number

UNKNOWN: Final = object()  # what is not written out
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_LARGEST = 10**6
_MOST_ITEMS = 50


def value_of(node: ast.AST | None, names: Mapping[str, ast.AST], depth: int = 5) -> Any:
    """Return the value of an expression, UNKNOWN unless it is written out; `names` are what its module assigns.

    Lists, tuples and sets are tuples, a dict is the tuple of its keys.
    """
    if depth < 0 or node is None:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return node.value
    read = _READERS.get(type(node))
    return UNKNOWN if read is None else read(node, names, depth)


def _negated(node: ast.UnaryOp, names: Mapping[str, ast.AST], depth: int) -> Any:
    number = value_of(node.operand, names, depth - 1)
    return -number if isinstance(node.op, ast.USub) and is_number(number) else UNKNOWN


def _computed(node: ast.BinOp, names: Mapping[str, ast.AST], depth: int) -> Any:
    left, right = (value_of(each, names, depth - 1) for each in (node.left, node.right))
    known = _OPERATORS.get(type(node.op))
    if known is None or not all(is_number(each) and abs(each) <= _LARGEST for each in (left, right)):
        return UNKNOWN
    if known is operator.pow and abs(right) > 64:
        return UNKNOWN
    try:
        value = known(left, right)
    except (ArithmeticError, ValueError):
        return UNKNOWN
    return value if is_number(value) else UNKNOWN


def _items(nodes: Sequence[ast.AST | None], names: Mapping[str, ast.AST], depth: int) -> Any:
    values = tuple(value_of(each, names, depth - 1) for each in nodes)
    return UNKNOWN if any(each is UNKNOWN for each in values) else values


def _called(call: ast.Call, names: Mapping[str, ast.AST], depth: int) -> Any:
    """Return what list(...), sorted(...), range(...) and `.keys()` give, and what `field(default=...)` is."""
    function = ast.unparse(call.func)
    values = [value_of(each, names, depth - 1) for each in call.args]
    if function in ("list", "tuple", "sorted") and len(values) == 1 and isinstance(values[0], tuple):
        texts = all(isinstance(each, str) for each in values[0])
        return tuple(sorted(values[0])) if function == "sorted" and texts else values[0]
    if function == "range" and 1 <= len(values) <= 3 and all(type(each) is int for each in values):
        try:
            numbers = range(*values)
        except ValueError:
            return UNKNOWN
        return tuple(numbers) if len(numbers) <= _MOST_ITEMS else UNKNOWN
    if isinstance(call.func, ast.Attribute) and call.func.attr == "keys" and not call.args:
        return value_of(call.func.value, names, depth - 1)
    return UNKNOWN


_READERS: dict[type[ast.AST], Callable[[Any, Mapping[str, ast.AST], int], Any]] = {
    ast.Name: lambda node, names, depth: value_of(names.get(node.id), names, depth - 1),
    ast.UnaryOp: _negated,
    ast.BinOp: _computed,
    ast.List: lambda node, names, depth: _items(node.elts, names, depth),
    ast.Tuple: lambda node, names, depth: _items(node.elts, names, depth),
    ast.Set: lambda node, names, depth: _items(node.elts, names, depth),
    ast.Dict: lambda node, names, depth: _items(node.keys, names, depth),
    ast.Call: _called,
}
