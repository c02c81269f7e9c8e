"""Optuna on its own tables, with the heartbeat by which it finds the trials of processes that died."""

from __future__ import annotations

import optuna
from killed import FOLDER
from optuna_killed import go_on

go_on(
    optuna.storages.RDBStorage(
        f"sqlite:///{FOLDER / 'optuna.db'}",
        heartbeat_interval=1,
        grace_period=2,
        failed_trial_callback=optuna.storages.RetryFailedTrialCallback(),
    )
)
