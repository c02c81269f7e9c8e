"""What a rule would have done with a study's complete curves: how much it saves, and how often the best survives."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mlflow_tune.diagnosis.stopping.base import Course, Rule
from mlflow_tune.diagnosis.stopping.watch import Terms, Watch

REPLAYS = 100
ONE_SIDED = 1.645  # standard deviations: the bound is below the truth in 95 of 100 cases
Trained: TypeAlias = Mapping[int, int]  # how many steps each trial trained, by number


@dataclass(frozen=True)
class Replay:
    """What came of replays of one rule under its terms.

    `saved` is the mean share of steps that were not trained, `kept` the share of replays in which the best trial
    trained to its end, `bound` the lower bound of that share which so few `curves` can show.
    """

    rule: Rule
    terms: Terms
    saved: float
    kept: float
    bound: float
    curves: int
    replays: int

    @property
    def label(self) -> str:
        """The rule with its options and what is safe from it."""
        return self.rule.label + (f" after {self.terms.after}" if self.terms.after else "")

    @property
    def words(self) -> str:
        """The figures in one sentence."""
        survives = f"the best trial survives in {round(self.kept * self.replays)} of {self.replays} replays"
        shows = f"which {self.curves} curves show to be at least {self.bound:.0%}"
        return f"{self.label} saves {self.saved:.0%} of the steps; {survives}, {shows}"


def replay(
    rule: Rule,
    terms: Terms,
    courses: Sequence[Course],
    seed: int = 0,
    replays: int = REPLAYS,
    workers: int = 1,
    weights: Sequence[float] | None = None,
) -> Replay:
    """Replay a rule over complete courses, each time as many of them drawn with replacement, in a random order.

    `weights` say how often each course is drawn, relative to the others. Of a trial that is drawn twice both are
    trials. Equal arguments give an equal answer.
    """
    tally = Tally(rule, terms, len(courses), workers)
    for drawn in samples(courses, seed, replays, weights):
        tally.add(drawn)
    return tally.result


class Tally:
    """What has come of the replays of one rule under its terms so far, of so many `curves`.

    Trials before these are not counted; until there are `evidence` complete ones the rule stops nothing.
    """

    def __init__(self, rule: Rule, terms: Terms, curves: int, workers: int, evidence: int = 0) -> None:
        self._rule = rule
        self._terms = terms
        self._acting = replace(terms, evidence=evidence) if evidence else terms
        self._curves = curves
        self._workers = workers
        self._saved = 0.0
        self.kept = 0
        self.done = 0

    @property
    def saved(self) -> float:
        """The mean share of steps saved so far."""
        return self._saved / max(self.done, 1)

    def add(self, courses: Sequence[Course]) -> None:
        """Replay the rule once more, over a resampled study."""
        trained = simulate([self._rule], self._acting, courses, self._workers)
        self._saved += saved_share(courses[-self._curves :], trained)
        self.kept += best_survives(courses, trained)
        self.done += 1

    @property
    def result(self) -> Replay:
        """The figures so far, of at least one replay."""
        share = self.kept / self.done
        bound = lower_bound(share, self._curves)
        return Replay(self._rule, self._terms, self.saved, share, bound, self._curves, self.done)


def samples(
    courses: Sequence[Course], seed: int, replays: int, weights: Sequence[float] | None = None, before: int = 0
) -> Iterator[list[Course]]:
    """Yield resampled studies of as many trials, numbered from 1 in the order in which they run.

    So many trials `before` them are drawn from what is worse than their best, so that none of these is the best.
    """
    import numpy as np

    shares = None if weights is None else np.asarray(weights, dtype=float) / sum(weights)
    for index in range(replays):
        draws = np.random.default_rng([seed, index])
        chosen = draws.choice(len(courses), len(courses), p=shares).tolist()
        best = min(courses[each].end for each in chosen)
        worse = [each for each, course in enumerate(courses) if course.end > best]
        first = draws.choice(worse, before).tolist() if worse and before else []
        yield [replace(courses[each], number=number) for number, each in enumerate([*first, *chosen], start=1)]


def simulate(rules: Sequence[Rule], terms: Terms, courses: Sequence[Course], workers: int = 1) -> Trained:
    """Return how many steps each course trains under the rules, with so many running at once, all at one pace."""
    watch = Watch(rules, terms, max(map(len, courses), default=0))
    waiting = deque(courses)
    running: list[Course] = []
    at: dict[int, int] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.popleft())
            at[running[-1].number] = 0
        for course in [*running]:
            at[course.number] += watch.stride
            # A trial at its last step has nothing left to save.
            if verdict := watch.follow(course, min(at[course.number], len(course) - 1)):
                at[course.number] = verdict.step
                watch.finish(course.until(verdict.step))
                running.remove(course)
            elif at[course.number] >= len(course):
                at[course.number] = len(course)
                watch.finish(course)
                running.remove(course)
    return at


def saved_share(courses: Sequence[Course], trained: Trained) -> float:
    """Return which share of the steps of the courses was not trained."""
    whole = sum(map(len, courses))
    return 1 - sum(trained[course.number] for course in courses) / whole if whole else 0.0


def best_survives(courses: Sequence[Course], trained: Trained) -> bool:
    """Return whether a trial that is as good as the best one trained to its end."""
    best = min(course.end for course in courses)
    return any(course.end == best and trained[course.number] == len(course) for course in courses)


def lower_bound(share: float, count: int) -> float:
    """Return the lower end of a one-sided 95 % interval for a share of so many independent cases.

    Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953. The cases are the curves: however often few curves
    are resampled, they show no more.
    """
    if not count:
        return 0.0
    square = ONE_SIDED**2 / count
    middle = share + square / 2
    return max(0.0, (middle - math.sqrt(square * (share * (1 - share) + square / 4))) / (1 + square))
