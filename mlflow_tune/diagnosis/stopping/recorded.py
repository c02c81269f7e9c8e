"""A course on its way into one MLflow tag, `tune.curve`, and back: thinned to what a rule can use."""

from __future__ import annotations

import json
import math
from contextlib import suppress

from mlflow_tune.diagnosis.stopping.base import Course, Verdict
from mlflow_tune.text import is_number, rounded
from mlflow_tune.trial import Goal

MOST_POINTS = 100
DIGITS = 9
LONGEST = 10_000_000  # steps that are believed


def course_to_json(course: Course, control: bool = False, verdict: Verdict | None = None) -> str:
    """Return JSON of less than 8,000 characters: at most 100 values, the last step of each of equal pieces.

    `control` says that a rule would have stopped the trial, which ran on to show what that would have cost. `verdict`
    is what did stop it: its step and threshold are kept.
    """
    every = -(-len(course) // MOST_POINTS) or 1
    ends = [min(step, len(course)) for step in range(every, len(course) + every, every)]
    values = [_number(course.values[step - 1]) for step in ends]
    form = {"steps": len(course), "every": every, "values": values, **({"control": True} if control else {})}
    if verdict and verdict.threshold is not None:
        form["bar"] = [verdict.step, _number(verdict.threshold)]
    return json.dumps(form, separators=(",", ":"))


def _number(value: float) -> float | str:
    return rounded(value, DIGITS) if math.isfinite(value) else str(value)


def course_from_json(text: str, number: int, metric: str, goal: Goal, value: float | None) -> Course | None:
    """Return the course that a tag holds, None for what is none: the server may hold anything.

    A value that was left out is taken to be the one that follows.
    """
    with suppress(KeyError, TypeError, ValueError, RecursionError, OverflowError):
        form = json.loads(text)
        steps, every, kept = form["steps"], form["every"], form["values"]
        whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (steps, every))
        if whole and 1 <= every <= steps <= LONGEST and len(kept) == -(-steps // every) <= MOST_POINTS:
            values = [float(each) for each in kept if is_number(each) or each in ("nan", "inf", "-inf")]
            if len(values) == len(kept):
                return Course(number, metric, goal, tuple(values[step // every] for step in range(steps)), value)
    return None


def steps_from_json(text: str) -> int | None:
    """Return how many steps the trial took whose tag this is, None for what is no such tag."""
    with suppress(KeyError, TypeError, ValueError, RecursionError):
        steps = json.loads(text)["steps"]
        return steps if isinstance(steps, int) and 1 <= steps <= LONGEST else None
    return None


def bar_from_json(text: str) -> tuple[int, float] | None:
    """Return the step after which the trial whose tag this is was stopped, and the value that was asked of it there.

    None for a trial that was not stopped, or by a rule that asks for no value.
    """
    with suppress(KeyError, TypeError, ValueError, RecursionError):
        step, value = json.loads(text)["bar"]
        if isinstance(step, int) and not isinstance(step, bool) and 1 <= step <= LONGEST and is_number(value):
            return step, float(value)
    return None


def is_control(text: str) -> bool:
    """Return whether the trial whose tag this is ran on as a control."""
    with suppress(ValueError, RecursionError, AttributeError):
        return json.loads(text).get("control") is True
    return False
