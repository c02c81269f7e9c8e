"""What MLflow refuses to code that names an experiment or a tracking store of its own: the line, and the remedy."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.launchers.refusal import refused_run, told
from mlflow_tune.trial import Job, Outcome
from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import failing
from tests.support.server import copy_store

RUN = "0a1b" * 8
JOB = Job(1, {}, RUN, "7", "http://me:secret@server:5000")
EXPERIMENT = f"Cannot start run with ID {RUN} because active experiment ID does not match environment run ID. Make sure"
STORE = f"RESOURCE_DOES_NOT_EXIST: Run with id={RUN} not found"
SPACE = {"alpha": {"type": "float", "low": 0, "high": 1}}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("mlflow.set_experiment('houses')", "train.py:2 calls mlflow.set_experiment('houses'), but"),
        ("mlflow.set_experiment('houses')", "`run.mlflow: follow`, or `experiment: houses`"),
        ("mlflow.set_experiment(experiment_name='my: own')", '`experiment: "my: own"`'),
        ("NAME = 'houses'\nset_experiment(NAME)", "train.py:3 calls mlflow.set_experiment(NAME), but"),
        ("NAME = 'houses'\nset_experiment(NAME)", "`experiment: houses`"),
        ("mlflow.set_experiment(args.experiment)", "(args.experiment), but the trial's run lies in another"),
        ("mlflow.set_experiment(args.experiment)", "or its experiment"),
        ("mlflow.set_experiment(experiment_id='3')", "(experiment_id='3'), but"),
        ("mlflow.set_experiment(experiment_id='3')", "or its experiment"),
        ("mlflow.set_experiment('a')\n\n\nmlflow.set_experiment('late')", "train.py:2 calls"),
        ("from helpers import set_up; set_up()", "helpers.py:1 calls mlflow.set_experiment('of the helpers')"),
        ("def broken(:", "helpers.py:1 calls"),
    ],
)
def test_another_experiment(tmp_path, code, said):
    (tmp_path / "train.py").write_text(f"import mlflow\n{code}\n")
    (tmp_path / "helpers.py").write_text("def set_up(): mlflow.set_experiment('of the helpers')")
    places = [(str(tmp_path / "train.py"), 3), ("/usr/lib/python3/site-packages/mlflow/fluent.py", 9)]
    assert said in refused_run(EXPERIMENT, places, JOB, tmp_path)


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("http://you:word@other:5000", "`--tracking-uri http://other:5000`"),
        ("sqlite:///mlflow.db", "`--tracking-uri sqlite:///{folder}/mlflow.db`"),
    ],
)
def test_another_store(tmp_path, uri, remedy):
    (tmp_path / "train.py").write_text(f"mlflow.set_tracking_uri({uri!r})\n")
    said = refused_run(STORE, [], JOB, tmp_path, ["python", "train.py"])
    assert "train.py:1 calls mlflow.set_tracking_uri(" in said
    assert "the trial's run is on http://server:5000: take that line out, or" in said
    assert said.endswith(remedy.format(folder=tmp_path))
    assert "word@" not in said


def test_without_the_code_the_failing_line_is_named(tmp_path):
    said = refused_run(EXPERIMENT, [("<stdin>", 1), ("gone.py", 12)], JOB, tmp_path)
    assert said.startswith("the training code calls mlflow.set_experiment before gone.py:12, but")
    assert refused_run(STORE, [], JOB, tmp_path).startswith("the training code calls mlflow.set_tracking_uri, but")


@pytest.mark.parametrize("text", ["", "no luck", EXPERIMENT.replace(RUN, "ffff" * 8), STORE.replace(RUN, "ffff" * 8)])
def test_other_failures_are_left_alone(tmp_path, text):
    assert refused_run(text, [("train.py", 1)], JOB, tmp_path) == ""
    outcome = Outcome("failed", reason="exit code 1; last output: x", output=text.encode())
    assert told(outcome, JOB, tmp_path) is outcome


def study_of(uri, **run):
    study = Study(
        name="refused", metric="loss", space=SPACE, stop={"trials": 8}, run=run, tracking_uri=uri, folder=TRAINING_CODE
    )
    return failing(study.run)


@pytest.mark.long
def test_a_script_that_sets_its_experiment_ends_the_study_after_one_trial_and_runs_with_either_remedy(sqlite_store):
    command = ["python", "sets_experiment.py", "{alpha}"]
    study = study_of(sqlite_store, command=command, retries=2)
    [trial] = study.trials
    assert trial.reason == (
        "exit code 1; sets_experiment.py:8 calls mlflow.set_experiment(EXPERIMENT), but the trial's run lies in "
        "another experiment, and MLflow refuses to log there: give the study `run.mlflow: follow`, or `experiment: "
        "houses`"
    )
    assert study.ending.state == "aborted"
    assert study.ending.why == f"trial 1 failed as every one would: {trial.reason}"
    remedied = {"metric": "loss", "space": SPACE, "stop": {"trials": 1}, "tracking_uri": sqlite_store}
    remedied["folder"] = TRAINING_CODE
    followed = Study(name="a", run={"command": command, "mlflow": "follow"}, **remedied).run()
    there = Study(name="b", run={"command": command}, experiment="houses", **remedied).run()
    assert (followed.best.value, there.best.value) == (0.4, 0.4)
    client = MlflowClient(sqlite_store)
    run = client.get_run(client.get_run(followed.best.run_id).data.tags["tune.followed"])
    assert (run.info.experiment_id, run.info.run_name) == (there.record.experiment_id, "by hand")


@pytest.mark.slow
def test_a_function_that_names_another_store_ends_the_study_after_one_trial(
    sqlite_store, store_template, tmp_path_factory, monkeypatch
):
    monkeypatch.setenv("OTHER_STORE", copy_store(store_template, tmp_path_factory.mktemp("other")))
    study = study_of(sqlite_store, function="sets_uri:objective")
    [trial] = study.trials
    assert "sets_uri.py:10 calls mlflow.set_tracking_uri(os.environ['OTHER_STORE']), but the trial's" in trial.reason
    assert trial.reason.endswith(
        f"run is on {sqlite_store}: take that line out, or run the study with that server (--tracking-uri)"
    )
    assert study.ending.state == "aborted"
