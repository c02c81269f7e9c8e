"""Trials that misbehave: each ends with an outcome and a reason that a person understands, and the study goes on."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from mlflow_tune import Int, Study
from mlflow_tune.errors import InputError
from tests.fixtures.small_studies.helpers import Tune, nothing_left, runs_of, start, study_file, wait_for

MIB = 2**20
FUNCTION = {"function": "misbehaving:objective"}
COMMAND = {"command": [sys.executable, "misbehaving.py", "--do", "{do}", "--folder", "{folder}"]}
ENDINGS = {
    "well": ("ok", ""),
    "raises": ("failed", "ValueError: no luck"),
    "exits": ("failed", r"sys\.exit\(3\)|exit code 3"),
    "segfault": ("failed", "killed by SIGSEGV"),
    "memory": ("failed", r"^used \d+(\.\d+)? MiB of memory, more than its limit of 200 MiB \(run\.memory\)$"),
    "nan": ("not-finite", "'loss' is nan"),
    "inf": ("not-finite", "'loss' is inf"),
    "nothing": ("failed", "'loss' was not logged, nor was any other"),
    "other": ("failed", "'loss' was not logged; logged were 'other'"),
    "hang": ("timeout", "^took longer than 10s$"),
    "flood": ("ok", ""),
    "held": ("ok", ""),
}
STATUS = {"ok": "FINISHED", "failed": "FAILED", "timeout": "FAILED", "not-finite": "FAILED"}
LONG = ("hang",)
SHORT = [kind for kind in ENDINGS if kind not in LONG]


@dataclass(frozen=True)
class Driven:
    """A study that ran: its process, its folder, and how much memory the driver took at most, in bytes."""

    process: Tune
    folder: Path
    parent: object
    children: dict[str, object]
    before: int
    after: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((FUNCTION, SHORT), id="function", marks=pytest.mark.long),
        pytest.param((COMMAND, SHORT), id="command", marks=pytest.mark.slow),
        pytest.param((FUNCTION, ["well", *LONG, "held"]), id="function that hangs", marks=pytest.mark.long),
        pytest.param((COMMAND, ["well", *LONG, "held"]), id="command that hangs", marks=pytest.mark.long),
    ],
)
def driven(request, server, tmp_path_factory):
    """Run a study with one trial for each way to misbehave, the last of which waits to be let go."""
    (run, kinds), folder = request.param, tmp_path_factory.mktemp("misbehaving")
    path = study_file(
        folder, name=folder.name, stop={"failures": 100},
        run={**run, "parameters": {"folder": str(folder)}, "memory": "200MiB", "timeout": "10s"},
        space={"do": {"type": "categorical", "values": kinds}},
    )  # fmt: skip
    shutil.copy(Path(__file__).with_name("misbehaving.py"), folder)
    process = start(["run", path, "-v"], folder, server)
    process.said("trial 2 attempt 1 started")
    before = peak_of(process.pid)
    process.said(f"trial {len(kinds)} attempt 1 started")
    after = peak_of(process.pid)
    (folder / "go").touch()
    process.wait()
    parent, children = runs_of(server, folder.name)
    return Driven(process, folder, parent, {run.data.params["do"]: run for run in children}, before, after)


def peak_of(pid: int) -> int:
    """Return the most that a process has held in memory so far, in bytes; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024


def pids_in(file: Path) -> list[int]:
    return json.loads(file.read_text())


@pytest.mark.slow
def test_each_has_an_outcome_and_a_reason_and_the_study_goes_on(driven):
    assert driven.process.code == 0, driven.process.err.read_text()
    for kind, run in driven.children.items():
        outcome, words = ENDINGS[kind]
        tags = run.data.tags
        assert (tags["tune.outcome"], run.info.status) == (outcome, STATUS[outcome]), (kind, tags)
        assert ("tune.reason" in tags) == bool(words), (kind, tags)
        assert re.search(words, tags.get("tune.reason", "")), (kind, tags)
        assert (run.data.metrics.get("objective") == 1.0) == (outcome == "ok")
    assert sorted(run.data.metrics["trial"] for run in driven.children.values()) == [
        *range(1, len(driven.children) + 1)
    ]
    assert driven.parent.info.status == "FINISHED"
    assert "every point" in driven.parent.data.tags["tune.why_stopped"]
    assert "Warning" not in driven.process.err.read_text()


def test_nothing_is_left_of_them(driven):
    nothing_left(driven.process)
    for kind in {"memory", "hang"} & set(driven.children):
        assert not any(psutil.pid_exists(pid) for pid in pids_in(driven.folder / kind)), kind


def test_what_they_print_does_not_fill_the_driver(driven, server):
    from mlflow import MlflowClient

    assert driven.after - driven.before < 32 * MIB, "200 MB were printed"
    if flood := driven.children.get("flood"):
        path = MlflowClient(server).download_artifacts(flood.info.run_id, "output.log", str(driven.folder))
        kept = Path(path).read_bytes()
        assert b"earlier bytes were dropped" in kept[:100]
        assert MIB <= len(kept) < MIB + 200
        assert flood.info.end_time - flood.info.start_time < 60_000


# --- memory ---------------------------------------------------------------------------------------------------------


def in_process(uri: str = "sqlite:///none.db", **more) -> Study:
    space = {"x": Int(1, 4, grid=[1, 2, 3, 4])}
    return Study(
        name="limited", objective=lambda x: x, space=space, metric="loss", strategy="grid", tracking_uri=uri, **more
    )


@pytest.mark.slow
@pytest.mark.parametrize("limit", [{"memory": "2GiB"}, {"timeout": "5m"}])
def test_an_objective_of_this_process_has_no_limits(limit, sqlite_store):
    refused = rf"{next(iter(limit))}: an objective of this process cannot be stopped; leave it out or use workers=2"
    with pytest.raises(InputError, match=refused):
        in_process(**limit)
    study = in_process(sqlite_store, workers=2, stop={"trials": 1}, **limit).run()
    assert study.best.value == 1
    with pytest.raises(InputError, match=refused):
        Study.load("limited", objective=lambda x: x, tracking_uri=sqlite_store).resume("+1", workers=1)
    assert Study.load("limited", tracking_uri=sqlite_store).spec.run == study.spec.run


# --- what a person deletes in MLflow while the study is driven ------------------------------------------------------

HELD = {"function": "objectives:held", "parameters": {"folder": "."}}
HELD_COMMAND = {"command": [sys.executable, "train.py", "--x", "{x}", "--folder", "."]}
SPACE = {"x": {"type": "int", "low": 1, "high": 1000}}
RANDOM = {"name": "random", "seed": 0}


def mlflow_client(uri: str):
    from mlflow import MlflowClient

    return MlflowClient(uri)


def held_study(folder: Path, uri: str, run: dict, workers: int, **more) -> tuple[Tune, str]:
    """Start a study whose trials wait for the file `go`; return it, once all of its workers are at work."""
    path = study_file(folder, name=folder.name, run=run, workers=workers, space=SPACE, strategy=RANDOM, **more)
    process = start(["run", path, "-v"], folder, uri)
    wait_for(lambda: len(list(folder.glob("running-*"))) >= workers or process.poll() is not None)
    return process, folder.name


def trials_of(uri: str, name: str) -> dict[tuple[int, int], str | None]:
    """Return the outcomes of the trials that are not deleted, by number and attempt."""
    tags = [run.data.tags for run in runs_of(uri, name)[1]]
    return {(int(each["tune.trial"]), int(each["tune.attempt"])): each.get("tune.outcome") for each in tags}


@pytest.mark.slow
@pytest.mark.parametrize("run", [HELD, pytest.param(HELD_COMMAND, marks=pytest.mark.long)], ids=["function", "command"])
def test_a_trial_whose_run_is_deleted_while_it_runs_is_not_run_again(server, tmp_path, run):
    process, name = held_study(tmp_path, server, {**run, "retries": 2}, 1, stop={"trials": 1})
    [child] = runs_of(server, name)[1]
    mlflow_client(server).delete_run(child.info.run_id)
    (tmp_path / "go").touch()
    assert process.wait() == 0, process.err.read_text()
    process.said("trial 1 attempt 1 ended: failed None its run was deleted")
    assert trials_of(server, name) == {}
    assert runs_of(server, name)[0].data.tags["tune.state"] == "finished"

    # Its number and its point stay used, also for a driver that never saw it.
    resumed = start(["resume", name, "--trials", "+2", "-v"], tmp_path, server)
    assert resumed.wait() == 0, resumed.err.read_text()
    assert trials_of(server, name) == {(2, 1): "ok", (3, 1): "ok"}
    points = [run.data.tags["tune.params"] for run in (child, *runs_of(server, name)[1])]
    assert len(set(points)) == 3

    asked_for = start(["resume", name, "--retry-failed"], tmp_path, server)
    assert asked_for.wait() == 0, asked_for.err.read_text()
    assert trials_of(server, name) == {(1, 2): "ok", (2, 1): "ok", (3, 1): "ok"}
    assert json.loads(child.data.tags["tune.params"]) in [
        json.loads(run.data.tags["tune.params"]) for run in runs_of(server, name)[1]
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("run", "what"),
    [
        pytest.param(HELD, "run", id="function-run"),
        pytest.param(HELD, "experiment", id="function-experiment"),
        pytest.param(HELD_COMMAND, "run", id="command-run"),
        pytest.param(HELD_COMMAND, "experiment", id="command-experiment"),
    ],
)
def test_a_study_that_is_deleted_while_it_is_driven_stops_and_says_how_to_go_on(server, tmp_path, run, what):
    client = mlflow_client(server)
    process, name = held_study(tmp_path, server, run, 2, stop={"trials": 4}, experiment=f"deleted-{tmp_path.name}")
    parent, _ = runs_of(server, name)
    if what == "run":
        client.delete_run(parent.info.run_id)
    else:
        client.delete_experiment(parent.info.experiment_id)
    deleted = time.monotonic()
    assert process.wait() == 2, process.err.read_text()
    assert time.monotonic() - deleted < 30
    nothing_left(process)
    [*_, told] = process.err.read_text().splitlines()
    assert told.startswith(f"Error: the {what} of the study {name!r} was deleted while it was driven, so")
    assert f"mlflow {what}s restore --" in told
    assert "Traceback" not in process.err.read_text()

    if what == "run":
        client.restore_run(parent.info.run_id)
    else:
        client.restore_experiment(parent.info.experiment_id)
    (tmp_path / "go").touch()
    resumed = start(["resume", parent.info.run_id], tmp_path, server)
    assert resumed.wait() == 0, resumed.err.read_text()
    ended = trials_of(server, name)
    assert sorted(number for (number, _), outcome in ended.items() if outcome == "ok") == [1, 2, 3, 4]
    assert None not in ended.values(), "a trial was left open"


@pytest.mark.slow
def test_a_point_that_is_deleted_while_it_waits_in_the_queue_is_not_run(server, tmp_path):
    """It is deleted in the moment between the driver's look into the queue and its start."""
    process, name = held_study(tmp_path, server, HELD, 1, stop={"trials": 1})
    study = Study.load(name, tracking_uri=server)
    queued = [study.enqueue({"x": x}) for x in (1001, 1002)]
    mlflow_client(server).delete_run(queued[0])
    (tmp_path / "go").touch()
    assert process.wait() == 0, process.err.read_text()
    assert trials_of(server, name) == {(1, 1): "ok", (2, 1): "ok"}


# --- an artifact store that takes nothing ---------------------------------------------------------------------------

TALKATIVE = {"function": "objectives:talkative"}
FULL = 507


def warnings_of(process: Tune) -> list[str]:
    return [line for line in process.err.read_text().splitlines() if line.startswith("Warning")]


def check_kept(process: Tune, uri: str, name: str) -> None:
    """Check that all results are there, and that one warning told what is not."""
    assert process.code == 0, process.err.read_text()
    parent, children = runs_of(uri, name)
    assert parent.data.tags["tune.state"] == "finished"
    assert parent.data.metrics["best_loss"] == 1
    assert sorted(run.data.metrics["objective"] for run in children) == [1, 2, 3, 4]
    [warning] = warnings_of(process)
    what = r"(study\.yaml|what trial 1 printed)"  # whichever is written first: the one at a pulse, the other at an end
    assert re.search(rf"Warning: {what} could not be written: .+; the study goes on and its results are safe", warning)


@pytest.mark.slow
@pytest.mark.parametrize("report", ["false", pytest.param("true", marks=pytest.mark.long)])
def test_an_artifact_store_that_cannot_be_written_costs_files_only(sqlite_store, tmp_path, report):
    (tmp_path / "mlruns").write_text("a file stands where the artifacts go")
    path = study_file(tmp_path / "code", name="kept", run=TALKATIVE)
    process = start(["run", path], tmp_path, sqlite_store, MLFLOW_TUNE_REPORT=report)
    process.wait()
    check_kept(process, sqlite_store, "kept")


@pytest.mark.slow
@pytest.mark.parametrize("status", [pytest.param(503, marks=pytest.mark.long), FULL])
def test_an_artifact_store_that_is_full_or_away_costs_files_only(proxy, tmp_path, status):
    from tests.support.proxy import Fault

    name = f"kept-{status}-{tmp_path.name}"
    proxy.spoil("mlflow-artifacts", Fault(False, status, "no space left on device", "text/plain"), times=10**9)
    path = study_file(tmp_path / "code", name=name, run=TALKATIVE)
    process = start(["run", path], tmp_path, proxy.uri, MLFLOW_TUNE_PATIENCE="4s")
    process.wait()
    check_kept(process, proxy.uri, name)
    files = ("study.yaml", "output.log")
    tried = Counter(request.path for request in proxy.requests if request.path.endswith(files))
    assert len(tried) == 5
    assert sorted(tried.values())[:4] == [1] * 4, "more than the first file is waited for"
