"""What a script with a LightningCLI takes, from the signatures of its model and of its data module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.parameter import Parameter, kind_of
from mlflow_tune.spec.draft.scripts.interface import (
    DEFAULT_ENTRY_POINT,
    NOT_WRITTEN,
    Interface,
    chosen_command,
    one_word,
)
from mlflow_tune.spec.draft.scripts.literals import UNKNOWN
from mlflow_tune.spec.draft.scripts.modules import Module, class_named, keyword
from mlflow_tune.spec.draft.scripts.signatures import Argument, plain_type, signature
from mlflow_tune.text import is_number

HINT = "an argument lr: float = 0.01 of the model"
_COMMANDS = ("fit", "validate", "test", "predict")


def lightning_call(modules: Sequence[Module]) -> tuple[Module, ast.Call] | None:
    """Return where the script makes its LightningCLI, itself or a class of its own that derives from it; else None."""
    names = {"LightningCLI"}
    for module in modules:
        classes = [node for node in module.nodes if isinstance(node, ast.ClassDef)]
        names |= {each.name for each in classes if any(_last(base) == "LightningCLI" for base in each.bases)}
    return next(((module, call) for module in modules for call in module.calls(*names)), None)


def lightning_flags(modules: Sequence[Module], module: Module, call: ast.Call, entry_point: str) -> Interface:
    """Return what the LightningCLI of this call takes for its model and its data.

    Raises InputError when the model's class is not in the script nor in what it imports from its folder.
    """
    found: list[str | Parameter] = []
    for place, (name, prefix) in enumerate((("model_class", "model"), ("datamodule_class", "data"))):
        node = keyword(call, name, place)
        if module.value(keyword(call, f"subclass_mode_{prefix}")) is not True and node is not None:
            found += _parameters(modules, _last(node), prefix)
    if not found:
        where = f"the class of its model in {module.path.name}, with its arguments, is not found"
        raise InputError(f"{where}: init reads LightningCLI(Model, ...) with a class beside it")
    if module.value(keyword(call, "run")) is False:
        return Interface(found, HINT)
    entry_point = "fit" if entry_point == DEFAULT_ENTRY_POINT else entry_point
    return Interface([chosen_command(_COMMANDS, entry_point, module.path.name), *found], HINT)


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _parameters(modules: Sequence[Module], name: str, prefix: str) -> Iterator[Parameter]:
    found = class_named(modules, name)
    if found is None:
        return
    module, definition = found
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from (_parameter(each, module, prefix) for each in signature(node))
            return
    for base in definition.bases:
        yield from _parameters([each for each in modules if each is not module], _last(base), prefix)


def _parameter(argument: Argument, module: Module, prefix: str) -> Parameter:
    name = f"{prefix}.{argument.name}"
    kind, inner = plain_type(argument.annotation)
    default: Any = None if argument.default is None else module.value(argument.default)
    needed = argument.default is None
    stays = NOT_WRITTEN if default is UNKNOWN else ""
    default = None if default is UNKNOWN else default
    words = one_word(f"--{name}", name)
    if kind == "bool" and isinstance(default, bool):
        return Parameter(name, "string", default, choices=(False, True), words=words)
    choices = module.value(inner) if kind == "Literal" else ()
    if kind == "Literal" and isinstance(choices, tuple):
        return Parameter(name, "string", default, needed, choices, words=words)
    if kind in ("list", "other", "Literal"):
        stays = stays or "its value is no single word"
        kind = "string"
    if argument.annotation is None and is_number(default):
        kind = kind_of(default)
    return Parameter(name, kind, default, needed, words=words, stays="" if needed else stays)
