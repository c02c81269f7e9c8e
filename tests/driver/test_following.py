"""A metric that training code logged to a run of its own counts for its trial, as plain MlflowClient shows it.

All functions run as the trials of one study, those with `run.mlflow: follow` as those of another.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study, StudyFailed
from mlflow_tune.driver.autologging import lost_params
from mlflow_tune.driver.following import described, nearest, several
from mlflow_tune.study.adoption import candidates
from mlflow_tune.tracking.logged import LoggedRun
from tests.fixtures import TRAINING_CODE
from tests.support.server import copy_store

FOLLOWED = {  # kind -> the name of the run that has the metric, and its value
    "nests": ("train", 0.4),
    "opens_two": ("train", 0.4),
    "logs_as_lightning_does": ("logger", 0.4),
    "autologs_first": (None, 0.5),
    "encloses_folds": ("all folds", 0.5),
}
FAILED = {
    "has_folds_alone": (
        "to 2 runs",
        "'fold 0' (run ",
        "loss=0, accuracy=0.5",
        "'fold 1' (run ",
        "loss=1",
        "around them",
    ),
    "misspells": ("'loss' was not logged, nor was any other; ", "'train' (run ", "los=0.5"),
    "creates_a_bare_run": ("begun meanwhile by the same user, this run has it: 'bare' (run ", "resolve_tags()"),
}
KINDS = [*FOLLOWED, "logs_to_both", *FAILED]
CURVE = [(0, 0.9), (1, 0.2), (2, 0.4)]


class Result:
    """A study that ran, and all runs of its store, by id, as plain MLflow has them."""

    def __init__(self, uri, study):
        self.client = MlflowClient(uri)
        self.study = study
        ids = [each.experiment_id for each in self.client.search_experiments()]
        self.runs = {run.info.run_id: run for run in self.client.search_runs(ids)}

    def trial(self, kind):
        mine = [run for run in self.runs.values() if run.data.tags.get("mlflow.parentRunId") == self.study.run_id]
        [found] = [run for run in mine if run.data.params["kind"] == kind]
        return found

    def curve(self, run_id, metric="loss"):
        points = self.client.get_metric_history(run_id, metric)
        return [(point.step, point.value, point.timestamp) for point in points]


@pytest.fixture(scope="module")
def run_kinds(store_template, tmp_path_factory):
    def run(kinds, **more):
        uri = copy_store(store_template, tmp_path_factory.mktemp("following"))
        study = Study(
            name=f"opened-{uuid.uuid4().hex}",
            metric="loss",
            space={
                "kind": {"type": "categorical", "values": kinds},
                "alpha": {"type": "float", "low": 0, "high": 1, "grid": [0.25]},
            },
            strategy="grid",
            run={"function": "opened:objective", **more},
            tracking_uri=uri,
            folder=TRAINING_CODE,
            **({"value": "best"} if more else {}),
        )
        with suppress(StudyFailed):  # where every kind of code fails
            study.run()
        return Result(uri, study)

    return run


@pytest.fixture(scope="module")
def bound(run_kinds):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_RUN_CONTEXT", '{"team": "blue", "tune.of": "somebody else"}')
        return run_kinds(KINDS)


@pytest.fixture(scope="module")
def unbound(run_kinds):
    return run_kinds(["sets_experiment", "logs_and_returns", "breaks_off"], mlflow="follow")


# --- which of several runs --------------------------------------------------------------------------------------------


def logged(run_id, parent="", **metrics):
    return LoggedRun(run_id, name=run_id, tags={"mlflow.parentRunId": parent} if parent else {}, metrics=metrics)


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([], []),
        ([logged("a", accuracy=1)], []),
        ([logged("a", "trial", loss=1)], ["a"]),
        ([logged("a", loss=1), logged("b", loss=2)], ["a", "b"]),
        ([logged("a", loss=1), logged("b", "a", loss=2), logged("c", "a", loss=2)], ["a"]),
        ([logged("a"), logged("b", "a", loss=2), logged("c", "b", loss=2)], ["b"]),
        ([logged("a"), logged("b", "a", loss=2), logged("c", "trial"), logged("d", "c", loss=3)], ["b", "d"]),
        ([logged("a", "b", loss=1), logged("b", "a", loss=2)], ["a", "b"]),  # tags that no MLflow would write
    ],
)
def test_the_runs_nearest_to_the_trial_count(runs, found):
    assert [run.run_id for run in nearest(runs, "loss")] == found


def test_of_many_runs_with_many_metrics_some_are_named():
    runs = [logged(f"r{number}", loss=number, **{f"m{index}": 0.5 for index in range(9)}) for number in range(30)]
    words = several("loss", runs)
    assert "'r4' (run r4, loss=4, m0=0.5, m1=0.5, m2=0.5 and 6 more) and 25 more" in words
    assert len(words) < 800
    assert described(logged("x")) == "'x' (run x, no metric)"


# --- the study --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOLLOWED)
def test_the_metric_of_a_run_that_the_code_opened_counts(bound, kind):
    name, value = FOLLOWED[kind]
    trial = bound.trial(kind)
    run = bound.runs[trial.data.tags["tune.followed"]]
    assert (trial.data.tags["tune.outcome"], trial.info.status) == ("ok", "FINISHED")
    assert (trial.data.metrics["objective"], trial.data.metrics["loss"]) == (value, value)
    assert run.info.run_id != trial.info.run_id
    assert name in (None, run.info.run_name)
    assert run.data.metrics["loss"] == value
    assert bound.curve(trial.info.run_id) == bound.curve(run.info.run_id)
    assert run.data.tags["mlflow.parentRunId"] == trial.info.run_id
    assert run.data.tags["tune.of"] == trial.info.run_id
    assert run.data.tags["tune.of_study"] == bound.study.run_id
    assert run.data.tags["team"] == "blue"  # of the person's own MLFLOW_RUN_CONTEXT
    link = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert link in trial.data.tags["mlflow.note.content"]


def test_what_the_code_wrote_stays_where_it_is(bound):
    trial = bound.trial("opens_two")
    assert trial.data.tags["stage"] == "load"
    assert "rounds" not in trial.data.params
    assert bound.runs[trial.data.tags["tune.followed"]].data.params == {"rounds": "3"}
    assert bound.trial("nests").data.tags["mlflow.note.content"].endswith("\n\na pipeline")
    followed = bound.runs[bound.trial("logs_as_lightning_does").data.tags["tune.followed"]]
    assert bound.client.get_experiment(followed.info.experiment_id).name == "lightning_logs"


def test_a_diagnosis_sees_the_curves_of_the_followed_run(bound):
    [finding] = json.loads(bound.trial("nests").data.tags["tune.diagnosis"])
    assert finding["name"] == "too-little-evidence"
    assert "tune.diagnosis" not in bound.trial("encloses_folds").data.tags


def test_a_trials_own_run_comes_first(bound):
    trial = bound.trial("logs_to_both")
    assert trial.data.metrics["objective"] == 0.5
    assert "tune.followed" not in trial.data.tags


@pytest.mark.parametrize("kind", FAILED)
def test_where_none_can_be_followed_the_reason_says_why(bound, kind):
    trial = bound.trial(kind)
    assert (trial.data.tags["tune.outcome"], trial.info.status) == ("failed", "FAILED")
    assert "objective" not in trial.data.metrics
    for words in FAILED[kind]:
        assert words in trial.data.tags["tune.reason"]


def test_params_that_autologging_lost_are_told_once_a_study(bound):
    reason = bound.trial("autologs_first").data.tags["tune.reason"]
    assert "autologging logged none of its params: it gives 'alpha' another text" in reason
    assert "run.mlflow: follow" in reason
    assert bound.trial("autologs_first").data.params == {"kind": "autologs_first", "alpha": "0.25"}


def test_a_followed_run_is_no_evidence_twice(bound):
    found = candidates(bound.study.handle, "metrics.loss < 9", "lightning_logs")
    assert [each.refusal for each in found] == [
        "the training code of a trial opened it, and that trial is evidence already"
    ]


# --- run.mlflow: follow -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "value"), [("sets_experiment", 0.2), ("logs_and_returns", 0.2)])
def test_with_follow_code_opens_its_runs_as_by_hand(unbound, kind, value):
    trial = unbound.trial(kind)
    run = unbound.runs[trial.data.tags["tune.followed"]]
    assert run.info.run_name == "by hand"
    assert (trial.data.metrics["objective"], trial.data.metrics["loss"]) == (value, 0.4)  # `value: best`
    assert unbound.curve(trial.info.run_id) == unbound.curve(run.info.run_id)
    assert run.data.tags["mlflow.parentRunId"] == trial.info.run_id
    assert run.info.status == "FINISHED"


def test_with_follow_the_persons_params_tags_and_experiment_stay(unbound):
    trial = unbound.trial("sets_experiment")
    run = unbound.runs[trial.data.tags["tune.followed"]]
    assert unbound.client.get_experiment(run.info.experiment_id).name == "houses"
    assert (run.data.params, run.data.tags["team"]) == ({"alpha": "0.5"}, "blue")
    assert trial.data.params["alpha"] == "0.25"
    assert "team" not in trial.data.tags


def test_with_follow_a_trial_that_fails_shows_its_curve(unbound):
    trial = unbound.trial("breaks_off")
    assert trial.data.tags["tune.outcome"] == "failed"
    assert trial.data.metrics["loss"] == 0.4
    assert "objective" not in trial.data.metrics
    assert unbound.runs[trial.data.tags["tune.followed"]].info.status == "FAILED"


def test_no_run_is_left_open(bound, unbound):
    for result in (bound, unbound):
        running = [run.info.run_name for run in result.runs.values() if run.info.status == "RUNNING"]
        assert running in ([], ["bare"])  # which its maker leaves so, by hand too


# --- what autologging lost ------------------------------------------------------------------------------------------


def warned(name):
    return (
        'WARNING mlflow.sklearn: Encountered unexpected error during sklearn autologging: [MlflowException("Changing '
        f"param values is not allowed. Params were already logged='[{{\\'key\\': \\'{name}\\', \\'old_value\\': \\'64"
    ).encode()


@pytest.mark.parametrize(
    ("run", "output", "said"),
    [
        (None, b"", None),
        (None, warned("hidden_layer_sizes"), "gives 'hidden_layer_sizes' another"),
        (None, warned("'; rm -rf /"), "gives a searched parameter another"),
        (LoggedRun("a", params={"hidden_layer_sizes": "64"}), b"", None),
        (LoggedRun("a", tags={"mlflow.autologging": "sklearn"}, params={"C": "1"}), b"", "a searched parameter"),
        (LoggedRun("a", tags={"mlflow.autologging": "sklearn"}, params={"C": "1", "tol": "0.1"}), b"", None),
    ],
)
def test_lost_params(run, output, said):
    words = lost_params(run, {"hidden_layer_sizes": 64, "C": 1}, output)
    assert said in words if said else words == ""
