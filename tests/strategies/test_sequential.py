"""Bisection and Bayesian studies as MLflow shows them: brackets, constraints, pictures, and a resume in between."""

import json
import math
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_tune import Bayesian, Bisection, Float, InputError, Study
from mlflow_tune.cli import main
from mlflow_tune.report.figures.progress import bracket_figure
from mlflow_tune.report.subject import subject_of
from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import failing
from tests.support.drawn import marks

EXAMPLES = ROOT / "examples"
BOUNDARY = {"name": "bisection", "find": "boundary", "constraint": "recall >= 0.95", "tolerance": 1e-3}


def step_at(alpha):
    return {"recall": 0.97 if alpha <= 0.618 else 0.90, "box": 1 - alpha}


def study(uri, **more):
    options = {"name": "sequential", "objective": step_at, "metric": "box", "strategy": BOUNDARY}
    return Study(**{**options, "space": {"alpha": Float(0, 1)}, "tracking_uri": uri, **more})


@pytest.mark.slow
def test_a_boundary_study_answers_with_a_value_that_was_seen_to_meet_the_constraint(sqlite_store):
    ran = study(sqlite_store).run()
    assert ran.ending.why.startswith("bisection: converged at alpha=0.61")
    assert len(ran.trials) <= 12
    assert 0.618 - 1e-3 <= ran.best.params["alpha"] <= 0.618
    assert ran.best.metrics["recall"] >= 0.95
    assert min(trial.value for trial in ran.trials) < ran.best.value, "the least box is that of an alpha too large"


@pytest.mark.slow
def test_the_bracket_is_a_curve_on_the_parent(sqlite_store):
    ran = study(sqlite_store).run()
    client = MlflowClient(sqlite_store)
    low, high = (client.get_metric_history(ran.run_id, f"bracket_{end}") for end in ("low", "high"))
    assert [point.step for point in low] == [point.step for point in high] == list(range(1, len(ran.trials) + 1))
    assert low[-1].value <= 0.618 <= high[-1].value
    assert high[-1].value - low[-1].value <= 1e-3
    widths = [top.value - bottom.value for bottom, top in zip(low[1:], high[1:], strict=True)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.slow
def test_evidence_against_the_assumption_is_told(sqlite_store, caplog):
    optimum = {"name": "bisection", "find": "optimum", "tolerance": 1e-3}
    ran = study(sqlite_store, objective=lambda alpha: math.sin(15 * alpha), strategy=optimum).run()
    note = MlflowClient(sqlite_store).get_run(ran.run_id).data.tags["mlflow.note.content"]
    told = [record.getMessage() for record in caplog.records]
    assert "**Note:**" in note
    assert any("random" in line for line in told), "it says what to use instead"
    assert any("; but " in trial.why for trial in ran.trials)


@pytest.mark.slow
def test_a_trial_without_the_constraints_metric_failed(sqlite_store):
    ran = failing(study(sqlite_store, objective=lambda alpha: {"box": alpha}, stop={"trials": 3, "failures": 2}).run)
    assert ran.ending.state == "aborted"
    assert "'recall' was not logged; logged were 'box'" in ran.trials[0].reason


@pytest.mark.slow
def test_the_constraint_counts_the_same_step_as_the_value(sqlite_store):
    def peaks_at_step_one(alpha):
        import mlflow

        for step, share in enumerate((0.5, 1.0, 0.7)):
            mlflow.log_metric("recall", share if alpha <= 0.618 else 0.5, step=step)
            mlflow.log_metric("box", 1 - alpha, step=step)

    ran = study(sqlite_store, objective=peaks_at_step_one, value="best", stop={"trials": 6}).run()
    assert ran.best is not None
    assert ran.best.metrics["constraint"] == 1.0
    assert ran.best.metrics["recall"] == 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), [(1.0, 0.7), (0.5, 1.0)], ids=["best step", "last step"])
def test_strategy_picture_and_best_agree_on_what_meets_the_constraint(sqlite_store, first, last):
    def two_steps(alpha):
        import mlflow

        for step, share in enumerate((first, last)):
            mlflow.log_metric("recall", share if alpha <= 0.618 else 0.5, step=step)
            mlflow.log_metric("box", 1 - alpha, step=step)

    ran = study(sqlite_store, objective=two_steps, value="best", stop={"trials": 6}).run()
    meeting = [trial for trial in ran.trials if trial.params["alpha"] <= 0.618]
    assert [trial for trial in ran.trials if ran.spec.strategy.is_feasible(trial)] == meeting
    assert ran.best == min(meeting, key=lambda trial: trial.value)
    subject = subject_of(ran.spec, ran.trials)
    assert subject.unmet == {trial.number for trial in ran.trials if trial not in meeting}
    figure = bracket_figure(subject, ran.trials, ran.spec.strategy.requirement)
    for axes in figure.axes:
        assert 0 < marks(axes, "meets it") == len(meeting)
        assert marks(axes, "does not meet it") == len(ran.trials) - len(meeting)


def test_a_constraint_of_which_the_trials_do_not_hold_the_best_step_is_refused(sqlite_store):
    ran = study(sqlite_store, objective=lambda alpha: {"box": alpha, "recall": 1.0}, value="best").run()
    other = BOUNDARY | {"constraint": "precision >= 0.8"}
    with pytest.raises(InputError, match=r"the best step for 'recall >= 0.95' alone, but got 'precision >= 0.8'"):
        ran.resume(strategy=other)
    ran.resume(strategy=BOUNDARY | {"constraint": "recall >= 0.9"})


def test_the_true_function_is_kept_whoever_makes_the_study(tmp_path, sqlite_store):
    (tmp_path / "truth.py").write_text("def truth(alpha): return alpha")
    given = {"reference": "truth:truth", "folder": tmp_path, "objective": lambda alpha: alpha, "strategy": "random"}
    made = study(sqlite_store, stop={"trials": 1}, **given).create()
    assert len(Study.load(made.run_id, tracking_uri=sqlite_store).record.reference) == 101


@pytest.mark.slow
def test_the_report_and_the_note_keep_to_the_constraint(sqlite_store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TUNE_REPORT", "true")
    ran = study(sqlite_store, stop={"trials": 5}).run()
    run = MlflowClient(sqlite_store).get_run(ran.run_id)
    page = (Path(run.info.artifact_uri.removeprefix("file://")) / "report.html").read_text()
    infeasible = min(ran.trials, key=lambda trial: trial.value)
    assert f"in trial {ran.best.number}" in page
    assert f"in trial {infeasible.number}" not in page
    assert "times:" not in run.data.tags["mlflow.note.content"], "no trial failed"


@pytest.mark.slow
def test_a_failed_end_is_told_and_a_crash_is_no_evidence(sqlite_store):
    def breaks(alpha):
        if alpha in (0, 1):
            raise OSError("disk full")
        return step_at(alpha)

    ran = failing(study(sqlite_store, objective=breaks).run)
    assert "2 trials failed, which --retry-failed runs again" in ran.ending.why
    assert not any("monotone" in trial.why for trial in ran.trials)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [Bisection(find="optimum"), Bayesian(initial=3)], ids=lambda each: each.name)
def test_a_strategy_object_takes_the_goal_of_the_study(sqlite_store, strategy):
    ran = study(
        sqlite_store,
        objective=lambda alpha: -((alpha - 0.3) ** 2),
        strategy=strategy,
        goal="maximize",
        stop={"trials": 9},
    ).run()
    assert abs(ran.best.params["alpha"] - 0.3) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["objective", "constraint", "trial"])
def test_training_code_may_not_use_our_names(sqlite_store, name):
    def logs_it(x):
        import mlflow

        mlflow.log_metric(name, 99, step=10)
        return x

    for objective in (logs_it, lambda x: {"loss": x, name: 99}):
        ran = Study(
            name=f"taken-{objective.__name__}", objective=objective, space={"x": Float(0, 1)}, metric="loss",
            stop={"trials": 2}, tracking_uri=sqlite_store,
        )  # fmt: skip
        failing(ran.run)
        assert [trial.outcome for trial in ran.trials] == ["failed", "failed"]
        assert repr(name) in ran.trials[0].reason
        assert "reserved" in ran.trials[0].reason


@pytest.mark.slow
def test_expected_improvement_ends_a_bayesian_study(sqlite_store):
    ran = study(
        sqlite_store,
        objective=lambda alpha: (alpha - 0.3) ** 2,
        strategy={"name": "bayesian", "initial": 4},
        stop={"trials": 60, "expected_improvement": 0.02},
    ).run()
    assert ran.ending.why.startswith("expected_improvement")
    assert len(ran.trials) < 60
    assert abs(ran.best.params["alpha"] - 0.3) < 0.05


@pytest.mark.slow
def test_children_hold_the_evidence_of_their_choice(sqlite_store):
    ran = study(
        sqlite_store, objective=lambda alpha: alpha, strategy={"name": "bayesian", "initial": 3}, stop={"trials": 5}
    ).run()
    child = MlflowClient(sqlite_store).get_run(ran.trials[-1].run_id).data
    assert {"predicted_mean", "predicted_std", "acquisition", "expected_improvement"} <= set(child.metrics)
    assert "GP model, EI" in child.tags["tune.why"]
    assert "from 4 trials" in child.tags["tune.why"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [{"name": "bayesian", "initial": 4}, BOUNDARY], ids=lambda each: each["name"])
def test_a_study_cut_in_half_asks_what_the_whole_one_asked(sqlite_store, strategy):
    whole = study(sqlite_store, name="whole", strategy=strategy, stop={"trials": 9}).run()
    study(sqlite_store, name="cut", strategy=strategy, stop={"trials": 5}).run()
    cut = Study.load("cut", objective=step_at, tracking_uri=sqlite_store).resume("9")
    assert [trial.params for trial in cut.trials] == [trial.params for trial in whole.trials]


@pytest.fixture
def pictured(tmp_path, sqlite_store, monkeypatch):
    """A short form of the lesson examples/bayes_1d, with its pictures; its parent's artifacts and its store."""
    monkeypatch.setenv("MLFLOW_TUNE_REPORT", "true")
    shutil.copytree(EXAMPLES / "bayes_1d", tmp_path / "lesson")
    file = tmp_path / "lesson" / "ei.yaml"
    result = CliRunner().invoke(main, ["run", str(file), "--trials", "4", "--json", "--tracking-uri", sqlite_store])
    assert result.exit_code == 0, result.output
    run_id = json.loads(result.stdout)["run_id"]
    return Path(MlflowClient(sqlite_store).get_run(run_id).info.artifact_uri.removeprefix("file://")), sqlite_store


@pytest.mark.long
def test_pictures_come_back_from_the_store(pictured, tmp_path, monkeypatch):
    artifacts, uri = pictured
    files = ["figures/posterior.png", "figures/posterior.svg", "figures/best_so_far.png", "report.html", "trials.csv"]
    before = {name: (artifacts / name).read_bytes() for name in files}
    shutil.rmtree(artifacts)
    shutil.rmtree(tmp_path / "lesson")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert CliRunner().invoke(main, ["report", "bayes-1d-ei", "--tracking-uri", uri]).exit_code == 0
    again = {name: (artifacts / name).read_bytes() for name in files}
    assert {name for name in files if again[name] != before[name]} <= {"report.html"}, "only the page tells its time"


@pytest.mark.long
def test_the_run_page_has_an_image_for_each_model_based_trial(pictured):
    artifacts, uri = pictured
    steps = sorted(path.name.split("+")[2] for path in (artifacts / "images").glob("posterior+step+*.png"))
    assert steps == ["0", "3", "4"], "trials 1 and 2 are the initial design; a slider begins at 0"
    CliRunner().invoke(main, ["report", "bayes-1d-ei", "--tracking-uri", uri])
    assert len(list((artifacts / "images").glob("posterior+step+*.png"))) == 3, "those that are there stay"


@pytest.mark.long
def test_the_report_is_a_page_of_this_study(pictured):
    artifacts, _ = pictured
    page = (artifacts / "report.html").read_text()
    assert "bayes-1d-ei" in page
    assert page.count("<figure") >= 3
    assert (artifacts / "trials.csv").read_text().count("\n") == 5


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["two parameters", "no such function", "no number"])
def test_a_reference_that_cannot_be_drawn_is_refused(tmp_path, sqlite_store, fault):
    form = yaml.safe_load((EXAMPLES / "bayes_1d" / "ei.yaml").read_text())
    if fault == "two parameters":
        form["space"]["y"] = form["space"]["x"]
    form["reference"] = {"no such function": "curve:los", "no number": "curve:nothing"}.get(fault, "curve:loss")
    (tmp_path / "curve.py").write_text((EXAMPLES / "bayes_1d" / "curve.py").read_text() + "\n\ndef nothing(x): ...\n")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(form))
    result = CliRunner().invoke(main, ["run", str(tmp_path / "study.yaml"), "--tracking-uri", sqlite_store])
    assert result.exit_code == 2
    assert "study.yaml: reference: " in result.stderr
    assert MlflowClient(sqlite_store).search_experiments(filter_string="name = 'bayes_1d'") == []
