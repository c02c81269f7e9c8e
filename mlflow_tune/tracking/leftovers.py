"""What processes that were killed have left half made: found by its tag, and ended once they are gone.

MLflow makes every run RUNNING, and some need more requests until they are whole: points in a queue, copies of runs,
comparisons, a study without a driver. Each bears the tag `tune.maker`. Runs of trials are not among them: whoever holds
their study ends those.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from mlflow_tune.errors import TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.holder import maker_gone
from mlflow_tune.tracking.lease import CLAIM_PREFIX
from mlflow_tune.tracking.reading import is_queued, is_waiting, read_trial
from mlflow_tune.tracking.records import HALF_COPY, KIND, MAKER, now, search
from mlflow_tune.tracking.studies import STATUS, Studies, study_record
from mlflow_tune.tracking.trials import terminate

logger = logging.getLogger(__name__)
OLD = 10 * 60_000  # milliseconds after which whoever makes a run on another machine has ended, one way or another


def sweep(client: Client, experiment_id: str) -> None:
    """End what is half made in the experiment, and whose maker is gone.

    On this machine that is known at once, of another one when it is ten minutes old. What the server does not let us
    do stays as it is.
    """
    query = f"attributes.status = 'RUNNING' and tags.`{MAKER}` LIKE '%'"
    with suppress(TrackingError):
        for run in search(client, [experiment_id], query):
            if maker_gone(run.data.tags[MAKER]) or now() - (run.info.start_time or 0) > OLD:
                _settle(client, run)


def _settle(client: Client, run: Any) -> None:
    run_id, tags = run.info.run_id, run.data.tags
    kind = tags.get(KIND)
    trial = read_trial(run) if kind == "trial" else None
    if kind == "study":
        _settle_study(client, run)
    elif is_waiting(tags):
        client.send("update_run", run_id, "SCHEDULED")
    elif trial is not None and trial.outcome is not None:  # a copy that is whole but for its status
        terminate(client, trial)
    elif kind in ("comparison", HALF_COPY) or is_queued(tags):
        client.send("set_terminated", run_id, "KILLED", now())
    else:
        return
    logger.info("ended the run %s, which a process that is gone had left half made", run_id)
    if kind == HALF_COPY:
        client.send("delete_run", run_id)


def _settle_study(client: Client, run: Any) -> None:
    """End the run of a study that nobody has driven, or whose driver had written how it ended."""
    record = study_record(run)
    if record.state == "running":
        if f"{CLAIM_PREFIX}1" in run.data.params:  # whoever resumes it finds out about that driver
            return
        why = "made by a process that is gone, and no trial run yet"
        Studies(client).update(record.run_id, {"tune.why_stopped": why}, "interrupted")
    elif record.state in STATUS:
        client.send("set_terminated", record.run_id, STATUS[record.state], now())
