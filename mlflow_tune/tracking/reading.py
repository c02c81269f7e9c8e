"""Trials as a tracking server holds them, where anybody may write anything: what is sound is read, the rest is told."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeGuard, get_args

from mlflow_tune.errors import InputError
from mlflow_tune.space import Choice, Scalar, Space, Value, check_name
from mlflow_tune.text import is_number, shown, value_text
from mlflow_tune.tracking.attempts import followed
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import EVIDENCE, QUEUED, RAISED, REPLICATE, SEED, STARTED, TRAIN_ON, search
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.trial import OutcomeKind, Params, TrainOn, Trial, is_finite

OVERLAP = 60_000  # milliseconds: the clocks of those who write may differ
NUMBER_LENGTH = 18  # digits of a seed
MOST_EPOCHS = 1_000_000_000  # that are believed
MOST_TRIALS = 1_000_000  # trials of a study, and attempts of a trial: a higher number is no number of ours


def read_trial(run: Any, space: Space | None = None) -> Trial | None:
    """Return the trial that an MLflow run holds, None when it holds none, or no point of the space."""
    tags = run.data.tags
    return None if why_unsound(tags, space) else _trial(run, tags, run.data.metrics)


def why_unsound(tags: Mapping[str, str], space: Space | None = None) -> str:
    """Return in words why a run with these tags is no trial, "" when it is one."""
    if _count(tags.get("tune.trial", "")) is None:
        return f"its number is {_shown(tags.get('tune.trial', ''))}"
    if _count(tags.get("tune.attempt", "1")) is None:
        return f"its attempt is {_shown(tags.get('tune.attempt', ''))}"
    params = read_params(tags)
    if params is None:
        return f"its point is {_shown(tags.get('tune.params', ''))}"
    return off_space(params, space)


def is_waiting(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags waits in the queue: it has no number yet."""
    return tags.get(QUEUED) == "waiting" and "tune.trial" not in tags


def is_queued(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags waits in the queue, or was withdrawn from it."""
    return tags.get(QUEUED) in ("waiting", "withdrawn") and "tune.trial" not in tags


def read_params(tags: Mapping[str, str]) -> dict[str, Value] | None:
    """Return the point in these tags, None when there is none: a mapping of names to null, scalars or lists of such."""
    try:
        params = json.loads(tags.get("tune.params", ""))
    except (ValueError, RecursionError):
        return None
    return params if isinstance(params, dict) and all(map(_is_value, params.values())) else None


def _is_value(value: object) -> bool:
    parts = value if isinstance(value, list) else [] if value is None else [value]
    return all(isinstance(part, Scalar) for part in parts)


def off_space(params: Params, space: Space | None) -> str:
    """Return in words why a strategy could make nothing of the point, "" when it can.

    Outside of a range is sound: a person may ask for that.
    """
    if space is None:
        return ""
    for name, dimension in space.items():
        if name not in params:
            return f"its point lacks the parameter {name!r}"
        if not isinstance(dimension, Choice) and not _is_finite(params[name]):
            return f"its parameter {name!r} is {_shown(value_text(params[name]))}"
    try:
        for name in params.keys() - space.keys():
            check_name(name)
    except InputError:
        return "its point has a parameter whose name MLflow does not take"
    return ""


def space_of(definition: Mapping[str, Any]) -> Space | None:
    """Return the search space of a study's definition, None when it has none that can be read."""
    try:
        return Space.from_json(definition["space"])
    except (KeyError, InputError):
        return None


class Refresh:
    """The trials of one study, read again and again: everything once, afterwards only what is new."""

    def __init__(self, client: Client, study: StudyRecord) -> None:
        self._client = client
        self._study = study
        self._space = space_of(study.definition)
        self._known: dict[int, Trial] = {}
        self._read_before = False

    def trials(self) -> list[Trial]:
        """Return the latest attempt of every trial, by number; two searches find those that run and that ended."""
        of_study = f"tags.`mlflow.parentRunId` = '{self._study.run_id}' and tags.`tune.kind` = 'trial'"
        newest = max((trial.end_time or 0 for trial in self._known.values()), default=0)
        for only in self._queries(newest):
            for run in search(self._client, [self._study.experiment_id], of_study + only):
                trial = read_trial(run, self._space)
                if trial is not None and _is_news(trial, self._known.get(trial.number)):
                    self._known[trial.number] = followed(trial, self._known.get(trial.number))
        self._read_before = True
        return [self._known[number] for number in sorted(self._known)]

    def _queries(self, newest: int) -> list[str]:
        if not self._read_before:
            return [""]
        return [" and attributes.status = 'RUNNING'", f" and attributes.end_time > {newest - OVERLAP}"]


def _is_news(trial: Trial, known: Trial | None) -> bool:
    if known is None:
        return True
    return (known.attempt, known.outcome is not None) <= (trial.attempt, trial.outcome is not None)


def _trial(run: Any, tags: Mapping[str, str], metrics: Mapping[str, float]) -> Trial:
    named = tags.get("tune.outcome")
    value = metrics.get("objective")
    outcome: OutcomeKind | None = next((kind for kind in get_args(OutcomeKind) if kind == named), None)
    sound = outcome == "ok" and value is not None and is_finite(value)
    return Trial(
        number=_count(tags["tune.trial"]) or 0,
        params=read_params(tags) or {},
        outcome="not-finite" if outcome == "ok" and not sound else outcome,
        value=value if sound else None,
        attempt=_count(tags.get("tune.attempt", "1")) or 0,
        run_id=run.info.run_id,
        strategy=tags.get("tune.strategy", ""),
        why=tags.get("tune.why", ""),
        reason=tags.get("tune.reason", ""),
        metrics={**_evidence(tags), **metrics},
        start_time=_time(tags.get(STARTED, "")) or run.info.start_time or 0,
        end_time=run.info.end_time or (_logged_at(run) if outcome else None),
        diagnosis=tags.get("tune.diagnosis", ""),
        curve=tags.get("tune.curve", ""),
        replicate=_count(tags.get(REPLICATE, "")) or 0,
        seed=_seed(tags.get(SEED, "")),
        raised=_raised(_mapping(tags.get(RAISED, ""))),
        train_on=_wish(_mapping(tags.get(TRAIN_ON, ""))),
    )


def _evidence(tags: Mapping[str, str]) -> dict[str, float]:
    """Return what a trial's choice rests on, as its tag holds it: a driver may have died before it was logged."""
    found = _mapping(tags.get(EVIDENCE, ""))
    return {name: float(value) for name, value in found.items() if _is_finite(value)}


def _mapping(text: str) -> dict[str, Any]:
    """Return the mapping that a tag holds as JSON, {} for anything else."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _raised(form: Mapping[str, Any]) -> dict[str, Value]:
    """Return the epochs that were raised, by the name of the parameter, {} for anything else."""
    return {name: value for name, value in form.items() if _is_whole(value, MOST_EPOCHS)}


def _wish(form: Mapping[str, Any]) -> TrainOn | None:
    after, raised = form.get("after"), form.get("raised")
    params = _raised(raised) if isinstance(raised, dict) else {}
    return TrainOn(after, params) if params and _is_whole(after, MOST_TRIALS) else None


def _is_whole(value: Any, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _logged_at(run: Any) -> int | None:
    """Return when the objective of a run was logged, which its status does not tell yet."""
    times = [each.timestamp for each in run.data.to_proto().metrics if each.key == "objective"]
    return max(times, default=None)


def _count(text: str) -> int | None:
    """Return a whole number from 1, None for anything else."""
    plain = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_TRIALS))
    return int(text) if plain and 1 <= int(text) <= MOST_TRIALS else None


def _seed(text: str) -> int | None:
    """Return a whole number from 0, None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= NUMBER_LENGTH else None


def _time(text: str) -> int:
    """Return milliseconds since the epoch, 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 14 else 0


def _is_finite(value: Any) -> bool:
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _shown(text: str) -> str:
    return shown(text) if text else "missing"
