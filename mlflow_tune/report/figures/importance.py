"""Which parameters matter: permutation importance on random forests that are fitted to the trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from mlflow_tune.report.figures.style import BLUE, INK, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.forest import Forests, Part
from mlflow_tune.report.places import Array
from mlflow_tune.report.subject import Subject
from mlflow_tune.trial import Trial

REPEATS = 10
MOST_BARS = 20


@dataclass(frozen=True)
class Importance:
    """How much of the forest's score on trials that it has not seen is lost when a parameter's values are shuffled.

    `mean` and `std` are over the held-out parts, by name of the parameter, the largest first. `score` is the
    coefficient of determination R2 on held-out trials: 1 is perfect, 0 is no better than the mean. `trials` is how many
    the forests are fitted to.
    """

    mean: dict[str, float]
    std: dict[str, float]
    score: float
    trials: int


def importance_of(
    subject: Subject, trials: Sequence[Trial], seed: int = 0, forests: Forests | None = None
) -> Importance | None:
    """Return the permutation importance (Breiman, 2001, https://doi.org/10.1023/A:1010933404324) of the parameters.

    Five held-out parts are judged. Values far on the worse side count as the end of the metric's axis, so that a
    diverged trial does not outweigh all others. None with fewer than `least_trials` trials, and when all their values
    are equal. `forests` are those that are fitted to these trials already.
    """
    forests = forests or Forests(subject, trials, seed)
    if not forests.enough or len({trial.value for trial in forests.used}) < 2:
        return None
    lost, scores = [], []
    spread = forests.values.var()
    for index, part in enumerate(forests.parts):
        error, errors = _errors(part, np.random.default_rng([seed, index]))
        lost.append((errors - error) / spread)
        scores.append(1 - error / spread)
    means, stds = np.mean(lost, axis=0), np.std(lost, axis=0, ddof=1)
    names = list(subject.space)
    order = sorted(range(len(names)), key=lambda index: -means[index])
    return Importance(
        {names[index]: float(means[index]) for index in order},
        {names[index]: float(stds[index]) for index in order},
        float(np.mean(scores)),
        forests.fitted,
    )


def _errors(part: Part, draws: np.random.Generator) -> tuple[float, Array]:
    """Return the forest's mean squared error on what it has not seen, and those (d,) with a column's values shuffled.

    Each column is shuffled ten times.
    """
    count, columns = part.rows.shape
    shuffled = np.tile(part.rows, (columns * REPEATS, 1)).reshape(columns, REPEATS * count, columns)
    for column in range(columns):
        shuffled[column, :, column] = np.concatenate([draws.permutation(part.rows[:, column]) for _ in range(REPEATS)])
    # One call for all of them: a forest takes as long for a few points as for thousands.
    predicted = part.forest.predict(shuffled.reshape(-1, columns)).reshape(columns, -1)
    errors = np.square(predicted - np.tile(part.values, REPEATS)).mean(axis=1)
    return float(np.square(part.forest.predict(part.rows) - part.values).mean()), errors


@in_house_style
def importance_figure(subject: Subject, trials: Sequence[Trial], forests: Forests | None = None) -> Figure | None:
    """Draw the importance of every parameter with its standard deviation over the held-out parts, largest on top.

    At most 20 parameters. None with one parameter, with fewer than `least_trials` trials, and when values are equal.
    """
    if len(subject.space) < 2:
        return None
    forests = forests or Forests(subject, trials)
    if (found := importance_of(subject, trials, forests=forests)) is None:
        return None
    names = list(found.mean)[:MOST_BARS]
    figure = sheet(1.7 + 0.34 * len(names))
    axes = figure.add_subplot()
    means, stds = [found.mean[name] for name in names], [found.std[name] for name in names]
    axes.barh(range(len(names)), means, xerr=stds, color=BLUE, alpha=0.8, height=0.6, ecolor=INK, capsize=3)
    axes.set_yticks(range(len(names)), labels=[clean(name, 20) for name in names])
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.grid(visible=False, axis="y")
    doubt = "" if found.score >= 0.3 else ": a poor fit, read with care"
    headline(figure, f"What moves {clean(subject.metric)}: permutation importance")
    figure.supxlabel(
        f"R² lost when its values are shuffled, ± 1 standard deviation\n"
        f"random forest on {forests.words}; on unseen ones its R² is {found.score:.2f}{doubt}",
        fontsize=9,
    )
    listed = ", ".join(f"{name} {found.mean[name]:.2f} ± {found.std[name]:.2f}" for name in names)
    words = f"Permutation importance of the parameters for {subject.metric}, largest first: {listed}."
    fitted = f"The forest is fitted to {forests.words}; its R² on unseen ones is {found.score:.2f}{doubt}."
    return finish(figure, f"{words} {fitted}")
