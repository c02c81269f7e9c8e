"""The environment variables of a trial.

MLflow reads which run to log to from MLFLOW_RUN_ID, MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_ID. It puts the tags in
MLFLOW_RUN_CONTEXT on every other run that is opened, so that such a run can be followed to its trial. Libraries for
GPUs read from CUDA_VISIBLE_DEVICES and its like which of them they may use.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_tune.trial import OF, OF_STUDY, Devices, Job

RUN_ID_VARIABLE = "MLFLOW_RUN_ID"
CONTEXT = "MLFLOW_RUN_CONTEXT"
EXPERIMENT_NAME = "MLFLOW_EXPERIMENT_NAME"
SLOT_VARIABLE = "MLFLOW_TUNE_SLOT"
RESUME_VARIABLE = "MLFLOW_TUNE_RESUME_FROM"  # the id of the run from which a trial is trained on
TRIAL_VARIABLE = "MLFLOW_TUNE_TRIAL"  # the id of the trial's run, which no code of MLflow changes
# A name beside an id is refused by MLflow's command line; where a study runs within a trial, its own is not trained on.
_CLEARED = (RUN_ID_VARIABLE, EXPERIMENT_NAME, RESUME_VARIABLE)


def base_environment() -> dict[str, str]:
    """Return what the processes of every trial share: this process's variables, fit for training code."""
    variables = dict(os.environ)
    for name in _CLEARED:
        variables.pop(name, None)
    variables.setdefault("PYTHONUNBUFFERED", "1")
    if not (variables.get("VIRTUAL_ENV") or variables.get("CONDA_PREFIX")):
        # with no environment activated, `python` means the one that mlflow-tune is installed in
        variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)])
    return variables


def trial_variables(job: Job) -> dict[str, str]:
    """Return the variables by which MLflow in the training code finds the trial's run, or marks the runs of its own."""
    return {
        **({RUN_ID_VARIABLE: job.run_id} if job.bind else {}),
        CONTEXT: _context(job),
        "MLFLOW_TRACKING_URI": job.tracking_uri,
        "MLFLOW_EXPERIMENT_ID": job.experiment_id,
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # else two lines a trial
        TRIAL_VARIABLE: job.run_id,
        **({RESUME_VARIABLE: job.resume_from} if job.resume_from else {}),
        **place_variables(job.slot, job.devices),
    }


def place_variables(slot: int, devices: Devices | None) -> dict[str, str]:
    """Return the variables that tell a trial its slot and, where it is given some, its devices.

    ROCm hides devices twice: what HIP_VISIBLE_DEVICES counts are those that ROCR_VISIBLE_DEVICES has left.
    """
    variables = {SLOT_VARIABLE: str(slot)}
    if devices is not None:
        named = ",".join(devices)
        counted = ",".join(map(str, range(len(devices))))
        variables |= {"CUDA_VISIBLE_DEVICES": named, "ROCR_VISIBLE_DEVICES": named, "HIP_VISIBLE_DEVICES": counted}
    return variables


def _context(job: Job) -> str:
    """Return the tags of the runs that training code opens: a person's own, where they can be read, and ours."""
    try:
        tags = json.loads(os.environ.get(CONTEXT) or "{}")
    except (ValueError, RecursionError):
        tags = {}
    return json.dumps({**(tags if isinstance(tags, dict) else {}), OF: job.run_id, OF_STUDY: job.study_id})


@contextmanager
def trial_environment(job: Job) -> Iterator[None]:
    """Set the trial's variables in this process, and afterwards put back what was there."""
    variables = trial_variables(job)
    before = {name: os.environ.get(name) for name in (*variables, *_CLEARED)}
    for name in _CLEARED:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
