"""What every rule is that may stop a trial: a pure function of the learning curves that a study has."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

from mlflow_tune.trial import Curve, Goal, is_finite

_T = TypeVar("_T")


@dataclass(frozen=True)
class Course:
    """How the tuned metric of one trial went: a value after each of its own steps, which count from 1.

    Whether such a step is an epoch or a batch is what the training code made it: each value that it logged is one.
    `value` is what a trial came to that trained to its end, None for one that has not, or was stopped. `beside` are the
    other metrics so far, as they were logged.
    """

    number: int
    metric: str
    goal: Goal
    values: tuple[float, ...]
    value: float | None = None
    beside: Mapping[str, Curve] = field(default_factory=dict, hash=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def complete(self) -> bool:
        """Whether the trial trained to its end."""
        return self.value is not None

    @property
    def end(self) -> float:
        """The cost of what the trial came to, infinite where it came to nothing."""
        return math.inf if self.value is None else self.as_cost(self.value)

    @cached_property
    def costs(self) -> tuple[float, ...]:
        """The values with lower = better, infinite where they are no finite numbers."""
        return tuple(self.as_cost(value) for value in self.values)

    @cached_property
    def lows(self) -> tuple[float, ...]:
        """The lowest cost up to each step."""
        return tuple(accumulate(self.costs, min))

    @cached_property
    def means(self) -> tuple[float, ...]:
        """The mean cost up to each step."""
        return tuple(total / count for count, total in enumerate(accumulate(self.costs), start=1))

    def as_cost(self, value: float) -> float:
        """Return a value with lower = better, infinite for one that is no finite number."""
        if not is_finite(value):
            return math.inf
        return value if self.goal == "minimize" else -value

    def as_value(self, cost: float) -> float:
        """Return a cost in the metric's own sign."""
        return cost if self.goal == "minimize" else -cost

    def until(self, step: int) -> Course:
        """Return the course as it was known after the step, when nobody knew what it would come to."""
        return replace(self, values=self.values[:step], value=None, beside={})


def course_of(number: int, curve: Curve, metric: str, goal: Goal, value: float | None = None) -> Course:
    """Return the course of a metric that was logged with steps, in any order; of a repeated step the last value counts.

    `value` is what the trial came to that trained to its end.
    """
    points = dict(sorted(curve, key=lambda point: point[0]))
    return Course(number, metric, goal, tuple(points.values()), value)


class Peers:
    """What is known of a study's other trials, by step; each column is sorted, the best first.

    Trials are noted at the steps at which they are judged, and again when they have trained to their end.
    """

    def __init__(self) -> None:
        self.ended: list[Course] = []
        self._reached: defaultdict[int, list[float]] = defaultdict(list)
        self._lows: defaultdict[int, list[float]] = defaultdict(list)
        self._costs: defaultdict[int, list[float]] = defaultdict(list)
        self._means: defaultdict[int, list[float]] = defaultdict(list)
        self._remembered: dict[Hashable, Any] = {}

    def note(self, course: Course, step: int) -> None:
        """Note that a trial has reached the step."""
        insort(self._reached[step], course.costs[step - 1])
        insort(self._lows[step], course.lows[step - 1])

    def finish(self, course: Course, steps: Iterable[int]) -> None:
        """Note that a trial has trained to its end, by way of these steps."""
        self._remembered.clear()
        self.ended.append(course)
        for step in steps:
            insort(self._costs[step], course.costs[step - 1])
            insort(self._means[step], course.means[step - 1])

    def reached(self, step: int) -> Sequence[float]:
        """Return the costs at the step of all trials that have reached it."""
        return self._reached[step]

    def lows(self, step: int) -> Sequence[float]:
        """Return the lowest costs up to the step of all trials that have reached it."""
        return self._lows[step]

    def costs(self, step: int) -> Sequence[float]:
        """Return the costs at the step of the trials that trained to their end."""
        return self._costs[step]

    def means(self, step: int) -> Sequence[float]:
        """Return the mean costs up to the step of the trials that trained to their end."""
        return self._means[step]

    def remembered(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what `make` makes of the trials that ended, made once as long as they are the same ones."""
        if key not in self._remembered:
            self._remembered[key] = make()
        found: _T = self._remembered[key]
        return found


@dataclass(frozen=True)
class Verdict:
    """Why a trial is to stop: the rule, the step, the value there, and the value that it should have had.

    Values bear the metric's own sign. `words` is one line for people; `place` is the trial's rank among the `of` trials
    that reached the step, itself included, by their best value until then; 0 where nobody counted.
    """

    rule: str
    step: int
    value: float
    threshold: float | None
    words: str
    place: int = 0
    of: int = 0

    def ranked(self, course: Course, peers: Peers) -> Verdict:
        """Return the verdict with the trial's place among those that reached the step."""
        lows = peers.lows(self.step)
        return replace(self, place=bisect_left(lows, course.lows[self.step - 1]) + 1, of=len(lows) + 1)

    @property
    def reason(self) -> str:
        """The verdict in one line, with the rank."""
        return f"{self.words}; rank {self.place} of {self.of}" if self.place else self.words


@dataclass(frozen=True)
class Rule(ABC):
    """Tells which trials are to stop, from their curves and from nothing else.

    A rule is a frozen dataclass of its options; one that is out of range raises `InputError` with the option as key.
    Equal options and equal curves give equal verdicts.
    """

    name: ClassVar[str]
    """The word that a study file uses for the rule."""

    absolute: ClassVar[bool] = False
    """Whether what it stops never comes back, so that no trial is safe from it."""

    @abstractmethod
    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Return why the trial is to stop after `step`, None when it may go on.

        Nothing of the course after `step` counts. `since` is the step at which it was judged before, 0 for none.
        """

    @property
    def label(self) -> str:
        """The rule with its options, as people write it: `asha(eta=3, first=1)`."""
        options = ", ".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))
        return f"{self.name}({options})" if options else self.name

    def _verdict(self, course: Course, step: int, threshold: float | None, words: str) -> Verdict:
        """Return the verdict in words; `threshold` is a cost."""
        limit = None if threshold is None else course.as_value(threshold)
        return Verdict(self.name, step, course.values[step - 1], limit, f"{self.name}: {words}")


def curve_words(course: Course, step: int, cost: float) -> str:
    """Return the metric's value after a step in words: `val_loss was 0.42 at best by its step 7`."""
    return f"{course.metric} was {course.as_value(cost):.6g} at best by its step {step}"
