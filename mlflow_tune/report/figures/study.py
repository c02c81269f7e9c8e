"""All figures of a study at once. Importing this loads matplotlib, so import it where it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from mlflow_tune.errors import InputError
from mlflow_tune.report.figures.calibration import calibration_figure
from mlflow_tune.report.figures.confirmation import confirmation_figure
from mlflow_tune.report.figures.dependence import dependence_figure
from mlflow_tune.report.figures.heat_map import heat_map_figure
from mlflow_tune.report.figures.importance import importance_figure
from mlflow_tune.report.figures.parameters import parallel_figure, parameters_figure
from mlflow_tune.report.figures.progress import Curves, best_so_far_figure, bracket_figure, learning_curves_figure
from mlflow_tune.report.figures.stopping import stopping_figure
from mlflow_tune.report.forest import Forests, least_trials
from mlflow_tune.report.stopping import Stopping
from mlflow_tune.report.subject import Subject
from mlflow_tune.strategies import Band, Constraint
from mlflow_tune.strategies.confirmation import Confirmation
from mlflow_tune.text import unknown
from mlflow_tune.trial import Trial


@dataclass(frozen=True)
class Material:
    """What the figures of a study are drawn of.

    `curves` are the learning curves by trial number, `constraint` that of a boundary search, `bracket` what a bisection
    has left, `forests` what is fitted to these trials, `stopping` the curves of a study that may stop trials, `bands`
    how a model's predictions came out, by trial number, and `confirmation` how the best were run again.
    """

    subject: Subject
    trials: Sequence[Trial]
    curves: Curves
    constraint: Constraint | None
    bracket: tuple[float, float] | None
    forests: Forests
    stopping: Stopping | None = None
    bands: Mapping[int, Band] = field(default_factory=dict)
    confirmation: Confirmation | None = None


# By the name of their files, in the order in which they are looked at.
_DRAWN: Mapping[str, Callable[[Material], Figure | None]] = {
    "best_so_far": lambda of: best_so_far_figure(of.subject, of.trials),
    "confirmation": lambda of: confirmation_figure(of.subject, of.trials, of.confirmation),
    "bracket": lambda of: bracket_figure(of.subject, of.trials, of.constraint, of.bracket),
    "parameters": lambda of: parameters_figure(of.subject, of.trials),
    "parallel_coordinates": lambda of: parallel_figure(of.subject, of.trials),
    "heat_map": lambda of: heat_map_figure(of.subject, of.trials),
    "importance": lambda of: importance_figure(of.subject, of.trials, of.forests),
    "partial_dependence": lambda of: dependence_figure(of.subject, of.trials, of.forests),
    "learning_curves": lambda of: learning_curves_figure(of.subject, of.trials, of.curves),
    "stopping": lambda of: stopping_figure(of.subject, of.trials, of.stopping),
    "calibration": lambda of: calibration_figure(of.subject, of.trials, of.bands),
}
_FOREST = "two parameters, and {least} trials whose values differ"
_NEEDED: Mapping[str, str] = {
    "best_so_far": "a trial with a value",
    "confirmation": "a trial that was run again by `mlflow-tune confirm`",
    "bracket": "a bisection, of one numeric parameter",
    "parameters": "a trial with a value",
    "parallel_coordinates": "two parameters, and two trials with a value",
    "heat_map": "a grid of two parameters, most of it tried",
    "importance": _FOREST,
    "partial_dependence": _FOREST,
    "learning_curves": "a metric that is logged with steps",
    "stopping": "stop_trials in the study file, and a metric that is logged with steps",
    "calibration": "three trials with a value that a model chose",
    "posterior": "a trial that a model chose, and one parameter, a numeric one",
}
POSTERIOR = "posterior"  # drawn from the model of a Bayesian study, by whoever has it


def figure_name(what: str) -> str:
    """Return the figure that this is the name, or the beginning of the name, of. Raises InputError."""
    names = (*_DRAWN, POSTERIOR)
    found = [name for name in names if name.startswith(str(what))] if what else []
    if what in names or len(found) == 1:
        return what if what in names else found[0]
    raise InputError(unknown("picture", what, names), "what")


def needed_words(name: str, subject: Subject) -> str:
    """Return in words what a figure needs."""
    return _NEEDED[name].format(least=least_trials(subject))


def study_figure(name: str, material: Material) -> Figure | None:
    """Return one figure, None when there is too little for it."""
    return _DRAWN[name](material)


def study_figures(
    subject: Subject,
    trials: Sequence[Trial],
    curves: Curves | None = None,
    constraint: Constraint | None = None,
    bracket: tuple[float, float] | None = None,
    forests: Forests | None = None,
    stopping: Stopping | None = None,
    bands: Mapping[int, Band] | None = None,
    confirmation: Confirmation | None = None,
) -> dict[str, Figure]:
    """Return the figures that the trials give, by the name of their files, in the order in which they are looked at.

    Those that there is too little for are left out; each function tells its rule. `curves` are the learning curves by
    trial number, `constraint` that of a boundary search, `bracket` what a bisection has left, `forests` what is fitted
    to these trials already, `stopping` the curves of a study that may stop trials, `bands` how a model's predictions
    came out, by trial number, `confirmation` how the best were run again.
    """
    fitted = forests or Forests(subject, trials)
    found = bands or {}
    material = Material(subject, trials, curves or {}, constraint, bracket, fitted, stopping, found, confirmation)
    drawn = {name: draw(material) for name, draw in _DRAWN.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
