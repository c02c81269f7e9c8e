"""Several studies compared: read from the tracking store, drawn, and logged to a run of their own."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_tune.driver.publisher import kept
from mlflow_tune.provenance import user_tags
from mlflow_tune.report.comparison.comparison import Comparison, Entrant, compare
from mlflow_tune.report.subject import subject_of
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.tracking import Artifacts, Client, StudyRecord, has_server, public_uri, served, ui_command
from mlflow_tune.tracking.comparisons import Comparisons, comparison_links
from mlflow_tune.tracking.leftovers import sweep
from mlflow_tune.tracking.records import now
from mlflow_tune.tracking.steps import trained_steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Logged:
    """Where a comparison was logged: its run, and the links to the shared view and to it, by name, the best first.

    `seen` is the first link, or for a local store that `mlflow-tune ui` does not serve now the command that starts
    MLflow's UI on it, where the run's description holds the links.
    """

    run_id: str
    experiment_id: str
    links: Mapping[str, str]
    seen: str


class StudyComparison:
    """Several studies of one tracking store, side by side.

    `numbers` hold what the comparison tells; they are taken from the store once, when it is made.
    """

    def __init__(self, studies: Sequence[StudyHandle], client: Client, target: float | None = None) -> None:
        """Read the trials of the studies. Raises InputError as `report.comparison.compare`, TrackingError."""
        self._studies, self._client = studies, client
        self.numbers: Comparison = compare([entrant_of(study) for study in studies], target)

    @classmethod
    def load(
        cls,
        names: Sequence[str],
        target: float | None = None,
        experiment: str | None = None,
        tracking_uri: str | None = None,
    ) -> StudyComparison:
        """Return the comparison of the studies with these names or run ids.

        Raises StudyNotFound, InputError (fewer than two studies, one twice, different metrics or goals), TrackingError.
        """
        studies = [StudyHandle.find(name, experiment, tracking_uri) for name in names]
        return cls(studies, Client(tracking_uri, only_read=True), target)

    @functools.cached_property
    def figures(self) -> dict[str, Figure]:
        """The figures by the names of their files."""
        from mlflow_tune.report.comparison.figures import comparison_figures

        return comparison_figures(self.numbers)

    @property
    def records(self) -> list[StudyRecord]:
        """The studies as the store holds them, in the order in which they were named."""
        return [study.record for study in self._studies]

    def html(self, logged: Logged | None = None) -> str:
        """Return the HTML page, with links where it was logged to a server."""
        from mlflow_tune.report.comparison.page import comparison_html

        return comparison_html(self.numbers, self.figures, logged.links if logged else {}, now())

    def log(self) -> Logged:
        """Log the comparison to a run of its own in the experiment of the first study, with the shared view.

        What an artifact store refuses is told in a warning. Raises TrackingError.
        """
        from mlflow_tune.report.comparison.page import comparison_name, comparison_note

        comparisons, records, numbers = Comparisons(self._client), self.records, self.numbers
        self.figures  # noqa: B018  # drawn before anything is written: should that fail, nothing is left behind
        sweep(self._client, records[0].experiment_id)
        ids = [record.run_id for record in records]
        run_id = comparisons.create(comparison_name(numbers), records[0].experiment_id, ids, _source())
        space = self._studies[0].spec.space
        comparisons.save_view(run_id, records, numbers.metric, numbers.goal, space)
        logged = self._logged(run_id)
        kept("the files of the comparison", lambda: self._log_files(logged))
        comparisons.finish(run_id, comparison_note(numbers, comparison_links("", run_id, records)))
        return logged

    def _logged(self, run_id: str) -> Logged:
        uri, first = self._client.uri, self.records[0].experiment_id
        base = public_uri(uri) if has_server(uri) else served(uri, run_id)
        links = comparison_links(base, run_id, self.records)
        seen = next(iter(links.values())) if base else ui_command(uri)
        return Logged(run_id, first, links if has_server(uri) else {}, seen)

    def _log_files(self, logged: Logged) -> None:
        from mlflow_tune.report.comparison.table import comparison_csv
        from mlflow_tune.report.figures.style import save_figures

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "comparison.html").write_text(self.html(logged), encoding="utf-8")
            (folder / "comparison.csv").write_text(comparison_csv(self.numbers), encoding="utf-8")
            save_figures(self.figures, folder / "figures")
            Artifacts(self._client, logged.run_id).log_folder(folder)


def entrant_of(study: StudyHandle) -> Entrant:
    """Return what is compared of a study, its trials as the store holds them now. Raises TrackingError."""
    record, trials = study.record, study.trials
    return Entrant(
        name=record.name,
        run_id=record.run_id,
        experiment_id=record.experiment_id,
        state=record.state,
        definition=study.spec.model_dump(mode="json", exclude_none=True),
        subject=subject_of(study.spec, trials),
        trials=trials,
        commit=record.commit,
        steps=trained_steps(study.client, record, study.spec.metric),
    )


def _source() -> dict[str, str]:
    """Return who compares, as MLflow tags it; the commit of the code at hand says nothing of the studies."""
    tags = {key: text for key, text in user_tags().items() if ".git." not in key}
    return {**tags, "mlflow.source.name": "mlflow-tune compare", "mlflow.source.type": "LOCAL"}
