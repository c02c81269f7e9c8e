"""The options and arguments of a script that uses typer, from the signatures of its commands."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.scripts.click_options import members_of
from mlflow_tune.spec.draft.scripts.interface import (
    NOT_WRITTEN,
    Interface,
    chosen_command,
    long_flag,
    one_word,
    positional,
    positional_first,
    switch,
    two_words,
)
from mlflow_tune.spec.draft.scripts.literals import UNKNOWN
from mlflow_tune.spec.draft.scripts.modules import Function, Module, called, class_named, keyword
from mlflow_tune.spec.draft.scripts.signatures import Argument, plain_type, signature
from mlflow_tune.text import is_number

HINT = "lr: float = 0.01"


def uses_typer(modules: Sequence[Module]) -> bool:
    """Return whether the script itself has commands of typer."""
    return modules[0].imports("typer") and any(True for _ in _commands(modules[0]))


def typer_options(modules: Sequence[Module], entry_point: str) -> Interface:
    """Return what the script's command takes; of several, that which `entry_point` names.

    Raises InputError when it has several commands and `entry_point` is none of them.
    """
    module = modules[0]
    commands = dict(_commands(module))
    name = chosen_command(commands, entry_point, module.path.name)
    own = [_parameter(each, module, modules) for each in signature(commands[name])]
    words: list[str | Parameter] = [*positional_first([each for each in own if each is not None])]
    if len(commands) == 1 and not any(_decorated(function, "callback") for function in module.functions()):
        return Interface(words, HINT, commands[name])
    return Interface([name, *words], HINT, commands[name])


def _commands(module: Module) -> Iterator[tuple[str, Function]]:
    functions = {function.name: function for function in module.functions()}
    for function in functions.values():
        if (call := _decorated(function, "command")) is not None:
            given = module.value(keyword(call, "name", 0))
            yield given if isinstance(given, str) else function.name.lower().replace("_", "-"), function
    for call in module.calls("run"):
        if ast.unparse(call.func) in ("typer.run", "run") and call.args:
            name = ast.unparse(call.args[0])
            if name in functions:
                yield name, functions[name]


def _decorated(function: Function, name: str) -> ast.Call | None:
    calls = (node for node in function.decorator_list if isinstance(node, ast.Call))
    return next((call for call in calls if called(call) == name), None)


def _parameter(argument: Argument, module: Module, modules: Sequence[Module]) -> Parameter | None:
    annotation, told = _unwrapped(argument)
    if ast.unparse(annotation).endswith("Context") if annotation else False:
        return None
    default, needed = _default(argument, told, module, modules)
    kind, choices = _kind(annotation, module, modules)
    texts = [module.value(each) for each in _declarations(told, argument)]
    flags = [each for each in texts if isinstance(each, str) and each.startswith("-")]
    name = argument.name
    stays = NOT_WRITTEN if default is UNKNOWN else "it is given several times" if kind == "list" else ""
    stays = "it declares no type, so a value would be given as text" if annotation is None else stays
    default = None if default is UNKNOWN else default
    if kind == "bool" and not (told is not None and called(told) == "Argument"):
        return _switch(name, long_flag(flags) if flags else "", default)
    bounds = [module.value(keyword(told, key)) if told is not None else None for key in ("min", "max")]
    low, high = (bound if is_number(bound) else None for bound in bounds)
    is_argument = called(told) == "Argument" if told is not None else needed
    flag = long_flag(flags) if flags else f"--{name.replace('_', '-')}"
    words = positional(name) if is_argument else (one_word if flag.startswith("--") else two_words)(flag, name)
    return Parameter(name, kind, default, needed, choices, low, high, words, "" if needed else stays)


def _unwrapped(argument: Argument) -> tuple[ast.expr | None, ast.Call | None]:
    """Return the type of an argument, and the `typer.Option(...)` or `typer.Argument(...)` that tells of it."""
    annotation = argument.annotation
    told = argument.default if isinstance(argument.default, ast.Call) else None
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).rpartition(".")[2] == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        calls = [each for each in parts[1:] if isinstance(each, ast.Call)]
        return parts[0], next((call for call in calls if called(call) in ("Option", "Argument")), None)
    return annotation, told if told is not None and called(told) in ("Option", "Argument") else None


def _declarations(told: ast.Call | None, argument: Argument) -> Sequence[ast.expr]:
    if told is None:
        return ()
    return told.args[1:] if told is argument.default else told.args


def _default(argument: Argument, told: ast.Call | None, module: Module, modules: Sequence[Module]) -> tuple[Any, bool]:
    """Return the default, None where there is none, and whether a value is needed."""
    node = argument.default
    if told is not None and node is told:
        node = keyword(told, "default", 0)
    if node is None or ast.unparse(node) == "...":
        return None, True
    value = module.value(node)
    if value is UNKNOWN and isinstance(node, ast.Attribute):
        found = class_named(modules, ast.unparse(node.value))
        value = members_of(*found).get(node.attr, UNKNOWN) if found else UNKNOWN
    return value, False


def _kind(annotation: ast.expr | None, module: Module, modules: Sequence[Module]) -> tuple[str, tuple[Any, ...]]:
    """Return the type of a value and its choices, from the annotation."""
    kind, inner = plain_type(annotation)
    if kind == "Literal":
        values = module.value(inner)
        return "string", values if isinstance(values, tuple) else (values,)
    if kind == "other" and annotation is not None:
        found = class_named(modules, ast.unparse(inner or annotation))
        members = tuple(members_of(*found).values()) if found else ()
        return "string", members
    return kind, ()


def _switch(name: str, flag: str, default: Any) -> Parameter:
    on, _, off = flag.partition("/")
    usual = f"--{name.replace('_', '-')}"
    off = off or ("" if on else f"--no-{usual.lstrip('-')}")
    return switch(name, on or usual, off, default)
