"""A commented study file for a project that has none, from what its MLproject declares."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_tune.errors import InputError
from mlflow_tune.space import Scalar, check_name
from mlflow_tune.space.declared import DeclaredParameter
from mlflow_tune.spec.draft.guess import Guess, guess, number_of
from mlflow_tune.spec.draft.metrics import goal_of, logged_metrics
from mlflow_tune.spec.fields import as_parameters
from mlflow_tune.strategies import reserved_names
from mlflow_tune.text import escaped, shown
from mlflow_tune.text.yaml import load_yaml

__all__ = ["Draft", "DraftRequest", "draft", "logged_metrics"]

MOST_SEARCHED = 6
_COLUMN = 48
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}


@dataclass(frozen=True)
class DraftRequest:
    """What a study is drafted for. `metrics` are those that the project logs, the one to tune first."""

    project: str
    entry_point: str
    name: str
    parameters: Sequence[DeclaredParameter]
    metrics: Sequence[str]
    experiment: str | None = None


@dataclass(frozen=True)
class Draft:
    """A study file and what is to be said of it.

    `searched` and `fixed` are names of parameters, `missing` those that need a value before the study can run.
    `goal_known` tells whether the metric's name says which way is better.
    """

    text: str
    metric: str
    goal: str
    goal_known: bool
    searched: list[str]
    fixed: list[str]
    missing: list[str]


def draft(request: DraftRequest) -> Draft:
    """Return a study file that tunes the numeric parameters of the request, each line with a comment.

    Raises InputError when there is nothing to search, and when a parameter that needs a value has a name that MLflow
    takes for no param.
    """
    guesses = {each.name: guess(each) for each in request.parameters if _nameable(each)}
    worth = sorted((each for each in guesses if not guesses[each].fixed), key=lambda each: guesses[each].importance)
    searched = [name for name in guesses if name in worth[:MOST_SEARCHED]]
    if not searched:
        raise InputError(_nothing_to_search(request))
    missing = [each.name for each in request.parameters if each.default is None]
    goal = goal_of(request.metrics[0])
    lines = [
        *_head(request),
        *_run(request, guesses, searched),
        *_metric(request, goal),
        *_space_lines(request, guesses, searched),
        *_end(),
    ]
    fixed = [each.name for each in request.parameters if each.name not in (*searched, *missing)]
    text = "".join(f"{line}\n" for line in lines)
    return Draft(text, request.metrics[0], goal or "minimize", goal is not None, searched, fixed, missing)


def _nameable(parameter: DeclaredParameter) -> bool:
    try:
        check_name(parameter.name, reserved_names())
    except InputError as error:
        if parameter.default is None:
            raise InputError(f"this parameter needs a value, but a study cannot give it one: {error.message}") from None
        return False
    return True


def _nothing_to_search(request: DraftRequest) -> str:
    names = ", ".join(shown(each.name) for each in request.parameters)
    found = f"none of {names} is a number with a default that is worth searching" if names else "it declares nothing"
    return (
        f"the entry point {request.entry_point!r} has no parameter to search, for {found}: declare one in the "
        "MLproject file, such as lr: {type: float, default: 0.01}"
    )


# --- the sections of the file ----------------------------------------------------------------------------------------


def _line(code: str, comment: str) -> str:
    return f"{code:<{_COLUMN}}  # {comment}"


def _head(request: DraftRequest) -> list[str]:
    experiment = f"experiment: {_scalar(request.experiment)}" if request.experiment else "# experiment: NAME"
    return [
        "# A study: which parameters of a project are searched, how, and when that ends.",
        "# Drafted by `mlflow-tune init` from the project's MLproject file: change what you know better.",
        "",
        _line(f"name: {_scalar(request.name)}", "the study's name, also that of its run in MLflow"),
        _line(experiment, "the MLflow experiment [default: MLFLOW_EXPERIMENT_NAME, else Default]"),
        "",
    ]


def _run(request: DraftRequest, guesses: Mapping[str, Guess], searched: Sequence[str]) -> list[str]:
    return [
        _line("run:", "what one trial runs"),
        _line(f"  project: {_scalar(request.project)}", "a folder with an MLproject file, or a git URI"),
        _line(f"  entry_point: {_scalar(request.entry_point)}", "which of the project's entry points"),
        _line("  env_manager: local", "the environment that is there; uv builds the project's own, once"),
        _line("  # timeout: 30m", "ends a trial that takes longer: 90s, 30m, 2h"),
        _line("  # memory: 8GiB", "ends a trial whose processes take more"),
        _line("  # retries: 1", "runs a trial that failed again, so many times"),
        *_parameters([each for each in request.parameters if each.name not in searched], guesses),
        "",
    ]


def _parameters(parameters: Sequence[DeclaredParameter], guesses: Mapping[str, Guess]) -> list[str]:
    lines = [_parameter(each, each.name in guesses, guesses.get(each.name)) for each in parameters]
    if any(given for given, _, _ in lines):
        head = _line("  parameters:", "fixed: the same in every trial")
        return [head, *(_line(f"    {'' if given else '# '}{code}", why) for given, code, why in lines)]
    head = _line("  # parameters:", "fixed: the same in every trial")
    return [head, *(_line(f"  #   {code}", why) for _, code, why in lines)]


def _parameter(each: DeclaredParameter, nameable: bool, guessed: Guess | None) -> tuple[bool, str, str]:
    """Return whether the parameter is given a value, its line, and the comment."""
    name = _scalar(each.name)
    if each.default is None:
        hint = ", or a range under space" if each.type in ("int", "float") else ""
        return False, f"{name}: VALUE", f"needs a value, for it has no default: give one here{hint}"
    value = _value(each)
    if not nameable or value is None:
        return False, f"{name}: {_scalar(str(each.default))}", "stays at its default: a study cannot give it a value"
    if each.type == "path":
        return False, f"{name}: {_scalar(value)}", "the project's own default; given here, it is relative to this file"
    why = (guessed.fixed if guessed else "") or f"{MOST_SEARCHED} parameters are searched already"
    return True, f"{name}: {_scalar(value)}", f"its default; {why}"


def _metric(request: DraftRequest, goal: str | None) -> list[str]:
    metric, *others = request.metrics
    also = f"; also logged: {', '.join(map(escaped, others[:4]))}" if others else ""
    check = "" if goal else "; check this: the metric's name does not tell"
    return [
        _line(f"metric: {_scalar(metric)}", f"what is tuned: a metric that the project logs{also}"),
        _line(f"goal: {goal or 'minimize'}", f"minimize or maximize{check}"),
        _line("value: last", "which step of the metric counts: last or best"),
        "",
    ]


def _space_lines(request: DraftRequest, guesses: Mapping[str, Guess], searched: Sequence[str]) -> list[str]:
    lines = [_line("space:", "what is searched; the range is a guess, so check it")]
    defaults = {each.name: each for each in request.parameters}
    for name in searched:
        found = guesses[name]
        default = _scalar(number_of(defaults[name]) or 0)
        lines.append(_line(f"  {_scalar(name)}: {_flow(found.range)}", f"default {default}: {found.why}"))
    for name, found in guesses.items():
        if name not in searched and defaults[name].default is not None and (form := _form(found, defaults[name])):
            lines.append(_line(f"  # {_scalar(name)}: {form}", "to search it, take it out of run.parameters"))
    return [*lines, ""]


def _form(found: Guess, parameter: DeclaredParameter) -> str:
    if found.range:
        return _flow(found.range)
    value = _value(parameter)
    if value is None or parameter.type in ("path", "uri"):
        return ""
    values = "[true, false]" if isinstance(value, bool) else f"[{_scalar(value)}, ANOTHER]"
    return f"{{type: categorical, values: {values}}}"


def _end() -> list[str]:
    return [
        _line("strategy: {name: random, seed: 0}", "points at random; the seed makes them the same again"),
        _line("# strategy: {name: bayesian, initial: 8, seed: 0}", "or: after 8 points, where a model promises most"),
        _line("# strategy: {name: grid}", "or: all combinations; add grid: 3 to each range above"),
        _line("stop:", "when the study is done"),
        _line("  trials: 20", "after so many trials"),
        _line("  # time: 2h", "or after so long"),
        _line("  # patience: 10", "or after so many trials without a better one"),
        _line("workers: 1", "how many trials run at once"),
        _line("# executor: {dask: tcp://scheduler:8786}", "or: on the workers of a Dask cluster"),
    ]


# --- values as YAML --------------------------------------------------------------------------------------------------


def _value(parameter: DeclaredParameter) -> Scalar | None:
    """Return the default as a study file can give it, None when it cannot."""
    number = number_of(parameter)
    default = parameter.default
    value = number if number is not None else default if isinstance(default, bool | str) else str(default)
    with contextlib.suppress(InputError):
        as_parameters({"value": value})
        if load_yaml(_scalar(value)) == value:
            return value
    return None


def _flow(form: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in form.items()) + "}"


def _scalar(value: object) -> str:
    """Return the value as YAML on one line that any reader reads back to the same, within braces too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return re.sub(r"e([-+])0(?=\d)", r"e\1", repr(value))
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII) and text.lower() not in _WORDS_OF_YAML:
        return text
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
