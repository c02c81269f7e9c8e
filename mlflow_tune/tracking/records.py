"""MLflow runs, as studies, trials and comparisons need them: found, made, taken over; times, and long tags."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_tune.errors import TrackingError
from mlflow_tune.text import cut, encodable
from mlflow_tune.tracking.client import Client
from mlflow_tune.trial import Curve

PAGE = 1000
OLDEST_FIRST = ["attributes.start_time ASC", "attributes.run_id ASC"]
TAG_LIMIT = 8000
FORMAT = 1  # of what is written here; a study with a higher one is from a newer mlflow-tune
KIND = "tune.kind"
STUDY = "tune.study"
QUEUED = "tune.queued"  # "waiting", then "numbered"
NEWS = "tune.queue_news"  # of a parent: when a point was queued last, so that its driver need not look for others
DEVICES = "tune.devices"  # which ones a trial had
STARTED = "tune.started"  # when a queued trial began: MLflow keeps the time at which the run was made
HALF_COPY = "half a copy"  # the kind of a run until it is a trial
EVIDENCE = "tune.evidence"  # of a trial's choice: its metrics come with a later request
REPLICATE = "tune.replicate"  # which trial's point is tried again
SEED = "tune.seed"  # that a replicate was given
RAISED = "tune.raised"  # of an attempt that trains a trial on: its epochs, as JSON
TRAIN_ON = "tune.train_on"  # of a run from which a person has a trial trained on: after which attempt, and its epochs
MAKER = "tune.maker"  # which process makes a run that takes several requests until it is whole
NONCE = "tune.nonce"  # by which whoever makes a run knows it, also when the answer is lost


def now() -> int:
    """Return the time in milliseconds since the epoch, as MLflow counts it."""
    return time.time_ns() // 1_000_000


def compact(value: object) -> str:
    """Return the value as JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def tag_text(text: str, limit: int = TAG_LIMIT) -> str:
    """Return the text, cut to what a tag holds, and without what no store takes: half characters and NUL."""
    return cut(encodable(text).replace("\0", "\ufffd"), limit)


def search(client: Client, experiment_ids: Sequence[str], query: str, deleted: bool = False) -> Iterator[Any]:
    """Yield every MLflow run that matches, oldest first, page by page: those that exist, or the `deleted` ones.

    Page tokens are offsets: a run that starts between two pages then comes last and repeats none.
    """
    from mlflow.entities import ViewType

    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    token = None
    while True:
        page = client.send(
            "search_runs", list(experiment_ids), query, view, max_results=PAGE, order_by=OLDEST_FIRST, page_token=token
        )
        yield from page
        if not (token := page.token):
            return


def all_experiments(client: Client) -> list[str]:
    """Return the ids of all experiments that are not deleted and that this user may read."""
    ids: list[str] = []
    token = None
    while True:
        page = client.send("search_experiments", page_token=token)
        ids += [str(experiment.experiment_id) for experiment in page]
        if not (token := page.token):
            return ids


def new_nonce() -> str:
    """Return a text that no other run or claim bears."""
    return os.urandom(8).hex()


def make_run(client: Client, experiment_id: str, name: str, tags: Mapping[str, str], started: int) -> Any:
    """Make an MLflow run and return it; the nonce among its tags, given or new, finds one whose answer was lost."""
    tags = {NONCE: new_nonce(), **tags}
    query = f"tags.`{NONCE}` = '{tags[NONCE]}'"

    def made_before(mlflow: Any) -> Any:
        return next(iter(mlflow.search_runs([experiment_id], query)), None)

    return client.send("create_run", experiment_id, started, tags, name, again=made_before)


@dataclass(frozen=True)
class StartedRun:
    """The run that this process was started in: `mlflow run` makes one, and whoever sets MLFLOW_RUN_ID means one."""

    run_id: str
    name: str
    experiment_id: str
    experiment: str


def started_run(client: Client) -> StartedRun | None:
    """Return the run that this process was started in.

    None when there is none on this server, it has ended, or it is a study, a trial or a comparison itself.
    """
    from mlflow.exceptions import MlflowException

    if not (run_id := os.environ.get("MLFLOW_RUN_ID")):
        return None
    try:
        run = client.send("get_run", run_id)
        if KIND in run.data.tags or run.info.lifecycle_stage != "active" or run.info.status != "RUNNING":
            return None
        experiment = client.send("get_experiment", run.info.experiment_id)
    except (TrackingError, MlflowException):
        return None
    return StartedRun(run_id, run.info.run_name or "", str(run.info.experiment_id), experiment.name)


def take_run(client: Client, run: StartedRun, tags: Mapping[str, str], name: str) -> str:
    """Give the run these tags and this name, its own in brackets behind it; return the whole name."""
    from mlflow.entities import RunTag

    whole = tag_text(f"{name} ({run.name})" if run.name not in ("", name) else name)
    client.send("log_batch", run.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.send("update_run", run.run_id, name=whole)
    return whole


def learning_curve(client: Client, run_id: str, metric: str) -> Curve:
    """Return a metric's values as (step, value), in order of steps."""
    return curve_of(client.send("get_metric_history", run_id, metric))


def curve_of(points: Iterable[Any]) -> Curve:
    """Return MLflow's points of a metric as (step, value), in order of steps."""
    return [(point.step, point.value) for point in sorted(points, key=lambda p: (p.step, p.timestamp))]


def split_tag(key: str, text: str) -> dict[str, str]:
    """Return the tags that hold the text: `key`, or `key.1`, `key.2`, ... when it is longer than a tag.

    They may be written over those of another text, whatever its length: an empty `key` leads to the parts, an empty
    part ends them.
    """
    if len(text) <= TAG_LIMIT:
        return {key: text}
    parts = [text[start : start + TAG_LIMIT] for start in range(0, len(text), TAG_LIMIT)]
    return {key: "", **{f"{key}.{index}": part for index, part in enumerate([*parts, ""], start=1)}}


def joined_tag(key: str, tags: Mapping[str, str]) -> str:
    """Return the text that `split_tag` spread over tags, empty when there is none."""
    if tags.get(key):
        return tags[key]
    parts: list[str] = []
    while part := tags.get(f"{key}.{len(parts) + 1}"):
        parts.append(part)
    return "".join(parts)
