"""The flags of a script that reads its command line with argparse, from its calls of `add_argument`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
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
    two_words,
)
from mlflow_tune.spec.draft.scripts.literals import UNKNOWN
from mlflow_tune.spec.draft.scripts.modules import Module, called, keyword, owner
from mlflow_tune.text import is_number

HINT = 'parser.add_argument("--lr", type=float, default=0.01)'
_TYPES = {"int": "int", "float": "float", "str": "string", "Path": "path", "pathlib.Path": "path"}
_SEVERAL = ("+", "*")


@dataclass(frozen=True)
class _Argument:
    """One call of `add_argument`."""

    module: Module
    call: ast.Call

    def value(self, name: str) -> Any:
        """Return an option of the call: None when it is not given, UNKNOWN when it is not written out."""
        node = keyword(self.call, name)
        return None if node is None else self.module.value(node)

    def text(self, name: str) -> str:
        """Return an option as it stands in the text, "" when it is not given."""
        node = keyword(self.call, name)
        return "" if node is None else ast.unparse(node)

    @property
    def action(self) -> str:
        """The action: the text itself where it is a text, else the last part of a class's name."""
        value = self.value("action")
        return value if isinstance(value, str) else self.text("action").rpartition(".")[2]


def uses_argparse(modules: Sequence[Module]) -> bool:
    """Return whether any of the modules declares an argument."""
    return any(True for module in modules for _ in module.calls("add_argument"))


def argparse_flags(modules: Sequence[Module], entry_point: str) -> Interface:
    """Return what a script takes: the arguments of its own text, else those of the modules that it imports.

    Raises InputError when it has several commands and `entry_point` is none of them.
    """
    first = next(([module] for module in modules[:1] if uses_argparse([module])), list(modules))
    parsers = _Parsers(first)
    command = chosen_command(parsers.commands, entry_point, modules[0].path.name) if parsers.commands else ""
    own = parsers.arguments(command) if command else []
    whole = parsers.arguments("")
    before = _parameters(whole, parsers)
    if not command:
        return Interface(positional_first(before), HINT)
    return Interface([*(each for each in before if not each.grouped), command, *_parameters(own, parsers)], HINT)


class _Parsers:
    """Which variable holds which parser: that of the script, of one of its commands, a group of one, a parent."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self.modules = modules
        self.commands: dict[str, set[str]] = {}
        self.exclusive: set[str] = set()
        self.defaults: dict[str, Any] = {}
        self._within: dict[str, str] = {}
        self._parents: set[str] = set()
        for module in modules:
            for node in module.nodes:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                    self._note(module, [ast.unparse(target) for target in node.targets], node.value)
            for call in module.calls("add_parser"):
                self._note(module, [], call)
            for call in module.calls("set_defaults"):
                self.defaults.update({each.arg: module.value(each.value) for each in call.keywords if each.arg})

    def _note(self, module: Module, targets: Sequence[str], call: ast.Call) -> None:
        kind = called(call)
        if kind in ("add_argument_group", "add_mutually_exclusive_group"):
            self._within.update(dict.fromkeys(targets, owner(call)))
            if kind == "add_mutually_exclusive_group":
                self.exclusive.update(targets)
        if kind in ("add_parser", "ArgumentParser"):
            parents = keyword(call, "parents")
            given = [ast.unparse(each) for each in parents.elts] if isinstance(parents, ast.List | ast.Tuple) else []
            self._parents.update(given if kind == "add_parser" else ())
            self._within.update(dict.fromkeys(given, targets[0]) if kind == "ArgumentParser" and targets else {})
            name = module.value(keyword(call, "name", 0)) if kind == "add_parser" else None
            if isinstance(name, str):
                self.commands.setdefault(name, set()).update([*targets, *given])

    def arguments(self, command: str) -> list[_Argument]:
        """Return the arguments of a command; of "" those of the script itself."""
        return [
            _Argument(module, call)
            for module in self.modules
            for call in module.calls("add_argument")
            if self._is_of(owner(call), command)
        ]

    def _is_of(self, variable: str, command: str) -> bool:
        seen: set[str] = set()
        while variable in self._within and variable not in seen:
            seen.add(variable)
            variable = self._within[variable]
        if command:
            return variable in self.commands[command]
        return variable not in self._parents.union(*self.commands.values())


def _parameters(arguments: Sequence[_Argument], parsers: _Parsers) -> list[Parameter]:
    found: dict[str, Parameter] = {}
    for argument in arguments:
        flags = [argument.module.value(each) for each in argument.call.args]
        if flags and all(isinstance(flag, str) and flag for flag in flags):
            parameter = _parameter(argument, flags, parsers)
            if parameter is not None:
                found.setdefault(parameter.name, parameter)
    return list(found.values())


def _parameter(argument: _Argument, flags: list[str], parsers: _Parsers) -> Parameter | None:
    named = flags[0].startswith("-")
    given = argument.value("dest")
    name = given if isinstance(given, str) else stem(long_flag(flags)) if named else flags[0]
    default = argument.value("default")
    default = parsers.defaults.get(name, default)
    if argument.action in ("help", "version"):
        return None
    if owner(argument.call) in parsers.exclusive:
        return Parameter(name, stays="it excludes others")
    if argument.action in ("store_true", "store_false", "BooleanOptionalAction"):
        return _switch(name, long_flag(flags), argument.action, default)
    if argument.action not in ("", "store"):
        return Parameter(name, stays=f"what it does with a value is its own: action={argument.action}")
    return _valued(argument, name, flags, default)


def _switch(name: str, flag: str, action: str, default: Any) -> Parameter:
    usual = {"store_true": (None, False), "store_false": (None, True), "BooleanOptionalAction": (False, True)}[action]
    if default not in usual or (default is not None and not isinstance(default, bool)):
        return Parameter(name, "bool", stays="its default is neither given nor taken away by it")
    if action == "BooleanOptionalAction" and default:
        flag = f"--no-{flag.lstrip('-')}"
    word = name if action == "store_true" else stem(flag)
    return Parameter(word, "bool", False, words=two_words(flag, word))


def _valued(argument: _Argument, name: str, flags: list[str], default: Any) -> Parameter:
    named = flags[0].startswith("-")
    count = argument.value("nargs")
    several = count in _SEVERAL or (isinstance(count, int) and not isinstance(count, bool))
    optional = count in ("?", "*") or (named and argument.value("required") is not True)
    written = argument.value("choices")
    choices = written if isinstance(written, tuple) and not several else ()
    flag = long_flag(flags)
    words = (two_words if several else one_word)(flag, name) if named else positional(name)
    kind, stays = _kind(argument, default, choices)
    if default is UNKNOWN or written is UNKNOWN or count is UNKNOWN:
        stays = stays or (NOT_WRITTEN if default is UNKNOWN else "what it takes is not written out")
        default = None if default is UNKNOWN else default
    if several:
        kind = "list"
    return Parameter(
        name, kind, default, not optional and default is None, choices, words=words, stays="" if not optional else stays
    )


def _kind(argument: _Argument, default: Any, choices: Sequence[Any]) -> tuple[str, str]:
    """Return of which type the values are, and why a study must give none."""
    text = argument.text("type")
    if text in _TYPES:
        return _TYPES[text], ""
    if text == "bool":
        return "string", "type=bool takes any text for true"
    if text:
        if is_number(default):  # such as a function that checks the number
            return kind_of(default), ""
        return "string", "" if choices else f"what {text} takes is not to be told"
    if is_number(default) or not all(isinstance(each, str) for each in choices):
        return "string", "it declares no type, so a value would be given as text"
    return "string", ""
