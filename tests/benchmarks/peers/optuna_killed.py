"""A study of Optuna that is killed and gone on with, on a storage that its caller chooses."""

from __future__ import annotations

import optuna
from killed import GRID, REPORT, loss, note, point
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial: optuna.Trial) -> float:
    """Train one point of the grid."""
    return loss(trial.suggest_float("lr", 1e-4, 1e-1), trial.suggest_float("alpha", 0.01, 10.0))


def go_on(storage: optuna.storages.BaseStorage, exists: bool | None = None) -> None:
    """Note what the storage holds, and optimize until the whole grid was tried; nothing else for a report.

    `exists` says whether the study is there, where `load_if_exists` would make another one of its name.
    """
    sampler = optuna.samplers.GridSampler(GRID, seed=0)
    options = {"study_name": "killed", "storage": storage, "sampler": sampler}
    if exists is None:
        study = optuna.create_study(**options, load_if_exists=True)
    else:
        study = optuna.load_study(**options) if exists else optuna.create_study(**options)
    trials = study.get_trials(deepcopy=False)
    known = [point(**trial.params) for trial in trials if trial.state == TrialState.COMPLETE]
    note(known, sum(trial.state == TrialState.RUNNING for trial in trials))
    if not REPORT:
        study.optimize(objective)
