"""Training code in the manner of MLflow's examples runs unchanged; what it leaves is read with plain MlflowClient.

All scripts run as the trials of one study, all functions as those of another: so each also shows that its siblings
leave it alone.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from tests.fixtures import TRAINING_CODE
from tests.support.server import copy_store

HERE = TRAINING_CODE
STATUS = {"ok": "FINISHED", "failed": "FAILED", "not-finite": "FAILED"}


@dataclass(frozen=True)
class Expected:
    """How a trial ends, and what its run holds besides what every trial's run holds."""

    outcome: str
    value: float | None = None
    reason: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    output: tuple[str, ...] = ()


def failed(*reason, **more):
    return Expected("failed", None, reason, **more)


REFUSED = ("key='alpha'", "'0.25'", "Log the very value that was given (float32 rounds it)")
EVERYDAY = {
    "argv_start_run.py": Expected("ok", 0.0625, metrics={"loss": 0.0625, "accuracy": 0.9375}),
    "top_level.py": Expected("ok", 0.0625, metrics={"accuracy": 0.5}, params={"rounds": "3"}),
    "exits_3.py": failed("exit code 3", "out of data", metrics={"loss": 0.1}, output=("out of data\n",)),
}
ODD = {
    "autolog.py": Expected("ok", pytest.approx(0.07, abs=0.01), params={"fit_intercept": "True"}),
    "curve.py": Expected("ok", 0.4, metrics={"loss": 0.4}),
    "nested.py": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "raises.py": failed("exit code 1", "ValueError: no luck", metrics={"loss": 0.1}, output=("Traceback", "no luck")),
    "not_a_number.py": Expected("not-finite", None, ("'loss' is nan",)),
    "infinite.py": Expected("not-finite", None, ("'loss' is -inf",)),
    "no_metric.py": failed("'loss' was not logged, nor was any other"),
    "other_name.py": failed("'loss' was not logged; logged were 'accuracy', 'val_loss'", metrics={"val_loss": 0.1}),
    "other_param.py": failed("exit code 1", *REFUSED, output=("Traceback",)),
    "chatty.py": Expected("ok", 0.3, output=("earlier bytes were dropped", "line 199999 é\n", "the end\n")),
}
GROUPS = {"everyday": EVERYDAY, "odd": ODD}
FUNCTIONS = {
    "starts_run": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "logs_at_top_level": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "leaves_its_run_open": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "logs_a_curve_and_returns_its_end": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "trains_folds": Expected("ok", 0.5, metrics={"loss": 0.5}),
    "autologs": Expected("ok", pytest.approx(0.07, abs=0.01), params={"fit_intercept": "True"}),
    "returns_a_number": Expected("ok", 0.5, metrics={"loss": 0.5}, output=("quite quick\n",)),
    "returns_a_dict": Expected("ok", 0.5, metrics={"loss": 0.5, "accuracy": 0.5}),
    "raises_after_logging": failed("ValueError: no luck (functions.py:", metrics={"loss": 0.1}, output=("Traceback",)),
    "raises_many_lines": failed("ValueError: first of all (functions.py:", output=("the second line",)),
    "logs_another_param": failed(*REFUSED, output=("Traceback",)),
    "exits": failed("sys.exit(3)", metrics={"loss": 0.1}),
    "returns_nan": Expected("not-finite", None, ("'loss' is nan",)),
    "returns_infinity": Expected("not-finite", None, ("'loss' is inf",)),
    "returns_text": failed("the function returned 'good' (str)"),
    "logs_another_name": failed("'loss' was not logged; logged were 'val_loss'", metrics={"val_loss": 0.1}),
    "does_nothing": failed("'loss' was not logged, nor was any other"),
}


@dataclass(frozen=True)
class Result:
    """A study that ran, as plain MLflow shows it: its parent, its trials by kind, and all runs of its experiment."""

    client: MlflowClient
    parent: object
    trials: dict[str, object]
    runs: dict[str, object]

    def children(self, run_id):
        """Return the runs nested under one."""
        return [run for run in self.runs.values() if run.data.tags.get("mlflow.parentRunId") == run_id]


def result_of(uri, experiment, kind):
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    [parent] = [run for run in runs if run.data.tags.get("tune.kind") == "study"]
    trials = [run for run in runs if run.data.tags.get("tune.kind") == "trial"]
    return Result(
        client, parent, {run.data.params[kind]: run for run in trials}, {run.info.run_id: run for run in runs}
    )


def options(kind, values, experiment, uri):
    return {
        "name": experiment, "experiment": experiment, "metric": "loss", "strategy": "grid", "stop": {"failures": 100},
        "space": {
            kind: {"type": "categorical", "values": list(values)},
            "alpha": {"type": "float", "low": 0, "high": 1, "grid": [0.25]},
        },
        "tracking_uri": uri, "folder": HERE,
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(request, tmp_path_factory):
    """Return the URI of a store by its kind, one for all tests of this file."""

    def find(kind):
        if kind == "server":
            return request.getfixturevalue("server")
        return copy_store(request.getfixturevalue("store_template"), tmp_path_factory.mktemp("training"))

    return find


PLACES = [("server", "everyday", pytest.mark.long), ("sqlite", "odd", pytest.mark.long), ("sqlite", "everyday", ())]
EACH_SCRIPT = [
    pytest.param(store, group, script, marks=marks, id=f"{script} on {store}")
    for store, group, marks in PLACES
    for script in GROUPS[group]
]
everyday = pytest.mark.parametrize("store", [pytest.param("server", marks=pytest.mark.long), "sqlite"])


@pytest.fixture(scope="module")
def run_scripts(place):
    """Run the scripts of a group as trials of one study on a store, two at a time, and once for all tests."""

    @cache
    def run(store, group):
        uri, experiment = place(store), f"scripts-{uuid.uuid4().hex}"
        command = ["python", "{script}", "--alpha", "{alpha}"]
        Study(**options("script", GROUPS[group], experiment, uri), run={"command": command}, workers=2).run()
        return result_of(uri, experiment, "script")

    return run


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("workers", "server"), marks=pytest.mark.long),
        ("workers", "sqlite"),
        pytest.param(("in process", "server"), marks=pytest.mark.long),
        pytest.param(("in process", "sqlite"), marks=pytest.mark.long),
    ],
    ids=" on ".join,
)
def functions(request, place):
    """All functions as trials of one study: in worker processes, as a study file has it, or in one process."""
    where, store = request.param
    uri, experiment = place(store), f"functions-{uuid.uuid4().hex}"
    if where == "workers":
        run = {"function": "functions:objective"}
        Study(**options("kind", FUNCTIONS, experiment, uri), run=run, workers=2).run()
    else:
        command = [sys.executable, str(HERE / "in_process.py"), uri, experiment, *FUNCTIONS]
        subprocess.run(command, check=True, cwd=HERE, capture_output=True)
    return result_of(uri, experiment, "kind"), where


def check(result, kind, expected):
    """Hold what is expected of one trial's run, and what every trial's run has."""
    run = result.trials[kind]
    tags, metrics = run.data.tags, run.data.metrics
    assert (tags["tune.outcome"], metrics.get("objective")) == (expected.outcome, expected.value), tags
    assert run.info.status == STATUS[expected.outcome]
    assert run.info.end_time >= run.info.start_time
    assert tags["mlflow.parentRunId"] == result.parent.info.run_id
    assert run.data.params["alpha"] == "0.25"
    assert expected.params.items() <= run.data.params.items()
    assert expected.metrics.items() <= metrics.items()
    assert ("tune.reason" in tags) == bool(expected.reason)
    for words in expected.reason:
        assert words in tags["tune.reason"]


def check_race(run):
    """In a worker a function begins while its params are logged: whichever comes first, the trial has failed."""
    tags = run.data.tags
    assert (tags["tune.outcome"], run.info.status, "objective" in run.data.metrics) == ("failed", "FAILED", False)
    assert '"alpha":0.25' in tags["tune.params"]
    for words in REFUSED:
        assert words in tags["tune.reason"]
    assert set(run.data.params) == {"kind", "alpha"}


def output_of(result, kind):
    run_id = result.trials[kind].info.run_id
    names = [file.path for file in result.client.list_artifacts(run_id)]
    if "output.log" not in names:
        return ""
    return Path(result.client.download_artifacts(run_id, "output.log")).read_text()


def curve_of(result, kind):
    points = result.client.get_metric_history(result.trials[kind].info.run_id, "loss")
    return [(point.step, point.value) for point in points]


@pytest.mark.slow
@pytest.mark.parametrize(("store", "group", "script"), EACH_SCRIPT)
def test_a_script(run_scripts, store, group, script):
    expected, scripts = GROUPS[group][script], run_scripts(store, group)
    check(scripts, script, expected)
    output = output_of(scripts, script)
    for words in expected.output:
        assert words in output
    assert len(output) < 2**20 + 100


@everyday
def test_what_a_script_logs_stays_on_its_run(run_scripts, store):
    scripts = run_scripts(store, "everyday")
    run = scripts.trials["argv_start_run.py"]
    assert run.data.tags["team"] == "blue"
    assert [file.path for file in scripts.client.list_artifacts(run.info.run_id)] == ["model.txt"]


@pytest.mark.long
def test_a_script_keeps_its_curve_its_nested_runs_and_what_is_logged_for_it(run_scripts):
    scripts = run_scripts("sqlite", "odd")
    autologged = scripts.trials["autolog.py"].data
    assert autologged.params["alpha"] == "0.25"
    assert "training_mean_squared_error" in autologged.metrics
    assert curve_of(scripts, "curve.py") == [(0, 0.9), (1, 0.2), (2, 0.4)]
    folds = scripts.children(scripts.trials["nested.py"].info.run_id)
    assert sorted(run.info.run_name for run in folds) == ["fold 0", "fold 1"]
    assert all(run.info.status == "FINISHED" and "tune.kind" not in run.data.tags for run in folds)


@everyday
def test_nothing_else_is_in_the_experiment(run_scripts, store):
    scripts = run_scripts(store, "everyday")
    known = {scripts.parent.info.run_id, *(run.info.run_id for run in scripts.trials.values())}
    assert set(scripts.runs) == known
    assert len(scripts.trials) == len(EVERYDAY)


@everyday
def test_the_parent_tells_the_whole(run_scripts, store):
    scripts = run_scripts(store, "everyday")
    parent = scripts.parent
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")
    assert "every point" in parent.data.tags["tune.why_stopped"]
    assert parent.data.metrics["best_loss"] == 0.0625
    assert "0.0625" in parent.data.tags["mlflow.note.content"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function(functions, kind):
    result, where = functions
    if where == "workers" and kind == "logs_another_param":
        check_race(result.trials[kind])
        return
    check(result, kind, FUNCTIONS[kind])
    if where == "workers" or FUNCTIONS[kind].outcome == "failed":
        output = output_of(result, kind)
        for words in FUNCTIONS[kind].output:
            assert words in output


def test_functions_leave_no_run_behind_and_no_point_twice(functions):
    result, _ = functions
    folds = result.children(result.trials["trains_folds"].info.run_id)
    assert sorted(run.info.run_name for run in folds) == ["fold 0", "fold 1"]
    assert len(result.runs) == 1 + len(FUNCTIONS) + 2
    assert {run.info.status for run in result.runs.values()} == {"FINISHED", "FAILED"}
    assert curve_of(result, "logs_a_curve_and_returns_its_end") == [(0, 0.9), (1, 0.2), (2, 0.5)]
    assert [value for _, value in curve_of(result, "returns_a_number")] == [0.5]
    assert result.parent.info.status == "FINISHED"


@pytest.mark.long
def test_the_best_of_a_learning_curve_counts_when_the_study_says_so(sqlite_store):
    study = Study(
        **{**options("script", ["curve.py"], "curve", sqlite_store), "value": "best"},
        run={"command": ["python", "{script}", "{alpha}"]},
    ).run()
    assert study.best.value == 0.2


@pytest.mark.long
def test_autologging_alone(server):
    experiment = f"autolog-{uuid.uuid4().hex}"
    command = ["python", "{script}", "--alpha", "{alpha}"]
    asked = options("script", ["autolog_alone.py"], experiment, server) | {"metric": "training_mean_squared_error"}
    study = Study(**asked, run={"command": command}).run()
    assert study.best.value == pytest.approx(0.05, abs=0.01)
    result = result_of(server, experiment, "script")
    assert len(result.runs) == 2
    run = result.trials["autolog_alone.py"]
    assert (run.info.status, run.data.params["alpha"]) == ("FINISHED", "0.25")
