"""The artifacts that people look at, drawn from what the tracking store holds: pictures, table, HTML report."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_tune.report.forest import Forests
from mlflow_tune.report.note import Standing
from mlflow_tune.report.page import Page
from mlflow_tune.report.posterior import PosteriorSlice, bands_of, posterior_before
from mlflow_tune.report.stopping import stopping_of
from mlflow_tune.report.subject import Subject, subject_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.tracking import Artifacts, StudyRecord, Trials, save_view
from mlflow_tune.trial import Curve, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


logger = logging.getLogger(__name__)
IMAGE = "posterior"
START = 0  # the step before the first trial
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
                    self._log_image(posterior, known)

    def write(self, history: Sequence[Trial], standing: Standing) -> None:
        """Log the table (CSV and MLflow's own), report.html, the figures, and the images that are missing."""
        from mlflow_tune.report.figures.interactive import interactive_charts
        from mlflow_tune.report.figures.style import save_figures
        from mlflow_tune.report.page import report_html
        from mlflow_tune.report.table import trials_table
        from mlflow_tune.text import columns_csv

        subject = subject_of(self.spec, history)
        posteriors = self._posteriors(history)
        figures = self._figures(history, subject, posteriors)
        charts = interactive_charts(subject, history, self._importance(subject, history))
        page = report_html(self._page(standing, subject), history, figures, charts)
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
                self._log_image(posterior, known)

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
        curves, forests = self._curves(subject, history), self._forests(subject, history)
        stopping, bands = stopping_of(self.spec, history), bands_of(self.spec, history)
        again = self.spec.confirmation(history)
        found = study_figures(subject, history, curves, strategy.requirement, bracket, forests, stopping, bands, again)
        if grid := posterior_grid(posteriors):
            found["posterior"] = grid
        return found

    def figure(self, name: str, history: Sequence[Trial]) -> Figure | None:
        """Return one figure of the report by its name, which a notebook shows; None when there is too little for it."""
        from mlflow_tune.report.figures.posterior import posterior_grid
        from mlflow_tune.report.figures.study import POSTERIOR, Material, study_figure
        from mlflow_tune.report.figures.style import self_showing

        if name == POSTERIOR:
            found = posterior_grid(self._posteriors(history))
        else:
            subject = subject_of(self.spec, history)
            strategy = self.spec.strategy
            curves = self._curves(subject, history) if name == "learning_curves" else {}
            bracket = strategy.bracket(self.spec.space, history)
            forests = self._forests(subject, history)
            stopping, again = stopping_of(self.spec, history), self.spec.confirmation(history)
            bands = bands_of(self.spec, history) if name == "calibration" else {}
            drawn_from = (subject, history, curves, strategy.requirement, bracket, forests, stopping, bands, again)
            material = Material(*drawn_from)
            found = study_figure(name, material)
        return None if found is None else self_showing(found)

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
        subject = subject_of(self.spec, history)
        spec, names = self.spec, self._importance(subject, history)
        best = subject.ranked(history)[:1]
        curves = not best or len(self.trials.history(best[0], spec.metric)) > 1
        client, stops = self.artifacts.client, spec.stop_trials is not None
        save_view(client, self.record, spec.metric, spec.goal, spec.space, names, curves, stops)

    def _importance(self, subject: Subject, history: Sequence[Trial]) -> list[str]:
        """Return the parameters in the order in which they matter, none where that is not known."""
        from mlflow_tune.report.figures.importance import importance_of

        importance = importance_of(subject, history, forests=self._forests(subject, history))
        return list(importance.mean) if importance else []

    def _forests(self, subject: Subject, history: Sequence[Trial]) -> Forests:
        """Return what is fitted to the trials: the same as before for the same ones, as fitting takes seconds."""
        trials = list(history)
        if not self._fitted or self._fitted[-1][0] != trials:
            self._fitted[:] = [(trials, Forests(subject, trials))]
        return self._fitted[-1][1]

    def _log_image(self, posterior: PosteriorSlice, known: set[int]) -> None:
        """Log the picture of a posterior; with the first one also where MLflow's slider begins, which is at step 0."""
        from mlflow_tune.report.figures.posterior import posterior_figure, prior_figure
        from mlflow_tune.report.figures.style import pixels

        if not (figure := posterior_figure(posterior)):
            return
        if START not in known:
            known.add(START)
            name, dimension = next(iter(self.spec.space.items()))
            prior = prior_figure(self.spec.metric, name, dimension, self.record.reference)
            self.artifacts.log_image(IMAGE, START, pixels(prior))
        self.artifacts.log_image(IMAGE, posterior.number, pixels(figure))

    def _page(self, standing: Standing, subject: Subject) -> Page:
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
            constraint=self.spec.strategy.requirement,
            made=now(),
        )


def _is_drawn(spec: StudySpec, trial: Trial) -> bool:
    return spec.strategy.has_model and spec.one_number and "predicted_mean" in trial.metrics
