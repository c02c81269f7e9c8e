"""A study is confirmed: as the last part of its budget, by a command, after a kill; and what it shows in MLflow."""

import json
import random
import time
from dataclasses import replace

import pytest
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_tune import Float, InputError, Int, Study, StudyConflict
from mlflow_tune.cli import main
from mlflow_tune.spec.study_file import read_study_file
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.tracking import claimed
from mlflow_tune.trial import Trial
from tests.fixtures.small_studies.helpers import runs_of, study_file

LOGGING = "import sys, mlflow; mlflow.log_metric('loss', int(sys.argv[1]) + int(sys.argv[2]) / 10)"
CONFIRM = {"top": 2, "seeds": 2}


def noisy(x, seed=0):
    return x + random.Random(f"{x} {seed}").gauss(0, 3)


def steady(x):
    return float(x)


def study(uri, **more):
    options = {"name": "noisy", "objective": noisy, "metric": "loss", "strategy": "random", "stop": {"trials": 10}}
    options |= {"space": {"x": Int(1, 99)}, "parameters": {"seed": 0}, "confirm": CONFIRM}
    return Study(**{**options, "tracking_uri": uri, **more})


def load(uri, objective=noisy):
    return Study.load("noisy", objective=objective, tracking_uri=uri)


def said(*words):
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture
def confirmed(sqlite_store):
    return study(sqlite_store).run(quiet=True)


@pytest.mark.slow
def test_the_confirmation_is_the_last_part_of_the_budget(confirmed, sqlite_store):
    trials = confirmed.trials
    assert [trial.replicate > 0 for trial in trials] == [False] * 6 + [True] * (len(trials) - 6)
    assert 8 <= len(trials) <= 10
    assert confirmed.ending.why.startswith("trials: the search has used its 6 of the budget of 10; #00")
    for trial in trials[6:]:
        root = trials[trial.replicate - 1]
        assert (trial.params, trial.strategy) == (root.params, "confirm")
        assert trial.value == noisy(**trial.params, seed=trial.seed), "the seed reached the code"
    parent, children = runs_of(sqlite_store, "noisy")
    tags = [child.data.tags for child in children if "tune.replicate" in child.data.tags]
    assert {each["tune.replicate"] for each in tags} == {str(trial.replicate) for trial in trials[6:]}
    assert [child.data.params["seed"] for child in children[:6]] == ["0"] * 6
    assert {child.data.params["seed"] for child in children[6:]} == {"1", "2"}
    recommended = confirmed.recommended
    assert recommended.confirmed
    assert recommended.trial.number in {trial.replicate for trial in trials[6:]}
    assert f"Recommended: &#35;{recommended.trial.number:03d}" in parent.data.tags["mlflow.note.content"]
    figure = confirmed.plot("confirmation")
    assert confirmed.spec.confirmation(trials).words in figure.get_label()
    _check_commands(recommended, trials, sqlite_store)


def _check_commands(recommended, trials, uri):
    """Check what the commands print of the confirmed study."""
    code, text = said("best", "noisy", "--tracking-uri", uri)
    assert code == 0
    assert f"recommended: #{recommended.trial.number:03d} (loss " in text
    assert "90 % interval" in text
    table = said("show", "noisy", "--tracking-uri", uri)[1]
    for trial in trials[6:]:
        assert f"#{trial.number:03d}   #{trial.replicate:03d}, seed {trial.seed}" in table
    best = min((trial for trial in trials if not trial.replicate), key=lambda trial: trial.value)
    assert best.value > min(trial.value for trial in trials), "a rerun was luckier, and is no better point"
    assert f" at trial {best.number}, run " in text
    for command in ("best", "show"):
        form = json.loads(said(command, "noisy", "--json", "--tracking-uri", uri)[1])
        told = form["recommended"]
        assert (told["number"], told["confirmed"]) == (recommended.trial.number, True)
        assert told["interval"] == list(recommended.interval)
        assert form["best"]["number"] == best.number


@pytest.mark.slow
def test_a_study_that_has_ended_is_confirmed_by_a_command(sqlite_store, tmp_path):
    path = study_file(
        tmp_path / "code",
        name="by-command",
        run={"function": "objectives:wobbling", "parameters": {"seed": 0}},
        strategy={"name": "random"},
        stop={"trials": 3},
    )
    assert said("run", str(path), "--tracking-uri", sqlite_store)[0] == 0
    code, text = said("confirm", str(path), "--top", "2", "--seeds", "2", "--tracking-uri", sqlite_store)
    assert code == 0, text
    assert "recommended: " in text
    done = Study.load("by-command", tracking_uri=sqlite_store)
    assert done.record.state == "finished"
    assert done.spec.stop.trials == 7
    assert done.recommended.confirmed, "as the command has said"
    assert done.recommended.why in text.replace("\n", " ")
    replicas = [trial for trial in done.trials if trial.replicate]
    assert 3 <= len(replicas) <= 4
    for each in replicas:
        assert f"#00{each.number} ok (#00{each.replicate} again, seed {each.seed})  loss=" in text
    assert said("confirm", str(path), "--top", "2", "--seeds", "2", "--tracking-uri", sqlite_store)[0] == 0
    assert done.trials == Study.load("by-command", tracking_uri=sqlite_store).trials, "a second one repeats nothing"
    code, _ = said("confirm", str(path), "--top", "2", "--seeds", "3", "--tracking-uri", sqlite_store)
    assert code == 0
    assert {trial.seed for trial in done.trials if trial.replicate} <= {1, 2, 3}


@pytest.mark.slow
def test_an_interrupted_replicate_runs_again_under_its_seed(sqlite_store):
    calls = []

    def broken_off(x, seed=0):
        calls.append((x, seed))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return noisy(x, seed)

    with pytest.raises(KeyboardInterrupt):
        study(sqlite_store, objective=broken_off).run(quiet=True)
    again = load(sqlite_store, broken_off).resume(quiet=True)
    whole = study(sqlite_store, name="whole").run(quiet=True)
    told = [(trial.params, trial.seed, trial.replicate, trial.value) for trial in again.trials]
    assert told == [(trial.params, trial.seed, trial.replicate, trial.value) for trial in whole.trials]
    assert [trial.attempt for trial in again.trials] == [1] * 7 + [2] + [1] * (len(told) - 8)
    assert calls[7] == calls[8], "the same point under the same seed"


@pytest.mark.slow
def test_code_without_a_seed_just_runs_again_and_deterministic_values_are_said_to_be_so(sqlite_store, caplog):
    done = study(sqlite_store, objective=steady, parameters=None).run(quiet=True)
    assert len(done.trials) == 8, "one rerun of each leader"
    assert "every rerun came to the very value that was seen before" in done.ending.why
    assert "no parameter of the study is a random seed" in caplog.text
    assert done.recommended.trial == done.best
    assert all(trial.seed is None for trial in done.trials)


@pytest.mark.long
def test_a_strategy_with_an_end_is_confirmed_after_it_with_several_workers(sqlite_store):
    space = {"x": Float(1, 4, grid=[1, 2, 3, 4])}
    done = study(sqlite_store, strategy="grid", stop=None, space=space, workers=3).run(quiet=True)
    assert [trial.replicate > 0 for trial in done.trials][:4] == [False] * 4
    assert done.ending.why.startswith("grid: every point that it asks for has been tried; #0")
    assert done.spec.stop.trials is None
    more = load(sqlite_store)
    assert more.resume(quiet=True).trials == done.trials, "a study that is confirmed has nothing left to do"


@pytest.mark.long
def test_a_command_with_a_place_for_a_seed_gets_one(sqlite_store, tmp_path):
    path = study_file(
        tmp_path / "code",
        name="placed",
        run={"command": ["python", "-c", LOGGING, "{x}", "{seed}"]},
        stop={"trials": 4},
        confirm={"top": 1, "seeds": 2},
    )
    done = Study.of(read_study_file(path), folder=path.parent, tracking_uri=sqlite_store).run(quiet=True)
    assert done.spec.seeds == Seeds("seed", 0, always=True)
    assert [trial.seed for trial in done.trials] == [None, None, 1, 2]
    _, children = runs_of(sqlite_store, "placed")
    assert [child.data.params["seed"] for child in children] == ["0", "0", "1", "2"]
    assert [trial.value for trial in done.trials[2:]] == [done.trials[0].params["x"] + seed / 10 for seed in (1, 2)]
    assert said("best", "placed", "--command", "--tracking-uri", sqlite_store)[1].endswith(" 1 0\n")


@pytest.mark.slow
def test_what_cannot_be_confirmed_is_refused(sqlite_store):
    with pytest.raises(InputError, match="confirm: takes up to 4 trials, and of the 4 of stop"):
        study(sqlite_store, stop={"trials": 4})
    boundary = {"name": "bisection", "find": "boundary", "constraint": "recall >= 0.9"}
    with pytest.raises(InputError, match="a search for a boundary recommends its answer"):
        study(sqlite_store, strategy=boundary)
    made = study(sqlite_store, confirm=None).create()
    with pytest.raises(InputError, match="no trial of noisy has a value"):
        made.confirm()
    for wrong in ({"top": 0}, {"seeds": 0}, {"until": 1.0}, {"until": 0.2}, {"top": "many"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            made.confirm(**wrong)
    with claimed(made.client, made.run_id), pytest.raises(StudyConflict):
        load(sqlite_store).confirm(quiet=True)


@pytest.mark.slow
def test_an_unfinished_study_is_confirmed_where_it_stands_and_searches_on(sqlite_store):
    made = study(sqlite_store, confirm=None, stop={"trials": 12})
    for _ in range(5):
        trial = made.ask()
        made.tell(trial, noisy(**trial.params))
    made.close()
    told = load(sqlite_store).confirm(3, 2, quiet=True)
    assert told.record.state == "interrupted"
    held = len(told.trials)
    assert held > 5 and told.spec.stop.trials == 12 + 6, "the reruns come beside what is searched"
    loaded = load(sqlite_store)
    assert loaded.spec == told.spec
    done = loaded.resume(quiet=True)
    assert done.record.state == "finished"
    assert sum(not trial.replicate for trial in done.trials) == 12, "the search keeps its budget"
    assert done.recommended.confirmed
    assert yaml.safe_load(yaml.safe_dump(done.spec.model_dump(mode="json")))["confirm"]["top"] == 3
    assert MlflowClient(sqlite_store).get_run(done.run_id).data.tags["tune.state"] == "finished"


@pytest.mark.slow
def test_a_finished_study_that_was_confirmed_has_nothing_left_to_do(sqlite_store):
    study(sqlite_store, confirm=None, stop={"trials": 6}).run(quiet=True)
    done = load(sqlite_store).confirm(2, 2, quiet=True)
    again = load(sqlite_store).resume(quiet=True)
    assert (again.trials, again.recommended) == (done.trials, done.recommended)
    more = load(sqlite_store).resume("+3", quiet=True)
    assert sum(not trial.replicate for trial in more.trials) == 6 + 3
    assert more.recommended.confirmed, "the new leaders run again"
    with pytest.raises(InputError, match="holds 9 trials already, and 4 are kept to confirm the best, but got 12"):
        load(sqlite_store).resume(12, quiet=True)


@pytest.mark.slow
def test_more_trials_of_a_study_that_confirms_are_searched_and_confirmed(confirmed, sqlite_store):
    more = load(sqlite_store).resume("+4", quiet=True)
    assert sum(not trial.replicate for trial in more.trials) == 6 + 4
    assert more.recommended.confirmed
    assert more.spec.confirmation(more.trials).leaders[0].replicates


@pytest.mark.slow
def test_an_interrupted_confirmation_of_a_finished_study_is_gone_on_with_by_a_resume(sqlite_store):
    study(sqlite_store, confirm=None, stop={"trials": 6}).run(quiet=True)
    seen = []

    def broken_off(x, seed=0):
        seen.append(x)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return noisy(x, seed)

    with pytest.raises(KeyboardInterrupt):
        load(sqlite_store, broken_off).confirm(2, 3, quiet=True)
    left = load(sqlite_store)
    assert left.record.state == "interrupted"
    done = left.resume(quiet=True)
    assert done.record.state == "finished"
    assert [trial.replicate > 0 for trial in done.trials][:6] == [False] * 6
    assert all(trial.replicate for trial in done.trials[6:]), "nothing more was searched"
    assert done.recommended.confirmed


@pytest.mark.slow
def test_an_interrupted_confirmation_is_gone_on_with_by_the_same_call_and_ends_finished(sqlite_store):
    study(sqlite_store, confirm=None, stop={"trials": 6}).run(quiet=True)

    def interrupted(x, seed=0):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(sqlite_store, interrupted).confirm(2, 2, quiet=True)
    assert load(sqlite_store).confirm(2, 2, quiet=True).record.state == "finished"


@pytest.mark.slow
def test_reruns_that_fail_leave_the_search_finished_and_are_told(sqlite_store):
    study(sqlite_store, confirm=None, stop={"trials": 6}).run(quiet=True)

    def failing(x, seed=0):
        raise RuntimeError(f"diverged under {seed}")

    done = load(sqlite_store, failing).confirm(3, 4, quiet=True)
    assert done.record.state == "finished"
    assert len(done.trials) == 6 + 5, "five failures in a row end it"
    assert done.ending.why.startswith("failures: 5 in a row, the last being trial 11: RuntimeError: diverged under 2")
    assert "not confirmed: no" in done.ending.why
    assert not done.recommended.confirmed
    assert f"#00{done.recommended.trial.number} has no value in 2 of 2 reruns" in done.recommended.why


@pytest.mark.slow
def test_what_waits_in_the_queue_takes_no_rerun_away(sqlite_store):
    made = study(sqlite_store, confirm=None, stop={"trials": 6})
    made.run(quiet=True)
    for x in (11, 12, 13):
        made.enqueue({"x": x})
    done = load(sqlite_store).confirm(2, 2, quiet=True)
    assert [trial.params["x"] for trial in done.trials[6:9]] == [11, 12, 13]
    assert sum(trial.replicate > 0 for trial in done.trials) >= 3


@pytest.mark.slow
def test_a_study_that_ends_by_time_has_some_left_to_confirm(sqlite_store, monkeypatch):
    clock = [time.time_ns()]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])  # a clock that nothing but the objective takes on

    def slow(x, seed=0):
        clock[0] += 200_000_000
        return noisy(x, seed)

    done = study(sqlite_store, objective=slow, stop={"time": "3s"}).run(quiet=True)
    assert "time: about 0.8s of 3s are kept for the reruns" in done.ending.why
    reruns = [trial.replicate > 0 for trial in done.trials]
    assert reruns[:11] == [False] * 11, "2.2 s of 3 s: four reruns take 0.8 s"
    assert all(reruns[11:]) and 3 <= len(reruns[11:]) <= 4


@pytest.mark.slow
def test_a_command_says_what_a_confirmation_came_to(sqlite_store, tmp_path):
    run = {"function": "objectives:wobbling", "parameters": {"seed": 0}}
    path = study_file(tmp_path / "code", name="told", run=run, strategy={"name": "random"}, stop={"trials": 3})
    assert said("run", str(path), "--tracking-uri", sqlite_store)[0] == 0
    assert said("confirm", "told", "--top", "1", "--seeds", "2", "--tracking-uri", sqlite_store)[0] == 0
    code, text = said("confirm", "told", "--top", "1", "--seeds", "2", "--tracking-uri", sqlite_store)
    assert code == 0
    assert "nothing to do: #00" in text and "--trials" not in text
    code, text = said("resume", "told", "--tracking-uri", sqlite_store)
    assert code == 0
    assert "nothing to do: the budget of 5 is used; give --trials +N" in text
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": str(tmp_path)}}
    path = study_file(tmp_path / "broken", name="broken", run=run, strategy={"name": "random"}, stop={"trials": 2})
    assert said("run", str(path), "--tracking-uri", sqlite_store)[0] == 1
    assert said("confirm", "broken", "--tracking-uri", sqlite_store)[0] == 1, "no trial has a value"


def test_a_trial_that_is_trained_on_is_recommended_by_what_it_was(sqlite_store):
    spec = study(sqlite_store, name="onward", confirm=None).spec
    trials = [Trial(number, {"x": number}, "ok", float(number)) for number in range(1, 4)]
    again = replace(trials[0], attempt=2, outcome=None, value=None, before=trials[0])
    history = [again, *trials[1:]]
    assert spec.best(history) == trials[0]
    assert spec.recommended(history).trial == trials[0]
