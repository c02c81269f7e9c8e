"""What the learning curves of one trial show, and what people do next: pure functions of the curves.

`diagnose` names what it finds, with the metric, the steps and the figures that each finding rests on; an empty list is
a healthy run. `suggestions` says what people change then; nothing of it is ever applied.

The most serious comes first, and what it makes meaningless is left out:

1. `diverged`: a curve ends NaN or infinite; or the training loss ends at 3 times its first value; or it was at 1.5
   times what guessing gives and came back to it, or at 5 times and did not come below it; or it lost nine tenths of a
   fall by half. Only `not-learning` may follow.
2. `unstable`: the training loss jumps by 3 % of its spread at each step, a fifth of the movement upwards, and does not
   fall by more than eight such jumps. Only `not-learning` or `overfitting` may follow.
3. `not-learning`: no loss and no error rate fell by 4 %; or the loss rests where guessing is. Nothing follows.
4. `overfitting`: validation ends 10 % above its best, or stands still at ten times the training loss, while training
   fell by another fifth. Only `plateaued` may follow.
5. `still-improving`: the last quarter of the steps brought 6 % of the whole fall. Nothing follows.
6. `plateaued`: the last 65 % of the steps brought less than 1 % of the whole fall. No fault, but wasted steps.
7. `too-little-evidence`: no curve has five finite steps. It stands alone.

Rules see every curve as lower = better; the thresholds and their reasons stand in `rules`. Which curve is which is
read from the names, see `names`; guessing is known from an accuracy curve, see `evidence`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mlflow_tune.diagnosis import names, rules
from mlflow_tune.diagnosis.evidence import Evidence, gather_evidence
from mlflow_tune.diagnosis.finding import Finding, FindingName, findings_from_json, findings_to_json
from mlflow_tune.diagnosis.neighbours import Neighbours, neighbours
from mlflow_tune.diagnosis.suggestions import suggestions
from mlflow_tune.trial import Goal, Trial

__all__ = [
    "TAG",
    "Finding",
    "FindingName",
    "Neighbours",
    "curves_of_interest",
    "diagnose",
    "diagnosed",
    "diagnosis_lines",
    "findings_from_json",
    "findings_to_json",
    "names",
    "neighbours",
    "suggestions",
]

TAG = "tune.diagnosis"
MOST_CURVES = 6  # of one trial: each costs a request


def diagnose(curves: Mapping[str, Sequence[tuple[int, float]]], metric: str, goal: Goal) -> list[Finding]:
    """Return what the curves of one trial show, the most serious first; an empty list when nothing is wrong.

    `curves` are all metrics that the training code logged: name -> (step, value), in any order. NaN and infinity (also
    as MLflow's SQL stores keep it) are read as divergence at the end of a curve and skipped before it; of a repeated
    step the last value counts. `metric` and `goal` are the study's; the direction of other curves is read from their
    names, and those that do not tell it are ignored. Any input has an answer, and equal input the same one.
    """
    known, evidence = gather_evidence(curves, metric, goal)
    blown = rules.diverged(known, evidence)
    if evidence is None:
        return [blown or rules.too_little_evidence(known, metric)]
    found = _broken_training(evidence, blown) or _course(evidence)
    return [finding for finding in found if finding is not None]


def _broken_training(evidence: Evidence, blown: Finding | None) -> list[Finding]:
    """Return the findings after which nothing else is worth saying; an unstable run may still be overfitting."""
    jumpy = None if blown else rules.unstable(evidence)
    idle = rules.not_learning(evidence, blown, jumpy)
    over = rules.overfitting(evidence) if jumpy and not idle else None
    return [finding for finding in (blown, jumpy, idle, over) if finding is not None]


def _course(evidence: Evidence) -> list[Finding | None]:
    """Return the findings about a run that learns: too long, too short, or neither."""
    over = rules.overfitting(evidence)
    going = None if over else rules.still_improving(evidence)
    return [over, going, None if going else rules.plateaued(evidence)]


def diagnosed(trial: Trial) -> list[str]:
    """Return the names of what the trial's learning curves show."""
    return [finding.name for finding in findings_from_json(trial.diagnosis)]


def diagnosis_lines(trial: Trial) -> list[str]:
    """Return what the learning curves show, a sentence each; empty when the trial has none."""
    if not trial.diagnosis:
        return []
    return [finding.text for finding in findings_from_json(trial.diagnosis)] or ["nothing unusual in its curves"]


def curves_of_interest(stepped: Collection[str], metric: str) -> list[str]:
    """Return the metrics with steps that a diagnosis reads: the study's, its pair, and others whose names tell."""
    pair = names.stem(metric)
    telling = [name for name in sorted(stepped) if name == metric or names.falls(name) is not None]
    return sorted(telling, key=lambda name: (name != metric, names.stem(name) != pair))[:MOST_CURVES]
