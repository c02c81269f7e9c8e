"""Which parameters matter: permutation importance on a random forest that is fitted to the trials.

The forest is scikit-learn's, keyed, so that the same trials give the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mlflow_tune.report.figures.scales import Array, limits, unit_places
from mlflow_tune.report.figures.style import BLUE, INK, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.subject import Subject, scored, value_of
from mlflow_tune.trial import Trial

LEAST_TRIALS = 20
LEAST_PER_PARAMETER = 4
FOLDS, REPEATS, TREES = 5, 10, 100
MOST_BARS = 20


@dataclass(frozen=True)
class Importance:
    """How much of the forest's score on trials that it has not seen is lost when a parameter's values are shuffled.

    `mean` and `std` are over the held-out parts, by name of the parameter, the largest first. `score` is the
    coefficient of determination R2 on held-out trials: 1 is perfect, 0 is no better than the mean.
    """

    mean: dict[str, float]
    std: dict[str, float]
    score: float
    trials: int


def least_trials(subject: Subject) -> int:
    """Return how many trials with a value a forest needs: 20, and 4 a parameter."""
    return max(LEAST_TRIALS, LEAST_PER_PARAMETER * len(subject.space))


def importance_of(subject: Subject, trials: Sequence[Trial], seed: int = 0) -> Importance | None:
    """Return the permutation importance (Breiman, 2001, https://doi.org/10.1023/A:1010933404324) of the parameters.

    Five held-out parts are judged. Values far on the worse side count as the end of the metric's axis, so that a
    diverged trial does not outweigh all others. None with fewer than `least_trials` trials, and when all their values
    are equal.
    """
    from sklearn.model_selection import KFold  # type: ignore[import-untyped]

    used, rows = points_of(subject, trials)
    if len(used) < least_trials(subject) or len({trial.value for trial in used}) < 2:
        return None
    values = np.array([value_of(trial) for trial in used])
    values = np.clip(values, *limits(values, subject.goal))
    lost, scores = [], []
    for part, (fitted, held) in enumerate(KFold(FOLDS, shuffle=True, random_state=seed).split(rows)):
        forest = fit_forest(rows[fitted], values[fitted], seed + part)
        draws = np.random.default_rng([seed, part])
        error, errors = _errors(forest, rows[held], values[held], draws)
        lost.append((errors - error) / values.var())
        scores.append(1 - error / values.var())
    means, stds = np.mean(lost, axis=0), np.std(lost, axis=0, ddof=1)
    names = list(subject.space)
    order = sorted(range(len(names)), key=lambda index: -means[index])
    return Importance(
        {names[index]: float(means[index]) for index in order},
        {names[index]: float(stds[index]) for index in order},
        float(np.mean(scores)),
        len(used),
    )


def _errors(forest: Any, rows: Array, values: Array, draws: np.random.Generator) -> tuple[float, Array]:
    """Return the forest's mean squared error, and those (d,) with one column's values shuffled, over ten shuffles."""
    errors = []
    for column in range(rows.shape[1]):
        shuffled = np.tile(rows, (REPEATS, 1))
        shuffled[:, column] = np.concatenate([draws.permutation(rows[:, column]) for _ in range(REPEATS)])
        errors.append(np.square(forest.predict(shuffled) - np.tile(values, REPEATS)).mean())
    return float(np.square(forest.predict(rows) - values).mean()), np.array(errors)


def points_of(subject: Subject, trials: Sequence[Trial]) -> tuple[list[Trial], Array]:
    """Return the trials with a value and a whole point, and their points in the unit cube (n, d)."""
    found = scored(trials)
    columns = [unit_places(dimension, name, found) for name, dimension in subject.space.items()]
    rows = np.stack(columns, axis=1)
    whole = np.flatnonzero(~np.isnan(rows).any(axis=1))
    return [found[index] for index in whole], rows[whole]


def fit_forest(rows: Array, targets: Array, seed: int) -> Any:
    """Return scikit-learn's random forest, fitted to `targets` (n,) at the points `rows` (n, d)."""
    from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

    return RandomForestRegressor(TREES, min_samples_leaf=2, random_state=seed).fit(rows, targets)


@in_house_style
def importance_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw the importance of every parameter with its standard deviation over the held-out parts, largest on top.

    At most 20 parameters. None with one parameter, with fewer than `least_trials` trials, and when values are equal.
    """
    found = importance_of(subject, trials) if len(subject.space) > 1 else None
    if found is None:
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
        f"random forest on {found.trials} trials; on unseen ones its R² is {found.score:.2f}{doubt}",
        fontsize=9,
    )
    listed = ", ".join(f"{name} {found.mean[name]:.2f} ± {found.std[name]:.2f}" for name in names)
    words = f"Permutation importance of the parameters for {subject.metric}, largest first: {listed}."
    return finish(figure, f"{words} The forest's R² on unseen trials is {found.score:.2f}{doubt}.")
