"""Scripts: what they take on their command line, what they log and where, read from their text and never run."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.request import CommandRun, DraftRequest
from mlflow_tune.spec.draft.scripts.argparse_flags import argparse_flags, uses_argparse
from mlflow_tune.spec.draft.scripts.click_options import click_options, uses_click
from mlflow_tune.spec.draft.scripts.hydra_config import hydra_config, hydra_main
from mlflow_tune.spec.draft.scripts.interface import Interface
from mlflow_tune.spec.draft.scripts.lightning_cli import lightning_call, lightning_flags
from mlflow_tune.spec.draft.scripts.metrics import metrics_in
from mlflow_tune.spec.draft.scripts.modules import Module, keyword, owner, read_modules
from mlflow_tune.spec.draft.scripts.typer_options import typer_options, uses_typer
from mlflow_tune.spec.fields import as_line

__all__ = ["script_request"]


def script_request(
    script: Path, home: Path, entry_point: str, metrics: Sequence[str] = (), experiment: str | None = None
) -> DraftRequest:
    """Return for what to draft a study of a script; the study file is to lie in `home`, an absolute path.

    `metrics` and `experiment` are what a person has asked for. Raises InputError when the script takes nothing that can
    be read, and when its command cannot be told.
    """
    try:
        return _request(read_modules(script), home, entry_point, metrics, experiment)
    except RecursionError:
        raise InputError(f"{str(script)!r} is nested too deeply to be read for its parameters") from None


def _request(
    modules: Sequence[Module], home: Path, entry_point: str, metrics: Sequence[str], experiment: str | None
) -> DraftRequest:
    script = modules[0].path
    found = _interface(modules, entry_point)
    parameters = [each for each in found.words if isinstance(each, Parameter)]
    logged = [each for each in _logged(modules, found) if each not in metrics]
    run = CommandRun([*started(modules, home), *found.words], script.name, found.hint)
    request = DraftRequest(run, script.stem, parameters, [*metrics, *logged], experiment)
    return _in_its_experiment(request, modules)


def _logged(modules: Sequence[Module], found: Interface) -> list[str]:
    """Return the metrics that the command logs itself, else those that the script and its modules log."""
    own = metrics_in([list(ast.walk(found.command))]) if found.command is not None else []
    return own or metrics_in(module.nodes for module in modules)


def _in_its_experiment(request: DraftRequest, modules: Sequence[Module]) -> DraftRequest:
    """Return the request for code that chooses an experiment or a server of its own, where MLflow binds no run."""
    script = modules[0].path.name
    if any(owner(call) in ("mlflow", "") for module in modules for call in module.calls("set_tracking_uri")):
        why = f"{script} sets a tracking server of its own: its runs are found there"
        note = f"{script} sets a tracking server of its own: the study has to use the same (--tracking-uri)"
        return replace(request, follows=why, notes=[*request.notes, note])
    calls = [(module, call) for module in modules for call in module.calls("set_experiment")]
    for module, call in calls:
        if owner(call) not in ("mlflow", ""):
            continue
        name = _text(module, keyword(call, "experiment_name", 0), request.parameters)
        if name is not None and request.experiment in (None, name):
            return replace(request, experiment=name, why_experiment=f"the one that {script} sets")
        return replace(request, follows=f"{script} sets an experiment of its own: its runs are found there")
    return request


def _text(module: Module, node: ast.AST | None, parameters: Sequence[Parameter]) -> str | None:
    """Return a text that is written out, or the default of the parameter whose value it is; else None."""
    value = module.value(node)
    if isinstance(node, ast.Attribute | ast.Name) and not isinstance(value, str):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        value = next((each.default for each in parameters if each.name == name), None)
    try:
        return as_line(value)
    except InputError:
        return None


def _interface(modules: Sequence[Module], entry_point: str) -> Interface:
    """Return what the script, the first of the modules, takes; of several commands, that which `entry_point` names.

    Raises InputError when it takes nothing that init can read, and when the command cannot be told.
    """
    script = modules[0]
    if (main := hydra_main(script)) is not None:
        return hydra_config(script, main)
    if (found := lightning_call(modules)) is not None:
        return lightning_flags(modules, *found, entry_point)
    if uses_typer(modules):
        return typer_options(modules, entry_point)
    if uses_click(modules):
        return click_options(modules, entry_point)
    if uses_argparse(modules):
        return argparse_flags(modules, entry_point)
    raise InputError(
        f"{script.path.name} takes nothing that init can read: argparse, click, typer, a Hydra configuration or a "
        "LightningCLI. Write a study file by hand, with run.command or run.function"
    )


def started(modules: Sequence[Module], home: Path) -> list[str]:
    """Return the words that start the script from the folder `home`: with -m where it imports relative to a package.

    Raises InputError when it does, and the package does not lie in `home`.
    """
    script = modules[0].path.resolve()
    if not any(isinstance(node, ast.ImportFrom) and node.level for node in modules[0].nodes):
        return ["python", os.path.relpath(script, home)]
    root = next(folder for folder in script.parents if not (folder / "__init__.py").is_file())
    if root != home:
        where = os.path.relpath(root, Path.cwd())
        raise InputError(f"{script.name} is part of a package and runs from {where!r}: give -o {where}/study.yaml")
    return ["python", "-m", ".".join(script.relative_to(root).with_suffix("").parts)]
