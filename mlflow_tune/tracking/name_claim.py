"""Of studies that are made at the same moment under one name in one experiment, exactly one keeps the name.

MLflow lets any number of runs bear one name. So whoever has made a study looks for others of its name, and yields to
one that holds the name or was made earlier, by start time, then run id. That is not enough: the start time is the
maker's own clock, and its request may land long after it, when a study that looks later has been let go ahead. So
before a study goes ahead its maker writes a param of its run, `tune.claim.name`, which MLflow lets be written once; and
whoever wants to go ahead of a study made later first writes that one's. Of two such writers MLflow refuses one.

Two never go on: the one that was made visible last sees the other, and yields if it is the later one, else needs the
other's param, which the other has written if it went on. All never yield: the earliest yields to holders alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from mlflow_tune.errors import TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import KIND, search
from mlflow_tune.tracking.studies import Studies, StudyRecord, shown_params, study_record

NAME_CLAIM = "tune.claim.name"
HELD = "held"
LEFT = "left"
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between looks for the one that keeps a name
WITHDRAWN = "withdrawn"  # the kind of a run that would have been a study


def namesakes(client: Client, experiment_id: str, name: str) -> tuple[list[StudyRecord], list[StudyRecord]]:
    """Return the unfinished and the finished studies of this name in the experiment.

    Of the unfinished ones those that hold the name come first, then the oldest; the finished ones are oldest first.
    """
    runs = search(client, [experiment_id], f"tags.`{KIND}` = 'study'")
    found = [(study_record(run), run.data.params) for run in runs]
    named = [(record, params) for record, params in found if record.name == name]
    wanted = [each for each in named if each[0].state != "finished" and each[1].get(NAME_CLAIM) != LEFT]
    unfinished = [record for record, _ in sorted(wanted, key=lambda each: not _holds(each[1]))]
    return unfinished, [record for record, _ in named if record.state == "finished"]


def take_name(client: Client, study: StudyRecord) -> StudyRecord | None:
    """Let a study that was just made keep its name: return None, or the study that keeps it instead.

    That is the new study itself when the other one has ended meanwhile. The params that show what the study is about
    are written in the same request.
    """
    for other in _others(client, study):
        if _age(other) < _age(study) or not _written(client, other.run_id, LEFT):
            return _keeper(client, study, other)
    if _written(client, study.run_id, HELD, shown_params(study.definition)):
        return None
    return _keeper(client, study, study)


def withdraw(client: Client, study: StudyRecord, why: str) -> None:
    """Make a study that was just made none, so that nothing resumes it; its run is deleted where we may do that.

    The run that `mlflow run` started this process in stays: MLflow ends it.
    """
    with suppress(TrackingError):
        _written(client, study.run_id, LEFT)
    Studies(client).update(study.run_id, {KIND: WITHDRAWN, "tune.why_stopped": why}, "interrupted")
    if os.environ.get("MLFLOW_RUN_ID") != study.run_id:
        with suppress(TrackingError):
            client.send("delete_run", study.run_id)


def _others(client: Client, study: StudyRecord) -> list[StudyRecord]:
    found, _ = namesakes(client, study.experiment_id, study.name)
    return [record for record in found if record.run_id != study.run_id]


def _keeper(client: Client, study: StudyRecord, ahead: StudyRecord) -> StudyRecord:
    """Return the study that keeps the name: `ahead`, to which this one yields, may be about to yield to another."""
    first = None
    for pause in PAUSES:
        first = next(iter(_others(client, study)), None)
        if first is None or _holds(client.send("get_run", first.run_id).data.params):
            break
        time.sleep(pause)
    return first or ahead


def _age(study: StudyRecord) -> tuple[int, str]:
    return study.start_time, study.run_id


def _holds(params: Mapping[str, str]) -> bool:
    """Whether a study goes on under its name: it says so, or it has been driven."""
    return params.get(NAME_CLAIM) == HELD or "tune.claim.1" in params


def _written(client: Client, run_id: str, value: str, others: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Write the param of a run; return whether it has this value now, and not another one that was written first.

    The `others` are written with it where they can be: MLflow takes all params of a request, or none.
    """
    from mlflow.entities import Param

    try:
        client.send("log_batch", run_id, params=[Param(*each) for each in {NAME_CLAIM: value, **others}.items()])
    except TrackingError as error:
        if others:  # `mlflow run` has logged a project's own params of these names
            return _written(client, run_id, value)
        found: Any = client.send("get_run", run_id)
        gone = found.info.lifecycle_stage != "active"  # whose it was has withdrawn, or a person deleted it
        held = found.data.params.get(NAME_CLAIM, LEFT if gone else None)
        if held is None:
            raise error
        return bool(held == value)
    return True
