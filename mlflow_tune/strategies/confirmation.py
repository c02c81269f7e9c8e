"""Confirmation: the best points of a study are tried again under fresh seeds, until it is clear which is the best.

The best of many noisy values is partly luck. What comes next, and what has come of it, are pure functions of the
study's trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from mlflow_tune.space import Value
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.strategies.selection import Belief, believe, mean_of, next_setting, pooled
from mlflow_tune.text import counted, number_text, trial_label, value_text
from mlflow_tune.trial import Goal, Suggestion, Trial, ranked, searched

NAME = "confirm"  # who has chosen a replicate, in the place of a strategy's name
UNTIL = 0.95
Point: TypeAlias = tuple[tuple[str, str], ...]  # names and values of parameters
FIRST = 2  # so often each leader is tried again before the best of them is judged


@dataclass(frozen=True)
class Plan:
    """How many of the best points are tried again, under how many seeds at the most each, and until when.

    `until` is the probability that one is the best, at which it is clear enough.
    """

    top: int
    seeds: int
    until: float = UNTIL

    @property
    def trials(self) -> int:
        """The most replicates that are run."""
        return self.top * self.seeds


@dataclass(frozen=True)
class Leader:
    """One of the best points: its trial as it was found, and its replicates by number."""

    trial: Trial
    replicates: Sequence[Trial]

    @property
    def number(self) -> int:
        """The number of its trial."""
        return self.trial.number

    @property
    def values(self) -> list[float]:
        """What the replicates that ended well came to."""
        return [each.value for each in self.replicates if each.value is not None]

    @property
    def mean(self) -> float | None:
        """The mean of what the replicates came to, None while none has a value."""
        return mean_of(self.values) if self.values else None

    @property
    def without(self) -> int:
        """How many replicates ended without a value."""
        return sum(each.done and each.value is None for each in self.replicates)


def point_of(trial: Trial, seeds: Seeds) -> Point:
    """Return what the trials of one point have in common, trained for as long, whatever their seed."""
    own = seeds.name if seeds.searched else ""
    return tuple(sorted((name, value_text(value)) for name, value in trial.trained_with.items() if name != own))


@dataclass(frozen=True)
class Confirmation:
    """The confirmation of one study, as its trials stand: those that may not be the best have no value."""

    plan: Plan
    goal: Goal
    seeds: Seeds
    trials: Sequence[Trial]

    @cached_property
    def leaders(self) -> list[Leader]:
        """The best points, by what the search has seen of them: fewer than planned where fewer have a value."""
        found: dict[Point, Leader] = {}
        for trial in ranked(searched(self.trials), self.goal):
            found.setdefault(point_of(trial, self.seeds), Leader(trial, ()))
        kept = dict(list(found.items())[: self.plan.top])
        again: dict[Point, list[Trial]] = {point: [] for point in kept}
        for trial in self.trials:
            if trial.replicate and (point := point_of(trial, self.seeds)) in again:
                again[point].append(trial)
        return [replace(leader, replicates=again[point]) for point, leader in kept.items()]

    @property
    def most(self) -> int:
        """Under how many fresh seeds a point is tried at the most."""
        return self.seeds.most(self.plan.seeds)

    def next(self, count: int) -> list[Suggestion]:
        """Return up to `count` replicates to start now.

        None while a trial of the search runs, when it is clear which point is the best, and when the seeds are used up.
        """
        if any(trial.running for trial in searched(self.trials)):
            return []
        started = {leader.number: list(leader.replicates) for leader in self.leaders}
        found: list[Suggestion] = []
        while len(found) < count and (leader := self._next(started)) is not None:
            found.append(self._replicate(leader, started[leader.number]))
            ahead = Trial(0, found[-1].params, replicate=leader.number, seed=found[-1].seed)
            started[leader.number].append(ahead)
        return found

    def _next(self, started: dict[int, list[Trial]]) -> Leader | None:
        """Return the leader to try again next; those that run count as if they had told what is expected of them."""
        if self.deterministic:
            return None
        counts = {leader.number: len(started[leader.number]) for leader in self.leaders}
        new = [leader for leader in self.leaders if counts[leader.number] < min(FIRST, self.most)]
        if new:
            return min(new, key=lambda leader: counts[leader.number])
        if self.decided:
            return None
        if not self.contenders:
            more = [leader for leader in self._awaited or self.leaders if counts[leader.number] < self.most]
            return min(more, key=lambda leader: counts[leader.number], default=None)
        costs = [mean_of(values) for values in self._observed]
        taken = [counts[leader.number] for leader in self.contenders]
        index = next_setting(costs, self.noise, taken, self.most)
        return None if index is None else self.contenders[index]

    def _replicate(self, leader: Leader, started: Sequence[Trial]) -> Suggestion:
        seed = self._fresh(leader, started)
        words = f", {self.seeds.name} {value_text(seed)}" if seed is not None else ""
        why = (
            f"replicate {len(started) + 1} of up to {self.most} of trial {leader.number}, "
            f"whose value {number_text(leader.trial.value)} may be luck{words}"
        )
        trial, searched_seed = leader.trial, {self.seeds.name: seed} if self.seeds.searched else {}
        number = seed if isinstance(seed, int) and not searched_seed else None
        params = {**trial.params, **searched_seed}
        return Suggestion(params, why, replicate=trial.number, seed=number, raised=trial.raised)

    def _fresh(self, leader: Leader, started: Sequence[Trial]) -> Value:
        """Return the next seed of a leader: where there are enough, one that no leader was found with."""
        own = [self.seeds.of(trial) for trial in [leader.trial, *started]]
        seed = self.seeds.fresh([*own, *(self.seeds.of(each.trial) for each in self.leaders)])
        return self.seeds.fresh(own) if seed is None else seed

    # --- what has come of it ------------------------------------------------------------------------------------------

    @property
    def _awaited(self) -> list[Leader]:
        """The leaders none of whose replicates has a value yet, though one still may."""
        return [
            leader
            for leader in self.leaders
            if not leader.values and sum(each.done for each in leader.replicates) < self.most
        ]

    @cached_property
    def contenders(self) -> list[Leader]:
        """The leaders most of whose replicates have a value; none while that of another is awaited."""
        return [] if self._awaited else [each for each in self.leaders if len(each.values) > each.without]

    @property
    def deterministic(self) -> bool:
        """Whether each replicate came to exactly what its point had come to before, and there are enough to say so."""
        same = [value == leader.trial.value for leader in self.contenders for value in leader.values]
        return all(same) and len(same) >= max(min(FIRST, self.most * len(self.leaders)), 1)

    @cached_property
    def belief(self) -> Belief | None:
        """What the replicates tell of the contenders, to be minimised; None while that is too little."""
        noise, freedom = self._noise
        return believe(self._observed, noise, freedom) if self.contenders and freedom else None

    @property
    def noise(self) -> float:
        """The standard deviation of the values of one point, 0 while it is not known."""
        return self._noise[0]

    @property
    def decided(self) -> bool:
        """Whether it is clear which point is the best. Of one alone the value is asked, which every rerun tells of."""
        several = len(self.contenders) > 1
        return several and self.belief is not None and self.belief.best[self.belief.leader] >= self.plan.until

    @property
    def best(self) -> Leader | None:
        """The point with the best mean over the fresh seeds, None while that is not known."""
        if self.deterministic:
            return self.contenders[0]
        return None if self.belief is None else self.contenders[self.belief.leader]

    @property
    def _sign(self) -> float:
        return 1.0 if self.goal == "minimize" else -1.0

    @property
    def _observed(self) -> list[list[float]]:
        return [[self._sign * value for value in leader.values] for leader in self.contenders]

    @cached_property
    def _noise(self) -> tuple[float, int]:
        """The standard deviation of the values of one point, and its degrees of freedom.

        The first value of a leader was picked for being good; it counts only where the replicates show no noise.
        """
        groups: dict[Point, list[float]] = {}
        for trial in self.trials:
            if trial.replicate and trial.value is not None:
                groups.setdefault(point_of(trial, self.seeds), []).append(trial.value)
        noise, freedom = pooled(list(groups.values()))
        if noise:
            return noise, freedom
        return pooled([[leader.trial.value or 0.0, *leader.values] for leader in self.contenders])

    def interval(self, leader: Leader) -> tuple[float, float] | None:
        """Return where (low, high) a leader's true value lies to 90 %, in the metric's own sign; None while unknown."""
        if self.deterministic and leader.trial.value is not None:
            return leader.trial.value, leader.trial.value
        if self.belief is None or leader not in self.contenders:
            return None
        index = self.contenders.index(leader)
        ends = sorted(self._sign * end for end in self.belief.interval(index))
        return ends[0], ends[1]

    # --- in words -----------------------------------------------------------------------------------------------------

    @property
    def words(self) -> str:
        """What has come of it, in a sentence, and of which points reruns ended without a value."""
        if not self.leaders:
            return "no trial has a value, so there is nothing to confirm"
        return "; ".join([self._verdict, *self.losses])

    @property
    def losses(self) -> list[str]:
        """Of which points reruns ended without a value, in words."""
        return [
            f"{trial_label(each.number)} has no value in {each.without} of {counted(len(each.replicates), 'rerun')}"
            for each in self.leaders
            if each.without
        ]

    @property
    def _verdict(self) -> str:
        if self.deterministic:
            name = trial_label(self.contenders[0].number)
            return f"{name} is the best: every rerun came to the very value that was seen before, so no noise shows"
        if self.belief is None or self.best is None:
            return f"not confirmed: {self._why_unknown()}"
        return self._told(self.belief, self.best)

    def _why_unknown(self) -> str:
        if not any(leader.replicates for leader in self.leaders):
            return "no trial was run again"
        if self._awaited:
            return f"no rerun of {_listed([leader.number for leader in self._awaited])} has a value"
        return "one rerun alone tells nothing" if self.contenders else "no point has a value in most of its reruns"

    def _told(self, belief: Belief, best: Leader) -> str:
        name, chance = trial_label(best.number), belief.best[belief.leader]
        if len(self.contenders) == 1:
            return f"{name} alone was run again, {counted(len(best.values), 'time')}"
        if chance >= self.plan.until:
            behind = [index for index in range(len(self.contenders)) if index != belief.leader]
            second = min(behind, key=belief.mean.__getitem__)
            level = self._level(belief, second, behind)
            more = f"; {_listed(level)} cannot be told apart" if len(level) > 1 else ""
            return f"{name} is best with probability {_chance(chance)}{more}"
        level = self._level(belief, belief.leader, range(len(self.contenders)))
        if len(level) < 2:  # each other one alone is behind, but not all of them together
            return f"{name} is best with probability {_chance(chance)}, which is not clear enough"
        return f"{_listed(level)} cannot be told apart; {name} is best with probability {_chance(chance)}"

    def _level(self, belief: Belief, first: int, others: Iterable[int]) -> list[int]:
        """Return the numbers of the trials that cannot be told from the `first` of them, its own among them."""
        level = [index for index in others if index == first or belief.ahead(first, index) < self.plan.until]
        return sorted(self.contenders[index].number for index in level)


def _listed(numbers: Sequence[int]) -> str:
    labels = [trial_label(number) for number in numbers]
    return " and ".join([", ".join(labels[:-1]), labels[-1]]) if len(labels) > 1 else "".join(labels)


def _chance(probability: float) -> str:
    """Return a probability in two digits, and none that looks certain."""
    return f"{probability:.2f}" if probability < 0.995 else "over 0.99"
