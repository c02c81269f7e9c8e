"""The attempts at a trial: which of them counts, when the others ran, and what is yet to be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlflow_tune.trial import TrainOn, Trial, standing


def latest(trials: Iterable[Trial]) -> list[Trial]:
    """Return of all attempts the latest one at each trial, as it counts, by number."""
    attempts: dict[int, list[Trial]] = {}
    for trial in trials:
        attempts.setdefault(trial.number, []).append(trial)
    return [_latest(attempts[number]) for number in sorted(attempts)]


def _latest(attempts: Sequence[Trial]) -> Trial:
    """Return the latest attempt at a trial, which knows when the others ran, and from which one it goes on."""
    found = max(attempts, key=lambda trial: (trial.attempt, trial.done))
    before = [trial for trial in attempts if trial.attempt < found.attempt]
    spans = sorted(trial.attempts[0] for trial in before if trial.attempts)
    grounds = [trial for trial in before if _is_ground(trial)] if found.raised else []
    ground = max(grounds, key=lambda trial: trial.attempt, default=None)
    return standing(replace(found, earlier=tuple(spans), before=ground, train_on=_owed(attempts)))


def _is_ground(trial: Trial) -> bool:
    """Whether another attempt may go on from this one; what was stopped while it was trained on had diverged."""
    return trial.outcome == "ok" or (trial.outcome == "pruned" and not trial.raised)


def _owed(attempts: Sequence[Trial]) -> TrainOn | None:
    """Return the wish that no attempt has come up to yet, if any."""
    done = max((trial.attempt for trial in attempts if trial.done), default=0)
    wishes = [wish for trial in attempts if (wish := trial.train_on) and wish.after >= done]
    return max(wishes, key=lambda wish: wish.after, default=None)


def followed(trial: Trial, seen: Trial | None) -> Trial:
    """Return the trial as it counts, of which an earlier state was `seen`, by whoever reads attempts one by one."""
    if not trial.raised or seen is None:
        return trial
    ground = seen.before if seen.attempt == trial.attempt and seen.before else seen
    return standing(replace(trial, before=ground if ground.outcome in ("ok", "pruned") else None))
