"""What a trial's life cycle costs in requests, counted at a real MLflow server: four for a function, five else.

Counted apart, and named here: what the training code sends itself, an artifact (its PUT, and the GET by which MLflow's
client looks up where a run's artifacts lie), the learning curves that a diagnosis and `value: best` need, and what is
paced in time: the driver's requests about the parent, and its looks into the queue.
"""

from __future__ import annotations

import shutil
import time
import uuid

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.cli import main
from mlflow_tune.report import forest
from mlflow_tune.tracking import records
from mlflow_tune.tracking import trials as tracked
from mlflow_tune.tracking.queue import Queue
from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import failing
from tests.fixtures.training_code.light import AGENT, objective

HERE = TRAINING_CODE
FUNCTION = ["POST runs/create", "POST runs/log-batch", "POST runs/log-batch", "POST runs/update"]
SUBPROCESS = ["POST runs/create", "POST runs/log-batch", "GET runs/get", "POST runs/log-batch", "POST runs/update"]
CURVE = ["GET metrics/get-history"]
WITH_CURVE = [*SUBPROCESS[:3], *CURVE, *SUBPROCESS[3:]]
ARTIFACT = ["GET runs/get", "PUT mlflow-artifacts/artifacts"]
COMMAND = ["python", "light.py", "{x}"]
RUNS = {
    "in this process": ({"objective": objective}, FUNCTION),
    "worker processes": ({"run": {"function": "light:objective"}, "workers": 2}, FUNCTION),
    "pickled": ({"objective": objective, "workers": 2}, FUNCTION),
    "command": ({"run": {"command": COMMAND}, "workers": 2}, WITH_CURVE),
    "project": ({"run": {"project": "."}, "workers": 2}, WITH_CURVE),
    "without a curve": ({"run": {"command": [*COMMAND, "", "1"]}, "workers": 2}, SUBPROCESS),
}
STUDY = """\
name: {name}
experiment: requests
metric: loss
run: {{function: "light:objective"}}
space: {{x: {{type: float, low: 0, high: 1}}}}
strategy: random
stop: {{trials: {trials}}}
"""


@pytest.fixture(scope="module", autouse=True)
def experiment(server):
    """Make the experiment beforehand: the first study of an experiment would cost a request more."""
    from mlflow_tune.tracking import Client, Studies

    return Studies(Client(server)).experiment("requests", create=True)


def study_of(proxy, trials, **options):
    """Run a study through the proxy and return it, with the seconds that it took."""
    study = Study(
        name=f"requests-{uuid.uuid4().hex}", experiment="requests", metric="loss",
        space={"x": {"type": "float", "low": 0, "high": 1}}, stop={"trials": trials}, strategy="random",
        tracking_uri=proxy.uri, folder=HERE, **options,
    )  # fmt: skip
    proxy.requests.clear()
    began = time.monotonic()
    study.run()
    assert [trial.outcome for trial in study.trials] == ["ok"] * trials
    return study, time.monotonic() - began


def calls_of(proxy, run_id):
    """Return the driver's calls about one run, in order."""
    return [request.call for request in proxy.requests if request.run_id == run_id and request.agent != AGENT]


def others(proxy, study):
    """Return the driver's calls about neither the study's run nor its trials'."""
    known = {study.run_id, *(trial.run_id for trial in study.trials)}
    return sorted(request.call for request in proxy.requests if request.run_id not in known)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("in this process", 12),
        pytest.param("worker processes", 16, marks=pytest.mark.long),
        pytest.param("pickled", 8, marks=pytest.mark.long),
        ("command", 8),
        pytest.param("project", 8, marks=pytest.mark.long),
        pytest.param("without a curve", 8, marks=pytest.mark.long),
        pytest.param("in this process", 50, marks=pytest.mark.long),
    ],
)
def test_every_trial_costs_the_same_whichever_its_number(proxy, kind, most):
    options, life_cycle = RUNS[kind]
    counts = {}
    for trials in (5, most):
        study, seconds = study_of(proxy, trials, **options)
        requests = list(proxy.requests)
        counts[trials] = [call for call in others(proxy, study) if call != "POST runs/search"]
        searches = len(others(proxy, study)) - len(counts[trials])
        # A look into the queue a second, the history, others of this name, and what this test reads itself.
        assert searches <= 9 + seconds
        assert [calls_of(proxy, trial.run_id) for trial in study.trials] == [life_cycle] * trials
        paced = sum(request.run_id == study.run_id for request in requests)
        assert paced <= 15 + 2 * seconds  # the claim, a pulse in two seconds of at most three requests, the heartbeat
    few, many = counts.values()
    assert few == many


@pytest.mark.slow
def test_a_trial_that_prints_costs_its_artifact_besides(proxy):
    study, _ = study_of(proxy, 3, run={"command": [*COMMAND, "hello"]})
    for trial in study.trials:
        assert calls_of(proxy, trial.run_id) == [*SUBPROCESS[:3], *CURVE, *ARTIFACT, *SUBPROCESS[3:]]


@pytest.mark.slow
def test_the_best_of_a_curve_costs_no_second_read_of_it(proxy):
    study, _ = study_of(proxy, 3, run={"command": COMMAND}, value="best")
    for trial in study.trials:
        assert trial.value == objective(trial.params["x"])
        assert calls_of(proxy, trial.run_id) == WITH_CURVE


@pytest.mark.slow
def test_a_failed_trial_costs_what_others_do(proxy):
    study = Study(
        name=f"requests-{uuid.uuid4().hex}", experiment="requests", metric="loss", tracking_uri=proxy.uri,
        space={"x": {"type": "float", "low": 0, "high": 1}}, stop={"trials": 2}, folder=HERE,
        run={"command": ["python", "-c", "raise SystemExit(3) # {x}"]},
    )  # fmt: skip
    failing(study.run)
    assert [trial.outcome for trial in study.trials] == ["failed", "failed"]
    for trial in study.trials:
        assert calls_of(proxy, trial.run_id) == SUBPROCESS


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["bind", "follow"])
def test_a_trial_whose_metric_is_followed_costs_six_requests_more(proxy, server, mode):
    code = "import sys, light; light.opens_a_run(float(sys.argv[1]))"
    study, _ = study_of(proxy, 2, run={"command": ["python", "-c", code, "{x}"], "mlflow": mode})
    for trial in study.trials:
        run_id = MlflowClient(server).get_run(trial.run_id).data.tags["tune.followed"]
        assert calls_of(proxy, trial.run_id) == [*SUBPROCESS[:3], "POST runs/log-batch", *SUBPROCESS[3:]]
        assert calls_of(proxy, run_id) == ["GET metrics/get-history", "POST runs/log-batch"]
    looks = [request.call for request in proxy.requests if request.call == "POST experiments/search"]
    # Two for the runs that were opened; one, at the end, tells whether the study's name is enough in the last line.
    assert len(looks) == 2 + 1  # and two searches of runs each, among those that look into the queue


def tune(proxy, monkeypatch, *words):
    """Run a command through the proxy; return its requests, by call."""
    monkeypatch.syspath_prepend(str(HERE))
    proxy.requests.clear()
    result = CliRunner().invoke(main, [*words, "--tracking-uri", proxy.uri], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [request.call if "/mlflow" in request.path else f"GET {request.path}" for request in proxy.requests]


@pytest.mark.slow
def test_run_sends_few_requests_before_its_first_trial(proxy, tmp_path, monkeypatch):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(name=f"first-{uuid.uuid4().hex}", trials=1))
    shutil.copy(HERE / "light.py", tmp_path)
    calls = tune(proxy, monkeypatch, "run", str(file))
    _, first_trial = (index for index, call in enumerate(calls) if call == "POST runs/create")
    before = calls[:first_trial]
    assert before == [
        "GET /health",
        "GET experiments/get-by-name",
        "POST runs/search",  # others of this name
        "POST runs/create",  # the parent
        "POST runs/search",  # others that were made at the same moment, which no look before can find
        "POST runs/log-batch",  # its params, and that it keeps its name
        "POST experiments/set-experiment-tag",  # its view
        "POST runs/log-batch",  # the claim, with its first heartbeat
    ], f"{len(before)} requests before the first trial: {before}"


@pytest.mark.slow
def test_a_resume_reads_the_trials_once_and_fits_one_set_of_forests(proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "PAGE", 10)
    name, file = f"again-{uuid.uuid4().hex}", tmp_path / "study.yaml"
    two = "{x: {type: float, low: 0, high: 1}, unused: {type: float, low: 0, high: 1}}"
    text = STUDY.format(name=name, trials=24).replace("light:objective", "both:objective")
    text = text.replace("experiment: requests", f"experiment: {name}")  # so that a page holds all of its studies
    file.write_text(text.replace("{x: {type: float, low: 0, high: 1}}", two))
    (tmp_path / "both.py").write_text("def objective(x, unused):\n    return x + 0.1 * unused\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    tune(proxy, monkeypatch, "run", str(file))
    fits, searches, looks = [], [], []
    fit, search, waiting = forest._fit, tracked.search, Queue.waiting
    monkeypatch.setattr(forest, "_fit", lambda *given: fits.append(given) or fit(*given))

    def counted(client, experiments, query, deleted=False):
        searches.append((query, deleted))
        return search(client, experiments, query, deleted)

    monkeypatch.setattr(tracked, "search", counted)
    monkeypatch.setattr(Queue, "waiting", lambda queue: looks.append(queue) or waiting(queue))
    monkeypatch.setenv("MLFLOW_TUNE_REPORT", "true")
    calls = tune(proxy, monkeypatch, "resume", name, "--experiment", name, "--trials", "+1")
    assert [deleted for _, deleted in searches] == [False, True]  # the history, and the runs that a person deleted
    # The study by its name; three pages of trials; those that were deleted; what others left half made; and others of
    # its name, for the command that is printed last. Looks into the queue are paced in time.
    assert calls.count("POST runs/search") - len(looks) == 1 + 3 + 1 + 1 + 1, calls
    assert len(fits) == forest.FOLDS
    assert len(Study.load(name, experiment=name, tracking_uri=proxy.uri).trials) == 25
