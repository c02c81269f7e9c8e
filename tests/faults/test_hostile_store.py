"""Studies as a hostile or broken server could hold them: what is sound goes on, the rest is told; never a traceback.

Hypothesis draws what stands in tags, params and metrics. The short form tries few such studies in a real store;
`MLFLOW_TUNE_FAULTS=full pytest tests/faults/test_hostile_store.py` tries hundreds.
"""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunData, RunInfo, RunStatus

from mlflow_tune import Study
from mlflow_tune.cli import main
from mlflow_tune.errors import InputError, StudyConflict
from mlflow_tune.space import Float, Int, Space
from mlflow_tune.spec.definition import recorded_spec
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.strategies.base import next_number
from mlflow_tune.tracking.lease import CLAIM_PREFIX
from mlflow_tune.tracking.reading import is_queued, read_trial
from mlflow_tune.tracking.studies import study_record
from mlflow_tune.trial import is_finite
from tests.support.tiers import FULL

EXAMPLES = 200 if FULL else 12
SPACE = Space({"x": Float(0, 1), "n": Int(1, 8)})
DEFINITION = {
    "name": "hostile", "run": {"objective": "here:objective"}, "metric": "loss", "goal": "minimize",
    "space": SPACE.to_json(), "strategy": {"name": "random", "seed": 0}, "stop": {"trials": 30}, "workers": 1,
}  # fmt: skip
SOUND = {"tune.trial": "1", "tune.attempt": "1", "tune.params": '{"x":0.5,"n":3}', "tune.outcome": "ok"}
CHANGEABLE = {"strategy": "tune.strategy", "stop": "tune.budget", "workers": "tune.workers"}

# --- what a tag may hold ----------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
deep = st.just("[" * 7000)
whole_numbers = st.integers(-3, 12).map(str)
numbers = whole_numbers | st.sampled_from(["", "1e3", "٣", "0", "9" * 40, "9" * 5000, "1_0", " 2", "NaN"]) | texts
points = st.fixed_dictionaries(
    {}, optional={"x": st.floats(0, 1) | scalars, "n": st.integers(1, 8) | scalars, "y": scalars, "a[0]": scalars}
)
objectives = st.floats() | st.sampled_from([1.797e308, -1.797e308, 1.7976931348623157e308])
outcomes = st.sampled_from(["ok", "failed", "timeout", "not-finite", "interrupted", "", "OK", "lost"]) | texts
malformed = deep | texts | values.map(json.dumps)
optional = {
    "tune.trial": numbers, "tune.attempt": numbers, "tune.params": points.map(json.dumps) | malformed,
    "tune.outcome": outcomes, "tune.strategy": texts, "tune.why": texts, "tune.reason": texts,
    "tune.started": numbers, "tune.diagnosis": malformed,
    "tune.queued": st.sampled_from(["waiting", "numbered", "withdrawn", "x"]),
}  # fmt: skip
nearly_sound = {"tune.trial": st.integers(1, 9).map(str), "tune.params": points.map(json.dumps)}
others = {key: each for key, each in optional.items() if key not in nearly_sound}
child_tags = st.fixed_dictionaries({}, optional=optional) | st.fixed_dictionaries(nearly_sound, optional=others)
children = st.tuples(
    child_tags, st.none() | objectives, st.sampled_from(["RUNNING", "FINISHED", "FAILED", "SCHEDULED"])
)
holders = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("boot", "namespace", "pid", "started", "host", "user", "nonce", "since"), scalars),
).map(json.dumps)


def run_of(tags: Mapping[str, str], metrics: Mapping[str, float] | None = None, **info: Any) -> Run:
    """Return an MLflow run as its client makes it of a server's answer."""
    details = {"status": RunStatus.RUNNING, "start_time": 1, "end_time": None, "lifecycle_stage": "active", **info}
    data = RunData([Metric(key, value, 1, 0) for key, value in (metrics or {}).items()], [], [])
    data.tags.update(tags)
    return Run(RunInfo(run_id=uuid.uuid4().hex, experiment_id="1", user_id="", **details), data)


# --- what is read from it ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(tags=child_tags, objective=objectives, end=st.none() | st.integers(0, 2**53))
@settings(max_examples=EXAMPLES * 30)
def test_a_trial_that_is_read_is_sound(tags, objective, end):
    trial = read_trial(run_of(tags, {"objective": objective}, end_time=end), SPACE)
    if trial is None:
        return
    assert 1 <= trial.number <= 1_000_000
    assert 1 <= trial.attempt <= 1_000_000
    assert (trial.outcome == "ok") == (trial.value is not None)
    assert trial.value is None or is_finite(trial.value)
    assert set(SPACE) <= set(trial.params)
    assert all(math.isfinite(trial.params[name]) for name in SPACE)


@pytest.mark.slow
@given(runs=st.lists(st.tuples(child_tags, objectives), max_size=6))
@settings(max_examples=EXAMPLES * 4)
@pytest.mark.parametrize("name", ["random", "grid", "bayesian"])
def test_every_strategy_goes_on_from_what_was_read(name, runs):
    found = [read_trial(run_of(tags, {"objective": value}, end_time=2), SPACE) for tags, value in runs]
    history = list({trial.number: trial for trial in found if trial is not None}.values())
    history.sort(key=lambda trial: trial.number)
    grid = (
        {"space": {"x": {**SPACE["x"].to_json(), "grid": 3}, "n": {**SPACE["n"].to_json(), "grid": 4}}}
        if name == "grid"
        else {}
    )
    spec = parse_study({**DEFINITION, "strategy": {"name": name}, **grid})
    for suggestion in spec.strategy.suggest(spec.space, history, 2):
        assert spec.space.contains(suggestion.params)
    assert next_number(history) > max((trial.number for trial in history), default=0)


@pytest.mark.slow
@given(
    tags=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("tune.spec", *CHANGEABLE.values(), "tune.reference"), malformed)
    ),
    more=st.fixed_dictionaries({}, optional=dict.fromkeys(("tune.format", "tune.state", "tune.folder"), numbers)),
    cut=st.none() | st.integers(0, 200),
)
@settings(max_examples=EXAMPLES * 30)
def test_a_definition_is_read_or_refused_in_one_line(tags, more, cut):
    if cut is not None:  # a spec that was truncated
        tags = {**tags, "tune.spec": json.dumps(DEFINITION)[:cut]}
    try:
        recorded_spec(study_record(run_of({"tune.kind": "study", **tags, **more})))
    except InputError as error:
        assert len(str(error).splitlines()) >= 1
    else:
        pytest.fail("nothing of this is a definition")


@pytest.mark.parametrize("form", ["2", "10", "1.5", "v1", "", "9" * 30])
def test_a_study_of_a_newer_mlflow_tune_is_refused_in_words(sqlite_store, form):
    run_id = parent(sqlite_store, {"tune.format": form})
    for words in (["resume", run_id], ["show", run_id], ["try", run_id, "-P", "x=0.5"]):
        result = CliRunner().invoke(main, [*words, "--tracking-uri", sqlite_store])
        assert result.exit_code == 2
        [line] = result.stderr.splitlines()
        assert "newer mlflow-tune" in line
        assert "update" in line


# --- whole studies ----------------------------------------------------------------------------------------------------


def parent(uri: str, changes: Mapping[str, str] | None = None) -> str:
    """Write the parent run of the study, with these tags changed; return its run id."""
    fixed = {key: value for key, value in DEFINITION.items() if key not in CHANGEABLE}
    tags = {
        "tune.kind": "study", "tune.study": "hostile", "tune.state": "interrupted", "tune.format": "1",
        "tune.folder": str(Path.cwd()), "tune.spec": json.dumps(fixed),
        **{tag: json.dumps(DEFINITION[key]) for key, tag in CHANGEABLE.items()},
    }  # fmt: skip
    return MlflowClient(uri).create_run("0", tags={**tags, **(changes or {})}, run_name="hostile").info.run_id


def child(
    uri: str, run_id: str, tags: Mapping[str, str], objective: float | None = None, status: str = "FINISHED"
) -> str:
    """Write a child run of the study; return its run id."""
    mlflow, own = MlflowClient(uri), {"mlflow.parentRunId": run_id, "tune.kind": "trial"}
    found = mlflow.create_run("0", tags={**{key: value[:8000] for key, value in tags.items()}, **own}).info.run_id
    if objective is not None:
        mlflow.log_batch(found, metrics=[Metric("objective", objective, 1, 0)])
    mlflow.update_run(found, status)
    return found


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a driver that cannot be told dead be succeeded soon."""
    monkeypatch.setenv("MLFLOW_TUNE_LEASE", "0.3s")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(
    runs=st.lists(children, max_size=5),
    claims=st.dictionaries(
        st.sampled_from(["1", "2", "3", "0", "x", "9" * 60]), holders | texts.filter(bool), max_size=2
    ),
    state=texts,
)
@settings(
    max_examples=EXAMPLES, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_a_study_goes_on_with_what_is_sound(sqlite_store, short_lease, runs, claims, state):
    run_id, mlflow = parent(sqlite_store, {"tune.state": state}), MlflowClient(sqlite_store)
    for number, text in claims.items():
        mlflow.log_param(run_id, f"{CLAIM_PREFIX}{number}", text)
    made = [mlflow.get_run(child(sqlite_store, run_id, *each)) for each in runs]
    sound = [trial for run in made if (trial := read_trial(run, SPACE))]

    study, said = Study.load(run_id, objective=lambda x, n, **_: x, tracking_uri=sqlite_store), Messages()
    with said:
        study.resume(len({trial.number for trial in sound}) + 2, yes=True)
    assert study.ending is not None
    assert study.ending.state == "finished"
    after = study.trials
    assert all(trial.outcome is not None for trial in after)
    assert {trial.number for trial in sound} <= {trial.number for trial in after}
    numbers_ok = [trial.number for trial in sound if trial.outcome == "ok"]
    kept = {trial.run_id for trial in sound if trial.outcome == "ok" and numbers_ok.count(trial.number) == 1}
    kept -= {trial.run_id for trial in sound if any(other.attempt > trial.attempt for other in sound)}
    assert kept <= {trial.run_id for trial in after}, "a finished trial was lost"
    assert len(after) >= 2

    accepted = {trial.run_id for trial in [*sound, *after]}
    for run in made:
        withdrawn = is_queued(run.data.tags) and run.data.tags["tune.queued"] == "withdrawn"
        known = run.info.run_id in accepted or withdrawn
        assert known or run.info.run_id in said.text, f"nothing was said of {run.data.tags}"
    shown = [
        CliRunner().invoke(main, [*words, "--tracking-uri", sqlite_store]) for words in (["show", run_id], ["list"])
    ]
    assert [result.exit_code for result in shown] == [0, 0], [result.exception for result in shown]


class Messages(logging.Handler):
    """The warnings that are logged while the context is open."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"

    def __enter__(self) -> None:
        logging.getLogger("mlflow_tune").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("mlflow_tune").removeHandler(self)


@pytest.mark.slow
def test_what_is_left_out_is_listed_and_what_is_sound_goes_on(sqlite_store):
    run_id = parent(sqlite_store)
    good = child(sqlite_store, run_id, SOUND, 0.5)
    bad = {
        child(sqlite_store, run_id, {key: value for key, value in SOUND.items() if key != "tune.trial"}): "is missing",
        child(sqlite_store, run_id, {**SOUND, "tune.trial": "-7"}): "its number is '-7'",
        child(sqlite_store, run_id, SOUND, 0.1): "trial 1 has another run",
        child(sqlite_store, run_id, {**SOUND, "tune.trial": "2", "tune.params": '{"x":0.5'}): "its point is",
        child(
            sqlite_store, run_id, {**SOUND, "tune.trial": "3", "tune.params": '{"x":0.5}'}
        ): "lacks the parameter 'n'",
        child(sqlite_store, run_id, {**SOUND, "tune.trial": "4", "tune.params": '{"x":"a","n":1}'}): "'x' is 'a'",
    }
    infinite = child(sqlite_store, run_id, {**SOUND, "tune.trial": "2"}, 1.797e308)
    queued = child(sqlite_store, run_id, {"tune.queued": "waiting", "tune.params": "[]"}, status="SCHEDULED")
    child(sqlite_store, run_id, {"tune.queued": "withdrawn", "tune.params": '{"x":0.5,"n":3}'}, status="KILLED")
    said = Messages()
    with said:
        study = Study.load(run_id, objective=lambda x, n: x, tracking_uri=sqlite_store).resume(4, yes=True)
    assert [(trial.number, trial.outcome) for trial in study.trials] == [
        (1, "ok"), (2, "not-finite"), (3, "ok"), (4, "ok"),
    ]  # fmt: skip
    assert [trial.run_id for trial in study.trials[:2]] == [good, infinite]
    lines = said.text.splitlines()
    [left_out] = [line for line in lines if line.startswith("left out 6 runs")]
    assert all(f"{found} (" in left_out and why in left_out.split(found)[1] for found, why in bad.items())
    assert [line for line in lines if queued in line] == [f"the queued run {queued} is left out: it has no point"]


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 40, 200])
def test_a_study_whose_definition_is_cut_off_is_refused_in_words(sqlite_store, cut):
    run_id = parent(sqlite_store, {"tune.spec": json.dumps(DEFINITION)[:cut]})
    result = CliRunner().invoke(main, ["resume", run_id, "--yes", "--tracking-uri", sqlite_store])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: the study {run_id} cannot be read back: ")
    assert "Traceback" not in result.output


def test_numbers_that_a_person_used_up_are_told_before_a_trial_is_made(sqlite_store):
    study = Study(
        name="numbers", objective=lambda x: x, space={"x": {"type": "float", "low": 0, "high": 1}}, metric="loss",
        stop={"trials": 2}, tracking_uri=sqlite_store,
    ).run()  # fmt: skip
    client = MlflowClient(sqlite_store)
    client.set_tag(study.trials[-1].run_id, "tune.trial", "1000000")
    with pytest.raises(StudyConflict, match="has a trial 1000000, and numbers end at 1000000"):
        Study.load("numbers", objective=lambda x: x, tracking_uri=sqlite_store).resume("+1")
    assert len(client.search_runs(["0"])) == 3
