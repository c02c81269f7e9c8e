"""Find alpha by bisection and by a grid, then train the answer again with fresh seeds.

`python examples/alpha/lesson.py [FOLDER]` writes its pictures to FOLDER, or to the current one. `--short` is the same
with small trainings of one network and a coarser grid, all in this very process so that PyTorch is loaded once.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import mlflow
from pictures import alpha, curve, windows

from mlflow_tune import Study, Trial
from mlflow_tune.spec.study_file import read_study_file
from mlflow_tune.text.yaml import load_yaml

HERE = Path(__file__).resolve().parent
SHORT = {"networks": 1, "epochs": 2, "crops": 4, "batch_size": 128, "lr": 0.015, "seed": 0}
# Twelve steps from 0.002 to 1, a factor of 1.678 each; little training does not reach the floor of 0.80.
SHORT_OPTIONS = {"tolerance": 0.68, "constraint": "recall >= 0.20"}

sys.path.insert(0, str(HERE.parents[1] / "projects" / "pnet"))


def objective(**parameters: float) -> None:
    """Train the networks of projects/pnet in this process, and log what its script logs."""
    import torch
    from train import train

    torch.set_num_threads(1)
    for epoch, metrics in train(SimpleNamespace(**parameters)):
        mlflow.log_metrics(metrics, step=epoch)


def run(name: str, short: bool, **fixed: float) -> Study:
    """Run the study of a file beside this one, with these fixed parameters over it."""
    if short:
        return in_process(load_yaml((HERE / f"{name}.yaml").read_text()), fixed)
    over = {f"run.parameters.{key}": value for key, value in fixed.items()}
    return Study.of(read_study_file(HERE / f"{name}.yaml", over), folder=HERE).run()


def in_process(form: dict, fixed: dict[str, float]) -> Study:
    """Run the short form of a study file."""
    del form["run"]
    if form["strategy"]["name"] == "bisection":
        form["strategy"] |= SHORT_OPTIONS
    elif "alpha" in form["space"]:
        form["space"]["alpha"]["grid"] = 13
    parameters = {key: value for key, value in {**SHORT, **fixed}.items() if key not in form["space"]}
    return Study(objective=objective, parameters=parameters, **{**form, "workers": 1}).run()


def largest(grid: Study, bound: float) -> Trial | None:
    """Return the trial of the largest alpha whose recall is at the bound or above."""
    return max((trial for trial in grid.trials if trial.metrics["recall"] >= bound), key=alpha, default=None)


def found(name: str, study: Study, trial: Trial | None) -> str:
    """Return in words what a study found, and in how many trials."""
    answer = "none" if trial is None else f"alpha {alpha(trial):.4f} with recall {trial.metrics['recall']:.3f}"
    error = "" if trial is None else f" and box error {trial.metrics['box_error']:.4f}"
    return f"{name}: {len(study.trials)} trials, the largest that keeps the bound: {answer}{error}"


def doubts(grid: Study, boundary: Study) -> str:
    """Return what bisection would have said of the assumption, had it seen the whole curve."""
    findings = boundary.spec.strategy.findings(grid.spec.space, grid.trials)
    return "the grid's curve: " + ("; ".join(findings) or "recall crosses the bound once")


def noise(grid: Study) -> str:
    """Return in words how far one network's recall, and a trial's mean, is off by chance."""
    spreads = [trial.metrics["recall_std"] ** 2 for trial in grid.trials if "recall_std" in trial.metrics]
    if not spreads:
        return "noise: not known from one network a trial"
    one, networks = fmean(spreads) ** 0.5, grid.spec.run.parameters["networks"]
    return f"noise of recall (standard deviation): {one:.4f} of one network, {one / networks**0.5:.4f} of a trial"


def check(fresh: Study | None, floor: float) -> str:
    """Return in words how often the answer keeps the floor when it is trained again."""
    recalls = [trial.metrics["recall"] for trial in fresh.trials] if fresh else []
    kept = sum(recall >= floor for recall in recalls)
    return f"fresh seeds: {kept} of {len(recalls)} keep the floor: " + ", ".join(f"{each:.3f}" for each in recalls)


def main() -> None:
    """Run the three studies, draw the pictures, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the pictures go")
    parser.add_argument("--short", action="store_true", help="small trainings and a coarser grid")
    args = parser.parse_args()
    started = time.monotonic()
    boundary = run("boundary", args.short)
    rule = boundary.spec.strategy
    # Not `boundary.best`: that is the smallest box error of all trials that keep the bound.
    answer = rule.answer(boundary.spec.space, boundary.trials)
    print(boundary.ending.why, flush=True)
    grid = run("grid", args.short)
    fresh = run("fresh", args.short, alpha=alpha(answer)) if answer else None
    for name, figure in {"curve": curve(grid, boundary, answer, fresh), "windows": windows()}.items():
        figure.savefig(path := args.folder / f"alpha_{name}.png", dpi=110)
        mlflow.MlflowClient().log_artifact(boundary.run_id, str(path))
    print(found("bisection", boundary, answer))
    print(found("grid", grid, largest(grid, rule.requirement.bound)))
    print(doubts(grid, boundary), noise(grid), check(fresh, rule.requirement.bound - rule.margin), sep="\n")
    print(
        f"{time.monotonic() - started:.0f} seconds; pictures: {args.folder}/alpha_*.png, and artifacts of the boundary"
    )


if __name__ == "__main__":
    main()
