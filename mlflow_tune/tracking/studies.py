"""Studies as MLflow parent runs: made, found, listed, brought up to date."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from mlflow_tune.errors import InputError, StudyNotFound, TrackingError
from mlflow_tune.settings import lease_seconds
from mlflow_tune.text import escaped, rounded
from mlflow_tune.tracking.address import near_words
from mlflow_tune.tracking.client import Client, public_uri
from mlflow_tune.tracking.holder import HOLDER_PREFIX, Holder, maker_here
from mlflow_tune.tracking.records import (
    FORMAT,
    KIND,
    MAKER,
    NEWS,
    NONCE,
    STUDY,
    StartedRun,
    all_experiments,
    compact,
    joined_tag,
    make_run,
    now,
    search,
    split_tag,
    tag_text,
    take_run,
)

logger = logging.getLogger(__name__)
StudyState: TypeAlias = Literal["running", "finished", "interrupted", "aborted"]
STATUS = {"running": "RUNNING", "finished": "FINISHED", "interrupted": "KILLED", "aborted": "FAILED"}
RUN_ID = re.compile(r"[0-9a-f]{32}")
BEAT = re.compile(r"[0-9]{1,14}")  # milliseconds, of a time that a calendar has
# What a resume may change stands in tags of its own, beside the rest of the definition in `tune.spec`.
CHANGEABLE = {
    "strategy": "tune.strategy",
    "stop": "tune.budget",
    "workers": "tune.workers",
    "executor": "tune.executor",
    "gpus": "tune.gpus",
    "confirm": "tune.confirm",
}


@dataclass(frozen=True)
class StudyRecord:
    """A study as the tracking server holds it.

    `definition` is the study file as JSON; `folder` and `commit` say where its code was; times are milliseconds.
    `curves` has the last step of each metric of the parent run, `figures` its last value; `last_active` is the latest
    time that its run bears. `nonce` is what its maker knew it by before it was there. `maker` is this process, where it
    has just made the study: the holder of its first claim.
    """

    run_id: str
    experiment_id: str
    name: str
    state: str
    definition: Mapping[str, Any] = field(repr=False)
    folder: str = ""
    commit: str = ""
    user: str = ""
    why_stopped: str = ""
    start_time: int = 0
    stop_request: str = ""
    queue_news: str = ""
    reference: Sequence[float] = field(default=(), repr=False)
    heartbeat: str = ""
    format: str = str(FORMAT)
    curves: Mapping[str, int] = field(default_factory=dict, repr=False)
    figures: Mapping[str, float] = field(default_factory=dict, repr=False)
    last_active: int = 0
    nonce: str = ""
    maker: Holder | None = field(default=None, repr=False, compare=False)

    @property
    def newer(self) -> bool:
        """Whether a newer mlflow-tune wrote the study, in a form that this one may misread."""
        return not (self.format.isdecimal() and len(self.format) < 9 and int(self.format) <= FORMAT)

    @property
    def trials_done(self) -> int:
        """How many trials had ended when the parent run was last written."""
        return round(sum(self.figures.get(f"trials_{kind}", 0) for kind in ("ok", "failed", "pruned")))

    @property
    def best_value(self) -> float | None:
        """The best value when the parent run was last written, None while there is none."""
        return self.figures.get(f"best_{self.definition.get('metric')}")

    @property
    def running(self) -> bool:
        """Whether somebody drives the study, or died while driving it."""
        return self.state == "running"


def experiment_name(name: str | None = None) -> str | None:
    """Return the name of the experiment that is meant: the one named, else MLFLOW_EXPERIMENT_NAME, else Default.

    None where MLFLOW_EXPERIMENT_ID says it by an id alone.
    """
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    return name or (None if os.environ.get("MLFLOW_EXPERIMENT_ID") else "Default")


class Studies:
    """The studies of one tracking store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def experiment(self, name: str | None = None, create: bool = False) -> str | None:
        """Return the id of the experiment: the one named, else MLFLOW_EXPERIMENT_NAME or _ID, else Default.

        None when it does not exist and `create` is false.
        """
        if (name := experiment_name(name)) is None:
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        found = self._client.send("get_experiment_by_name", name)
        if found is not None and found.lifecycle_stage != "active":
            raise InputError(f"the experiment {name!r} is deleted; restore it or choose another", "experiment")
        if found is not None or not create:
            return found and str(found.experiment_id)
        try:
            return str(self._client.send("create_experiment", name, again=_experiment_named(name)))
        except TrackingError as error:
            if getattr(error.__cause__, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
            return self.experiment(name)  # somebody else made it since we looked

    def create(
        self,
        definition: Mapping[str, Any],
        experiment_id: str,
        source: Mapping[str, str],
        folder: str,
        nonce: str,
        reference: Sequence[float] = (),
        started: StartedRun | None = None,
    ) -> StudyRecord:
        """Make the parent run, RUNNING, with all that a resume needs but its params; `source` are MLflow's own tags.

        It bears the `nonce`, by which its maker knows it. The run that this process was `started` in becomes the
        parent, where it is given. `reference` are values of the true function, evenly over the range of the only
        parameter, for pictures.
        """
        fixed = {key: value for key, value in definition.items() if key not in CHANGEABLE}
        maker = Holder.here(now(), lease_seconds())
        tags = {
            **source,
            KIND: "study",
            STUDY: str(definition["name"]),
            "tune.state": "running",
            "tune.format": str(FORMAT),
            "tune.folder": folder,
            NONCE: nonce,
            MAKER: maker_here(),
            f"{HOLDER_PREFIX}{maker.nonce}": maker.to_text(),
            **split_tag("tune.spec", compact(fixed)),
            **_changeable_tags(definition),
            **split_tag("tune.reference", compact([rounded(value, 9) for value in reference])),
        }
        if started is None:
            made = make_run(self._client, experiment_id, tags[STUDY], tags, now())
            return replace(study_record(made), maker=maker)
        name = take_run(self._client, started, tags, tags[STUDY])
        logger.warning(
            "MLFLOW_RUN_ID is set, as `mlflow run` does: its run, now '%s', becomes the study, in the experiment '%s'",
            escaped(name),
            escaped(started.experiment),
        )
        return replace(self.get(started.run_id), maker=maker)

    def update(
        self, run_id: str, tags: Mapping[str, str], state: StudyState | None = None, as_asked: bool = False
    ) -> None:
        """Write the tags and, where given, the state, then the run's status: `tune.state` decides.

        A study that rests `as_asked`, and was not broken off, shows as finished.
        """
        from mlflow.entities import RunTag

        written = {key: tag_text(value) for key, value in tags.items()} | ({"tune.state": state} if state else {})
        entities = [RunTag(key, value) for key, value in written.items()]
        self._client.send("log_batch", run_id, tags=entities)
        if state == "running":
            self._client.send("update_run", run_id, "RUNNING")
        elif state is not None:
            self._client.send("set_terminated", run_id, STATUS["finished" if as_asked else state], now())

    def reopen(self, run_id: str, definition: Mapping[str, Any]) -> None:
        """Mark the study as running again, with what the resume changed, and forget an earlier request to stop."""
        self._log_params(run_id, definition)
        self.update(run_id, {**_changeable_tags(definition), "tune.stop": "", "tune.why_stopped": ""}, "running")

    def request_stop(self, run_id: str) -> None:
        """Ask whoever drives the study to stop it."""
        self.update(run_id, {"tune.stop": "requested"})

    def log_curves(self, run_id: str, curves: Mapping[str, Sequence[tuple[int, float, int]]]) -> None:
        """Log metric points (step, value, time) on the parent, by metric; repeated points stay one point."""
        from mlflow.entities import Metric

        points = [Metric(key, value, time, step) for key, curve in curves.items() for step, value, time in curve]
        for start in range(0, len(points), 1000):
            self._client.send("log_batch", run_id, metrics=points[start : start + 1000])

    def get(self, run_id: str) -> StudyRecord:
        """Return the study with this run id. Raises StudyNotFound."""
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.send("get_run", run_id)
        except TrackingError as error:
            if getattr(error.__cause__, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                where = f"at {public_uri(self._client.uri)}{near_words(self._client.uri)}"
                raise StudyNotFound(f"no run {run_id} is {where}") from None
            raise
        except MlflowException as error:
            raise StudyNotFound(error.message) from None
        if run.data.tags.get(KIND) != "study":
            raise StudyNotFound(f"the run {run_id} is not a study of mlflow-tune")
        if run.info.lifecycle_stage != "active":
            raise StudyNotFound(f"the study {run_id} is deleted; restore its run first")
        return study_record(run)

    def find(self, study: str, experiment: str | None = None) -> StudyRecord:
        """Return the study with this run id, or the newest of this name in the experiment.

        The experiment is the one named, else that of the environment, else the only one that has the name. Raises
        StudyNotFound, and InputError when several experiments have it.
        """
        if RUN_ID.fullmatch(study):
            return self.get(study)
        named = [record for record in self.all(experiment) if record.name == study]
        if experiment is None and any(os.environ.get(f"MLFLOW_EXPERIMENT_{key}") for key in ("NAME", "ID")):
            chosen = self.experiment()
            named = [record for record in named if record.experiment_id == chosen] or named
        if len({record.experiment_id for record in named}) > 1:
            found = ", ".join(f"{record.run_id} in experiment {record.experiment_id}" for record in named[-5:])
            raise InputError(
                f"several experiments have a study named {study!r}: give --experiment or a run id ({found})"
            )
        if not named:
            where = f" in the experiment {experiment!r}" if experiment else ""
            asked = public_uri(self._client.uri)
            raise StudyNotFound(
                f"no study is named {study!r}{where} at {asked}; `mlflow-tune list` shows those that exist"
                f"{near_words(self._client.uri)}"
            )
        return named[-1]

    def all(self, experiment: str | None = None, name: str = "") -> list[StudyRecord]:
        """Return the studies, oldest first: of the named experiment, else of every one; see `within` for `name`."""
        ids = all_experiments(self._client) if experiment is None else [self.experiment(experiment)]
        return self.within([id_ for id_ in ids if id_], name)

    def within(self, experiment_ids: Sequence[str], name: str = "") -> list[StudyRecord]:
        """Return the studies of these experiments, oldest first.

        With a `name`, which has no quotes, the server is asked for those alone; some databases take `A` for `a`.
        """
        if not experiment_ids:
            return []
        named = f" and tags.`{STUDY}` = '{name}'" if name else ""
        query = f"tags.`{KIND}` = 'study'{named}"
        return [study_record(run) for run in search(self._client, experiment_ids, query)]

    def _log_params(self, run_id: str, definition: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(*each) for each in shown_params(definition).items()]
        with contextlib.suppress(TrackingError):  # `mlflow run` has logged a project's own params of these names
            self._client.send("log_batch", run_id, params=params)


def shown_params(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the params of a parent run: what the study is about, for whoever looks at it in MLflow."""
    return {key: str(definition[key]) for key in ("metric", "goal")}


def _changeable_tags(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags for what a resume may change."""
    texts = {tag: compact(definition[key]) for key, tag in CHANGEABLE.items() if key in definition}
    return {key: part for tag, text in texts.items() for key, part in split_tag(tag, text).items()}


def study_record(run: Any) -> StudyRecord:
    """Return the study that an MLflow run holds; a definition that cannot be read is left empty."""
    tags = run.data.tags
    metrics = run.data.to_proto().metrics
    beat = tags.get("tune.heartbeat", "")
    times = (run.info.start_time, run.info.end_time, *(each.timestamp for each in metrics))
    return StudyRecord(
        run_id=run.info.run_id,
        experiment_id=str(run.info.experiment_id),
        name=tags.get(STUDY, ""),
        state=tags.get("tune.state", ""),
        definition=_definition(tags),
        folder=tags.get("tune.folder", ""),
        commit=tags.get("mlflow.source.git.commit", ""),
        user=tags.get("mlflow.user", ""),
        why_stopped=tags.get("tune.why_stopped", ""),
        start_time=run.info.start_time or 0,
        stop_request=tags.get("tune.stop", ""),
        queue_news=tags.get(NEWS, ""),
        reference=_reference(tags),
        heartbeat=beat,
        format=tags.get("tune.format", str(FORMAT)),
        curves={each.key: each.step for each in metrics},
        figures={each.key: each.value for each in metrics},
        last_active=max(int(beat) if BEAT.fullmatch(beat) else 0, *(time or 0 for time in times)),
        nonce=tags.get(NONCE, ""),
    )


def _experiment_named(name: str) -> Any:
    def look_up(mlflow: Any) -> str | None:
        found = mlflow.get_experiment_by_name(name)
        return str(found.experiment_id) if found else None

    return look_up


def _reference(tags: Mapping[str, str]) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in json.loads(joined_tag("tune.reference", tags) or "[]"))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return ()


def _definition(tags: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        definition = json.loads(joined_tag("tune.spec", tags))
        changed = {key: json.loads(text) for key, tag in CHANGEABLE.items() if (text := joined_tag(tag, tags))}
        return {**definition, **changed}
    except (ValueError, TypeError, RecursionError):
        return {}
