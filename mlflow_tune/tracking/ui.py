"""A study in MLflow's UI: the links to it, and the shared runs view that they open, with its charts.

MLflow keeps the state of such a view in an experiment tag, and documents neither that nor its addresses. All that knows
the formats is in this file.
"""

from __future__ import annotations

import base64
import shlex
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from mlflow_tune.space import Choice, Dimension, Ordinal, Space
from mlflow_tune.tracking.client import Client, public_uri
from mlflow_tune.tracking.records import compact
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.trial import STEPS_USED

SECTION = "study"
RUNS_DRAWN = 100
MOST_PARAMETERS = 8
SCATTERS_FIRST = 2  # with them and parallel coordinates the contour is the fourth chart, and the last in sight
COLUMNS, CARD_HEIGHT = 2, 290  # pixels: left to itself MLflow makes three columns, which its assistant squeezes
VIEW_TAG = "mlflow.sharedViewState."
TRAINING = {"workflowType": "machine_learning"}  # without it MLflow opens its GenAI overview


def study_links(base: str, study: StudyRecord) -> dict[str, str]:
    """Return the links to a study's charts, table, parent run and plain list of trials.

    `base` is the server's URL; empty, the links are relative and lead on within MLflow's UI, wherever it is served.
    """
    runs = f"{base.rstrip('/') + '/' if base else ''}#/experiments/{study.experiment_id}/runs"
    shared = {"viewStateShareKey": study.run_id}
    listed = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{study.run_id}'",
        "orderByKey": f"metrics.`{study.definition.get('metric', 'objective')}`",
        "orderByAsc": "true" if study.definition.get("goal") != "maximize" else "false",
    }
    return {
        "charts": f"{runs}?{urlencode({**shared, 'compareRunsMode': 'CHART', **TRAINING})}",
        "table": f"{runs}?{urlencode({**shared, **TRAINING})}",
        "run": f"{runs}/{study.run_id}?{urlencode(TRAINING)}",
        "list": f"{runs}?{urlencode({**listed, **TRAINING})}",
    }


def run_link(experiment_id: str, run_id: str) -> str:
    """Return the link to a run's page from within MLflow's UI."""
    return f"#/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}?{urlencode(TRAINING)}"


def has_server(uri: str) -> bool:
    """Whether the tracking URI is that of a server with a UI."""
    return uri.startswith(("http://", "https://"))


def ui_command(uri: str) -> str:
    """Return the command that starts MLflow's UI on a store without a server."""
    return shlex.join(["mlflow", "ui", "--backend-store-uri", public_uri(uri)])


def save_view(
    client: Client,
    study: StudyRecord,
    metric: str,
    goal: str,
    space: Space,
    names: Sequence[str] = (),
    curves: bool = True,
    stops: bool = False,
) -> None:
    """Write the study's comparison under a key that stays the same: the parent's run id.

    `names` are the parameters in the order in which they matter, where that is known: of many, the first are drawn.
    `curves` is whether the metric may have learning curves: one that is logged once would be drawn as dots. `stops` is
    whether the study may stop trials.
    """
    ordered = Space({name: space[name] for name in [*names, *(name for name in space if name not in names)]})
    state = comparison(study.run_id, metric, goal, ordered, curves, stops)
    write_state(client, study.experiment_id, study.run_id, state)


def write_state(client: Client, experiment_id: str, key: str, state: Mapping[str, Any]) -> None:
    """Write the state of a runs page under a key, which a link then names as viewStateShareKey."""
    packed = "deflate;" + base64.b64encode(zlib.compress(compact(state).encode(), 9)).decode()
    client.send("set_experiment_tag", experiment_id, f"{VIEW_TAG}{key}", packed)


def comparison(
    run_id: str, metric: str, goal: str, space: Space, curves: bool = True, stops: bool = False
) -> dict[str, Any]:
    """Return the state of the runs page: this study's trials alone, all shown, the best first, and the charts."""
    measured = f"metrics.`{metric}`"
    columns = [measured, "metrics.`trial`", *(f"params.`{name}`" for name in space)]
    return {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'",
        "orderByKey": measured,
        "orderByAsc": goal == "minimize",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOWALL",
        "compareRunCharts": charts(metric, space, curves, stops),
        "compareRunSections": [_flags("uuid", SECTION) | _SECTION],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunsMode": "CHART",
    }


def charts(metric: str, space: Space, curves: bool = True, stops: bool = False) -> list[dict[str, Any]]:
    """Return the charts, those first that show which values are good: a page shows four before it is scrolled.

    Parallel coordinates, the metric against the parameters and a contour of two of them; then how the study went: the
    metric against the trial, its learning curves where it has `curves`, the steps of each trial where the study `stops`
    some before their end, and bars.
    """
    names = list(space)[:MOST_PARAMETERS]
    value = _measured(metric)
    scatters = [{"type": "SCATTER", "xaxis": _axis(name, space), "yaxis": value} for name in names]
    drawn: list[Mapping[str, Any]] = [
        _parallel(metric, names, space),
        *scatters[:SCATTERS_FIRST],
        *({"type": "CONTOUR", "xaxis": x, "yaxis": y, "zaxis": value} for x, y in _pair(names, space)),
        *scatters[SCATTERS_FIRST:],
        {"type": "SCATTER", "xaxis": _measured("trial"), "yaxis": value},
        *([{"type": "LINE", "metricKey": metric, "displayName": metric, **_LINE}] if curves else []),
        *([{"type": "SCATTER", "xaxis": _measured("trial"), "yaxis": _measured(STEPS_USED)}] if stops else []),
        {"type": "BAR", "metricKey": metric, "displayName": metric},
    ]
    return [_flags("uuid", f"tune-{index}") | _CHART | dict(chart) for index, chart in enumerate(drawn)]


def _parallel(metric: str, names: Sequence[str], space: Space) -> dict[str, Any]:
    """Return parallel coordinates, coloured by the last of their metrics; a log-scale parameter is its logarithm."""
    plain = [name for name in names if not space[name].log]
    logarithms = [f"log10_{name}" for name in names if space[name].log]
    return {
        "type": "PARALLEL",
        "selectedParams": plain,
        "selectedMetrics": [*logarithms, metric],
        "showAllRuns": True,
    }


def _pair(names: Sequence[str], space: Space) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    numeric = [name for name in names if _is_numeric(space[name])]
    return [(_axis(numeric[0], space), _axis(numeric[1], space))] if len(numeric) > 1 else []


def _is_numeric(dimension: Dimension) -> bool:
    return bool(dimension.numbers) if isinstance(dimension, Ordinal) else not isinstance(dimension, Choice)


def _axis(name: str, space: Space) -> dict[str, Any]:
    # MLflow's axes are linear: what was searched on a log scale is drawn by the metric of its logarithm.
    return _measured(f"log10_{name}") if space[name].log else {"key": name, "type": "PARAM"}


def _measured(key: str) -> dict[str, Any]:
    return {"key": key, "type": "METRIC", "dataAccessKey": None}


def _flags(key: str, value: str) -> dict[str, Any]:
    return {key: value, "deleted": False, "isGenerated": False}


_SECTION = {
    "name": "Study",
    "display": True,
    "isReordered": False,
    "columns": COLUMNS,
    "cardHeight": CARD_HEIGHT,
}
_CHART = {"runsCountToCompare": RUNS_DRAWN, "metricSectionId": SECTION}
_LINE = {
    "lineSmoothness": 0,
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
