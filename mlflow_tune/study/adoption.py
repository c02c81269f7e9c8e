"""Runs that people made by hand or by autolog become trials of a study, and so evidence for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlflow_tune.driver.evaluation import best_of_curve, verdict
from mlflow_tune.errors import InputError
from mlflow_tune.space import Scalar
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import reserved_names
from mlflow_tune.strategies.base import next_number
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import spellings
from mlflow_tune.tracking import Run, Runs, Studies, claimed
from mlflow_tune.tracking.leftovers import sweep
from mlflow_tune.trial import Outcome, Params, Trial

STRATEGY = "adopted"


@dataclass(frozen=True)
class Candidate:
    """A run that may become a trial: `trial` says as what, or `refusal` why not. `copied` says that a copy does."""

    run: Run
    trial: Trial | None = None
    refusal: str = ""
    copied: bool = False


def candidates(study: StudyHandle, query: str, experiment: str | None = None, copy: bool = False) -> list[Candidate]:
    """Return the runs that MLflow's filter `query` finds in the experiment (the study's own unless named), checked.

    Runs of another experiment are to be copied, with `copy` all are. Raises InputError for a filter that MLflow
    refuses and an experiment that does not exist.
    """
    runs, own = Runs(study.client), study.record.experiment_id
    experiment_id = own if experiment is None else Studies(study.client).experiment(experiment)
    if experiment_id is None:
        raise InputError(f"there is no experiment {experiment!r}", "--from-experiment")
    number, found = next_number(study.trial_store.all(deleted=True)), []
    known = runs.copied(study.record)
    for run in runs.matching(experiment_id, query):
        if run.run_id == study.run_id:
            continue
        copied = copy or run.experiment_id != own
        try:
            if run.run_id in known:
                raise InputError("a copy of it is a trial of this study already")
            trial = _as_trial(study.spec, runs, run, number, copied)
        except InputError as error:
            found.append(Candidate(run, refusal=str(error), copied=copied))
        else:
            found.append(Candidate(run, trial, copied=copied))
            number += 1
    return found


def adopt(study: StudyHandle, chosen: Sequence[Candidate]) -> list[Trial]:
    """Make trials of the candidates that were not refused; return them, with the numbers that they got.

    Raises StudyConflict while the study is driven: its driver numbers the trials.
    """
    trials = [(each.run, each.trial, each.copied) for each in chosen if each.trial is not None]
    if not trials:
        return []
    sweep(study.client, study.record.experiment_id)
    with claimed(study.client, study.run_id):
        first = next_number(study.trial_store.all(deleted=True))
        adopted = [
            _adopted(study, run, replace(trial, number=number), copied)
            for number, (run, trial, copied) in enumerate(trials, start=first)
        ]
        study.publisher.refresh(study.trials, study.record.state, study.record.why_stopped)
    return adopted


def _adopted(study: StudyHandle, run: Run, trial: Trial, copied: bool) -> Trial:
    runs = Runs(study.client)
    if copied:
        logs = study.spec.space.log10_metrics(trial.params)
        return replace(trial, run_id=runs.copy(run, study.record, trial, logs, reserved_names()))
    runs.adopt(run, study.record, trial)
    return trial


def _as_trial(spec: StudySpec, runs: Runs, run: Run, number: int, copied: bool) -> Trial:
    """Return the run as a trial of the study. Raises InputError with the reason when it cannot be one."""
    if run.kind:
        raise InputError(f"it is a {run.kind} of mlflow-tune already")
    if run.trial:
        raise InputError("the training code of a trial opened it, and that trial is evidence already")
    if run.parent and not copied:
        raise InputError("it is the child of another run; --copy adopts a copy of it")
    if not copied and (taken := sorted(set(run.metrics) & set(reserved_names()))):
        raise InputError(f"it has a metric {taken[0]!r} of its own, which is reserved here; --copy leaves that out")
    if run.status != "FINISHED":
        raise InputError(f"its status is {run.status}, and only finished runs are evidence")
    params = _point(spec, run)
    who = f" of {run.user}" if run.user else ""
    return Trial(
        number,
        params,
        outcome="ok",
        value=_value(spec, runs, run),
        run_id=run.run_id,
        strategy=STRATEGY,
        why=f"adopted from the run {run.name}{who}",
        start_time=run.start_time,
        end_time=run.end_time,
    )


def _point(spec: StudySpec, run: Run) -> Params:
    for name, value in spec.run.parameters.items():
        if name in run.params and not _equal(run.params[name], value):
            raise InputError(f"it ran with {run.params[name]}, the study with {value}", name)
    params: Params = spec.space.decode(run.params)
    spec.space.check(params)
    return params


def _value(spec: StudySpec, runs: Runs, run: Run) -> float:
    metrics = dict(run.metrics)
    if spec.value == "best" and spec.metric in metrics:
        metrics[spec.metric] = best_of_curve(runs.curve(run, spec.metric), spec.goal)
    judged, value = verdict(Outcome("ok"), metrics, spec.metric, spec.constrained)
    if value is None:
        raise InputError(judged.reason)
    return value


def _equal(text: str, value: Scalar) -> bool:
    try:
        return float(text) == float(str(value))
    except ValueError:
        return text in spellings(value)
