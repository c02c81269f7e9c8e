"""A person in the loop: try, enqueue, watch, adopt, and studies that change hands."""

from __future__ import annotations

import json
import threading
import time

import mlflow
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_tune import Categorical, Float, InputError, Int, Manual, Ordinal, Space, Study
from mlflow_tune.cli import main
from mlflow_tune.cli.points import read_points
from mlflow_tune.report.difference.changes import against, changes
from mlflow_tune.study.adoption import adopt, candidates
from mlflow_tune.tracking import Queue, Refresh, is_driven
from mlflow_tune.trial import Trial
from tests.fixtures.small_studies.helpers import outcomes, points, runs_of, start, study_file, wait_for
from tests.support.terminal import at_terminal, plain

SPACE = Space({"lr": Float(1e-4, 1e-1, log=True), "units": Int(16, 256), "act": Categorical(["relu", "a,b"])})
BASE = {"lr": 0.01, "units": 64, "act": "relu"}
HAND = {
    "run": {"function": "objectives:quadratic"},
    "space": {
        "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "units": {"type": "int", "low": 16, "high": 256},
    },
    "strategy": {"name": "manual"},
}


def invoke(*words, uri=None):
    environment = {"MLFLOW_TRACKING_URI": uri} if uri else {}
    return CliRunner().invoke(main, [*map(str, words)], env=environment)


def said(*words, uri):
    result = invoke(*words, "--json", uri=uri)
    return result.exit_code, json.loads(result.stdout)


# --- points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], [BASE]),
        (["lr=1e-3"], [BASE | {"lr": 0.001}]),
        (["lr=0.001,0.1"], [BASE | {"lr": 0.001}, BASE | {"lr": 0.1}]),
        (["lr=0.1", "units=32,64"], [BASE | {"lr": 0.1, "units": 32}, BASE | {"lr": 0.1}]),
        (["act=a,b"], [BASE | {"act": "a,b"}]),
    ],
)
def test_what_is_left_out_comes_from_the_base_and_several_values_are_several_points(texts, found):
    assert read_points(SPACE, texts, BASE) == found


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["lr"], "NAME=VALUE"),
        (["lr="], "NAME=VALUE"),
        (["lrr=1"], "did you mean 'lr'"),
        (["lr=0.1", "lr=0.2"], "given twice"),
        (["lr=banana"], "-P lr: must be a finite number"),
        (["lr=1"], "0.0001 <= value <= 0.1.*--outside"),
        (["units=1.5"], "-P units: must be a whole number"),
        (["act=gelu"], "must be one of"),
        (
            ["units=" + ",".join(map(str, range(16, 48))), "lr=" + ",".join(f"1e-{i % 3 + 1}" for i in range(40))],
            "1000",
        ),
    ],
)
def test_a_wrong_point_is_refused_in_words(texts, words):
    with pytest.raises(InputError, match=words):
        read_points(SPACE, texts, BASE)


def test_a_person_may_insist_on_a_point_outside():
    assert read_points(SPACE, ["lr=1", "act=gelu"], BASE, outside=True) == [BASE | {"lr": 1.0, "act": "gelu"}]
    with pytest.raises(InputError, match="must be a finite number"):
        read_points(SPACE, ["lr=banana"], BASE, outside=True)


@pytest.mark.parametrize("text", ["lr=banana", "units=1.5"])
def test_to_insist_is_advised_only_where_it_helps(text):
    with pytest.raises(InputError) as caught:
        read_points(SPACE, [text], BASE)
    assert "--outside" not in str(caught.value)
    numbers = Space({"size": Categorical([1, 2])})
    for value, helps in (("3", True), ("many", False)):
        with pytest.raises(InputError) as caught:
            read_points(numbers, [f"size={value}"], {})
        assert ("--outside" in str(caught.value)) == helps


LISTS = Space(
    {
        "hidden": Categorical([[64], [64, 32], ["a,b", "]"]]),
        "drop": Categorical([None, 0.5]),
        "amp": Categorical([True, False]),
        "batch": Ordinal([16, 32, 64]),
    }
)
LISTED = {"hidden": [64], "drop": None, "amp": False, "batch": 32}


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("hidden=[64, 32]", "hidden", [[64, 32]]),
        ("hidden=[64,32],[64]", "hidden", [[64, 32], [64]]),
        ('hidden=["a,b", "]"],[64]', "hidden", [["a,b", "]"], [64]]),
        ("drop=null,0.5", "drop", [None, 0.5]),
        ("drop=None", "drop", [None]),
        ("amp=true,False", "amp", [True, False]),
        ("batch=16,64", "batch", [16, 64]),
    ],
)
def test_null_booleans_and_lists_are_named_as_they_are_written(text, name, found):
    points = read_points(LISTS, [text], LISTED)
    assert repr([point[name] for point in points]) == repr(found)


def test_a_list_outside_is_a_list():
    outside = {"hidden": [1, 2], "drop": None, "amp": False, "batch": 48}
    assert read_points(LISTS, ["hidden=[1,2]", "batch=48"], LISTED, outside=True) == [outside]
    assert read_points(LISTS, ["hidden=[1,"], LISTED, outside=True)[0]["hidden"] == "[1,"
    with pytest.raises(InputError, match=r"hidden: must be one of .*got '\[1,2\]' \(--outside"):
        read_points(LISTS, ["hidden=[1,2]"], LISTED)
    with pytest.raises(InputError, match=r"hidden: \[3\], taken from an earlier trial, is outside"):
        read_points(LISTS, [], LISTED | {"hidden": [3]})


def test_null_is_another_value_than_none_at_all():
    [change] = changes({"drop": None, "hidden": [64]}, {"hidden": [64]})
    assert (change.name, change.texts) == ("drop", ("null", ""))
    [change] = changes({"drop": None}, {"drop": 0.5})
    assert (change.texts, change.factor) == (("null", "0.5"), None)
    assert [change.name for change in changes({"c": 1, "h": [1]}, {"c": True, "h": [1.0]})] == ["c", "h"]


def test_a_fixed_parameter_is_told_as_such():
    with pytest.raises(InputError, match=r"-P epochs: is fixed at 8 by run.parameters; search it in a new study"):
        read_points(SPACE, ["epochs=30"], BASE, fixed={"epochs": 8})


def test_a_parameter_without_any_value_is_named():
    with pytest.raises(InputError, match=r"units: no value is given.*-P units=VALUE"):
        read_points(SPACE, ["lr=0.1"], {})


def test_two_trials_are_held_against_each_other():
    before = Trial(1, {"lr": 0.1, "act": "relu", "units": 8}, "ok", 0.5)
    after = Trial(2, {"lr": 0.2, "act": "tanh", "units": 8}, "ok", 0.4)
    assert [change.name for change in changes(before.params, after.params)] == ["lr", "act"]
    words = "lr 0.1 → 0.2 (2 times), act relu → tanh; loss 0.5 → 0.4, "
    assert against(after, before, "loss", "minimize") == f"{words}better by 0.1 (20.0%)"
    assert against(after, before, "loss", "maximize") == f"{words}worse by 0.1 (20.0%)"
    failed = Trial(3, after.params, "failed")
    assert against(failed, after, "loss", "minimize") == "nothing was changed; trial 3 has no value to compare"


# --- the queue -------------------------------------------------------------------------------------------------------


def as_loss(x, epochs=1):
    return float(x)


def made(uri, **more):
    options = {"space": {"x": Int(1, 8, grid=8)}, "metric": "loss", "strategy": "grid", "tracking_uri": uri}
    return Study(name="queued", **{"objective": as_loss, **options, **more})


@pytest.mark.slow
def test_what_waits_is_numbered_and_runs_before_what_the_strategy_asks(store):
    study = made(store, experiment="queue-order").create()
    assert (study.record.state, study.trials) == ("interrupted", [])
    queued = [study.enqueue({"x": x}, why) for x, why in ((7, "a hunch"), (5, "another"))]
    client = MlflowClient(store)
    assert [client.get_run(run_id).info.status for run_id in queued] == ["SCHEDULED"] * 2
    study.resume(trials=4)
    trials = study.trials
    assert [trial.params["x"] for trial in trials] == [7, 5, 1, 2]
    assert [trial.strategy for trial in trials] == ["manual", "manual", "grid", "grid"]
    assert [trial.run_id for trial in trials[:2]] == queued
    assert [trial.why for trial in trials[:2]] == ["a hunch", "another"]
    first = client.get_run(queued[0])
    assert (first.info.status, first.info.run_name, first.data.params) == ("FINISHED", "#001 x=7", {"x": "7"})
    assert first.data.metrics == {"trial": 1.0, "objective": 7.0, "loss": 7.0}
    assert Queue(study.client, study.record).waiting() == []


@pytest.mark.slow
def test_queued_points_run_whatever_the_stop_rules_say(sqlite_store):
    study = made(sqlite_store, stop={"trials": 2, "target": 1.0}).run()
    assert len(study.trials) == 1
    study.enqueue({"x": 8})
    study.resume()
    assert [trial.params["x"] for trial in study.trials] == [1, 8]
    assert study.ending.why == "trials: the budget of 2 is used"


@pytest.mark.slow
def test_a_queue_alone_is_run_without_the_strategy(sqlite_store):
    study = made(sqlite_store).create()
    study.enqueue({"x": 3})
    study.resume(only_queued=True)
    assert [trial.params["x"] for trial in study.trials] == [3]
    assert study.record.state == "interrupted", "the grid has not been tried yet"
    study.resume()
    assert sorted(trial.params["x"] for trial in study.trials) == list(range(1, 9))
    study.enqueue({"x": 3})
    study.resume(only_queued=True)
    assert study.record.state == "finished"
    assert len(study.trials) == 9


@pytest.mark.slow
def test_a_point_outside_a_log_scale_runs_and_disturbs_no_strategy(sqlite_store):
    study = made(
        sqlite_store,
        space={"x": Float(0.1, 1, log=True)},
        strategy={"name": "bayesian", "initial": 2},
        stop={"trials": 5},
    ).create()
    for x in (-3.0, 0.0, 50.0):
        study.enqueue({"x": x})
    study.resume()
    assert [trial.outcome for trial in study.trials] == ["ok"] * 5
    assert all(study.spec.space.contains(trial.params) for trial in study.trials[3:])


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["", "[]", "{}", "no json", '{"y": 1}', '{"x": [1]}', '{"x": "rm -rf"}'])
def test_a_queued_run_that_is_no_point_does_no_harm(sqlite_store, tag):
    study = made(sqlite_store, stop={"trials": 2}).create()
    run_id = study.enqueue({"x": 3})
    MlflowClient(sqlite_store).set_tag(run_id, "tune.params", tag)
    study.resume()
    kinds = [trial.outcome for trial in study.trials if trial.strategy == "grid"]
    assert kinds
    assert set(kinds) == {"ok"}


@pytest.mark.slow
def test_a_driver_shows_that_it_lives_and_a_dead_one_is_noticed(sqlite_store):
    held, go = threading.Event(), threading.Event()

    def wait(x):
        held.set()
        go.wait(60)
        return float(x)

    study = made(sqlite_store, objective=wait, stop={"trials": 1})
    thread = threading.Thread(target=study.run)
    thread.start()
    try:
        held.wait(60)
        elsewhere = Study.load("queued", tracking_uri=sqlite_store).client
        assert is_driven(elsewhere, study.run_id)
    finally:
        go.set()
        thread.join()
    assert not is_driven(elsewhere, study.run_id)


@pytest.mark.slow
def test_a_study_changes_hands(sqlite_store):
    study = made(sqlite_store, strategy=Manual([{"x": 2}, {"x": 8}])).run()
    assert [trial.params["x"] for trial in study.trials] == [2, 8]
    loaded = Study.load("queued", objective=as_loss, tracking_uri=sqlite_store)
    loaded.resume(strategy="grid", trials="+3")
    assert [trial.params["x"] for trial in loaded.trials] == [2, 8, 1, 3, 4]
    with pytest.raises(InputError, match="unknown strategy 'grd'; did you mean 'grid'"):
        loaded.resume(strategy="grd")
    again = Study.load("queued", tracking_uri=sqlite_store)
    assert again.spec.strategy.name == "grid"


@pytest.mark.slow
def test_a_refresh_reads_what_is_new(store):
    study = made(store, experiment="refresh", stop={"trials": 2}).run()
    refresh = Refresh(study.client, study.record)
    assert [trial.number for trial in refresh.trials()] == [1, 2]
    study.resume("+1")
    assert [trial.outcome for trial in refresh.trials()] == ["ok"] * 3


# --- adopt -----------------------------------------------------------------------------------------------------------


def by_hand(uri, experiment, metrics, status="FINISHED", name="by hand", **params):
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found else client.create_experiment(experiment)
    run_id = client.create_run(experiment_id, run_name=name, tags={"mlflow.user": "ann", "own": "tag"}).info.run_id
    for key, value in params.items():
        client.log_param(run_id, key, value)
    for key, values in metrics.items():
        for step, value in enumerate(values if isinstance(values, list) else [values]):
            client.log_metric(run_id, key, value, step=step)
    if status != "RUNNING":
        client.set_terminated(run_id, status)
    return run_id


@pytest.mark.slow
def test_runs_made_by_hand_become_trials_or_are_told_why_not(store):
    study = made(store, experiment="adopt", space={"x": Int(1, 8, grid=8)}, parameters={"epochs": 3}).create()
    cases = {
        by_hand(store, "adopt", {"loss": [9.0, 2.5]}, x=2, epochs="3.0", other="kept"): "",
        by_hand(store, "adopt", {"loss": 1.0}, x=99): "x: 1 <= value <= 8",
        by_hand(store, "adopt", {"loss": 1.0}): "x: the parameter is missing",
        by_hand(store, "adopt", {"loss": 1.0}, x="banana"): "x: must be a",
        by_hand(store, "adopt", {"acc": 1.0}, x=1): "'loss' was not logged; logged were 'acc'",
        by_hand(store, "adopt", {"loss": float("nan")}, x=1): "'loss' is nan",
        by_hand(store, "adopt", {"loss": 1.0}, x=1, epochs=5): "epochs: it ran with 5, the study with 3",
        by_hand(store, "adopt", {"loss": 1.0}, "FAILED", x=1): "its status is FAILED",
        by_hand(store, "adopt", {"loss": 1.0}, "RUNNING", x=1): "its status is RUNNING",
    }
    found = candidates(study.handle, "")
    assert {candidate.run.run_id for candidate in found} == set(cases)
    for candidate in found:
        assert cases[candidate.run.run_id] in candidate.refusal
        assert (candidate.trial is None) == bool(cases[candidate.run.run_id])
    (adopted,) = adopt(study.handle, found)
    run = MlflowClient(store).get_run(next(iter(cases)))
    assert (adopted.run_id, adopted.number, adopted.value) == (run.info.run_id, 1, 2.5)
    assert (run.info.run_name, run.info.status) == ("by hand", "FINISHED")
    assert run.data.params == {"x": "2", "epochs": "3.0", "other": "kept"}
    assert run.data.metrics == {"loss": 2.5, "trial": 1.0, "objective": 2.5}
    assert (run.data.tags["own"], run.data.tags["tune.strategy"]) == ("tag", "adopted")
    assert "2.5" in MlflowClient(store).get_run(study.run_id).data.tags["mlflow.note.content"]
    assert [candidate.refusal for candidate in candidates(study.handle, "params.x = '2'")] == [
        "it is a trial of mlflow-tune already"
    ]
    study.resume(trials=3)
    assert [trial.params["x"] for trial in study.trials] == [2, 1, 3]


@pytest.mark.slow
def test_runs_of_another_experiment_are_copied_and_stay_as_they_are(sqlite_store):
    study = made(sqlite_store, experiment="here").create()
    original = by_hand(sqlite_store, "there", {"loss": [3.0, 2.0, 1.0]}, x=4)
    client = MlflowClient(sqlite_store)
    before = client.get_run(original).to_dictionary()
    (trial,) = adopt(study.handle, candidates(study.handle, "", "there"))
    assert client.get_run(original).to_dictionary() == before
    copy = client.get_run(trial.run_id)
    assert copy.data.tags["tune.copied_from"] == original
    assert copy.info.start_time == before["info"]["start_time"]
    assert (copy.info.status, copy.data.params) == ("FINISHED", {"x": "4"})
    assert [point.value for point in client.get_metric_history(trial.run_id, "loss")] == [3.0, 2.0, 1.0]
    assert [found.params["x"] for found in study.trials] == [4]


@pytest.mark.slow
def test_adopt_refuses_a_wrong_filter_and_a_study_that_runs(sqlite_store):
    study = made(sqlite_store).create()
    with pytest.raises(InputError, match="--filter: MLflow refuses it"):
        candidates(study.handle, "bogus ===")
    with pytest.raises(InputError, match="--from-experiment: there is no experiment 'nope'"):
        candidates(study.handle, "", "nope")
    code, form = said("adopt", "queued", "--filter", "params.x = '77'", uri=sqlite_store)
    assert (code, form["adopted"], form["runs"]) == (1, 0, [])


def test_a_dry_run_changes_nothing(sqlite_store):
    study = made(sqlite_store).create()
    run_id = by_hand(sqlite_store, "Default", {"loss": 1.0}, x=4)
    result = invoke("adopt", "queued", "--filter", "", "--dry-run", uri=sqlite_store)
    assert result.exit_code == 0
    assert "1 would be adopted, 0 refused" in result.stdout
    assert "tune.kind" not in MlflowClient(sqlite_store).get_run(run_id).data.tags
    assert study.trials == []


@pytest.mark.slow
def test_adopt_tells_of_trials_in_one_line_and_of_each_other_refusal_below_the_table(sqlite_store):
    made(sqlite_store, experiment="plain", stop={"trials": 3}).run()
    welcome = by_hand(sqlite_store, "plain", {"loss": 1.0}, x=4)
    refused = by_hand(sqlite_store, "plain", {"loss": 1.0}, x=99, name="too far")
    words = ["adopt", "queued", "--filter", "", "--experiment", "plain"]
    lines = invoke(*words, "--dry-run", uri=sqlite_store).stdout.splitlines()
    assert sum(welcome in line for line in lines) == 1
    assert [line for line in lines if refused in line] == [
        f"refused: too far (run {refused}): x: 1 <= value <= 8 must hold, but got 99"
    ]
    assert lines[-2:] == ["3 runs are trials already", "1 would be adopted, 1 refused."]
    assert "1 adopted, 1 refused." in invoke(*words, uri=sqlite_store).stdout


@pytest.mark.slow
def test_a_try_that_leaves_the_study_without_a_value_says_so(sqlite_store, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    result = invoke("try", study_file(tmp_path, name="none", run=run), "-P", "x=1", uri=sqlite_store)
    assert result.exit_code == 1
    assert "no trial has a value of 'loss'; 1 failed\n" in result.stdout
    assert result.output.count("broken at 1") == 1, "a reason stands once"


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_try_makes_the_study_of_a_file_and_holds_each_trial_against_the_others(sqlite_store, tmp_path):
    path = study_file(tmp_path, name="hand", **HAND)
    code, form = said("try", path, "-P", "lr=0.5", "-P", "units=64", "--note", "first guess", uri=sqlite_store)
    assert (code, form["trials"][0]["value"], form["trials"][0]["against"]) == (0, 0.48**2 + 64e-6, {})
    code, form = said("try", "hand", "-P", "lr=0.02,0.9", uri=sqlite_store)
    assert code == 0
    assert [trial["params"] for trial in form["trials"]] == [{"lr": 0.02, "units": 64}, {"lr": 0.9, "units": 64}]
    assert "worse by" in form["trials"][1]["against"]["against the best of the others (#002)"]
    parent, children = runs_of(sqlite_store, "hand")
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in (1, 2, 3)]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")
    assert children[0].data.tags["tune.why"] == "first guess"
    _, form = said("try", path, "-P", "units=32", "--from", "3", uri=sqlite_store)
    assert form["trials"][0]["params"] == {"lr": 0.9, "units": 32}


@pytest.mark.slow
def test_try_says_what_is_wrong_with_a_point(sqlite_store, tmp_path):
    path = study_file(tmp_path, name="hand", **HAND)
    result = invoke("try", path, "-P", "lr=0.5", uri=sqlite_store)
    assert (result.exit_code, "add -P units=VALUE" in result.stderr) == (2, True)
    result = invoke("try", path, "-P", "lr=5", "-P", "units=64", uri=sqlite_store)
    assert (result.exit_code, "--outside allows it" in result.stderr) == (2, True)
    code, _ = said("try", path, "-P", "lr=5", "-P", "units=64", "--outside", uri=sqlite_store)
    assert code == 0
    for command in ("try", "enqueue"):
        result = invoke(command, "hand", uri=sqlite_store)
        assert result.exit_code == 2
        assert "give -P NAME=VALUE, or --from N to repeat trial N" in result.stderr
    code, form = said("try", "hand", "--from", "1", "--outside", uri=sqlite_store)
    assert (code, form["trials"][0]["params"]) == (0, {"lr": 5.0, "units": 64})
    result = invoke("try", "hand", "--from", "9", uri=sqlite_store)
    assert (result.exit_code, "no trial 9" in result.stderr) == (2, True)


@pytest.mark.long
def test_three_tries_an_adopted_run_then_bayesian_at_a_terminal(sqlite_store, tmp_path, monkeypatch):
    path = study_file(tmp_path, name="session", **HAND)
    for lr, units in ((0.5, 64), (0.1, 64), (0.01, 128)):
        screen, code = at_terminal(["try", path, "-P", f"lr={lr}", "-P", f"units={units}"], sqlite_store)
        assert code == 0, screen
    assert "against the best of the others (#002)" in plain(screen)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    with mlflow.start_run(run_name="by hand"):
        mlflow.log_params({"lr": 0.03, "units": 32})
        mlflow.log_metric("loss", 0.000132)
    _, code = at_terminal(["adopt", "session", "--filter", "attributes.run_name = 'by hand'"], sqlite_store)
    assert code == 0
    screen, code = at_terminal(["resume", "session", "--strategy", "bayesian", "--trials", "+10"], sqlite_store)
    assert code == 0, screen
    parent, children = runs_of(sqlite_store, "session")
    assert parent is not None
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 15)]
    strategies = {int(run.data.tags["tune.trial"]): run.data.tags["tune.strategy"] for run in children}
    assert [strategies[number] for number in range(1, 15)] == ["manual"] * 3 + ["adopted"] + ["bayesian"] * 10
    seen = [run.data.tags["tune.why"] for run in children if run.data.tags["tune.strategy"] == "bayesian"]
    assert all(words for words in seen)


@pytest.mark.long
def test_a_second_terminal_puts_points_before_the_strategy(server, tmp_path):
    held = {"function": "objectives:held", "parameters": {"folder": "."}}
    path = study_file(
        tmp_path, name="two-terminals", run=held, workers=1, stop={"trials": 6},
        space={"x": {"type": "int", "low": 1, "high": 50, "grid": 50}},
    )  # fmt: skip
    driver = start(["run", path, "-v"], tmp_path, server)
    wait_for((tmp_path / "running-1").exists)
    enqueued = start(["enqueue", "two-terminals", "-P", "x=41,42"], tmp_path, server)
    assert enqueued.wait() == 0
    assert "2 points queued" in enqueued.out.read_text()
    tried = start(["try", "two-terminals", "-P", "x=43"], tmp_path, server)
    time.sleep(1)
    watched = start(["watch", "two-terminals", "--interval", "0.5"], tmp_path, server)
    wait_for(lambda: len(runs_of(server, "two-terminals")[1]) == 4)
    (tmp_path / "go").touch()
    assert (tried.wait(), driver.wait(), watched.wait()) == (0, 0, 0)
    assert "#004 ok" in tried.out.read_text()
    assert "two-terminals is finished" in watched.out.read_text()
    _, children = runs_of(server, "two-terminals")
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 7)]
    assert [points(children)[number]["x"] for number in range(1, 7)] == [1, 41, 42, 43, 2, 3]
