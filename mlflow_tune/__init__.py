"""Hyperparameter tuning that lives wholly in MLflow.

The names below are imported when they are first used: `import mlflow_tune` itself loads neither MLflow nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow_tune.driver.callbacks import Callback
    from mlflow_tune.errors import (
        AccessRefused,
        InputError,
        InternalError,
        StudyConflict,
        StudyFailed,
        StudyNotFound,
        TrackingError,
        TuneError,
    )
    from mlflow_tune.launchers.should_stop import should_stop
    from mlflow_tune.space import Categorical, Float, Int, Ordinal, Space
    from mlflow_tune.strategies import Bayesian, Bisection, Grid, Manual, Random
    from mlflow_tune.study import Study
    from mlflow_tune.study.search_cv import StudySearchCV
    from mlflow_tune.trial import Suggestion, Trial

__version__ = "0.2.0"
__all__ = [
    "AccessRefused",
    "Bayesian",
    "Bisection",
    "Callback",
    "Categorical",
    "Float",
    "Grid",
    "InputError",
    "Int",
    "InternalError",
    "Manual",
    "Ordinal",
    "Random",
    "Space",
    "Study",
    "StudyConflict",
    "StudyFailed",
    "StudyNotFound",
    "StudySearchCV",
    "Suggestion",
    "TrackingError",
    "Trial",
    "TuneError",
    "should_stop",
]

# Where each name lives: to look for it in one module after the other would load them all.
_MODULES = {
    "AccessRefused": "errors",
    "Bayesian": "strategies",
    "Bisection": "strategies",
    "Callback": "driver.callbacks",
    "Categorical": "space",
    "Float": "space",
    "Grid": "strategies",
    "InputError": "errors",
    "Int": "space",
    "InternalError": "errors",
    "Manual": "strategies",
    "Ordinal": "space",
    "Random": "strategies",
    "Space": "space",
    "Study": "study",
    "StudyConflict": "errors",
    "StudyFailed": "errors",
    "StudyNotFound": "errors",
    "StudySearchCV": "study.search_cv",
    "Suggestion": "trial",
    "TrackingError": "errors",
    "Trial": "trial",
    "TuneError": "errors",
    "should_stop": "launchers.should_stop",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
