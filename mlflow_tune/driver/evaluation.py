"""What an attempt is worth, and what its learning curves show: what the training code logged, read back and judged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from mlflow_tune.diagnosis import curves_of_interest, diagnose, findings_to_json
from mlflow_tune.driver.verdict import best_of_curve, verdict, without_reserved
from mlflow_tune.errors import TrackingError
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.tracking import Trials
from mlflow_tune.trial import Curve, Outcome, Trial

logger = logging.getLogger(__name__)
ENDED = ("ok", "failed", "timeout")
MOST_LOSSES = 3  # of one trial: one that kills its workers must not run for ever
MOST_OUTAGES = 3  # of one trial: code that is broken must not run for ever on a bad network


class Judge:
    """Judges the attempts of one study.

    One read tells what the training code logged; a learning curve costs one more each, and there are few of them.
    """

    def __init__(self, spec: StudySpec, trials: Trials) -> None:
        self._spec, self._trials = spec, trials
        self._outages: Counter[int] = Counter()
        self._losses: Counter[int] = Counter()

    def judge(self, trial: Trial, outcome: Outcome, ended: float) -> tuple[Trial, Outcome, float | None]:
        """Return the trial with its metrics and its diagnosis, the outcome as it counts, and its value, if any.

        `ended` is when the attempt ended, on the clock of `time.monotonic()`.
        """
        outcome = self._bounded(trial, outcome)
        logged, stepped = self._logged(trial, outcome)
        outcome = without_reserved(outcome, trial.metrics, logged)
        curves = self._curves(trial, stepped)
        trial = replace(trial, metrics={**trial.metrics, **logged}, diagnosis=self._diagnosed(curves))
        metrics = {**trial.metrics, **outcome.metrics}
        if outcome.kind == "ok" and self._spec.value == "best":
            metrics |= self._best_steps(trial, outcome.metrics, curves)
        judged, value = verdict(outcome, metrics, self._spec.metric, self._spec.constrained)
        judged = self._excused(trial, judged, ended)
        # What the code both logged and returned is there already: another point would bend its learning curve.
        unseen = {key: number for key, number in outcome.metrics.items() if key not in trial.metrics}
        if self._spec.value == "best" and self._spec.constrained and value is not None:
            unseen["constraint"] = metrics[self._spec.constrained]
        return trial, replace(judged, metrics=unseen), value

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

    def _logged(self, trial: Trial, outcome: Outcome) -> tuple[Mapping[str, float], Collection[str]]:
        if not outcome.logged or outcome.kind not in ENDED:
            return {}, ()
        return self._trials.logged(trial)

    def _curves(self, trial: Trial, stepped: Collection[str]) -> dict[str, Curve]:
        try:
            wanted = curves_of_interest(stepped, self._spec.metric)
            return {name: self._trials.history(trial, name) for name in wanted}
        except TrackingError as error:  # what a person looks at must not cost the trial
            logger.warning("trial %d is not diagnosed: %s", trial.number, error)
            return {}

    def _diagnosed(self, curves: Mapping[str, Curve]) -> str:
        return findings_to_json(diagnose(curves, self._spec.metric, self._spec.goal)) if curves else ""

    def _best_steps(self, trial: Trial, returned: Mapping[str, float], curves: Mapping[str, Curve]) -> dict[str, float]:
        """Return the best of what was logged of the metrics that count; a value that was returned is one point more."""
        found = {}
        for name in self._spec.directions.keys() & trial.metrics.keys():
            curve = curves.get(name) or self._trials.history(trial, name)
            last = [(len(curve), returned[name])] if name in returned else []
            found[name] = best_of_curve([*curve, *last], self._spec.directions[name])
        return found
