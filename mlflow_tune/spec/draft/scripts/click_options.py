"""The options and arguments of a script that uses click, from the decorators of its commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_tune.spec.draft.parameter import Parameter, kind_of
from mlflow_tune.spec.draft.scripts.interface import (
    NOT_WRITTEN,
    Interface,
    chosen_command,
    long_flag,
    one_word,
    positional,
    positional_first,
    stem,
    switch,
    two_words,
)
from mlflow_tune.spec.draft.scripts.literals import UNKNOWN
from mlflow_tune.spec.draft.scripts.modules import Function, Module, called, class_named, keyword, owner
from mlflow_tune.text import is_number

HINT = '@click.option("--lr", type=float, default=0.01)'
_TYPES = {
    "int": "int",
    "INT": "int",
    "IntRange": "int",
    "float": "float",
    "FLOAT": "float",
    "FloatRange": "float",
    "str": "string",
    "STRING": "string",
    "bool": "bool",
    "BOOL": "bool",
    "Path": "path",
    "File": "path",
}


@dataclass(frozen=True)
class _Command:
    """A function that click makes a command, and the name of the function of the group that it is of."""

    module: Module
    function: Function
    name: str
    group: str
    is_group: bool


def uses_click(modules: Sequence[Module]) -> bool:
    """Return whether the script itself has commands of click."""
    return modules[0].imports("click") and any(True for _ in _commands(modules[0]))


def click_options(modules: Sequence[Module], entry_point: str) -> Interface:
    """Return what the script's command takes; of a group, the command that `entry_point` names, or the only one.

    Raises InputError when it has several commands and `entry_point` is none of them.
    """
    found = list(_commands(modules[0]))
    leaves = [each for each in found if not each.is_group]
    name = chosen_command([each.name for each in leaves], entry_point, modules[0].path.name)
    command = chosen = next(each for each in leaves if each.name == name)
    words: list[str | Parameter] = [*positional_first(_parameters(command, modules))]
    for _ in found:  # no more groups than commands, whatever they say of one another
        group = next((each for each in found if each.is_group and each.function.name == command.group), None)
        if group is None:
            break
        above = [each for each in _parameters(group, modules) if not each.grouped]
        words = [*above, command.name, *words]
        command = group
    return Interface(words, HINT, chosen.function)


def _commands(module: Module) -> Iterator[_Command]:
    added = {ast.unparse(call.args[0]): owner(call) for call in module.calls("add_command") if call.args}
    for function in module.functions():
        for node in function.decorator_list:
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            if called(call) in ("command", "group"):
                given = module.value(keyword(call, "name", 0))
                name = given if isinstance(given, str) else _command_name(function.name)
                above = added.get(function.name, owner(call))
                yield _Command(module, function, name, above, called(call) == "group")


def _command_name(function: str) -> str:
    name = function.lower().replace("_", "-")
    return re.sub(r"-(command|cmd|group|grp)$", "", name)


def _parameters(command: _Command, modules: Sequence[Module]) -> list[Parameter]:
    calls = [node for node in command.function.decorator_list if isinstance(node, ast.Call)]
    kinds = {"option": _option, "argument": _argument}
    found = [kinds[called(call)](call, command.module, modules) for call in calls if called(call) in kinds]
    return [each for each in found if each is not None]


def _option(call: ast.Call, module: Module, modules: Sequence[Module]) -> Parameter | None:
    written = [module.value(each) for each in call.args]
    declared = [each for each in written if isinstance(each, str)]
    flags = [each for each in declared if each.startswith("-")]
    if not flags:
        return None
    on, _, off = long_flag(flags).partition("/")
    on, off = on.strip(), off.strip()
    name = next((each for each in declared if each not in flags), stem(on)).lower()
    default = _default(call, module)
    if off or module.value(keyword(call, "is_flag")) is True:
        return _switch(call, name, on, off, default)
    kind, choices, bounds = _kind(call, module, modules, default)
    several = module.value(keyword(call, "nargs")) if keyword(call, "nargs") else 1
    stays = _why_it_stays(call, default)
    needed = default is None and (_is_true(call, module, "required") or _is_true(call, module, "prompt"))
    words = two_words if several != 1 or not on.startswith("--") else one_word
    return Parameter(
        name,
        "list" if several != 1 else kind,
        None if default is UNKNOWN else default,
        needed,
        choices,
        *bounds,
        words=words(on, name),
        stays=stays,
    )


def _argument(call: ast.Call, module: Module, modules: Sequence[Module]) -> Parameter | None:
    name = module.value(keyword(call, "name", 0))
    if not isinstance(name, str):
        return None
    name = name.lower().replace("-", "_")
    default = _default(call, module)
    kind, choices, bounds = _kind(call, module, modules, default)
    several = module.value(keyword(call, "nargs")) if keyword(call, "nargs") else 1
    required = keyword(call, "required")
    needed = default is None and several != -1 and (required is None or module.value(required) is True)
    return Parameter(
        name,
        "list" if several != 1 else kind,
        None if default is UNKNOWN else default,
        needed,
        choices,
        *bounds,
        words=positional(name),
        stays=_why_it_stays(call, default),
    )


def _default(call: ast.Call, module: Module) -> Any:
    node = keyword(call, "default")
    return None if node is None else module.value(node)


def _is_true(call: ast.Call, module: Module, name: str) -> bool:
    node = keyword(call, name)
    return node is not None and module.value(node) not in (False, None)


def _why_it_stays(call: ast.Call, default: Any) -> str:
    for name in ("multiple", "count", "flag_value"):
        if keyword(call, name) is not None:
            return f"what it does with a value is its own: {name}"
    return NOT_WRITTEN if default is UNKNOWN else ""


def _switch(call: ast.Call, name: str, on: str, off: str, default: Any) -> Parameter:
    if keyword(call, "flag_value") is not None or default not in (None, False, True):
        return Parameter(name, "bool", stays="its default is neither given nor taken away by it")
    return switch(name, on, off, default)


def _kind(
    call: ast.Call, module: Module, modules: Sequence[Module], default: Any
) -> tuple[str, Sequence[Any], tuple[float | None, float | None]]:
    """Return the type of a value, its choices and its bounds: without a type, click takes that of the default."""
    node = keyword(call, "type")
    if node is None:
        return (*_plain(kind_of(default)), (None, None))
    name = ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
    if name == "Choice" and isinstance(node, ast.Call):
        choices = keyword(node, "choices", 0)
        return "string", _choices_of(choices, module, modules), (None, None)
    ranged = isinstance(node, ast.Call) and name in ("IntRange", "FloatRange")
    ends = [module.value(keyword(node, key, place)) for place, key in enumerate(("min", "max"))] if ranged else []  # type: ignore[arg-type]
    low, high = [end if is_number(end) else None for end in ends] or (None, None)
    return (*_plain(_TYPES.get(name, kind_of(default))), (low, high))


def _plain(kind: str) -> tuple[str, tuple[Any, ...]]:
    """Return the type and the choices of a value: a truth value that is given as a word is one of two."""
    return ("string", (False, True)) if kind == "bool" else (kind, ())


def _choices_of(node: ast.AST | None, module: Module, modules: Sequence[Module]) -> tuple[Any, ...]:
    """Return the choices that are written out, or the values of the enum of that name; () when they are not."""
    values = module.value(node)
    if isinstance(values, tuple):
        return values
    found = class_named(modules, ast.unparse(node)) if node is not None else None
    return tuple(members_of(*found).values()) if found else ()


def members_of(module: Module, enum: ast.ClassDef) -> dict[str, Any]:
    """Return the members of an enum whose values are written out, by name."""
    found = {
        target.id: module.value(node.value)
        for node in enum.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return {name: value for name, value in found.items() if value is not UNKNOWN}
