"""A study's definition: from Python arguments, from the tracking server, and with what a resume changes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical
from mlflow_tune.spec.confirm import ConfirmSpec
from mlflow_tune.spec.goals import is_odd, tell_odd
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.spec.stopping import with_trials
from mlflow_tune.spec.study_file import StudySpec, parse_study
from mlflow_tune.strategies import STRATEGIES, Strategy, model_based
from mlflow_tune.tracking import StudyRecord

logger = logging.getLogger(__name__)
ASKED = "ask() and tell()"  # what stands for the objective of a study whose trials the caller runs
SEARCHED = "mlflow_tune.study.cross_validation:CrossValidation"  # the objective of a StudySearchCV


def search_call(name: str, more: str = "") -> str:
    """Return the Python call that goes on with the study of a StudySearchCV, with `more` arguments."""
    return f"StudySearchCV(..., name={name!r}{more}).fit(X, y)"


def only_by_fit(name: str) -> InputError:
    """Return the error for another objective, or none, in the place of that of a StudySearchCV."""
    return InputError(f"this study is a scikit-learn search: go on with it by {search_call(name)}", "objective")


def recorded_spec(record: StudyRecord, objective: Callable[..., Any] | None = None) -> StudySpec:
    """Return the definition that the tracking server holds; `objective`, where given, is what it runs from now on.

    Raises InputError when it cannot be read, runs no Python object, or that of a StudySearchCV, which no other follows.
    """
    if record.newer:
        raise InputError(
            f"the study {record.run_id} was written by a newer mlflow-tune (tune.format {record.format[:20]!r}): "
            "update mlflow-tune to go on with it"
        )
    definition = dict(record.definition)
    if objective is not None and isinstance(run := definition.get("run"), Mapping):
        if run.get("objective") == SEARCHED != _name_of(objective):
            raise only_by_fit(record.name)
        definition["run"] = {**run, "objective": _name_of(objective)}
    try:
        return parse_study(definition)
    except InputError as error:
        if objective is not None:
            recorded_spec(record)  # it raises when the fault is not that of the objective
            raise
        raise InputError(f"the study {record.run_id} cannot be read back: {error}") from None


def run_options(
    objective: Callable[..., Any] | None, run: RunSpec | Mapping[str, Any] | None, **more: Any
) -> dict[str, Any]:
    """Return the key `run` of a study file from Python arguments; `more` that are None are left out."""
    options = dict(run.model_dump(mode="json", exclude_unset=True) if isinstance(run, RunSpec) else run or {})
    options.update({key: value for key, value in more.items() if value is not None})
    if objective is None and run is None:
        options["objective"] = ASKED
    if objective is not None:
        options["objective"] = _name_of(objective)
    return options


def _name_of(objective: Callable[..., Any]) -> str:
    """Return what a Python object is called; never its repr, which may hold data and passwords."""
    while isinstance(objective, functools.partial):
        objective = objective.func
    named = objective if hasattr(objective, "__qualname__") else type(objective)
    return f"{named.__module__}:{named.__qualname__}"


def changed_spec(
    spec: StudySpec,
    trials: int | str | None,
    strategy: Strategy | Mapping[str, Any] | str | None = None,
    workers: int | None = None,
    executor: Mapping[str, str] | None = None,
    gpus: object = None,
) -> StudySpec:
    """Return the definition with another strategy, other workers, another executor or other devices.

    A budget of `trials` is checked with them, and not yet in what is returned: what it comes to says `with_budget`,
    when it is known how many trials there are. Raises InputError when they do not fit the study.
    """
    budgeted = with_budget(spec, trials, 0)
    kept = {"trials": spec.stop.trials}  # until it is known how many trials there are
    given: dict[str, object] = {"strategy": strategy, "workers": workers, "executor": executor, "gpus": gpus}
    changed = {name: value for name, value in given.items() if value is not None}
    if not changed:
        return spec
    merged = {**{name: getattr(budgeted, name) for name in StudySpec.model_fields}, **changed}
    if spec.stop.expected_improvement is not None and strategy is not None and not _has_model(strategy):
        logger.warning(
            "stop.expected_improvement is dropped: only the strategy %s has a model", " or ".join(model_based())
        )
        merged["stop"] = merged["stop"].model_copy(update={"expected_improvement": None})
    after = parse_study(merged)
    refuse_secrets(after.model_dump(mode="json", include=set(changed)))
    _refuse_other_constraint(spec, after)
    return after.model_copy(update={"stop": after.stop.model_copy(update=kept)})


def with_budget(spec: StudySpec, trials: int | str | None, held: int) -> StudySpec:
    """Return the definition with a budget of `trials`; with its own when None is given. Its search holds `held`.

    Raises InputError for a budget that is no number, or is too small.
    """
    if trials is None:
        return spec
    return spec.model_copy(update={"stop": with_trials(spec.stop, trials, held, spec.reruns)})


def with_confirmation(spec: StudySpec, confirm: ConfirmSpec) -> StudySpec:
    """Return the definition with a confirmation, whose reruns its budget is raised by: the search keeps its part."""
    trials = None if spec.search_trials is None else spec.search_trials + confirm.plan.trials
    return spec.model_copy(update={"confirm": confirm, "stop": spec.stop.model_copy(update={"trials": trials})})


def _refuse_other_constraint(before: StudySpec, after: StudySpec) -> None:
    """Raise InputError for a constraint on a metric of which the trials hold the last step, not the best one."""
    held = before.strategy.requirement
    asked = after.strategy.requirement
    if before.value == "best" and held and asked and (held.metric, held.sense) != (asked.metric, asked.sense):
        message = (
            f"with `value: best` the trials hold the best step for '{held}' alone, but got '{asked}': start another"
        )
        raise InputError(message, "strategy.constraint")


def _has_model(strategy: Strategy | Mapping[str, Any] | str) -> bool:
    if isinstance(strategy, Strategy):
        return strategy.has_model
    name = strategy.get("name") if isinstance(strategy, Mapping) else strategy
    return str(name) in STRATEGIES and STRATEGIES[str(name)].has_model


def tell_order(spec: StudySpec) -> None:
    """Say of which categories, all of them numbers, the order may tell something: to a model they have none."""
    choices = {name: each for name, each in spec.space.items() if isinstance(each, Categorical)}
    if names := [name for name, each in choices.items() if each.numbers and each.size > 1]:
        listed = ", ".join(names)
        logger.warning("%s: the categories are numbers; `type: ordinal` lets their order count", listed)


def tell_goal(spec: StudySpec) -> None:
    """Warn, once a process, when the metric's name tells that the other way is better."""
    if is_odd(spec.metric, spec.goal):
        tell_odd(spec.name, spec.metric, spec.goal)


def tell_lower(before: int | None, after: int | None) -> None:
    """Say that a resume has lowered the budget."""
    if before and after and after < before:
        logger.warning("the budget is lowered from %d trials to %d", before, after)


def tell_length(spec: StudySpec) -> None:
    """Warn when the budget cuts off a strategy that has an end of its own."""
    length = spec.strategy.length(spec.space) if spec.strategy.has_end else None
    budget = spec.search_trials
    if length and budget and length > budget:
        of_it = f", {spec.reruns} of them to confirm the best" if spec.reruns else ""
        words = "%s asks for up to %d trials, but the budget is %d%s"
        logger.warning(words, spec.strategy.name, length, spec.stop.trials, of_it)
