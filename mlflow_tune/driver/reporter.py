"""The artifacts that people look at, drawn from what the tracking store holds: pictures, table, HTML report."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_tune.report.note import Standing
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.tracking import Artifacts, StudyRecord, Trials, save_view
from mlflow_tune.trial import Curve, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_tune.report.figures.forest import Forests
    from mlflow_tune.report.figures.posterior import PosteriorSlice
    from mlflow_tune.report.page import Page
    from mlflow_tune.report.subject import Subject

logger = logging.getLogger(__name__)
IMAGE = "posterior"
MOST_CURVES = 30
MOST_FAILED = 10


@dataclass(frozen=True)
class Reporter:
    """Draws one study and logs what it drew on the parent run."""

    artifacts: Artifacts
    trials: Trials
    record: StudyRecord
    spec: StudySpec
    _fitted: list[tuple[list[Trial], Forests]] = field(default_factory=list, init=False, repr=False, compare=False)

    def images(self, history: Sequence[Trial], known: set[int]) -> None:
        """Log the posterior behind each model-based trial that is not `known`, and add it: the run page's slider."""
        for trial in history:
            if trial.number not in known and _is_drawn(self.spec, trial):
                known.add(trial.number)
                if posterior := posterior_before(self.spec, self.record.reference, history, trial):
                    self._log_image(posterior)

    def write(self, history: Sequence[Trial], standing: Standing) -> None:
        """Log the table (CSV and MLflow's own), report.html, the figures, and the images that are missing."""
        from mlflow_tune.report.figures.style import save_figures
        from mlflow_tune.report.page import report_html
        from mlflow_tune.report.table import trials_table
        from mlflow_tune.text import columns_csv

        subject = subject_of(self.spec, history)
        posteriors = self._posteriors(history)
        figures = self._figures(history, subject, posteriors)
        page = report_html(self._page(standing, subject), history, figures)
        table = trials_table(history, self.spec.space)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "trials.csv").write_text(columns_csv(table), encoding="utf-8")
            (folder / "report.html").write_text(page, encoding="utf-8")
            save_figures(figures, folder / "figures")
            self.artifacts.log_folder(folder)
        self.artifacts.log_table("trials.json", table)
        known = self.artifacts.image_steps(IMAGE)
        for posterior in posteriors:
            if posterior.number not in known:
                self._log_image(posterior)

    def _posteriors(self, history: Sequence[Trial]) -> list[PosteriorSlice]:
        drawn = (trial for trial in history if _is_drawn(self.spec, trial))
        found = (posterior_before(self.spec, self.record.reference, history, trial) for trial in drawn)
        return [posterior for posterior in found if posterior is not None]

    def _figures(
        self, history: Sequence[Trial], subject: Subject, posteriors: Sequence[PosteriorSlice]
    ) -> dict[str, Figure]:
        from mlflow_tune.report.figures.posterior import posterior_grid
        from mlflow_tune.report.figures.study import study_figures

        strategy = self.spec.strategy
        bracket = strategy.bracket(self.spec.space, history)
        curves = self._curves(subject, history)
        forests = self._forests(subject, history)
        found = study_figures(subject, history, curves, strategy.requirement, bracket, forests)
        if grid := posterior_grid(posteriors):
            found["posterior"] = grid
        return found

    def _curves(self, subject: Subject, history: Sequence[Trial]) -> dict[int, Curve]:
        """Return the learning curves of the best trials, and of some that failed, to their last step."""
        failed = [trial for trial in history if trial.done and trial.value is None][:MOST_FAILED]
        drawn = [*subject.ranked(history)[: MOST_CURVES - len(failed)], *failed]
        if not drawn or len(first := self.trials.history(drawn[0], self.spec.metric)) < 2:
            return {}  # a metric of one step has no curve: spare the requests for the others
        curves = {trial.number: self.trials.history(trial, self.spec.metric) for trial in drawn[1:]}
        return {drawn[0].number: first, **curves}

    def save_view(self, history: Sequence[Trial]) -> None:
        """Write the comparison in MLflow's UI again, with the parameters that matter most first."""
        from mlflow_tune.report.figures.importance import importance_of

        subject = subject_of(self.spec, history)
        importance = importance_of(subject, history, forests=self._forests(subject, history))
        spec = self.spec
        names = list(importance.mean) if importance else list(self.spec.space)
        save_view(self.artifacts.client, self.record, spec.metric, spec.goal, spec.space, names)

    def _forests(self, subject: Subject, history: Sequence[Trial]) -> Forests:
        """Return what is fitted to the trials: the same as before for the same ones, as fitting takes seconds."""
        from mlflow_tune.report.figures.forest import Forests

        trials = list(history)
        if not self._fitted or self._fitted[-1][0] != trials:
            self._fitted[:] = [(trials, Forests(subject, trials))]
        return self._fitted[-1][1]

    def _log_image(self, posterior: PosteriorSlice) -> None:
        from mlflow_tune.report.figures.posterior import posterior_figure
        from mlflow_tune.report.figures.style import pixels

        if figure := posterior_figure(posterior):
            self.artifacts.log_image(IMAGE, posterior.number, pixels(figure))

    def _page(self, standing: Standing, subject: Subject) -> Page:
        from mlflow_tune.report.page import Page
        from mlflow_tune.strategies import strategy_to_json
        from mlflow_tune.tracking.records import now

        facts = {self.spec.run.kind: self.spec.run.source, "run id": self.record.run_id, "commit": self.record.commit}
        return Page(
            name=self.spec.name,
            standing=standing,
            space=self.spec.space,
            strategy=strategy_to_json(self.spec.strategy),
            budget=self.spec.stop.model_dump(mode="json", exclude_none=True),
            facts={name: value for name, value in facts.items() if value},
            unmet=subject.unmet,
            made=now(),
        )


def subject_of(spec: StudySpec, history: Sequence[Trial]) -> Subject:
    """Return what the figures are about."""
    from mlflow_tune.report.subject import Subject

    judged = zip(history, spec.strategy.eligible(history), strict=True)
    unmet = frozenset(trial.number for trial, kept in judged if trial.value is not None and kept.value is None)
    return Subject(spec.metric, spec.goal, spec.space, unmet)


def posterior_before(
    spec: StudySpec, reference: Sequence[float], history: Sequence[Trial], trial: Trial
) -> PosteriorSlice | None:
    """Return what the model that chose `trial` believed, rebuilt from what had ended and what ran when it started."""
    import numpy

    from mlflow_tune.report.figures.posterior import PosteriorSlice, posterior_xs

    name, dimension = next(iter(spec.space.items()))
    strategy = spec.strategy
    before = [_as_of(trial.start_time, each) for each in history if each.number < trial.number]
    seen = [each for each in before if each.value is not None and spec.space.contains(each.params)]
    next_x = float(trial.params[name])
    xs = posterior_xs(dimension, [float(each.params[name]) for each in seen], next_x)
    values = [dimension.decode(str(x)) for x in xs]
    believed = strategy.posterior(spec.space, before, [{name: value} for value in values])
    if believed is None:
        return None
    units = [dimension.to_unit(value) for value in values]
    return PosteriorSlice(
        number=trial.number,
        parameter=name,
        log=dimension.log,
        xs=xs,
        mean=believed.mean,
        std=believed.std,
        acquisition=believed.acquisition,
        acquisition_name=believed.acquisition_name,
        observed_x=[float(each.params[name]) for each in seen],
        observed_y=[float(each.value or 0.0) for each in seen],
        next_x=next_x,
        reference=numpy.interp(units, numpy.linspace(0, 1, len(reference)), reference).tolist() if reference else None,
        metric=spec.metric,
    )


def _is_drawn(spec: StudySpec, trial: Trial) -> bool:
    return spec.strategy.has_model and spec.one_number and "predicted_mean" in trial.metrics


def _as_of(time: int, trial: Trial) -> Trial:
    """Return the trial as it stood at that time: one that had not ended yet was running."""
    ended = trial.end_time is not None and trial.end_time <= time
    return trial if ended else replace(trial, outcome=None, value=None, end_time=None)
