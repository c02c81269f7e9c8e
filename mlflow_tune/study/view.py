"""What a study shows of itself, and of what the tracking server holds: its definition, its trials, its pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow_tune.driver.ending import Ending
from mlflow_tune.errors import InputError
from mlflow_tune.space import whole_point
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.recommendation import Recommendation
from mlflow_tune.study.display.card import study_card
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.study.lifecycle import Place
from mlflow_tune.tracking import Client, StudyRecord
from mlflow_tune.trial import Params, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from typing_extensions import Self


class StudyView:
    """A study as people look at it, whoever drives it; `Study` is one that can be driven."""

    _spec: StudySpec
    _uri: str | None
    _handle: StudyHandle | None
    _place: Place

    @property
    def handle(self) -> StudyHandle:
        """The study as the tracking server holds it. Raises InputError before it is run."""
        if self._handle is None:
            raise InputError("this study has not been run yet: call run() first, or Study.load() one that has")
        return self._handle

    @property
    def started(self) -> bool:
        """Whether the study is on the tracking server."""
        return self._handle is not None

    @property
    def spec(self) -> StudySpec:
        """The definition of the study."""
        return self._handle.spec if self._handle else self._spec

    @functools.cached_property
    def client(self) -> Client:
        """The connection to the study's tracking store, made when it is first needed."""
        return self._handle.client if self._handle else Client(self._uri)

    @property
    def record(self) -> StudyRecord:
        """The study as the tracking server held it when it was last read. Raises InputError before it is run."""
        return self.handle.record

    @property
    def run_id(self) -> str:
        """The MLflow run id of the parent. Raises InputError before the study is run."""
        return self.handle.run_id

    @property
    def trials(self) -> list[Trial]:
        """The trials as the tracking server holds them now: the latest attempt of each, by number."""
        return self.handle.trials

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, None when none has one."""
        return self.spec.best(self.trials)

    @property
    def recommended(self) -> Recommendation | None:
        """The trial whose parameters to use, and what may be expected of them; None when no trial has a value.

        After a confirmation it is the one with the best mean over fresh seeds, before it the best that was seen.
        """
        return self.spec.recommended(self.trials)

    @property
    def history(self) -> Sequence[Trial]:
        """The trials as the last session from here left them, but for those whose runs were deleted."""
        return self._handle.history if self._handle else ()

    @property
    def ending(self) -> Ending | None:
        """How the last session from here ended, None where there was none."""
        return self._handle.ending if self._handle else None

    @property
    def earlier(self) -> StudyRecord | None:
        """The newest study of this name that had finished when this one was made here, if any."""
        return self._place.finished[-1] if self._place.finished else None

    @property
    def links(self) -> dict[str, str]:
        """The links to the study's charts, table, parent run and plain list of trials, none without a server.

        Of a local store they lead to the server that `mlflow-tune ui` runs on it, while it does.
        """
        return self.handle.links

    @property
    def resume_command(self) -> str:
        """The command line that goes on with this study."""
        return self.handle.resume_command

    def dataframe(self) -> DataFrame:
        """Return the trials as a pandas DataFrame: a row a trial, by its number, with typed columns.

        Columns are those of trials.csv, and `metrics.<name>` for each metric that was logged besides.
        """
        return self.handle.dataframe()

    def plot(self, what: str = "best_so_far") -> Figure:
        """Return one of the report's pictures, by its name or the beginning of that, from what MLflow holds now.

        They are best_so_far, confirmation, bracket, parameters, parallel_coordinates, heat_map, importance,
        partial_dependence, learning_curves, stopping, calibration and posterior. Raises InputError for another, and
        while there is too little for it.
        """
        return self.handle.picture(what)

    def _repr_html_(self) -> str:
        return study_card(self.spec, self._handle)

    def enqueue(self, params: Params, why: str = "chosen by a person") -> str:
        """Put a point before whatever the strategy would ask next; return the id of its MLflow run.

        Whoever drives the study, now or later, on any machine, numbers the run and runs it next. The point may lie
        outside the space. Raises InputError unless it has a value for each parameter: a text, a number or a
        boolean, and where the space lists the values also None or a list.
        """
        study = self.handle
        refuse_secrets({"params": dict(params), "why": why})
        return study.queue.put(whole_point(study.spec.space, params), why, study.source)

    def report(self) -> Self:
        """Draw the study's pictures, table and HTML report from what the tracking server holds; return itself."""
        study = self.handle
        study.publisher.report(study.trials, study.record.state, study.record.why_stopped)
        return self
