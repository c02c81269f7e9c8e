"""The sections of a drafted study file, each line with what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from mlflow_tune.errors import InputError
from mlflow_tune.space import Scalar
from mlflow_tune.spec.draft.guess import Guess, number_of
from mlflow_tune.spec.draft.lines import flow, line, scalar
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.request import CommandRun, DraftRequest, ProjectRun
from mlflow_tune.spec.fields import as_parameters
from mlflow_tune.text import escaped
from mlflow_tune.text.yaml import load_yaml

MOST_SEARCHED = 6


def study_text(request: DraftRequest, guesses: Mapping[str, Guess], searched: Sequence[str], goal: str | None) -> str:
    """Return the study file that searches these parameters, whose guesses have ranges."""
    lines = [
        *head(request.run, request.name, request.experiment, request.why_experiment),
        *_run(request, guesses, searched),
        *_metric(request, goal),
        *_space(request, guesses, searched),
        *_end(),
    ]
    return "".join(f"{each}\n" for each in lines)


def head(run: ProjectRun | CommandRun, name: str, experiment: str | None, why: str = "") -> list[str]:
    """Return the lines before `run`: what the file is, the study's name and its experiment."""
    origin = "the project's MLproject file" if isinstance(run, ProjectRun) else run.script
    chosen = f"experiment: {scalar(experiment)}" if experiment else "# experiment: NAME"
    return [
        "# A study: which parameters are searched, how, and when that ends.",
        f"# Drafted by `mlflow-tune init` from {escaped(origin)}: change what you know better.",
        "",
        line(f"name: {scalar(name)}", "the study's name, also that of its run in MLflow"),
        line(chosen, why or "the MLflow experiment [default: MLFLOW_EXPERIMENT_NAME, else Default]"),
        "",
    ]


# --- what one trial runs ---------------------------------------------------------------------------------------------


def _run(request: DraftRequest, guesses: Mapping[str, Guess], searched: Sequence[str]) -> list[str]:
    run = request.run
    rest = [each for each in request.parameters if each.name not in searched]
    if isinstance(run, ProjectRun):
        what, fixed = _project(run), _parameters(rest, guesses)
    else:
        what, fixed = command_lines(run.words, searched, guesses), _needed(rest)
    follow = [line("  mlflow: follow", request.follows)] if request.follows else []
    return [line("run:", "what one trial runs"), *what, *follow, *limits(), *fixed, ""]


def limits() -> list[str]:
    """Return the lines for a trial's limits, each of them a comment."""
    return [
        line("  # timeout: 30m", "ends a trial that takes longer: 90s, 30m, 2h"),
        line("  # memory: 8GiB", "ends a trial whose processes take more"),
        line("  # retries: 1", "runs a trial that failed again, so many times"),
    ]


def _project(run: ProjectRun) -> list[str]:
    return [
        line(f"  project: {scalar(run.project)}", "a folder with an MLproject file, or a git URI"),
        line(f"  entry_point: {scalar(run.entry_point)}", "which of the project's entry points"),
        line("  env_manager: local", "the environment that is there; uv builds the project's own, once"),
    ]


def command_lines(words: Sequence[str | Parameter], searched: Sequence[str], guesses: Mapping[str, Guess]) -> list[str]:
    """Return the lines of `run.command`: those of parameters that are neither searched nor needed are comments."""
    lines = [line("  command:", "as by hand, from the folder of this file; {name} stands for a parameter's value")]
    for index, word in enumerate(words):
        if isinstance(word, str):
            lines.append(line(f"    - {scalar(word)}", _of_word(word) if index == 0 else "as it is"))
            continue
        form = scalar(list(word.words) if word.grouped else "".join(word.words))
        if word.name in searched:
            lines.append(line(f"    - {form}", "searched"))
        elif word.required:
            lines.append(line(f"    - {form}", "needed: its value stands under parameters"))
        elif word.words and not word.stays and word.name in guesses:
            lines.append(line(f"    # - {form}", f"{_default_of(word)}; {_why(guesses[word.name])}"))
    return lines


def _of_word(word: str) -> str:
    return "that of the environment that is active" if word == "python" else "the program"


def _default_of(parameter: Parameter) -> str:
    if parameter.default is None:
        return "left out"
    return f"left out, so it is {scalar(parameter.default)}"


def _why(found: Guess) -> str:
    return found.fixed or f"{MOST_SEARCHED} parameters are searched already"


def _needed(parameters: Sequence[Parameter]) -> list[str]:
    needed = [each for each in parameters if each.required]
    if not needed:
        return []
    lines = [line(f"  #   {scalar(each.name)}: VALUE", "needs a value: give one here") for each in needed]
    return [line("  # parameters:", "fixed: the same in every trial"), *lines]


def _parameters(parameters: Sequence[Parameter], guesses: Mapping[str, Guess]) -> list[str]:
    lines = [_parameter(each, each.name in guesses, guesses.get(each.name)) for each in parameters]
    if any(given for given, _, _ in lines):
        first = line("  parameters:", "fixed: the same in every trial")
        return [first, *(line(f"    {'' if given else '# '}{code}", why) for given, code, why in lines)]
    first = line("  # parameters:", "fixed: the same in every trial")
    return [first, *(line(f"  #   {code}", why) for _, code, why in lines)]


def _parameter(each: Parameter, nameable: bool, guessed: Guess | None) -> tuple[bool, str, str]:
    """Return whether the parameter is given a value, its line, and the comment."""
    name = scalar(each.name)
    if each.required:
        hint = ", or a range under space" if each.type in ("int", "float") else ""
        return False, f"{name}: VALUE", f"needs a value, for it has no default: give one here{hint}"
    value = _value(each)
    if not nameable or value is None:
        return False, f"{name}: {scalar(str(each.default))}", "stays at its default: a study cannot give it a value"
    if each.type in ("int", "float") and number_of(each) is None:
        return False, f"{name}: {scalar(value)}", f"stays at its default, which is no number; it takes {each.type}"
    if each.type == "path":
        return False, f"{name}: {scalar(value)}", "the project's own default; given here, it is relative to this file"
    return True, f"{name}: {scalar(value)}", f"its default; {_why(guessed) if guessed else ''}"


# --- metric, space, and the end --------------------------------------------------------------------------------------


def _metric(request: DraftRequest, goal: str | None) -> list[str]:
    metric, *others = request.metrics
    also = f"; also logged: {', '.join(others[:4])}" if others else ""
    check = "" if goal else "; check this: the metric's name does not tell"
    return [
        line(f"metric: {scalar(metric)}", f"what is tuned: a metric that the code logs{also}"),
        line(f"goal: {goal or 'minimize'}", f"minimize or maximize{check}"),
        line("value: last", "which step of the metric counts: last or best"),
        "",
    ]


def _space(request: DraftRequest, guesses: Mapping[str, Guess], searched: Sequence[str]) -> list[str]:
    lines = [line("space:", "what is searched; the range is a guess, so check it")]
    declared = {each.name: each for each in request.parameters}
    for name in searched:
        found, each = guesses[name], declared[name]
        number = number_of(each)
        default = scalar(each.default if number is None else number)
        said = f"default {default}: {found.why}" if each.default is not None else f"no default: {found.why}"
        lines.append(line(f"  {scalar(name)}: {flow(found.range)}", said))
    to_search = (
        "take it out of run.parameters" if isinstance(request.run, ProjectRun) else "uncomment it in run.command too"
    )
    for name, found in guesses.items():
        if name not in searched and not declared[name].required and (form := _form(found, declared[name])):
            lines.append(line(f"  # {scalar(name)}: {form}", f"to search it, {to_search}"))
    return [*lines, ""]


def _form(found: Guess, parameter: Parameter) -> str:
    if found.range:
        return flow(found.range)
    value = _value(parameter)
    unfit = parameter.stays or parameter.type in ("path", "uri", "list") or parameter.default is None
    if unfit or value is None or (parameter.type in ("int", "float") and number_of(parameter) is None):
        return ""
    values = "[true, false]" if isinstance(value, bool) else f"[{scalar(value)}, ANOTHER]"
    return f"{{type: categorical, values: {values}}}"


def _end() -> list[str]:
    return [
        line("strategy: {name: random, seed: 0}", "points at random; the seed makes them the same again"),
        line("# strategy: {name: bayesian, initial: 5, seed: 0}", "or: after 5 points, where a model promises most"),
        line("# strategy: {name: grid}", "or: all combinations; add grid: 3 to each range above"),
        line("stop:", "when the study is done"),
        line("  trials: 20", "after so many trials"),
        *budget(),
    ]


def budget() -> list[str]:
    """Return the last lines of a study file: what else may end it, and how many trials run at once."""
    return [
        line("  # time: 2h", "or after so long"),
        line("  # patience: 10", "or after so many trials without a better one"),
        line("workers: 1", "how many trials run at once"),
        line("# executor: {dask: tcp://scheduler:8786}", "or: on the workers of a Dask cluster"),
    ]


# --- values as YAML --------------------------------------------------------------------------------------------------


def _value(parameter: Parameter) -> Scalar | None:
    """Return the default as a study file can give it, None when it cannot."""
    default = parameter.default
    number = None if isinstance(default, str) and parameter.type == "string" else number_of(parameter)
    value = number if number is not None else default if isinstance(default, bool | str) else str(default)
    with contextlib.suppress(InputError):
        as_parameters({"value": value})
        if load_yaml(scalar(value)) == value:
            return value
    return None
