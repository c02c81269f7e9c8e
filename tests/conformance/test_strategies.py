"""Every strategy keeps every promise, and for every promise a strategy that breaks it is rejected."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mlflow_tune.space import Categorical
from mlflow_tune.strategies import STRATEGIES, Bayesian, Bisection, Random, make_strategy, strategy_to_json
from mlflow_tune.strategies.base import next_number
from mlflow_tune.trial import Suggestion
from tests.conformance import strategies as suite

IDS = [f"{strategy}-{'-'.join(space)}" for strategy, space in suite.CASES]
EACH = [
    pytest.param(strategy, space, marks=pytest.mark.slow if isinstance(strategy, Bayesian) else ())
    for strategy, space in suite.CASES
]


@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("strategy", "space"), EACH, ids=IDS)
def test_strategy_keeps_its_promise(check, strategy, space):
    check(strategy, space)


@pytest.mark.parametrize(("strategy", "space"), suite.CASES, ids=IDS)
def test_strategy_is_frozen_options_that_json_holds(strategy, space):
    assert make_strategy(strategy_to_json(strategy)) == strategy
    assert hash(strategy) == hash(make_strategy(strategy_to_json(strategy)))


def test_every_strategy_is_listed():
    assert {strategy.name for strategy, _ in suite.CASES} == set(STRATEGIES)


class Counts(Random):
    """Its seed is a counter: it is not a function of the history."""

    calls = itertools.count()

    def suggest(self, space, history, count):
        return Random(next(self.calls)).suggest(space, history, count)


class ConsumesItsRandomness(Random):
    """It keeps a live generator, so that a resumed study starts it anew."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "draws", np.random.default_rng(0))

    def suggest(self, space, history, count):
        units = [self.draws.random(len(space)) for _ in range(count)]
        return [Suggestion(space.from_unit(unit.tolist()), "drawn") for unit in units]


class ChangesParams(Random):
    """It alters the params of what `Random` says."""

    def alter(self, name, dimension, value):
        return value

    def suggest(self, space, history, count):
        return [
            replace(each, params={name: self.alter(name, space[name], value) for name, value in each.params.items()})
            for each in super().suggest(space, history, count)
        ]


class GivesNumpyScalars(ChangesParams):
    def alter(self, name, dimension, value):
        return value if isinstance(dimension, Categorical) else np.float64(value)


class GivesText(ChangesParams):
    def alter(self, name, dimension, value):
        return str(value)


class LeavesTheSpace(ChangesParams):
    def alter(self, name, dimension, value):
        return value if isinstance(dimension, Categorical) else dimension.high + 1


class GivesWholeFloats(ChangesParams):
    def alter(self, name, dimension, value):
        return value if isinstance(dimension, Categorical) else float(value)


class NamesNoReason(Random):
    def suggest(self, space, history, count):
        return [replace(each, why="") for each in super().suggest(space, history, count)]


class NeverEnds(Random):
    """It draws with replacement."""

    def suggest(self, space, history, count):
        first = next_number(history)
        units = [np.random.default_rng([0, first + index]).random(len(space)) for index in range(count)]
        return [Suggestion(space.from_unit(unit.tolist()), "drawn") for unit in units]


class GivesUp(Random):
    def suggest(self, space, history, count):
        return []


class GivesTooMuch(Random):
    def suggest(self, space, history, count):
        return super().suggest(space, history, count + 1)


class ChangesTheHistory(Random):
    def suggest(self, space, history, count):
        if isinstance(history, list) and history:
            history.pop()
        return super().suggest(space, history, count)


class Hashes(Random):
    """Its seed is a hash of a text, which every process computes otherwise."""

    def suggest(self, space, history, count):
        return Random(hash("mlflow") % 2**32).suggest(space, history, count)


class MindsTheCount(Random):
    def suggest(self, space, history, count):
        return Random(count).suggest(space, history, count) if count else []


class MindsTheRunId(Random):
    def suggest(self, space, history, count):
        return Random(sum(len(trial.run_id) for trial in history)).suggest(space, history, count)


class NeedsValues(Random):
    def suggest(self, space, history, count):
        sum(trial.value for trial in history if not trial.running)
        return super().suggest(space, history, count)


class EndsOnFailures(Random):
    def suggest(self, space, history, count):
        return (
            []
            if any(trial.done and trial.value is None for trial in history)
            else super().suggest(space, history, count)
        )


@dataclass(frozen=True)
class ForgetsTrials(Random):
    """It does not see the trials that `blind` names, but numbers its draws as it should, among few points."""

    blind: str = "running"

    def suggest(self, space, history, count):
        blind = [replace(trial, params={}) if getattr(trial, self.blind) else trial for trial in history]
        return [
            replace(each, params=first.params) if (first := self.first_free(space, blind)) else each
            for each in super().suggest(space, history, count)[:1]
        ]

    def first_free(self, space, history):
        seen = space.identities(trial.params for trial in history)
        cells = itertools.product([0.1, 0.5, 0.9], repeat=len(space))
        free = (space.from_unit(cell) for cell in cells)
        return next((Suggestion(each, "free") for each in free if space.identity(each) not in seen), None)


class NeedsPointsOfTheSpace(Random):
    def suggest(self, space, history, count):
        for trial in history:
            space.check(trial.params)
        return super().suggest(space, history, count)


BROKEN = [
    (Counts(), suite.check_pure),
    (Counts(), suite.check_keyed),
    (Counts(), suite.check_resumes),
    (ConsumesItsRandomness(), suite.check_pure),
    (ConsumesItsRandomness(), suite.check_keyed),
    (ConsumesItsRandomness(), suite.check_resumes),
    (GivesNumpyScalars(), suite.check_in_space),
    (GivesText(), suite.check_in_space),
    (LeavesTheSpace(), suite.check_in_space),
    (GivesWholeFloats(), suite.check_in_space),
    (NamesNoReason(), suite.check_in_space),
    (NeverEnds(), suite.check_exhausts),
    (GivesUp(), suite.check_accepts),
    (GivesTooMuch(), suite.check_accepts),
    (ChangesTheHistory(), suite.check_pure),
    (Hashes(), suite.check_fresh_process),
    (MindsTheCount(), suite.check_keyed),
    (MindsTheRunId(), suite.check_resumes),
    (EndsOnFailures(), suite.check_failures),
    (ForgetsTrials(blind="running"), suite.check_running),
    (ForgetsTrials(blind="done"), suite.check_exhausts),
]


@pytest.mark.parametrize(("strategy", "check"), BROKEN, ids=[f"{type(s).__name__}-{c.__name__}" for s, c in BROKEN])
def test_a_broken_strategy_is_rejected(strategy, check):
    with pytest.raises(suite.ConformanceError):
        check(strategy, suite.FINITE)


@pytest.mark.parametrize(
    ("strategy", "check"),
    [(NeedsValues(), suite.check_failures), (NeedsPointsOfTheSpace(), suite.check_odd_history)],
)
def test_a_strategy_that_crashes_is_rejected(strategy, check):
    with pytest.raises((TypeError, ValueError)):
        check(strategy, suite.FINITE)


class DoesNotWait(Bisection):
    """It starts the next round while the last one still runs."""

    def suggest(self, space, history, count):
        return super().suggest(space, [trial for trial in history if not trial.running], count)


class WaitsForTheFirstOnly(Bisection):
    """It starts the next round when the first trial of the last one has ended."""

    def suggest(self, space, history, count):
        ended = {id(trial) for trial in history if not trial.running}
        late = [trial for before, trial in itertools.pairwise(history) if trial.running and id(before) in ended]
        return super().suggest(space, [trial for trial in history if trial not in late], count)


class GivesUpOnTwoFailures(Bisection):
    def suggest(self, space, history, count):
        return [] if sum(trial.value is None for trial in history) == 2 else super().suggest(space, history, count)


@pytest.mark.parametrize(
    ("strategy", "check"),
    [
        (DoesNotWait(), suite.check_keyed),
        (WaitsForTheFirstOnly(), suite.check_keyed),
        (GivesUpOnTwoFailures(), suite.check_failures),
    ],
)
def test_a_broken_bisection_is_rejected(strategy, check):
    with pytest.raises(suite.ConformanceError):
        check(strategy, suite.LINE)
