"""The latest points of metrics, as a search for runs tells them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Latest(NamedTuple):
    """The latest point of a metric: its step, value and time (ms), and the run that holds it."""

    step: int
    value: float
    time: int
    run_id: str


def latest_points(run: Any) -> dict[str, Latest]:
    """Return the latest point of each metric of a run."""
    points = run.data.to_proto().metrics
    return {each.key: Latest(each.step, each.value, each.timestamp, run.info.run_id) for each in points}
