"""The documents' commands, typed one after another on one store, with training code that takes no time."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlflow_tune import Float, Study
from mlflow_tune.cli import main
from mlflow_tune.spec.study_file import read_study_file
from tests.documents.markdown import block_of
from tests.fixtures import ROOT
from tests.fixtures.drafted import DRAFTED

TRAIN = """
import argparse
from cheap import log_metric

parser = argparse.ArgumentParser()
{arguments}
args = parser.parse_args()
log_metric("rmse", sum(vars(args).values()))
"""
TOUR = [
    ("README.md", "mlflow-tune run study.yaml"),
    ("README.md", "mlflow-tune resume diabetes --strategy bayesian --trials +10"),
    ("README.md", "mlflow-tune best diabetes --command"),
]
DRAFT = ("README.md", "mlflow-tune init train.py")
ANOTHER_STRATEGY = ("mlflow_tune/strategies/README.md", "mlflow-tune resume STUDY --strategy bayesian --trials +20")
BY_HAND = (
    "mlflow_tune/cli/README.md",
    'mlflow-tune try study.yaml -P alpha=0.05 -P depth=4 --note "a first guess"   # creates the study on first use',
)
REPLAY = (
    "mlflow_tune/diagnosis/stopping/README.md",
    "mlflow-tune replay alpha-and-depth                              # every rule, and which one to take",
)
COMPARE = (
    "mlflow_tune/cli/README.md",
    "mlflow-tune compare bayes-0 bayes-1 bayes-2 random-0 random-1 random-2 --html compared.html",
)
LESSON = ("examples/grid_vs_random/README.md", "python examples/grid_vs_random/lesson.py")
RUN = [*TOUR, DRAFT, ANOTHER_STRATEGY, BY_HAND, REPLAY, COMPARE, LESSON]


@pytest.fixture
def typed(server, monkeypatch):
    """Type the commands of a block with smaller budgets, of which each succeeds; return what they printed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)

    def type_block(name: tuple[str, str], study: str = "", skip: Sequence[str] = ()) -> list[Result]:
        results = []
        for line in block_of(*name).lines:
            words = shlex.split(re.sub(r"--trials \+\d+", "--trials +2", line.replace("STUDY", study)))[1:]
            if words[0] in skip:
                continue
            results.append(CliRunner().invoke(main, words))
            assert results[-1].exit_code == 0, (line, results[-1].output)
        return results

    return type_block


def training_code(folder: Path, arguments: str) -> None:
    """Write a train.py that takes these arguments and logs their sum at once."""
    shutil.copy(DRAFTED / "cheap.py", folder)
    (folder / "train.py").write_text(TRAIN.format(arguments=arguments))


def arguments_of(study: Path) -> str:
    names = read_study_file(study).space
    return "\n".join(f'parser.add_argument("--{name}", type=float)' for name in names)


@pytest.mark.slow
def test_the_tour(typed, tmp_path, monkeypatch):
    """As the README's reader goes: two commands to a finished study, a third continues it, a fourth uses it."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tour of the documents")
    text = block_of("README.md", "name: diabetes").text
    (tmp_path / "study.yaml").write_text(text.replace("trials: 20", "trials: 4"))
    training_code(tmp_path, arguments_of(tmp_path / "study.yaml"))
    (ran,) = typed(TOUR[0])
    assert re.search(r"#004 +ok", ran.output)
    (resumed,) = typed(TOUR[1])
    assert re.search(r"#006 +ok", resumed.output)
    (best,) = typed(TOUR[2])
    assert re.search(r"python train\.py --lr \S+ --depth \d", best.output)
    typed(ANOTHER_STRATEGY, "diabetes")


@pytest.mark.slow
def test_init_on_the_tours_script(typed, tmp_path):
    shutil.copy(ROOT / "examples" / "tour" / "train.py", tmp_path)
    typed(DRAFT, skip=["run"])  # what `init` writes is run for each kind of script by tests/cli/test_init_runs.py
    drafted = read_study_file(tmp_path / "study.yaml")
    assert (list(drafted.space), drafted.metric) == (["lr", "depth"], "rmse")


@pytest.mark.slow
def test_points_by_hand(typed, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "points by hand of the documents")
    text = block_of("mlflow_tune/spec/README.md", "name: alpha-and-depth").text
    (tmp_path / "study.yaml").write_text(text.replace("experiment: houses\n", ""))
    training_code(tmp_path, arguments_of(tmp_path / "study.yaml"))
    *_, watched, _, compared = typed(BY_HAND)
    assert "alpha-and-depth" in watched.output
    assert "alpha" in compared.output
    assert (tmp_path / "diff.html").stat().st_size > 1000


@pytest.mark.long
def test_replays_and_comparisons(typed, server, tmp_path, monkeypatch):
    import mlflow

    def curve(x: float) -> None:
        for step in range(12):
            mlflow.log_metric("rmse", x + 1 / (1 + step), step=step)

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "replays of the documents")

    def run(name: str, objective: Callable[..., float | None], strategy: str, trials: int, seed: int = 0) -> None:
        common = {"space": {"x": Float(0, 1)}, "metric": "rmse", "stop": {"trials": trials}, "tracking_uri": server}
        study = Study(name=name, objective=objective, strategy={"name": strategy, "seed": seed}, **common)
        study.run(quiet=True)

    run("alpha-and-depth", curve, "random", trials=6)
    replayed, _ = typed(REPLAY)
    assert "median" in replayed.output
    for name, strategy in {"bayes": "bayesian", "random": "random"}.items():
        for seed in range(3):
            run(f"{name}-{seed}", lambda x: x, strategy, trials=3, seed=seed)
    (compared,) = typed(COMPARE)
    assert "random" in compared.output
    assert "comparison" in (tmp_path / "compared.html").read_text().lower()


@pytest.mark.slow
def test_the_lesson_on_grid_and_random_search(sqlite_store, tmp_path, monkeypatch, capsys):
    (line,) = block_of(*LESSON).lines
    script = ROOT / shlex.split(line)[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr("sys.argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    assert "Of 100 seeds of random search" in capsys.readouterr().out
    assert (tmp_path / "grid_vs_random.png").stat().st_size > 10_000
