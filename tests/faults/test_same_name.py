"""Of studies of one name that are made at the same moment exactly one goes on; the others withdraw in words.

Each driver is a process of its own. They meet between their look for a study of the name and the making of theirs: in
the true function that a study file may name, which is called there. 1 round for each store; MLFLOW_TUNE_FAULTS=full
makes that 20.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from tests.faults.drivers import HERE, STARTED
from tests.faults.test_suspended import Slow
from tests.fixtures.small_studies.helpers import Tune, outcomes, runs_of, start, study_file, wait_for
from tests.support.tiers import FULL

DRIVERS = 4
ROUNDS = 20 if FULL else 1


def driver(folder: Path, uri: str, name: str, meeting: Path | None = None) -> Tune:
    """Start a driver that makes a study of this name whose trials wait for the file `go` of its folder."""
    run: dict[str, Any] = {"function": "objectives:held", "parameters": {"folder": str(folder)}}
    more = {"reference": "meeting:met"} if meeting else {}
    path = study_file(folder, name=name, run=run, space={"x": {"type": "int", "low": 1, "high": 2, "grid": 2}}, **more)
    shutil.copy(HERE / "meeting.py", folder)
    place = {"MEETING": str(meeting), "MET": str(DRIVERS)} if meeting else {}
    STARTED.append(start(["run", path], folder, uri, **place))
    return STARTED[-1]


def parents(uri: str, name: str, deleted: bool = False) -> list[Any]:
    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    return list(MlflowClient(uri).search_runs(["0"], f"attributes.run_name = '{name}'", view))


def refused(process: Tune, run_id: str) -> None:
    """Check that a driver ended with the words for a second study of a name."""
    assert process.wait() == 2, process.err.read_text()
    said = process.err.read_text().splitlines()[-1]
    assert "is running already: see it by `mlflow-tune watch " in said
    assert f"watch {run_id}`, or give the new one another name" in said


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["sqlite_store", "server", "postgres"])
def test_of_several_studies_made_at_once_exactly_one_goes_on(kind, request, tmp_path):
    uri = request.getfixturevalue(kind)
    for number in range(ROUNDS):
        name, meeting = f"same-{kind}-{number}", tmp_path / f"meeting-{number}"
        meeting.mkdir()
        folders = [tmp_path / f"{number}-{index}" for index in range(DRIVERS)]
        drivers = [driver(folder, uri, name, meeting) for folder in folders]
        wait_for(lambda tunes=drivers: sum(tune.poll() is None for tune in tunes) <= 1, 120)
        left = [index for index, tune in enumerate(drivers) if tune.poll() is None]
        assert len(left) == 1, [tune.err.read_text() for tune in drivers]
        found = parents(uri, name)
        assert len(found) == 1, [tune.err.read_text() for tune in drivers]
        [parent] = found
        for index, tune in enumerate(drivers):
            if index not in left:
                refused(tune, parent.info.run_id)
        (folders[left[0]] / "go").touch()
        assert drivers[left[0]].wait() == 0, drivers[left[0]].err.read_text()
        assert outcomes(runs_of(uri, name)[1]) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
        withdrawn = parents(uri, name, deleted=True)
        assert [run.data.tags["tune.kind"] for run in withdrawn] == ["withdrawn"] * (DRIVERS - 1)
        assert {run.info.status for run in withdrawn} == {"KILLED"}


@pytest.mark.slow
def test_one_whose_request_lands_late_withdraws_though_its_start_time_is_earlier(server, tmp_path):
    """The start time is its maker's: when the other one looked, there was nothing to see yet."""
    name = f"late-{time.time_ns()}"
    with Slow(server) as slow:
        slow.path = "runs/create"
        late = driver(tmp_path / "late", slow.uri, name)
        assert slow.waiting.wait(60)
        first = driver(tmp_path / "first", server, name)
        wait_for((tmp_path / "first" / "running-1").exists, 60)
        slow.release.set()
        late.wait()
        [parent] = parents(server, name)
        refused(late, parent.info.run_id)
    [withdrawn] = parents(server, name, deleted=True)
    assert withdrawn.info.start_time < parent.info.start_time
    (tmp_path / "first" / "go").touch()
    assert first.wait() == 0, first.err.read_text()


@pytest.mark.slow
def test_a_study_that_was_withdrawn_is_no_study_when_its_run_is_restored(sqlite_store, tmp_path):
    from mlflow_tune.errors import StudyConflict, StudyNotFound
    from mlflow_tune.spec.study_file import read_study_file
    from mlflow_tune.study.lifecycle import Place, keep_name, make_study
    from mlflow_tune.tracking import Client, Studies

    spec, client = read_study_file(study_file(tmp_path, name="twin"), {}), Client(sqlite_store)
    first, second = (make_study(client, spec, {}, tmp_path, Place(None)) for _ in range(2))
    keep_name(client, spec, first)
    with pytest.raises(StudyConflict, match=f"watch {first.run_id}"):
        keep_name(client, spec, second)
    [withdrawn] = parents(sqlite_store, "twin", deleted=True)
    MlflowClient(sqlite_store).restore_run(withdrawn.info.run_id)
    assert Studies(client).find("twin") == first
    with pytest.raises(StudyNotFound):
        Studies(client).get(withdrawn.info.run_id)
    assert withdrawn.data.tags["tune.why_stopped"] == (
        f"the study {first.run_id} was made at the same moment and keeps the name"
    )


@pytest.mark.slow
def test_a_driver_that_dies_before_its_study_keeps_the_name_leaves_one_to_go_on(sqlite_store, tmp_path, monkeypatch):
    from mlflow_tune import Study
    from mlflow_tune.spec.study_file import read_study_file
    from mlflow_tune.study import study

    def die(*_):
        raise KeyboardInterrupt

    path = study_file(tmp_path, name="cut")
    with monkeypatch.context() as cut:
        cut.setattr(study, "keep_name", die)
        with pytest.raises(KeyboardInterrupt):
            Study.of(read_study_file(path, {}), folder=path.parent, tracking_uri=sqlite_store).run(quiet=True)
    assert Study.load("cut", tracking_uri=sqlite_store).resume(quiet=True).ending.state == "finished"
