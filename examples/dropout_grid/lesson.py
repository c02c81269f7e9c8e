"""Train the twelve models, then give random and Bayesian search the same budget, over five seeds.

`python examples/dropout_grid/lesson.py [FOLDER]` writes its pictures to FOLDER, or to the current one. `--short` is
the same with two seeds, four trials and two epochs, in seconds.

The twelve models are runs of the MLflow project. For the comparison the network is trained in this very process, so
that PyTorch is loaded once and not 180 times; the seed is that of the strategy and of the training.
"""

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path

from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.cli.common import Common
from mlflow_tune.cli.compare import comparison_answer
from mlflow_tune.report.figures.style import render
from mlflow_tune.spec.study_file import read_study_file
from mlflow_tune.study.comparison import StudyComparison
from mlflow_tune.text.yaml import load_yaml

HERE = Path(__file__).resolve().parent
STRATEGIES = ("grid", "random", "bayesian")

sys.path.insert(0, str(HERE.parents[1] / "projects" / "convnet"))


def objective(**parameters):
    """Train the network of projects/convnet, which logs its learning curves to the trial's run."""
    from train import train

    with contextlib.redirect_stdout(io.StringIO()):
        train(**parameters)


def twelve_models() -> Study:
    """Run grid.yaml as it stands, each trial a process of the MLflow project."""
    return Study.of(read_study_file(HERE / "grid.yaml"), folder=HERE).run()


def in_process(strategy: str, seed: int, epochs: int, trials: int = 12, name: str = "") -> Study:
    """Run the study of a file with this seed and budget, training in this process."""
    form = load_yaml((HERE / f"{strategy}.yaml").read_text())
    del form["run"]
    if strategy != "grid":
        form["strategy"]["seed"] = seed
    form |= {"name": name or f"{strategy}-{seed}", "workers": 1, "stop": {"trials": trials}}
    return Study(objective=objective, parameters={"epochs": epochs, "seed": seed}, **form).run()


def best_of(study: Study) -> str:
    """Return the best trial in words."""
    best = study.best
    return f"{study.spec.name}: the best of {len(study.trials)} is #{best.number:03d} {best.params}, {best.value:.4f}"


def main() -> None:
    """Run the lesson: the twelve models with their heat map, then the comparison with its figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the pictures go")
    parser.add_argument("--short", action="store_true", help="two seeds, four trials, two epochs")
    parser.add_argument("--seeds", type=int, help="over how many seeds to compare")
    args = parser.parse_args()
    seeds, trials, epochs = (args.seeds or 2, 4, 2) if args.short else (args.seeds or 5, 12, 10)
    os.environ["MLFLOW_TUNE_REPORT"] = "false"  # of the twelve models alone, below
    twelve = in_process("grid", 0, epochs, name="twelve-models") if args.short else twelve_models()
    twelve.report()
    print(best_of(twelve), flush=True)
    studies = []
    for seed in range(seeds):
        for strategy in STRATEGIES:
            studies.append(in_process(strategy, seed, epochs, trials))
            print(best_of(studies[-1]), flush=True)
    comparison = StudyComparison.load([study.run_id for study in studies])
    comparison_answer(comparison, Common(None, None, as_json=False)).show()
    pictures(twelve, comparison, args.folder)


def pictures(twelve: Study, comparison: StudyComparison, folder: Path) -> None:
    """Write the heat map, which is an artifact of the twelve models' parent run, and the comparison."""
    heat_map = folder / "dropout_grid.png"
    client = MlflowClient()
    heat_map.write_bytes(Path(client.download_artifacts(twelve.run_id, "figures/heat_map.png")).read_bytes())
    compared = folder / "dropout_grid_compared.png"
    compared.write_bytes(render(comparison.figures["best_by_trials"]))
    print(f"The pictures are {heat_map} and {compared}.")


if __name__ == "__main__":
    main()
