"""What a trial of `StudySearchCV` runs: one candidate, cross-validated, its folds' scores logged as steps.

It travels to worker processes with the data. Importing this loads scikit-learn.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning  # type: ignore[import-untyped]
from sklearn.model_selection import GridSearchCV  # type: ignore[import-untyped]

from mlflow_tune.text import one_line

FAILED_FITS = "failed_fits"  # the metric that counts the folds in which fitting or scoring failed
TIMES = ("fit_time", "score_time")
Fold = Mapping[str, float]


@dataclass
class CrossValidation:
    """The objective of a search: called with the parameters of a candidate, it returns the means over the folds.

    `splits` are the indices of the training and of the test set, a pair a fold. `score` is the name of the score that
    is tuned. A fold that fails has the score `error_score`; where all do and that is no number, or it is "raise", the
    candidate fails. `error` is the first failure in this process.
    """

    estimator: Any
    x: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    scoring: Any
    score: str
    error_score: Any
    return_train_score: bool
    fit_params: Mapping[str, Any]
    error: Exception | None = field(default=None, repr=False)

    def __call__(self, **params: Any) -> dict[str, float]:
        """Fit and score the candidate on every fold; return `mean_<name>` of scores and times, `std_test_<name>`."""
        folds: list[Fold] = []
        errors: list[Exception] = []
        for step in range(len(self.splits)):
            began = time.perf_counter()
            try:
                fold = self._fold(step, params)
            except Exception as error:
                self.error = self.error or error
                if self.error_score == "raise":
                    raise
                errors.append(error)
                warnings.warn(f"fold {step} failed: {type(error).__name__}: {one_line(error)}", FitFailedWarning, 2)
                fold = {"fit_time": time.perf_counter() - began, "score_time": 0.0}
            folds.append(fold)
            _log(fold, step)
        if len(errors) == len(folds) and np.isnan(self.error_score):
            raise errors[0]
        return self._means(folds, len(errors))

    def _fold(self, step: int, params: Mapping[str, Any]) -> dict[str, float]:
        # A search of scikit-learn's own, of this candidate on this fold: so every rule for scores and weights is its.
        one = GridSearchCV(
            self.estimator,
            {name: [value] for name, value in params.items()},
            scoring=self.scoring,
            cv=[self.splits[step]],
            refit=False,
            error_score="raise",
            return_train_score=self.return_train_score,
        )
        given = () if self.y is None else (self.y,)
        found = one.fit(self.x, *given, **self.fit_params).cv_results_
        times = {name: float(found[f"mean_{name}"][0]) for name in TIMES}
        split = "split0_"
        return times | {
            name.removeprefix(split): float(values[0]) for name, values in found.items() if name.startswith(split)
        }

    def _means(self, folds: Sequence[Fold], errors: int) -> dict[str, float]:
        names = dict.fromkeys(name for fold in folds for name in fold if name not in TIMES)
        means: dict[str, float] = {}
        for name in names or [f"test_{self.score}"]:
            scores = np.array([fold.get(name, self.error_score) for fold in folds], dtype=float)
            means[f"mean_{name}"] = float(np.mean(scores))
            if name.startswith("test_"):
                means[f"std_{name}"] = float(np.std(scores))
        means |= {f"mean_{name}": float(np.mean([fold[name] for fold in folds])) for name in TIMES}
        return {**means, FAILED_FITS: float(errors)} if errors else means


def _log(fold: Fold, step: int) -> None:
    """Log a fold to the trial's run, which stays the training code's to bind."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    client.log_batch(os.environ["MLFLOW_RUN_ID"], [Metric(name, value, now, step) for name, value in fold.items()])
