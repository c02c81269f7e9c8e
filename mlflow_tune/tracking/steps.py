"""How many steps the trials of a study trained, epochs or batches: what stopping some of them saves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import KIND, RAISED, learning_curve, search
from mlflow_tune.tracking.studies import StudyRecord


def trained_steps(client: Client, study: StudyRecord, metric: str) -> int | None:
    """Return for how many steps of the metric all attempts at the study's trials trained, None when nothing tells.

    A step is one logged value of the metric. One search tells the last step of each attempt, the longest curve how far
    apart they are; what was trained on has its curve read, which may begin where another one ended.
    """
    query = f"tags.`mlflow.parentRunId` = '{study.run_id}' and tags.`{KIND}` = 'trial'"
    last: dict[str, int] = {}
    counted: dict[str, int] = {}
    for run in search(client, [study.experiment_id], query):
        run_id, tags = run.info.run_id, run.data.tags
        if (step := _last_step(run, metric)) is None:
            continue
        last[run_id] = step
        if known := _kept(tags):
            counted[run_id] = known
        elif RAISED in tags:
            counted[run_id] = len(dict(learning_curve(client, run_id, metric)))
    if not last:
        return None
    longest = max(last, key=lambda run_id: last[run_id])
    steps = sorted(dict(learning_curve(client, longest, metric)))
    if len(steps) < 2 and not counted:
        return None
    apart = Counter(after - before for before, after in pairwise(steps)).most_common(1)
    spacing = apart[0][0] if apart else 1
    return sum(counted.get(run_id) or max(1, (step - steps[0]) // spacing + 1) for run_id, step in last.items())


def _last_step(run: Any, metric: str) -> int | None:
    found = (each.step for each in run.data.to_proto().metrics if each.key == metric)
    return next((int(step) for step in found), None)


def _kept(tags: Mapping[str, str]) -> int:
    """Return how many steps the curve has that stays with a trial in a study that may stop some, 0 where none does."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        steps = json.loads(tags.get("tune.curve", "{}"))["steps"]
        return steps if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0 else 0
    return 0
