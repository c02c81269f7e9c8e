"""A commented study file for code that has none: for an MLproject, a script with flags, a sweep of another tool."""

from __future__ import annotations

from mlflow_tune.errors import InputError
from mlflow_tune.space import check_name
from mlflow_tune.spec.draft.guess import A_CHOICE, ZERO_CHARACTER, Guess, guess
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.request import CommandRun, Draft, DraftRequest, ProjectRun
from mlflow_tune.spec.draft.sections import MOST_SEARCHED, study_text
from mlflow_tune.spec.goals import goal_of
from mlflow_tune.strategies import reserved_names
from mlflow_tune.text import shown

__all__ = ["CommandRun", "Draft", "DraftRequest", "Parameter", "ProjectRun", "draft"]


def draft(request: DraftRequest) -> Draft:
    """Return a study file that tunes the parameters of the request that have a range, each line with a comment.

    Raises InputError when there is nothing to search, and when a parameter that needs a value has a name that MLflow
    takes for no param.
    """
    guesses = {each.name: guess(each) for each in request.parameters if _nameable(each)}
    needed = {each.name for each in request.parameters if each.required}
    searched = _searched(guesses, needed)
    if not searched:
        raise InputError(_nothing_to_search(request))
    missing = [each.name for each in request.parameters if each.required and each.name not in searched]
    goal = goal_of(request.metrics[0])
    return Draft(
        study_text(request, guesses, searched, goal),
        request.metrics[0],
        goal or "minimize",
        goal is not None,
        searched,
        [each.name for each in request.parameters if each.name not in (*searched, *missing)],
        missing,
        list(request.notes),
    )


def _searched(guesses: dict[str, Guess], needed: set[str]) -> list[str]:
    """Return the parameters to search, in the order of their declaration: choices of any kind where nothing else is.

    Those that the code does not start without come before the important ones.
    """
    worth = [name for name, found in guesses.items() if not found.fixed]
    worth = worth or [name for name, found in guesses.items() if found.fixed == A_CHOICE]
    first = sorted(worth, key=lambda name: (name not in needed, guesses[name].importance))[:MOST_SEARCHED]
    return [name for name in guesses if name in first]


def _nameable(parameter: Parameter) -> bool:
    try:
        check_name(parameter.name, reserved_names())
        if any("\0" in word for word in parameter.words):
            raise InputError(ZERO_CHARACTER)
    except InputError as error:
        if parameter.required:
            raise InputError(f"this parameter needs a value, but a study cannot give it one: {error.message}") from None
        return False
    return True


def _nothing_to_search(request: DraftRequest) -> str:
    run = request.run
    names = ", ".join(shown(each.name) for each in request.parameters)
    found = f"none of {names} is a number with a default that is worth searching" if names else "it declares nothing"
    if isinstance(run, CommandRun):
        return f"{run.script} has no parameter to search, for {found}: declare one there, such as {run.hint}"
    if run.entry_point.endswith(".py") and not names:
        return f"{run.entry_point} declares nothing in an MLproject file: draft from the script itself, as by its path"
    return (
        f"the entry point {run.entry_point!r} has no parameter to search, for {found}: declare one in the "
        "MLproject file, such as lr: {type: float, default: 0.01}"
    )
