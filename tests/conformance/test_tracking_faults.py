"""What the tracking room does when the network loses answers and the server says no: a proxy before a real server."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES

from mlflow_tune import Study
from mlflow_tune.errors import AccessRefused, InputError, TrackingError
from mlflow_tune.tracking import Artifacts, Client, Studies, client
from mlflow_tune.tracking.records import new_nonce
from tests.conformance.tracker import OK, definition, start
from tests.support.proxy import BUSY, CUT, HALVED, LOGIN, LOSE, Fault, refusal
from tests.support.server import free_port


@pytest.mark.slow
@pytest.mark.parametrize("fault", [LOSE, CUT, BUSY, HALVED, LOGIN], ids=["lost", "cut", "busy", "halved", "login"])
def test_whichever_request_fails_the_study_and_its_trials_are_written_once(spoilt, proxy, fault):
    for path in ("experiments/create", "runs/create", "runs/log-batch", "runs/update"):
        proxy.spoil(path, fault, times=2)
    if fault is LOGIN:  # what writes never had an answer to is told at once, as a test below holds
        proxy.heal()
    experiment_id = spoilt.studies.experiment(f"lossy-{uuid.uuid4().hex}", create=True)
    study = spoilt.studies.create(definition(), experiment_id, {}, "/code", new_nonce())
    trials = spoilt.trials(study)
    for _ in range(2):
        for path in ("runs/create", "runs/log-batch", "runs/update"):
            proxy.spoil(path, fault)
    ended = trials.finish(start(trials), OK, 0.5)
    proxy.heal()
    found = spoilt.mlflow.search_runs([experiment_id])
    [run, child] = sorted(found, key=lambda run: "mlflow.parentRunId" in run.data.tags)
    assert (run.info.run_id, child.info.run_id) == (study.run_id, ended.run_id)
    assert (child.info.status, child.info.end_time) == ("FINISHED", ended.end_time)
    for metric in ("objective", "loss", "trial"):
        assert len(spoilt.mlflow.get_metric_history(child.info.run_id, metric)) == 1
    assert trials.all() == [ended]


@pytest.mark.long
def test_a_study_over_a_bad_network_is_the_same_study(proxy, server):
    name = f"bad-network-{uuid.uuid4().hex}"
    for every, fault in ((3, LOSE), (5, CUT), (7, BUSY)):
        proxy.spoil("/api/", fault, times=10_000, every=every)
    points = []
    for uri in (server, proxy.uri):
        study = Study(
            name=name, objective=lambda x: (x - 0.5) ** 2, metric="loss", stop={"trials": 4}, tracking_uri=uri,
            space={"x": {"type": "float", "low": 0, "high": 1}}, experiment=name,
        ).run()  # fmt: skip
        points.append([(trial.number, trial.attempt, trial.params, trial.value) for trial in study.trials])
    proxy.heal()
    assert points[0] == points[1]
    mlflow = MlflowClient(server)
    runs = mlflow.search_runs([study.record.experiment_id])
    assert len(runs) == 10
    assert {run.info.status for run in runs} == {"FINISHED"}
    for trial in study.trials:
        assert [len(mlflow.get_metric_history(trial.run_id, key)) for key in ("objective", "loss", "trial")] == [1] * 3


@pytest.mark.slow
def test_the_search_for_a_lost_run_may_fail_too(spoilt, proxy):
    trials = spoilt.trials()
    proxy.spoil("runs/create", LOSE)
    proxy.spoil("runs/search", BUSY, times=2)
    trial = start(trials)
    assert [run.info.run_id for run in spoilt.children(trials.study)] == [trial.run_id]
    assert proxy.calls().count("POST runs/create") == 2  # the study's and the trial's


def test_a_request_that_got_through_is_sent_once(spoilt, proxy):
    before = len(proxy.requests)
    start(spoilt.trials())
    assert proxy.calls()[before:] == [
        "POST runs/create",
        "POST runs/create",
        "POST runs/log-batch",
    ]  # the study, the trial


def test_a_row_that_another_writer_wrote_at_the_same_moment_is_sent_again(spoilt, proxy):
    trials = spoilt.trials()
    said = "(sqlite3.IntegrityError) UNIQUE constraint failed: params.key, params.run_uuid"
    answer = json.dumps({"error_code": "BAD_REQUEST", "message": said})
    proxy.spoil("runs/log-batch", Fault(False, 400, answer, "application/json"))
    trial = start(trials)
    assert [run.info.run_id for run in spoilt.children(trials.study)] == [trial.run_id]
    assert proxy.calls().count("POST runs/log-batch") == 2


@pytest.mark.slow
def test_waiting_is_told_once_and_the_pace_is_kept(spoilt, proxy, caplog):
    study = spoilt.study()
    proxy.spoil("runs/get", BUSY, times=4)
    began = time.monotonic()
    assert spoilt.studies.get(study.run_id) == study
    assert time.monotonic() - began < 15
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [warning.partition(": ")[0] for warning in warnings] == [f"waiting for the tracking server {proxy.uri}"]


@pytest.mark.slow
def test_an_artifact_that_does_not_arrive_at_first_is_sent_again(spoilt, proxy):
    study = spoilt.study()
    for fault in (BUSY, CUT, LOSE):
        proxy.spoil("mlflow-artifacts/artifacts", fault)
    Artifacts(spoilt.client, study.run_id).log_text("study.yaml", "name: x\n")
    assert Path(spoilt.mlflow.download_artifacts(study.run_id, "study.yaml")).read_text() == "name: x\n"


@pytest.mark.slow
def test_an_artifact_store_that_never_works_does_not_hold_the_study_up(spoilt, proxy, monkeypatch, sqlite_store):
    monkeypatch.setattr(client, "ARTIFACT_PATIENCE", 0.5)
    trials = spoilt.trials()
    trial = start(trials)
    proxy.spoil("mlflow-artifacts/artifacts", BUSY, times=1000)
    with pytest.raises(TrackingError, match="no answer"):
        trials.log_output(trial, b"words")
    # A server's artifacts cannot be reached without the server: MLflow's client refuses by itself.
    mlflow = MlflowClient(sqlite_store)
    experiment_id = mlflow.create_experiment("of a server", artifact_location="mlflow-artifacts:/1")
    run = mlflow.create_run(experiment_id)
    monkeypatch.setattr(client, "ARTIFACT_PATIENCE", 600)
    began = time.monotonic()
    with pytest.raises(TrackingError, match="tracking URI must be a valid http"):
        Client(sqlite_store).send("log_artifact", run.info.run_id, __file__)
    assert time.monotonic() - began < 60


@pytest.mark.slow
def test_patience_has_an_end_and_so_has_a_driver(spoilt, proxy):
    study = spoilt.study()
    impatient = Studies(Client(proxy.uri, patience=1))
    proxy.spoil("runs/get", CUT, times=1000)
    with pytest.raises(TrackingError, match=r"no answer from the tracking server .* for 1 s"):
        impatient.get(study.run_id)
    threading.Timer(0.5, spoilt.client.abandoned.set).start()
    began = time.monotonic()
    with pytest.raises(TrackingError):
        spoilt.studies.get(study.run_id)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("retries", [None, "2"])
def test_mlflows_own_retries_are_as_they_were_after_success_and_failure(spoilt, proxy, monkeypatch, retries):
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    with monkeypatch.context() as patch:
        patch.delenv(name, raising=False) if retries is None else patch.setenv(name, retries)
        study = spoilt.study()
        assert os.environ.get(name) == retries
        proxy.spoil("runs/get", refusal(403, "PERMISSION_DENIED", "no"))
        with pytest.raises(AccessRefused):
            spoilt.studies.get(study.run_id)
        assert os.environ.get(name) == retries
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(spoilt.studies.get, [study.run_id] * 16))
        assert os.environ.get(name) == retries
        # Nor does it change meanwhile: what walks through the environment in another thread would miss a variable.
        seen: list[object] = []
        spoilt.client.guard = lambda: seen.append((os.environ.get(name), MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()))
        spoilt.client.send("set_tag", study.run_id, "a", "b")
        spoilt.client.guard = None
        assert seen == [(retries, 0)]
        assert MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == int(retries or 7), "MLflow's own value, outside of our requests"


# --- an answer that is none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_login_page_before_the_first_answer_of_its_kind_is_told_at_once(proxy, method):
    fresh = Client(proxy.uri)
    if method == "write":
        assert fresh.send("get_experiment", "0").experiment_id == "0"
    sent = len(proxy.requests)
    proxy.spoil("/api/", LOGIN, times=1000)
    asked = ("get_experiment", "0") if method == "read" else ("create_experiment", uuid.uuid4().hex)
    with pytest.raises(TrackingError, match=r"^no MLflow server answers at .*, or a login stands before it: .*log in"):
        fresh.send(*asked)
    assert len(proxy.requests) == sent + 1


def test_what_is_cut_short_is_waited_for_from_the_first_answer_on(proxy):
    proxy.spoil("/api/", HALVED, times=2)
    assert Client(proxy.uri).send("get_experiment", "0").experiment_id == "0"


@pytest.mark.slow
@pytest.mark.parametrize("body", ["", "{}", '{"status": "ok"}', '{"run": 1}'], ids=["nothing", "empty", "other", "odd"])
def test_an_answer_of_something_else_is_none(spoilt, proxy, body):
    """MLflow's client reads each of them as a run without an id, or raises what is no error of MLflow's."""
    study = spoilt.study()
    proxy.spoil("runs/get", Fault(False, 200, body))
    assert spoilt.studies.get(study.run_id) == study
    proxy.spoil("runs/create", Fault(False, 200, body))
    trial = start(spoilt.trials(study))
    assert [run.info.run_id for run in spoilt.children(study)] == [trial.run_id]


# --- a database that cannot write -------------------------------------------------------------------------------------


def test_a_store_that_can_only_be_read_is_told_at_once_in_one_line(sqlite_store, caplog):
    connection = Client(sqlite_store)
    connection.send("get_experiment", "0")
    with spoilt_by(connection, "PRAGMA query_only = ON"), pytest.raises(TrackingError) as caught:
        connection.send("create_experiment", "new")
    assert str(caught.value).startswith(
        f"the tracking store {sqlite_store} is broken: attempt to write a readonly data"
    )
    assert caplog.records == [], "MLflow's own traceback"


@pytest.mark.slow
def test_a_full_disk_is_waited_for_and_told_in_its_own_words_once_a_minute(sqlite_store, caplog):
    with closing(sqlite3.connect(sqlite_store.removeprefix("sqlite:///"))) as file:
        file.execute("VACUUM")  # no page is left to write on
    connection = Client(sqlite_store)
    with spoilt_by(connection, "PRAGMA max_page_count = 1"):
        for _ in range(2):
            threading.Timer(1.0, connection.abandoned.set).start()
            with pytest.raises(TrackingError, match="broken off: database or disk is full"):
                connection.send("set_experiment_tag", "0", "large", "x" * 4_900)
            connection.abandoned.clear()
            connection.send("get_experiment", "0")  # a read is answered: so ends what is noted as an outage
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"waiting for the tracking server {sqlite_store}: database or disk is full"
    ]


@contextmanager
def spoilt_by(connection: Client, pragma: str) -> Iterator[None]:
    """Let each connection to the SQLite store begin with this pragma, by which SQLite itself refuses to write."""
    from sqlalchemy import event

    engine = connection._client._tracking_client.store.engine

    def begun(opened, *_: object) -> None:
        opened.execute(pragma)

    event.listen(engine, "checkout", begun)
    engine.dispose()
    try:
        yield
    finally:
        event.remove(engine, "checkout", begun)
        engine.dispose()


# --- a server that says no, or nothing --------------------------------------------------------------------------------

HOST = Fault(forward=False, status=403, body="Invalid Host header - possible DNS rebinding attack", content_type="")
UNAUTHENTICATED = Fault(
    forward=False, status=401, body="You are not authenticated. Please see ...", content_type="text/html"
)
REFUSALS = [
    (refusal(403, "PERMISSION_DENIED", "Permission denied"), AccessRefused, "refuses access: .*Permission denied"),
    (refusal(401, "UNAUTHENTICATED", "who are you?"), AccessRefused, "refuses access: .*who are you"),
    (UNAUTHENTICATED, AccessRefused, "refuses access: .*not authenticated"),
    (replace(UNAUTHENTICATED, status=403, body="Permission denied"), AccessRefused, "refuses access: .*denied"),
    (HOST, AccessRefused, "refuses the host name; start it with --allowed-hosts 127.0.0.1:"),
    (refusal(400, "INVALID_PARAMETER_VALUE", "not like this"), TrackingError, "refused a request: .*not like this"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), REFUSALS)
def test_a_refusal_is_told_at_once_in_one_line(spoilt, proxy, fault, kind, words):
    study = spoilt.study()
    sent = len(proxy.requests)
    proxy.spoil("/api/", fault, times=1000)
    with pytest.raises(kind, match=words) as caught:
        spoilt.studies.update(study.run_id, {"a": "b"}, "finished")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert len(proxy.requests) == sent + 1


@pytest.mark.slow
def test_the_command_line_ends_with_3_and_one_line_when_refused_or_alone(proxy):
    proxy.spoil("/api/", refusal(403, "PERMISSION_DENIED", "Permission denied"), times=1000)
    nobody = f"http://user:secret@127.0.0.1:{free_port()}"
    for uri, words in ((proxy.uri, "refuses access"), (nobody, "no tracking server answers")):
        began = time.monotonic()
        command = [sys.executable, "-m", "mlflow_tune", "list", "--tracking-uri", uri]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (3, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert words in line
        assert "secret" not in line
        assert time.monotonic() - began < 30


def test_a_server_that_is_not_there_is_told_within_seconds():
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"no tracking server answers at http://127\.0\.0\.1:"):
        Client(f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("uri", ["http://", "nonsense://x", "sqlite:////proc/no/mlflow.db", "sqlite:///{tmp}/text.db"])
def test_a_uri_that_mlflow_cannot_use_is_an_error_that_names_it(tmp_path, uri):
    (tmp_path / "text.db").write_text("this is no database " * 50)
    with pytest.raises((InputError, TrackingError)) as caught:
        Studies(Client(uri.format(tmp=tmp_path))).all()
    assert "\n" not in str(caught.value)


def test_a_relative_store_stays_where_it_was_made(sqlite_store, tmp_path, monkeypatch):
    client = Client("sqlite:///mlflow.db")
    assert client.uri == sqlite_store
    with monkeypatch.context() as patch:
        patch.chdir("/")
        assert client.uri == sqlite_store
        assert Studies(client).all() == []
