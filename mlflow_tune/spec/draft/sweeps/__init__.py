"""A W&B sweep file as a study file; what does not carry over is listed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.lines import flow, line, scalar
from mlflow_tune.spec.draft.request import CommandRun, Draft
from mlflow_tune.spec.draft.scripts.modules import read_modules
from mlflow_tune.spec.draft.sections import budget, command_lines, head, limits
from mlflow_tune.spec.draft.sweeps.command import command_words
from mlflow_tune.spec.draft.sweeps.distributions import Converted, converted, on_a_grid
from mlflow_tune.spec.fields import as_line, as_metric, as_text
from mlflow_tune.spec.goals import goal_of
from mlflow_tune.text import as_integer, as_number, at, escaped, short, shown

_STRATEGIES = {
    "grid": ("{name: grid}", "every combination"),
    "random": ("{name: random, seed: 0}", "points at random; the seed makes them the same again"),
    "bayes": ("{name: bayesian, initial: 5, seed: 0}", "after 5 points, where a model promises most"),
}
_READ = ("method", "metric", "parameters", "program", "command", "run_cap", "name", "project")
_USUAL_TRIALS = 20


def is_sweep(form: Any) -> bool:
    """Return whether the mapping of a YAML file is a sweep of W&B."""
    return isinstance(form, Mapping) and "parameters" in form and ("method" in form or "program" in form)


def sweep_draft(
    form: Mapping[str, Any], path: Path, home: Path, metric: str | None = None, experiment: str | None = None
) -> Draft:
    """Return the study file of the sweep in the file `path`; the study file is to lie in `home`, an absolute path.

    `metric` and `experiment` go over what the sweep says. Raises InputError, its key a path in the sweep.
    """
    method = form.get("method", "random")
    if method not in _STRATEGIES:
        raise InputError(f"must be grid, random or bayes, but got {shown(method)}", "method")
    named, goal, known, target = _metric(form, metric)
    parameters = _parameters(form.get("parameters"), method == "grid")
    searched = [key for key, found in parameters.items() if found.form]
    fixed = [key for key, found in parameters.items() if not found.form]
    if not searched:
        raise InputError("none has more than one value, so there is nothing to search", "parameters")
    program = _program(form, path, home)
    words, left = command_words(form.get("command"), program, parameters)
    left = [*_left(form, parameters), *left]
    experiment, why = (experiment, "") if experiment else _experiment(form)
    lines = [
        *head(CommandRun(words, path.name, ""), _name(form, path), experiment, why),
        *_listed(left),
        line("run:", "what one trial runs"),
        *command_lines(words, searched, {}),
        *limits(),
        *_fixed(parameters, fixed),
        "",
        line(f"metric: {scalar(named)}", "what is tuned: a metric that the code logs with MLflow"),
        line(f"goal: {goal}", "minimize or maximize"),
        line("value: last", "which step of the metric counts: last or best"),
        "",
        line("space:", "what is searched"),
        *(
            line(f"  {scalar(key)}: {flow(parameters[key].form)}", parameters[key].left or "as it was")
            for key in searched
        ),
        "",
        *_end(form, method, target),
    ]
    text = "".join(f"{each}\n" for each in lines)
    notes = [*(f"Not carried over: {each}" for each in left), *_of_program(program, home, named)]
    return Draft(text, named, goal, known, searched, fixed, [], notes)


def _program(form: Mapping[str, Any], path: Path, home: Path) -> str | None:
    program = form.get("program")
    if program is None:
        return None
    return os.path.relpath(path.resolve().parent / at("program", as_text, program), home)


def _name(form: Mapping[str, Any], path: Path) -> str:
    return short(form.get("name") or path.stem, 200)


def _experiment(form: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the experiment that stands for the sweep's project, and why it is that one."""
    try:
        return as_line(form.get("project")), "the W&B project of the sweep"
    except InputError:
        return None, ""


def _of_program(program: str | None, home: Path, metric: str) -> list[str]:
    """Return what a person should know of the program: that it logs to W&B, where a study reads MLflow."""
    if program is None or not (home / program).is_file() or Path(program).suffix != ".py":
        return []
    try:
        modules = read_modules(home / program)
    except InputError:
        return []
    if any(module.imports("mlflow") for module in modules) or not any(module.imports("wandb") for module in modules):
        return []
    return [f"{program} logs to W&B alone: let it log {metric} by mlflow.log_metric, which is where a study reads it"]


def _metric(form: Mapping[str, Any], metric: str | None) -> tuple[str, str, bool, float | None]:
    """Return the metric, its goal, whether that is known, and the sweep's target."""
    given = form.get("metric", {})
    if not isinstance(given, Mapping):
        raise InputError(f"must be a mapping with name and goal, but got {shown(given)}", "metric")
    name = metric or given.get("name")
    if name is None:
        raise InputError("the sweep names no metric: name the one to tune by --metric NAME", "metric")
    same = metric in (None, given.get("name"))
    told = (given.get("goal") if same else None) or goal_of(str(name))
    goal = told or "minimize"
    if goal not in ("minimize", "maximize"):
        raise InputError(f"must be minimize or maximize, but got {shown(goal)}", "metric.goal")
    target = at("metric.target", as_number, given["target"]) if same and "target" in given else None
    return at("metric.name", as_metric, name), goal, told is not None, target


def _parameters(given: Any, grid: bool, above: str = "") -> dict[str, Converted]:
    if not isinstance(given, Mapping):
        raise InputError(f"must be a mapping of names to values or ranges, but got {shown(given)}", "parameters")
    found: dict[str, Converted] = {}
    for key, value in given.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and isinstance(value.get("parameters"), Mapping):
            found.update(_parameters(value["parameters"], grid, f"{name}."))
            continue
        try:
            one = converted(name, value)
            found[name] = Converted(on_a_grid(one.form), one.value, one.left) if grid and one.form else one
        except InputError as error:
            raise error.under("parameters" if error.key else f"parameters.{name}") from None
    return found


def _left(form: Mapping[str, Any], parameters: Mapping[str, Converted]) -> Iterator[str]:
    for key in form:
        if key == "early_terminate":
            yield "early_terminate: every trial runs to its end"
        elif key not in _READ:
            yield f"{key}"
    for name, found in parameters.items():
        if found.left:
            yield f"{name}: {found.left}"


def _listed(left: Sequence[str]) -> list[str]:
    return [*(f"# Not carried over: {escaped(each)}" for each in left), ""] if left else []


def _fixed(parameters: Mapping[str, Converted], fixed: Sequence[str]) -> list[str]:
    if not fixed:
        return []
    lines = [line(f"    {scalar(name)}: {scalar(parameters[name].value)}", "its one value") for name in fixed]
    return [line("  parameters:", "fixed: the same in every trial"), *lines]


def _end(form: Mapping[str, Any], method: str, target: float | None) -> list[str]:
    code, said = _STRATEGIES[method]
    trials = at("run_cap", as_integer, form["run_cap"]) if form.get("run_cap") is not None else None
    rules = [line(f"  target: {scalar(target)}", "or when the metric is as good as this")] if target is not None else []
    if trials is not None:
        rules.insert(0, line(f"  trials: {trials}", "after so many trials: its run_cap"))
    elif method != "grid":
        rules.insert(0, line(f"  trials: {_USUAL_TRIALS}", "after so many trials; a sweep without run_cap never ends"))
    stop = [line("stop:", "when the study is done"), *rules] if rules else [line("# stop:", "a grid ends by itself")]
    return [line(f"strategy: {code}", said), *stop, *budget()]
