"""All figures of a study at once. Importing this loads matplotlib, so import it where it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlflow_tune.report.figures.calibration import calibration_figure
from mlflow_tune.report.figures.dependence import dependence_figure
from mlflow_tune.report.figures.heat_map import heat_map_figure
from mlflow_tune.report.figures.importance import importance_figure
from mlflow_tune.report.figures.parameters import parallel_figure, parameters_figure
from mlflow_tune.report.figures.progress import Curves, best_so_far_figure, bracket_figure, learning_curves_figure
from mlflow_tune.report.forest import Forests
from mlflow_tune.report.subject import Subject
from mlflow_tune.strategies import Constraint
from mlflow_tune.trial import Trial


def study_figures(
    subject: Subject,
    trials: Sequence[Trial],
    curves: Curves | None = None,
    constraint: Constraint | None = None,
    bracket: tuple[float, float] | None = None,
    forests: Forests | None = None,
) -> dict[str, Figure]:
    """Return the figures that the trials give, by the name of their files, in the order in which they are looked at.

    Those that there is too little for are left out; each function tells its rule. `curves` are the learning curves by
    trial number, `constraint` that of a boundary search, `bracket` what a bisection has left, `forests` what is fitted
    to these trials already.
    """
    forests = forests or Forests(subject, trials)
    drawn = {
        "best_so_far": best_so_far_figure(subject, trials),
        "bracket": bracket_figure(subject, trials, constraint, bracket),
        "parameters": parameters_figure(subject, trials),
        "parallel_coordinates": parallel_figure(subject, trials),
        "heat_map": heat_map_figure(subject, trials),
        "importance": importance_figure(subject, trials, forests),
        "partial_dependence": dependence_figure(subject, trials, forests),
        "learning_curves": learning_curves_figure(subject, trials, curves or {}),
        "calibration": calibration_figure(subject, trials),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}
