"""The environment of a trial."""

import json
import os

import pytest

from mlflow_tune.launchers.environment import base_environment, trial_environment, trial_variables
from mlflow_tune.trial import Job

OURS = {"tune.of": "run", "tune.of_study": "study"}


def job(bind=True):
    return Job(1, {}, "run", "7", "http://server", study_id="study", bind=bind)


@pytest.mark.parametrize(
    ("held", "kept"),
    [(None, {}), ("", {}), ('{"team": "blue"}', {"team": "blue"}), ("{no JSON", {}), ("[1]", {}), ("[" * 9999, {})],
)
def test_a_persons_own_run_context_is_kept_where_it_can_be_read(monkeypatch, held, kept):
    monkeypatch.delenv("MLFLOW_RUN_CONTEXT", raising=False)
    if held is not None:
        monkeypatch.setenv("MLFLOW_RUN_CONTEXT", held)
    assert json.loads(trial_variables(job())["MLFLOW_RUN_CONTEXT"]) == kept | OURS


@pytest.mark.parametrize("bind", [True, False])
def test_code_that_opens_runs_as_by_hand_gets_no_run(monkeypatch, bind):
    monkeypatch.setenv("MLFLOW_RUN_ID", "parent")
    monkeypatch.delenv("MLFLOW_RUN_CONTEXT", raising=False)
    expected = "run" if bind else None
    assert (base_environment() | trial_variables(job(bind))).get("MLFLOW_RUN_ID") == expected
    with trial_environment(job(bind)):
        assert os.environ.get("MLFLOW_RUN_ID") == expected
        assert json.loads(os.environ["MLFLOW_RUN_CONTEXT"]) == OURS
        assert os.environ["MLFLOW_EXPERIMENT_ID"] == "7"
    assert os.environ["MLFLOW_RUN_ID"] == "parent"
    assert "MLFLOW_RUN_CONTEXT" not in os.environ
