"""The candidates of a search as scikit-learn shows them: `cv_results_`, made of the trials and of their folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from mlflow_tune.study.cross_validation import FAILED_FITS, TIMES
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.trial import Trial

Array = NDArray[np.float64]


def tried(study: StudyHandle) -> list[Trial]:
    """Return the candidates: the trials that ended by themselves, by number."""
    return [trial for trial in study.trials if trial.done]


def failed_fits(trials: Sequence[Trial], n_splits: int) -> int:
    """Return in how many folds of all candidates fitting or scoring failed."""
    return sum(int(trial.metrics.get(FAILED_FITS, 0 if _ended_well(trial) else n_splits)) for trial in trials)


def _ended_well(trial: Trial) -> bool:
    return trial.outcome in ("ok", "not-finite")


def cv_results(
    study: StudyHandle, trials: Sequence[Trial], score: str, n_splits: int, error_score: Any
) -> dict[str, Any]:
    """Return scikit-learn's `cv_results_`, a row a candidate; each metric of a candidate's folds is read from MLflow.

    A fold that failed has the score `error_score`, NaN where that is no number; `score` is the one that is tuned.
    """
    missing = np.nan if error_score == "raise" else float(error_score)
    logged = dict.fromkeys(name for trial in trials for name in trial.metrics)
    scores = sorted({f"test_{score}", *(name for name in logged if name.startswith(("test_", "train_")))})
    results: dict[str, Any] = {}
    for name in TIMES:
        _put_means(results, name, _folds(study, trials, name, n_splits, 0.0))
    params = [dict(trial.params) for trial in trials]
    names = dict.fromkeys(name for each in params for name in each)
    results |= {f"param_{name}": _column([each.get(name, np.ma.masked) for each in params]) for name in names}
    results["params"] = params
    for name in scores:
        folds = _folds(study, trials, name, n_splits, missing)
        results |= {f"split{index}_{name}": folds[:, index] for index in range(n_splits)}
        _put_means(results, name, folds)
        if name.startswith("test_"):
            results[f"rank_{name}"] = _ranks(results[f"mean_{name}"])
    return results


def _folds(study: StudyHandle, trials: Sequence[Trial], name: str, n_splits: int, missing: float) -> Array:
    """Return a metric of every fold (candidates, folds), `missing` where a fold has none."""
    found = np.full((len(trials), n_splits), missing)
    store = study.trial_store
    for row, trial in enumerate(trials):
        for step, value in store.history(trial, name) if name in trial.metrics else ():
            if 0 <= step < n_splits:
                found[row, step] = value
    return found


def _put_means(results: dict[str, Any], name: str, folds: Array) -> None:
    results[f"mean_{name}"] = np.average(folds, axis=1)
    results[f"std_{name}"] = np.std(folds, axis=1)


def _column(values: Sequence[Any]) -> np.ma.MaskedArray[Any, Any]:
    """Return a parameter's values, masked where a candidate has none: numbers as such, all else as objects."""
    mask = [value is np.ma.masked for value in values]
    kinds = {type(value) for value in values if value is not np.ma.masked}
    kind: Any = object
    if kinds <= {int, float} or kinds == {bool}:
        kind = np.result_type(*kinds)
    column: np.ma.MaskedArray[Any, Any] = np.ma.MaskedArray(np.empty(len(values), dtype=kind), mask=mask)
    for row, value in enumerate(values):
        if not mask[row]:
            column[row] = value
    return column


def _ranks(means: Array) -> NDArray[np.int32]:
    """Return the ranks, 1 for the best, equal ones the same; what has no score is behind all others."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    known = np.where(np.isnan(means), np.nanmin(means) - 1, means)
    return np.asarray(rankdata(-known, method="min"), dtype=np.int32)


def best_index(refit: Any, results: Mapping[str, Any], score: str) -> int:
    """Return the row of the best candidate, by `refit` where that is a function. Raises as scikit-learn does."""
    if not callable(refit):
        return int(results[f"rank_test_{score}"].argmin())
    index = refit(results)
    if not isinstance(index, int | np.integer):
        raise TypeError("best_index_ returned is not an integer")
    if not 0 <= index < len(results["params"]):
        raise IndexError("best_index_ index out of range")
    return int(index)
