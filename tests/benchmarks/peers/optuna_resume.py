"""Optuna finds a study of finished trials again and draws a next point, on MLflow's storage or on its own in SQLite.

Options: `storage` ("mlflow" or an SQLAlchemy URL) and `names`, of which the last is measured and the others warm up; or
`fill`, the path of an SQLite store to make, with `sizes`.
"""

from __future__ import annotations

import random
import sqlite3
import time

import mlflow
import optuna
from common import options, tell
from mlflow.optuna import MlflowStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = {f"x{index}": optuna.distributions.FloatDistribution(1e-4, 1, log=index % 2 == 0) for index in range(8)}


def resume(storage: str, name: str) -> int:
    """Load the study, read its trials and draw the next point; return how many trials were read."""
    if storage == "mlflow":
        store = MlflowStorage(mlflow.get_experiment_by_name(name).experiment_id)
    else:
        store = optuna.storages.RDBStorage(storage)
    study = optuna.load_study(study_name=name, storage=store, sampler=optuna.samplers.RandomSampler(seed=0))
    trials = study.get_trials(deepcopy=False)
    for parameter, distribution in SPACE.items():
        study.sampler.sample_independent(study, trials[-1], parameter, distribution)
    return len(trials)


def fill(path: str, size: int) -> None:
    """Write a study of finished trials into Optuna's own tables: its own way takes a tenth of a second a trial."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    number = optuna.create_study(study_name=f"resume-{size}", storage=storage)._study_id
    storage.engine.dispose()
    draw, moment = random.Random(size), "2026-01-01 00:00:00.000000"
    with sqlite3.connect(path) as connection:
        first = connection.execute("SELECT coalesce(max(trial_id), 0) + 1 FROM trials").fetchone()[0]
        ids = range(first, first + size)
        trials = [(at, at - first, number, "COMPLETE", moment, moment) for at in ids]
        connection.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", trials)
        values = [(at, 0, draw.random(), "FINITE") for at in ids]
        connection.executemany(
            "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)", values
        )
        written = {name: optuna.distributions.distribution_to_json(each) for name, each in SPACE.items()}
        params = [(at, name, draw.uniform(1e-4, 1), text) for at in ids for name, text in written.items()]
        connection.executemany(
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
            params,
        )


def main() -> None:
    """Do what is asked."""
    asked = options()
    for size in asked.get("sizes", []):
        fill(asked["fill"], size)
    began, count = 0.0, 0
    for name in asked.get("names", []):
        began = time.monotonic()
        count = resume(asked["storage"], name)
    tell(began=began, ended=time.monotonic(), count=count)


main()
