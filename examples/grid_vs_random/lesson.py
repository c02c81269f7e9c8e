"""Run both studies in MLflow, draw what each has seen, and count over 100 seeds: `python lesson.py [PICTURE]`.

The picture is an artifact of the random study's parent run too.
"""

import sys
from pathlib import Path

import mlflow
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from surface import g, h

from mlflow_tune import Random, Space, Study, Trial
from mlflow_tune.spec.study_file import read_study_file

HERE = Path(__file__).parent
LINE = [index / 400 for index in range(401)]
SEEDS = 100


def run(name: str) -> Study:
    """Run the study of a file beside this one."""
    return Study.of(read_study_file(HERE / f"{name}.yaml"), folder=HERE).run()


def best_g(xs: list[float]) -> float:
    """Return the least value of the part that matters among the values of x that were tried."""
    return min(g(x) for x in xs)


def random_xs(space: Space, seed: int) -> list[float]:
    """Return the nine values of x that random search with this seed tries."""
    history: list[Trial] = []
    for suggestion in Random(seed).suggest(space, history, 9):
        history.append(Trial(len(history) + 1, suggestion.params))
    return [float(trial.params["x"]) for trial in history]


def draw(title: str, trials: list[Trial], square: Axes, above: Axes, beside: Axes) -> None:
    """Draw the points in the square, g above it and h beside it, with a mark where each was seen."""
    xs, ys = ([float(trial.params[name]) for trial in trials] for name in "xy")
    square.scatter(xs, ys, color="black", zorder=3)
    square.vlines(xs, 0, 1, color="tab:green", linewidth=0.8, alpha=0.6)
    square.hlines(ys, 0, 1, color="tab:orange", linewidth=0.8, alpha=0.6)
    square.set(xlim=(0, 1), ylim=(0, 1), xlabel="x, which matters", ylabel="y, which hardly does")
    above.plot(LINE, [-g(x) for x in LINE], color="tab:green")
    above.scatter(xs, [-g(x) for x in xs], color="tab:green", zorder=3)
    above.set_title(f"{title}: {len(set(xs))} values of x, best g {best_g(xs):.3f}", fontsize=10)
    beside.plot([-h(y) for y in LINE], LINE, color="tab:orange")
    beside.scatter([-h(y) for y in ys], ys, color="tab:orange", zorder=3)
    above.set_xlim(0, 1)
    beside.set(xlim=(-0.5, 0.5), ylim=(0, 1))
    for axes in (above, beside):
        axes.set_xticks([])
        axes.set_yticks([])


def picture(grid: list[Trial], at_random: list[Trial], words: str) -> Figure:
    """Return both point sets side by side, each with g and h along its axes (up is better)."""
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    for part, (title, trials) in zip(figure.subfigures(1, 2), {"grid": grid, "random": at_random}.items(), strict=True):
        (above, corner), (square, beside) = part.subplots(2, 2, width_ratios=[4, 1], height_ratios=[1, 4])
        corner.set_axis_off()
        draw(title, trials, square, above, beside)
    figure.suptitle(words, fontsize=11)
    return figure


def main(path: Path) -> None:
    """Run the lesson and write the picture."""
    grid, at_random = run("grid"), run("random")
    of_the_grid = best_g([float(trial.params["x"]) for trial in grid.trials])
    better = sum(best_g(random_xs(at_random.spec.space, seed)) < of_the_grid for seed in range(SEEDS))
    words = f"Of {SEEDS} seeds of random search, {better} found a better g with nine trials than the 3 x 3 grid"
    picture(grid.trials, at_random.trials, words).savefig(path, dpi=110)
    mlflow.MlflowClient().log_artifact(at_random.run_id, str(path))
    print(words)
    print(f"The picture is {path}, and an artifact of the run {at_random.run_id}.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "grid_vs_random.png"))
