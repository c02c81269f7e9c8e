"""`StudySearchCV`: a scikit-learn search whose candidates are the trials of a study. This loads scikit-learn."""

from __future__ import annotations

import json
import secrets
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import get_config  # type: ignore[import-untyped]
from sklearn.base import clone, is_classifier  # type: ignore[import-untyped]
from sklearn.exceptions import FitFailedWarning  # type: ignore[import-untyped]
from sklearn.metrics import check_scoring  # type: ignore[import-untyped]
from sklearn.model_selection import check_cv  # type: ignore[import-untyped]
from sklearn.model_selection._search import BaseSearchCV  # type: ignore[import-untyped]
from sklearn.utils import indexable  # type: ignore[import-untyped]

from mlflow_tune.errors import InputError, StudyFailed, StudyNotFound
from mlflow_tune.space import Categorical, Space
from mlflow_tune.study.candidates import best_index, cv_results, failed_fits, tried
from mlflow_tune.study.cross_validation import CrossValidation
from mlflow_tune.study.fingerprint import data_words, estimator_words, fold_words, scoring_words, space_words
from mlflow_tune.study.study import Study
from mlflow_tune.text import one_line, short, unknown
from mlflow_tune.tracking import Studies
from mlflow_tune.trial import Trial

MADE_WITH = "tune.search"  # the parent's tag that tells with which data, folds, estimator, scores and space it was made
NO_LIMIT = 1_000_000


class SearchFailed(StudyFailed, ValueError):
    """No candidate of a search could be fitted and scored: a ValueError, as scikit-learn's own searches raise."""


class StudySearchCV(BaseSearchCV):  # type: ignore[misc]
    """Search over an estimator's parameters by cross-validation, as `RandomizedSearchCV` does, as a study in MLflow.

    Each candidate is a nested run of the study's run, with the scores of its folds as steps. What scikit-learn's own
    searches offer once they are fitted is here too: `best_params_`, `best_score_`, `best_estimator_`, `cv_results_`,
    `predict`, `score` and so on; besides, `run_id_` is the MLflow run of the study, and `study_` the study.

    Parameters
    ----------
    estimator : estimator object
        It has a `score` method, or `scoring` is given.
    space : dict
        The searched parameters by name, those of a pipeline's step with `__`: `Float`, `Int`, `Categorical`, the
        mapping that a study file has for one, or a list of values.
    strategy : str, dict or Strategy, default="bayesian"
        Who chooses the candidates, as a study file says it.
    n_trials : int or None, default=30
        How many candidates are tried; None where the strategy ends by itself.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn. Of several scores `refit` names the one that is tuned.
    n_jobs : int or None, default=None
        How many candidates are tried at once, each in a process of its own; -1 for all processors.
    refit : bool, str or callable, default=True
        As in scikit-learn.
    cv : int, cross-validation generator, iterable or None, default=5
        As in scikit-learn. All candidates see the same folds.
    verbose : int, default=0
        From 1 on, the study's progress is shown.
    error_score : "raise" or number, default=nan
        As in scikit-learn.
    return_train_score : bool, default=False
        Whether scores on the training sets are kept as well.
    name : str or None, default=None
        The study's name. Without one each `fit` is a study of its own. With one, `fit` goes on with the study of that
        name, which must be of the same data, folds, estimator, scores and space.
    experiment, tracking_uri : str or None, default=None
        Where the study is, as for `Study`.
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any],
        *,
        strategy: Any = "bayesian",
        n_trials: int | None = 30,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = 5,
        verbose: int = 0,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        name: str | None = None,
        experiment: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.strategy = strategy
        self.n_trials = n_trials
        self.name = name
        self.experiment = experiment
        self.tracking_uri = tracking_uri

    @property
    def study_(self) -> Study:
        """The study in MLflow, once there is one."""
        return Study.load(self.run_id_, tracking_uri=self.tracking_uri)

    def fit(self, X: Any, y: Any = None, **params: Any) -> StudySearchCV:  # noqa: N803
        """Try candidates, and fit the best one to all data; return itself.

        `groups` goes to the splitter, other `params` to the estimator's `fit`, cut to the fold where they have a value
        a sample. Raises InputError when the study of this name is one of something else, SearchFailed when no candidate
        could be fitted and scored, what `error_score="raise"` lets through, and what `Study.run` raises.
        """
        X, y = indexable(X, y)  # noqa: N806
        evaluation = self._evaluation(X, y, params)
        space = Space.from_json({name: _dimension(each) for name, each in self.space.items()})
        made_with = {
            "data": data_words(X, y, params),
            "folds": fold_words(evaluation.splits),
            "estimator": estimator_words(self.estimator),
            "scores": f"{scoring_words(self.scoring)}; tuned is {evaluation.score}",
            "space": space_words(space),
        }
        study = self._study(space, evaluation, made_with)
        self._drive(study, evaluation)
        self.run_id_ = study.run_id
        self._take_results(study, evaluation)
        if self.refit:
            self._refit(evaluation)
        return self

    def _evaluation(self, x: Any, y: Any, params: Mapping[str, Any]) -> CrossValidation:
        """Return what a trial runs."""
        if params and get_config()["enable_metadata_routing"]:
            raise InputError("fit takes no parameters while metadata routing is enabled", "fit")
        known = self.estimator.get_params(deep=True)
        for name in self.space:
            if name not in known:
                raise InputError(unknown("parameter of the estimator", name, known), f"space.{name}")
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        return CrossValidation(
            estimator=clone(self.estimator),
            x=x,
            y=y,
            splits=list(splitter.split(x, y, params.get("groups"))),
            scoring=self.scoring,
            score=self._tuned_score(),
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            fit_params={name: value for name, value in params.items() if name != "groups"},
        )

    def _tuned_score(self) -> str:
        several = isinstance(self.scoring, list | tuple | set | Mapping)
        if isinstance(self.refit, str) and (several or callable(self.scoring)):
            if several and self.refit not in self.scoring:
                raise InputError(unknown("score", self.refit, self.scoring), "refit")
            return self.refit
        if several:
            raise InputError(f"of several scores it names the one that is tuned, but got {self.refit!r}", "refit")
        return "score"

    def _study(self, space: Space, evaluation: CrossValidation, made_with: Mapping[str, str]) -> Study:
        """Return the study to drive: that of the name, if there is one, else a new one."""
        most = 1 if self.error_score == "raise" else self.n_trials or NO_LIMIT
        study = self._named(evaluation)
        if study is None:
            study = Study(
                name=self.name or f"{type(self.estimator).__name__}-search-{secrets.token_hex(3)}",
                space=space,
                metric=f"mean_test_{evaluation.score}",
                goal="maximize",
                objective=evaluation,
                strategy=self.strategy,
                stop={"trials": self.n_trials, "failures": most},
                workers=self._workers(),
                experiment=self.experiment,
                tracking_uri=self.tracking_uri,
            ).create()
        elif _is_under_way(study):
            _refuse_other(study, made_with)
            return study
        Studies(study.client).update(study.run_id, {MADE_WITH: json.dumps(made_with)})
        return study

    def _named(self, evaluation: CrossValidation) -> Study | None:
        if self.name is None:
            return None
        where = {"experiment": self.experiment, "tracking_uri": self.tracking_uri}
        try:
            return Study.load(self.name, objective=evaluation, **where)
        except StudyNotFound:
            return None

    def _workers(self) -> int:
        from joblib import effective_n_jobs

        return max(1, min(int(effective_n_jobs(self.n_jobs)), self.n_trials or NO_LIMIT))

    def _drive(self, study: Study, evaluation: CrossValidation) -> None:
        """Drive the study until it has its trials."""
        held = len(study.trials)
        if study.record.state == "finished" and (self.n_trials is None or held >= self.n_trials):
            return
        trials = None if self.n_trials is None else max(self.n_trials, held)
        try:
            # All that decides what runs is the caller's own, or was held against it: nothing is left to approve.
            study.resume(trials, quiet=not self.verbose, strategy=self.strategy, workers=self._workers(), yes=True)
        except StudyFailed as failure:
            if self.error_score == "raise" and evaluation.error is not None:
                raise evaluation.error from None
            raise SearchFailed(str(failure), study) from evaluation.error

    def _take_results(self, study: Study, evaluation: CrossValidation) -> None:
        score = evaluation.score
        self.n_splits_ = len(evaluation.splits)
        trials = tried(study.handle)
        _tell_failed(study, trials, self.n_splits_, evaluation.error)
        self.cv_results_ = cv_results(study.handle, trials, score, self.n_splits_, self.error_score)
        self.multimetric_ = score != "score"
        self.best_index_ = best_index(self.refit, self.cv_results_, score)
        if not callable(self.refit):
            self.best_score_ = self.cv_results_[f"mean_test_{score}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        if isinstance(self.scoring, list | tuple | set):
            self.scorer_ = {name: check_scoring(self.estimator, scoring=name) for name in self.scoring}
        elif isinstance(self.scoring, Mapping):
            self.scorer_ = {name: check_scoring(self.estimator, scoring=each) for name, each in self.scoring.items()}
        else:
            self.scorer_ = check_scoring(self.estimator, scoring=self.scoring)

    def _refit(self, evaluation: CrossValidation) -> None:
        self.best_estimator_ = clone(self.estimator).set_params(**self.best_params_)
        began = time.time()
        given = () if evaluation.y is None else (evaluation.y,)
        self.best_estimator_.fit(evaluation.x, *given, **evaluation.fit_params)
        self.refit_time_ = time.time() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _dimension(given: Any) -> Any:
    return Categorical(list(given)) if isinstance(given, list | tuple) else given


def _tags(study: Study) -> Mapping[str, str]:
    return dict(study.client.send("get_run", study.run_id).data.tags)


def _is_under_way(study: Study) -> bool:
    """Whether a study is more than a name: who made it had the time to say with what, or to run a trial."""
    return MADE_WITH in _tags(study) or bool(study.trials)


def _refuse_other(study: Study, made_with: Mapping[str, str]) -> None:
    """Raise InputError unless the study is a search that was made with all this."""
    named = f"the study {study.spec.name!r} (run {study.run_id})"
    spec = study.spec
    try:
        held = dict(json.loads(_tags(study).get(MADE_WITH, ""))) | {"space": space_words(spec.space)}
    except (ValueError, TypeError):
        held = {}
    if not held or spec.run.parameters or spec.executor is not None:
        raise InputError(f"{named} is not one that StudySearchCV made: give another name", "name")
    for what, now in made_with.items():
        if held.get(what) != now:
            before = short(held.get(what))
            hint = "; a splitter that shuffles needs a random_state" if what == "folds" else ""
            message = f"{named} was made with other {what} ({before}), but got {now}: give another name{hint}"
            raise InputError(message, "name")


def _tell_failed(study: Study, trials: Sequence[Trial], n_splits: int, error: Exception | None) -> None:
    """Warn of fits that failed. Raises SearchFailed when all did."""
    failed, fits = failed_fits(trials, n_splits), len(trials) * n_splits
    if not failed:
        return
    said = "see the trials' output.log" if error is None else f"{type(error).__name__}: {one_line(error)}"
    first = next((trial.reason for trial in trials if trial.outcome == "failed"), said)
    words = f"{failed} of {fits} fits failed ({first})"
    if failed == fits:
        raise SearchFailed(words, study)
    warnings.warn(words, FitFailedWarning, stacklevel=4)
