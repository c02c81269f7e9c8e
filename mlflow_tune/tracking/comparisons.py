"""Comparisons as MLflow runs of their own, and the shared view of the studies that they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from mlflow_tune.space import Space
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.holder import maker_here
from mlflow_tune.tracking.records import (
    KIND,
    MAKER,
    compact,
    make_run,
    now,
    split_tag,
    started_run,
    tag_text,
    take_run,
)
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.tracking.ui import TRAINING, comparison, write_state

COMPARED = "tune.compared"
DRAWN = ("LINE", "BAR")


class Comparisons:
    """The comparisons of one tracking store: neither studies nor trials, so no list of these shows them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, name: str, experiment_id: str, compared: Sequence[str], source: Mapping[str, str]) -> str:
        """Make the run, RUNNING, with the run ids of the studies that are `compared` in a tag; return its run id.

        `source` are MLflow's own tags (user, source). Raises TrackingError.
        """
        whole = {**source, KIND: "comparison", MAKER: maker_here()}
        tags = {**whole, **split_tag(COMPARED, compact(list(compared)))}
        if started := started_run(self._client):
            take_run(self._client, started, tags, name)
            return started.run_id
        return str(make_run(self._client, experiment_id, name, tags, now()).info.run_id)

    def finish(self, run_id: str, note: str) -> None:
        """Write the note and end the run. Raises TrackingError."""
        self._client.send("set_tag", run_id, "mlflow.note.content", tag_text(note))
        self._client.send("set_terminated", run_id, "FINISHED", now())

    def save_view(self, key: str, studies: Sequence[StudyRecord], metric: str, goal: str, space: Space) -> None:
        """Write the shared view of the studies' parent runs in their experiment. Raises TrackingError.

        MLflow has no shared view over several experiments: then nothing is written, and the links do without.
        """
        if len({study.experiment_id for study in studies}) == 1:
            write_state(self._client, studies[0].experiment_id, key, parents_view(studies, metric, goal, space))


def comparison_links(base: str, run_id: str, studies: Sequence[StudyRecord]) -> dict[str, str]:
    """Return the links to the studies' parents as charts and as a table, and to the comparison's own run.

    Of one experiment they open the shared view; of several, MLflow's page of several experiments, whose charts are of
    MLflow's choice: the curve of `best_<metric>` is among them. `base` is the server's URL; empty, the links are
    relative and lead on within MLflow's UI, wherever it is served.
    """
    root = f"{base.rstrip('/') + '/' if base else ''}#"
    runs = f"{root}/experiments/{studies[0].experiment_id}/runs"
    experiments = list(dict.fromkeys(study.experiment_id for study in studies))
    page = runs
    query = {"viewStateShareKey": run_id}
    if len(experiments) > 1:
        page = f"{root}/compare-experiments/s"
        query = {"experiments": compact(experiments), "searchFilter": _these(studies)}
    return {
        "curves of the studies": f"{page}?{urlencode({**query, 'compareRunsMode': 'CHART', **TRAINING})}",
        "table of the studies": f"{page}?{urlencode({**query, **TRAINING})}",
        "run of this comparison": f"{runs}/{run_id}?{urlencode(TRAINING)}",
    }


def _these(studies: Sequence[StudyRecord]) -> str:
    ids = ", ".join(f"'{study.run_id}'" for study in studies)
    return f"attributes.run_id IN ({ids})"


def parents_view(studies: Sequence[StudyRecord], metric: str, goal: str, space: Space) -> dict[str, Any]:
    """Return the state of the runs page: the parents alone, `best_<metric>` as curves over the trial and as bars."""
    best = f"best_{metric}"
    state = comparison("", best, goal, space)
    return {
        **state,
        "searchFilter": _these(studies),
        "selectedColumns": [f"metrics.`{best}`", "params.`metric`", "params.`goal`", "tags.`tune.strategy`"],
        "compareRunCharts": [chart for chart in state["compareRunCharts"] if chart["type"] in DRAWN],
    }
