"""The metric of a trial in a run that its training code opened by itself, where the trial's own run lacks it.

Lightning's logger, a pipeline of `mlflow.run` steps, a nested run around the metric, a second `start_run`: MLflow shows
the metric, but of another run. Exactly one that has it is followed; of several a person must say which counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_tune.spec.definition import ASKED
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import counted, markdown, number_text, short, some_of
from mlflow_tune.tracking import Trials, run_link, user_here
from mlflow_tune.tracking.logged import NOTE, LoggedRun, OpenedRuns, copy_metric, nest
from mlflow_tune.tracking.trial_note import trial_note
from mlflow_tune.tracking.trials import STATUS
from mlflow_tune.trial import Outcome, Trial

MOST_NAMED = 5  # runs in a reason
MOST_METRICS = 4  # of each
MOST_NESTED = 20


@dataclass(frozen=True)
class Found:
    """What was found in the runs that a trial's code opened.

    `run` is the followed one, with MLflow's points of the metrics that count; without it `why` says in words why there
    is none, which is `certain` when every trial of this code will end so. `opened` are the runs to be nested under the
    trial.
    """

    run: LoggedRun | None = None
    points: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    why: str = ""
    certain: bool = False
    opened: Sequence[LoggedRun] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The latest values of the metrics that count."""
        return {name: self.run.metrics[name] for name in self.points} if self.run else {}


class Follower:
    """Follows the trials of one study. It costs requests only where the metric is missing, or the study says so."""

    def __init__(self, spec: StudySpec, trials: Trials) -> None:
        self._bind = spec.run.mlflow == "bind"
        tagged = "use mlflow.start_run, or create_run(tags=mlflow.tracking.context.registry.resolve_tags())"
        self._remedy = "log to the run trial.run_id" if spec.run.objective == ASKED else tagged
        self._wanted = [*dict.fromkeys([spec.metric, *spec.directions])]
        self._trials = trials

    def look(self, trial: Trial, outcome: Outcome, known: Collection[str]) -> Found:
        """Look for the metrics that count, but for those that are `known` of the trial's own run or were returned."""
        missing = [name for name in self._wanted if name not in known]
        if self._bind and not (missing and outcome.kind == "ok"):
            return Found()
        if not self._bind and not outcome.logged:
            return Found()
        metric = (missing or self._wanted)[0]
        opened = OpenedRuns(self._trials.client, trial)
        runs = opened.known()
        if missing:
            runs = opened.below(runs, metric)
        having = nearest(runs, metric)
        if len(having) == 1:
            names = [name for name in missing or self._wanted if name in having[0].metrics]
            points = opened.points(having[0], names)
            return Found(having[0] if points else None, points or {}, opened=_to_nest(runs, having))
        why = ""
        if missing:
            why = several(metric, having) if having else self._words_of_none(metric, runs, opened)
        return Found(why=why, certain=bool(missing and having), opened=_to_nest(runs, having))

    def write(self, trial: Trial, outcome: Outcome, found: Found, note: str) -> None:
        """Copy what was followed to the trial's run, and nest the runs that the code opened under it."""
        client = self._trials.client
        if found.run:
            points = [point for points in found.points.values() for point in points]
            before = note if self._trials.is_described(trial) else trial_note(self._trials.study, trial)
            copy_metric(client, trial, found.run, points, _note(found, before))
            self._trials.keep_description(trial)
        for run in found.opened[:MOST_NESTED]:
            status = None if outcome.kind == "ok" else STATUS[outcome.kind]
            nest(client, trial, self._trials.study.run_id, run, status)

    def _words_of_none(self, metric: str, runs: Sequence[LoggedRun], opened: OpenedRuns) -> str:
        if telling := [run for run in runs if run.metrics]:
            return f"of the runs that the training code opened, {some_of([*map(described, telling)], MOST_NAMED)}"
        if near := opened.meanwhile(metric, self._trials.source.get("mlflow.user") or user_here()):
            has = "this run has" if len(near) == 1 else "these runs have"
            return (
                f"begun meanwhile by the same user, {has} it: {some_of([*map(described, near)], MOST_NAMED)}; nothing "
                f"ties that to this trial: {self._remedy}"
            )
        if self._bind:
            return ""
        return "no run of the training code is on this server: does it set a tracking URI of its own?"


def nearest(runs: Sequence[LoggedRun], metric: str) -> list[LoggedRun]:
    """Return the runs that have the metric, but for those that are nested deeper than another one.

    What encloses its folds is what its author logs the result to.
    """
    parents = {run.run_id: run.parent for run in runs}
    depths = {run.run_id: _depth(run.run_id, parents) for run in runs if metric in run.metrics}
    least = min(depths.values(), default=0)
    return [run for run in runs if depths.get(run.run_id) == least]


def _depth(run_id: str, parents: Mapping[str, str]) -> int:
    depth = 0
    while (run_id := parents.get(run_id, "")) in parents and depth < len(parents):  # tags may name runs in a circle
        depth += 1
    return depth


def several(metric: str, having: Sequence[LoggedRun]) -> str:
    """Return the reason of a trial whose metric is in several runs, which are named with what each logged."""
    return (
        f"the metric {metric!r} was not logged to the trial's own run, but to {counted(len(having), 'run')} that the "
        f"training code opened: {some_of([described(run, metric) for run in having], MOST_NAMED)}; log the value that "
        "counts to one of them alone, or to the run around them"
    )


def described(run: LoggedRun, metric: str = "") -> str:
    """Return a run's name and id, and what it logged, the metric first: `'fold 0' (0a1b..., loss=0.5)`."""
    names = sorted(run.metrics, key=lambda name: (name != metric, name))
    logged = some_of([f"{short(name, 60)}={number_text(run.metrics[name])}" for name in names], MOST_METRICS)
    return f"{short(run.name, 60)!r} (run {run.run_id}, {logged or 'no metric'})"


def _to_nest(runs: Iterable[LoggedRun], first: Sequence[LoggedRun]) -> list[LoggedRun]:
    """Return the runs that have no parent, those that have the metric first, and these whatever they have."""
    return [*first, *(run for run in runs if not run.parent and run not in first)]


def _note(found: Found, before: str) -> str:
    """Return the description of the trial's run: where its metric comes from, then what it said before."""
    assert found.run is not None
    names = ", ".join(f"**{markdown(short(name, 100))}**" for name in found.points)
    link = run_link(found.run.experiment_id, found.run.run_id)
    said = f"{names} was logged to the run [{markdown(short(found.run.name, 100))}]({link}), which the code opened."
    return f"{said}\n\n{before}" if before else said


def note_of(run: LoggedRun | None) -> str:
    """Return the description that the code gave the trial's own run, "" where it gave none."""
    return run.tags.get(NOTE, "") if run else ""
