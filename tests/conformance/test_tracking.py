"""What the tracking room promises of studies, on a SQLite store without a server and on a real MLflow server."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlflow_tune.errors import InputError, StudyNotFound
from mlflow_tune.space import Float, Int, Space
from mlflow_tune.tracking import Artifacts, Client, Studies, name_claim, take_name
from mlflow_tune.tracking.ui import charts
from tests.conformance.tracker import OK, definition, start
from tests.fixtures.small_studies.helpers import start as start_process

WRITER = Path(__file__).with_name("writer.py")
UNKNOWN = "f" * 32


def test_a_study_is_a_run_that_any_mlflow_client_reads(tracker):
    study = tracker.study("my study")
    assert take_name(tracker.client, study) is None
    run = tracker.mlflow.get_run(study.run_id)
    assert run.info.run_name == "my study"
    assert run.info.status == "RUNNING"
    assert run.data.params == {"metric": "loss", "goal": "minimize", name_claim.NAME_CLAIM: name_claim.HELD}
    tags = {"tune.kind": "study", "tune.study": "my study", "tune.state": "running", "mlflow.user": "ann"}
    assert tags.items() <= run.data.tags.items()
    assert run.data.tags["tune.budget"] == '{"trials":3,"failures":5}'
    assert study.experiment_id == tracker.experiment_id


def test_a_study_is_found_by_run_id_and_by_name_with_all_that_it_was_given(tracker):
    study = tracker.study("Übung: a 'b' \"c\" \\ %_")
    assert study.definition == definition("Übung: a 'b' \"c\" \\ %_")
    assert (study.folder, study.user, study.state) == ("/code", "ann", "running")
    assert tracker.studies.find(study.run_id) == study
    assert tracker.studies.find(study.name) == study
    assert tracker.studies.find(study.name, tracker.experiment) == study


def test_a_name_means_the_newest_study_of_that_name(tracker):
    made = [tracker.study("twice") for _ in range(3)]
    tracker.study("other")
    newest = max(made, key=lambda study: (study.start_time, study.run_id))
    assert tracker.studies.find("twice", tracker.experiment).run_id == newest.run_id


def test_studies_are_listed_oldest_first_without_trials_and_foreign_runs(tracker):
    made = [tracker.study(f"study {number}").run_id for number in range(3) if not time.sleep(0.002)]
    start(tracker.trials(tracker.studies.get(made[0])))
    tracker.mlflow.create_run(tracker.experiment_id)
    assert [study.run_id for study in tracker.studies.all(tracker.experiment)] == made
    assert [study.run_id for study in tracker.studies.all() if study.experiment_id == tracker.experiment_id] == made
    assert tracker.studies.within([]) == []


def test_the_experiment_is_the_one_named_else_mlflows_own_variables_else_default(tracker, monkeypatch):
    other = tracker.studies.experiment(f"other-{uuid.uuid4().hex}", create=True)
    assert tracker.studies.experiment() == "0"
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_EXPERIMENT_ID", str(other))
        assert tracker.studies.experiment() == other
        patch.setenv("MLFLOW_EXPERIMENT_NAME", tracker.experiment)
        assert tracker.studies.experiment() == tracker.experiment_id
    assert tracker.studies.experiment(tracker.experiment) == tracker.experiment_id
    assert tracker.studies.experiment(tracker.experiment, create=True) == tracker.experiment_id


@pytest.mark.slow
def test_what_does_not_exist_is_not_found(tracker):
    run = tracker.mlflow.create_run(tracker.experiment_id)
    trial = start(tracker.trials())
    assert tracker.studies.experiment("no such experiment") is None
    assert tracker.studies.all("no such experiment") == []
    with pytest.raises(StudyNotFound, match=f"no run {UNKNOWN}"):
        tracker.studies.find(UNKNOWN)
    for run_id in (run.info.run_id, trial.run_id):
        with pytest.raises(StudyNotFound, match="is not a study"):
            tracker.studies.find(run_id)
    for name in ("no such study", "' OR tags.x = '", "%", ""):
        with pytest.raises(StudyNotFound, match="no study is named"):
            tracker.studies.find(name)
    assert StudyNotFound("").exit_code == 2


def test_deleted_runs_and_experiments_are_gone(tracker):
    study, kept = tracker.study("deleted"), tracker.study("kept")
    tracker.mlflow.delete_run(study.run_id)
    assert [record.name for record in tracker.studies.all(tracker.experiment)] == ["kept"]
    with pytest.raises(StudyNotFound, match="is deleted"):
        tracker.studies.find(study.run_id)
    tracker.mlflow.delete_experiment(tracker.experiment_id)
    with pytest.raises(InputError, match=f"experiment: the experiment '{tracker.experiment}' is deleted"):
        tracker.studies.experiment(tracker.experiment, create=True)
    with pytest.raises(StudyNotFound):
        tracker.studies.find(kept.run_id)
    assert kept.run_id not in [record.run_id for record in tracker.studies.all()]


def test_a_deleted_trial_is_forgotten(tracker):
    trials = tracker.trials()
    first, second = (trials.finish(start(trials, number), OK, 0.5) for number in (1, 2))
    tracker.mlflow.delete_run(first.run_id)
    assert [trial.run_id for trial in trials.all()] == [second.run_id]


@pytest.mark.parametrize("length", [7000, 8000, 8001, 30_000])
def test_a_definition_longer_than_a_tag_comes_back_whole(tracker, length):
    values = ["ü" * 50 + str(index) for index in range(length // 56)]
    space = {"kind": {"type": "categorical", "values": [*values, "x" * (length % 56)]}}
    study = tracker.study("long", space=space)
    assert tracker.studies.get(study.run_id).definition == definition("long", space=space)


def test_a_definition_that_somebody_spoilt_is_empty_and_breaks_no_list(tracker):
    study = tracker.study("spoilt")
    tracker.mlflow.set_tag(study.run_id, "tune.spec", "{")
    assert [record.definition for record in tracker.studies.all(tracker.experiment)] == [{}]


@pytest.mark.parametrize(
    ("state", "status"),
    [("running", "RUNNING"), ("finished", "FINISHED"), ("interrupted", "KILLED"), ("aborted", "FAILED")],
)
def test_a_state_is_a_tag_and_a_status(tracker, state, status):
    study = tracker.study()
    tracker.studies.update(study.run_id, {"tune.why_stopped": "because"}, state)
    run, record = tracker.mlflow.get_run(study.run_id), tracker.studies.get(study.run_id)
    assert (run.info.status, record.state, record.why_stopped) == (status, state, "because")
    assert (run.info.end_time is None) == (state == "running")


def test_a_tag_is_cut_to_what_mlflow_keeps(tracker):
    study = tracker.study()
    tracker.studies.update(study.run_id, {"mlflow.note.content": "é" * 9000})
    assert tracker.mlflow.get_run(study.run_id).data.tags["mlflow.note.content"] == "é" * 7999 + "…"


def test_a_resume_changes_what_it_may_and_forgets_the_stop(tracker):
    study = tracker.study()
    tracker.studies.request_stop(study.run_id)
    tracker.studies.update(study.run_id, {"tune.why_stopped": "asked"}, "interrupted")
    assert tracker.studies.get(study.run_id).stop_request
    changed = definition(stop={"trials": 9}, workers=4, strategy={"name": "grid"})
    tracker.studies.reopen(study.run_id, changed)
    record = tracker.studies.get(study.run_id)
    assert (record.state, record.stop_request, record.why_stopped) == ("running", "", "")
    assert record.definition == changed
    assert tracker.mlflow.get_run(study.run_id).info.status == "RUNNING"


@pytest.mark.slow
def test_a_curve_and_a_file_are_kept_and_a_repeated_point_is_one_point(tracker):
    study = tracker.study()
    points = [(step, step / 2, 1000 + step) for step in range(1, 1203)]
    for _ in range(2):
        tracker.studies.log_curves(study.run_id, {"best_loss": points})
    tracker.studies.log_curves(study.run_id, {"best_loss": []})
    found = tracker.mlflow.get_metric_history(study.run_id, "best_loss")
    assert sorted((point.step, point.value, point.timestamp) for point in found) == points
    Artifacts(tracker.client, study.run_id).log_text("study.yaml", "name: é\n")
    assert Path(tracker.mlflow.download_artifacts(study.run_id, "study.yaml")).read_bytes() == "name: é\n".encode()


# --- several writers --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_several_processes_write_studies_and_trials_at_once(tracker, tmp_path):
    shared = f"shared-{uuid.uuid4().hex}"
    writers = [
        start_process([WRITER, tracker.client.uri, shared, str(index), tmp_path], tmp_path) for index in range(3)
    ]
    while len(list(tmp_path.glob("ready-*"))) < 3 and all(writer.poll() is None for writer in writers):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    studies = tracker.studies.all(shared)
    assert sorted(study.name for study in studies) == ["writer 0", "writer 1", "writer 2"]
    for study in studies:
        found = tracker.trials(study).all()
        values = [(trial.number, trial.params, trial.value) for trial in found]
        assert values == [(number, {"lr": number / 8}, number / 4) for number in range(1, 6)]
        assert len(tracker.mlflow.search_runs([study.experiment_id], f"tags.`tune.study` = '{study.name}'")) == 1


@pytest.mark.slow
def test_several_threads_of_one_driver_write_at_once(tracker):
    trials = tracker.trials()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: trials.finish(start(trials, number), OK, number), range(1, 13)))
    assert [(trial.number, trial.value) for trial in trials.all()] == [(number, number) for number in range(1, 13)]


@pytest.mark.slow
def test_several_processes_make_the_same_new_store(tmp_path):
    (tmp_path / "go").touch()
    uri = f"sqlite:///{tmp_path / 'deep' / 'new.db'}"
    writers = [start_process([WRITER, uri, "shared", str(index), tmp_path], tmp_path) for index in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(Studies(Client(uri)).all()) == 3
    assert not list(tmp_path.glob("deep/.mlflow-new-*"))


@pytest.mark.parametrize("curves", [True, False])
def test_the_shared_view_draws_curves_only_of_a_metric_with_steps_and_logarithms_of_log_parameters(curves):
    space = Space({"lr": Float(1e-4, 1, log=True), "units": Int(8, 64)})
    drawn = charts("loss", space, curves)
    lines = ["LINE"] if curves else []
    assert [chart["type"] for chart in drawn] == ["PARALLEL", "SCATTER", "SCATTER", "CONTOUR", "SCATTER", *lines, "BAR"]
    assert (drawn[0]["selectedParams"], drawn[0]["selectedMetrics"]) == (["units"], ["log10_lr", "loss"])
    steps = [chart for chart in charts("loss", space, curves, stops=True) if chart not in drawn]
    assert [chart["yaxis"]["key"] for chart in steps if chart["type"] == "SCATTER"] == ["steps_used"]
