"""Draw how each strategy spends its trials, one small picture each: `python examples/tour/strategies.py [FOLDER]`.

A strategy is a pure function of the trials so far, so no study and no store is needed: ask, evaluate, ask again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlflow_tune import Float, Space, Trial
from mlflow_tune.strategies import make_strategy

IMAGES = Path(__file__).parents[1] / "images"
PLANE = Space({"lr": Float(1e-4, 1, log=True, grid=4), "dropout": Float(0, 0.8, grid=4)})
LINE = Space({"alpha": Float(1e-2, 1, log=True)})
FLOOR = 0.85
BY_HAND = [(1e-3, 0.4), (1e-2, 0.4), (1e-1, 0.4), (3e-2, 0.4), (3e-2, 0.2), (2e-2, 0.25)]
STUDIES = {
    "grid": ({"name": "grid"}, 16),
    "random": ({"name": "random", "seed": 3}, 16),
    "bayesian": ({"name": "bayesian", "initial": 5, "seed": 1}, 16),
    "manual": ({"name": "manual", "points": [{"lr": lr, "dropout": dropout} for lr, dropout in BY_HAND]}, 6),
}


def loss(lr: float, dropout: float) -> float:
    """Return a loss with one valley, near a learning rate of 0.02 and a dropout of 0.25."""
    return 0.5 * (math.log10(lr) + 1.7) ** 2 + 6 * (dropout - 0.25) ** 2


def recall(alpha: float) -> float:
    """Return a recall that falls as alpha grows."""
    return 1 - 0.5 / (1 + math.exp(-3 * (math.log10(alpha) + 0.6)))


def trials_of(options: Mapping[str, object], space: Space, count: int, result: Callable[[Trial], Trial]) -> list[Trial]:
    """Return the trials that the strategy asks for, one after another, up to `count`."""
    strategy = make_strategy(options, "minimize")
    history: list[Trial] = []
    while len(history) < count and (asked := strategy.suggest(space, history, 1)):
        history.append(result(Trial(len(history) + 1, asked[0].params, outcome="ok")))
    return history


def with_loss(trial: Trial) -> Trial:
    """Return the trial with the loss as its value."""
    value = loss(**{name: float(each) for name, each in trial.params.items()})
    return Trial(trial.number, trial.params, "ok", value)


def with_recall(trial: Trial) -> Trial:
    """Return the trial with recall among its metrics."""
    value = recall(float(trial.params["alpha"]))
    return Trial(trial.number, trial.params, "ok", value, metrics={"recall": value})


def mark(axes: Axes, x: float, y: float, trial: Trial, best: bool) -> None:
    """Draw the trial's number in a circle, which is red and on top for the best one."""
    circle = {"boxstyle": "circle,pad=0.2", "facecolor": "tab:red" if best else "tab:blue", "edgecolor": "white"}
    text = axes.text(x, y, str(trial.number), fontsize=7, color="white", ha="center", va="center", zorder=4 + best)
    text.set_bbox({**circle, "linewidth": 0.5})


def draw_plane(axes: Axes, trials: list[Trial], joined: bool) -> None:
    """Draw the loss in grey and the trials by number; the best one is red."""
    lrs, dropouts = np.logspace(-4, 0, 80), np.linspace(0, 0.8, 80)
    axes.contourf(lrs, dropouts, [[loss(lr, dropout) for lr in lrs] for dropout in dropouts], 12, cmap="Greys_r")
    xs, ys = ([float(trial.params[name]) for trial in trials] for name in ("lr", "dropout"))
    if joined:
        axes.plot(xs, ys, color="tab:blue", linewidth=1)
    best = min(trials, key=lambda trial: trial.value)
    for trial, x, y in zip(trials, xs, ys, strict=True):
        mark(axes, x, y, trial, trial is best)
    axes.set(xscale="log", xlabel="lr", ylabel="dropout", xlim=(6e-5, 1.7), ylim=(-0.06, 0.86))


def draw_line(axes: Axes, trials: list[Trial]) -> None:
    """Draw recall over alpha, the floor, and the trials by number; the largest alpha that meets the floor is red."""
    alphas = np.logspace(-2, 0, 100)
    axes.plot(alphas, [recall(alpha) for alpha in alphas], color="grey")
    axes.axhline(FLOOR, color="grey", linestyle=":", linewidth=1)
    best = max((trial for trial in trials if trial.value >= FLOOR), key=lambda trial: trial.params["alpha"])
    for trial in trials:
        mark(axes, float(trial.params["alpha"]), float(trial.value), trial, trial is best)
    axes.set(xscale="log", xlabel="alpha", ylabel="recall", xlim=(8e-3, 1.3), ylim=(0.5, 1.05))


def main(folder: Path) -> None:
    """Write `strategy_<name>.png` for each strategy."""
    figures = {name: Figure(figsize=(2.6, 2.1), layout="constrained") for name in (*STUDIES, "bisection")}
    for name, (options, count) in STUDIES.items():
        draw_plane(figures[name].subplots(), trials_of(options, PLANE, count, with_loss), name == "manual")
    options = {"name": "bisection", "find": "boundary", "constraint": f"recall >= {FLOOR}", "tolerance": 0.15}
    draw_line(figures["bisection"].subplots(), trials_of(options, LINE, 20, with_recall))
    for name, figure in figures.items():
        for axes in figure.axes:
            axes.tick_params(labelsize=6)
            axes.xaxis.label.set_size(7)
            axes.yaxis.label.set_size(7)
        figure.savefig(folder / f"strategy_{name}.png", dpi=110, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
