"""What an attempt is worth, and what its learning curves show, from what the training code logged and returned."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlflow_tune.diagnosis import curves_of_interest, diagnose, findings_to_json
from mlflow_tune.diagnosis.stopping.recorded import steps_from_json
from mlflow_tune.driver.autologging import lost_params
from mlflow_tune.driver.following import Follower, Found, note_of
from mlflow_tune.errors import TrackingError
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import reserved_names
from mlflow_tune.tracking import Trials
from mlflow_tune.tracking.logged import LoggedRun
from mlflow_tune.tracking.records import curve_of, learning_curve
from mlflow_tune.trial import STEPS_USED, Curve, Goal, Outcome, Trial, is_finite

logger = logging.getLogger(__name__)
ENDED = ("ok", "failed", "timeout", "pruned")
MOST_LOSSES = 3  # of one trial: one that kills its workers must not run for ever
MOST_OUTAGES = 3  # of one trial: code that is broken must not run for ever on a bad network


@dataclass(frozen=True)
class Evaluation:
    """What an attempt came to: the trial with its metrics and its diagnosis, the outcome as it counts, the value.

    `own` is the trial's run as the training code left it, where that was read, `found` what other runs of it held.
    """

    trial: Trial
    outcome: Outcome
    value: float | None = None
    own: LoggedRun | None = None
    found: Found = field(default_factory=Found)


class Evaluator:
    """Evaluates the attempts of one study.

    One read tells what the training code logged; a learning curve costs one more each, and there are few of them.
    `kept` tells from a trial's curves what stays with it for the trials to come.
    """

    def __init__(
        self, spec: StudySpec, trials: Trials, kept: Callable[[Trial, Mapping[str, Curve]], str] = lambda *_: ""
    ) -> None:
        self._spec = spec
        self._trials = trials
        self._kept = kept
        self._outages: Counter[int] = Counter()
        self._losses: Counter[int] = Counter()
        self._follower = Follower(spec, trials)
        self._told_lost = False

    def know(self, history: Sequence[Trial]) -> None:
        """Know what the trials tell that have ended: what is told once a study is not told again."""
        self._told_lost = any(trial.outcome == "ok" and trial.reason for trial in history)

    def evaluate(self, trial: Trial, outcome: Outcome, ended: float) -> Evaluation:
        """Return what the attempt came to. `ended` is when that was, on the clock of `time.monotonic()`."""
        outcome = self._bounded(trial, outcome)
        own = self._logged(trial, outcome)
        logged = own.metrics if own else {}
        outcome = without_reserved(outcome, trial.metrics, logged)
        found = self._follower.look(trial, outcome, {**logged, **outcome.metrics})
        curves = self._curves(trial, own, found)
        metrics = {**trial.metrics, **logged, **found.metrics}
        trial = replace(trial, metrics=metrics, diagnosis=self._diagnosed(curves))
        trial = replace(trial, curve=self._kept(trial, curves))
        judged, value, unseen = self._judged(trial, outcome, found, curves)
        judged = self._remarked(trial, self._excused(trial, judged, ended), own)
        if (steps := steps_from_json(trial.curve)) is not None:
            unseen[STEPS_USED] = float(steps)
        return Evaluation(trial, replace(judged, metrics=unseen), value, own, found)

    def _judged(
        self, trial: Trial, outcome: Outcome, found: Found, curves: Mapping[str, Curve]
    ) -> tuple[Outcome, float | None, dict[str, float]]:
        """Return the outcome as it counts, the value, and the metrics that the trial's run is still to be given."""
        metrics = {**trial.metrics, **outcome.metrics}
        if outcome.kind == "ok" and self._spec.value == "best":
            metrics |= self._best_steps(trial, outcome.metrics, found, curves)
        judged, value = verdict(outcome, metrics, self._spec.metric, self._spec.constrained)
        if found.why and judged.kind == "failed" and outcome.kind == "ok":
            reason = found.why if found.certain else f"{judged.reason}; {found.why}"
            judged = replace(judged, reason=reason, certain=found.certain)
        # What the code both logged and returned is there already: another point would bend its learning curve.
        unseen = {key: number for key, number in outcome.metrics.items() if key not in trial.metrics}
        if self._spec.value == "best" and self._spec.constrained and value is not None:
            unseen["constraint"] = metrics[self._spec.constrained]
        return judged, value, unseen

    def writer(self, evaluation: Evaluation, ended: Trial) -> Callable[[], None] | None:
        """Return what gives the run of a trial that has ended what was followed, None where nothing was."""
        found = evaluation.found
        if found.run is None and not found.opened:
            return None
        return lambda: self._follower.write(ended, evaluation.outcome, found, note_of(evaluation.own))

    def _remarked(self, trial: Trial, outcome: Outcome, own: LoggedRun | None) -> Outcome:
        """Return the outcome; of the first trial that is ok and lost what autologging logs, with words for it."""
        if outcome.kind != "ok" or self._told_lost or self._spec.run.mlflow != "bind":
            return outcome
        given = {**self._trials.fixed, **trial.params}
        if lost := lost_params(own, given, outcome.output):
            self._told_lost = True
            logger.warning("trial %d: %s", trial.number, lost)
        return replace(outcome, reason=lost)

    def _bounded(self, trial: Trial, outcome: Outcome) -> Outcome:
        """Return the outcome; a trial that has lost many workers has failed."""
        self._losses[trial.number] += outcome.lost
        if self._losses[trial.number] <= MOST_LOSSES or not outcome.lost:
            return outcome
        reason = f"{MOST_LOSSES + 1} workers died of it: {outcome.reason}"
        return replace(outcome, kind="failed", lost=False, reason=reason)

    def _excused(self, trial: Trial, outcome: Outcome, ended: float) -> Outcome:
        """Return the outcome, "interrupted" for a failure that the tracking server's absence may have caused.

        Training code talks to the server by a client of its own, which gives up by itself.
        """
        if outcome.kind not in ("failed", "timeout") or not self._trials.client.outages.near(ended):
            return outcome
        self._outages[trial.number] += 1
        if self._outages[trial.number] > MOST_OUTAGES:
            return outcome
        return replace(outcome, kind="interrupted", reason=f"the tracking server was away: {outcome.reason}")

    def _logged(self, trial: Trial, outcome: Outcome) -> LoggedRun | None:
        if not outcome.logged or outcome.kind not in ENDED:
            return None
        return self._trials.logged(trial)

    def _curves(self, trial: Trial, own: LoggedRun | None, found: Found) -> dict[str, Curve]:
        """Return the learning curves that tell: of a metric in both runs, that of the followed one."""
        held = {name: run.run_id for run in (own, found.run) if run for name in run.stepped}
        try:
            wanted = self._wanted(held)
            read = [name for name in wanted if name not in found.points]
            curves = {name: learning_curve(self._trials.client, held[name], name) for name in read}
        except TrackingError as error:  # what a person looks at must not cost the trial
            logger.warning("trial %d is not diagnosed: %s", trial.number, error)
            return {}
        return {name: curve_of(found.points[name]) if name in found.points else curves[name] for name in wanted}

    def _wanted(self, held: Mapping[str, str]) -> list[str]:
        """Return the curves that are read: those that tell, and the one by which trials are stopped."""
        wanted = curves_of_interest(held, self._spec.metric)
        watched = (self._spec.stop_trials and self._spec.stop_trials.metric) or ""
        return [*wanted, watched] if watched in held and watched not in wanted else wanted

    def _diagnosed(self, curves: Mapping[str, Curve]) -> str:
        return findings_to_json(diagnose(curves, self._spec.metric, self._spec.goal)) if curves else ""

    def _best_steps(
        self, trial: Trial, returned: Mapping[str, float], found: Found, curves: Mapping[str, Curve]
    ) -> dict[str, float]:
        """Return the best of what was logged of the metrics that count; a value that was returned is one point more."""
        best = {}
        for name in self._spec.directions.keys() & trial.metrics.keys():
            followed = curve_of(found.points.get(name, ()))
            curve = curves.get(name) or followed or self._trials.history(trial, name)
            last = [(len(curve), returned[name])] if name in returned else []
            best[name] = best_of_curve([*curve, *last], self._spec.directions[name])
        return best


def verdict(
    outcome: Outcome, metrics: Mapping[str, float], metric: str, constrained: str | None = None
) -> tuple[Outcome, float | None]:
    """Return the final outcome and the value of `metric`, None unless the outcome is "ok".

    `constrained` is the metric that a constraint of the study is about: it must be there and finite as well.
    """
    if outcome.kind != "ok":
        return outcome, None
    for name in (metric, constrained or metric):
        if name not in metrics:
            return replace(outcome, kind="failed", reason=_missing(metrics, name)), None
        value = metrics[name]
        if not is_finite(value):
            shown = value if math.isnan(value) else math.copysign(math.inf, value)
            return replace(outcome, kind="not-finite", reason=f"the metric {name!r} is {shown}"), None
    return outcome, metrics[metric]


def without_reserved(outcome: Outcome, ours: Mapping[str, float], logged: Mapping[str, float]) -> Outcome:
    """Return the outcome, failed when the training code returned or logged a metric that bears one of our names.

    `ours` are the metrics that the study wrote before the trial, `logged` what the run holds after it.
    """
    changed = {name for name, value in logged.items() if value != ours.get(name)}
    taken = sorted((changed | set(outcome.metrics)).intersection(reserved_names()))
    if outcome.kind != "ok" or not taken:
        return outcome
    reason = f"the training code gave a metric named {taken[0]!r}, which is reserved: log it under another name"
    return replace(outcome, kind="failed", reason=reason, metrics={})


def best_of_curve(curve: Sequence[tuple[int, float]], goal: Goal) -> float:
    """Return the best finite value of a learning curve of (step, value), NaN when it has none."""
    finite = [value for _, value in curve if is_finite(value)]
    return (min if goal == "minimize" else max)(finite, default=math.nan)


def _missing(metrics: Mapping[str, float], metric: str) -> str:
    reserved = reserved_names()
    logged = sorted(key for key in metrics if key not in reserved and not key.startswith("log10_"))
    if not logged:
        return f"the metric {metric!r} was not logged, nor was any other"
    return f"the metric {metric!r} was not logged; logged were {', '.join(map(repr, logged[:20]))}"
