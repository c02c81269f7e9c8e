"""Every rule that stops trials keeps every promise, and for every promise a rule that breaks it is rejected."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pytest

from mlflow_tune.diagnosis.stopping import RULES, Asha, Median, make_rule
from mlflow_tune.errors import InputError
from tests.conformance import rules as suite

IDS = [rule.label for rule, _ in suite.CASES]


@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("rule", "hopeless"), suite.CASES, ids=IDS)
def test_rule_keeps_its_promise(check, rule, hopeless):
    check(rule, hopeless)


def test_every_rule_is_listed():
    assert {rule.name for rule, _ in suite.CASES} == set(RULES)


@pytest.mark.parametrize(
    ("written", "key", "said"),
    [
        ("meadian", "name", "did you mean 'median'?"),
        ("asha(eta=1)", "eta", "must be at least 2, but got 1"),
        ("asha(first=0)", "first", "must be at least 1, but got 0"),
        ("asha(etta=3)", "etta", "did you mean 'eta'?"),
        ("asha(3)", "", "an option is written as in asha(eta=3), but got '3'"),
        ("asha(", "", "must be a rule such as asha or asha(eta=3)"),
        ({"name": "percentile", "keep": 100}, "keep", "0 < keep < 100 must hold, but got 100"),
        ({"name": "patience", "steps": 2.5}, "steps", "must be a whole number, but got 2.5"),
        ({"name": "extrapolate", "probability": True}, "probability", "must be a finite number, but got True"),
        ({"eta": 3}, "", "must be a rule such as asha or {name: asha, eta: 3}"),
        (None, "", "but got nothing"),
    ],
)
def test_what_is_no_rule_is_refused_in_words(written, key, said):
    with pytest.raises(InputError) as caught:
        make_rule(written)
    assert caught.value.key == key
    assert said in str(caught.value)


class Counts(Median):
    """It is no function of the curves."""

    calls = itertools.count()

    def judge(self, course, step, since, peers):
        return super().judge(course, step, since, peers) if next(self.calls) % 3 else None


class TakesFromItsPeers(Median):
    def judge(self, course, step, since, peers):
        found = super().judge(course, step, since, peers)
        peers.ended.clear()
        return found


class StopsNothing(Median):
    def judge(self, course, step, since, peers):
        return None


class StopsAll(Median):
    def judge(self, course, step, since, peers):
        return self._verdict(course, step, 0.0, f"{course.metric} at step {step}")


class StopsTheFirst(Median):
    """It takes an empty table for a bar at zero."""

    def judge(self, course, step, since, peers):
        found = super().judge(course, step, since, peers)
        return found if peers.means(step) else self._verdict(course, step, 0.0, f"{course.metric} at step {step}")


class SeesTheFuture(Median):
    def judge(self, course, step, since, peers):
        return super().judge(course, len(course), since, peers)


class SeesTheEnd(Median):
    def judge(self, course, step, since, peers):
        return None if course.complete else super().judge(course, step, since, peers)


class MindsTheOrder(Median):
    """The last trial that ended is its bar."""

    def judge(self, course, step, since, peers):
        if peers.ended and course.costs[step - 1] > (limit := peers.ended[-1].costs[step - 1]):
            return self._verdict(course, step, limit, f"{course.metric} at step {step}, and {limit}")
        return None


class TakesAllForLosses(Median):
    def judge(self, course, step, since, peers):
        return super().judge(replace(course, goal="minimize"), step, since, peers)


class TellsCosts(Median):
    def judge(self, course, step, since, peers):
        found = super().judge(course, step, since, peers)
        return found and replace(found, threshold=-course.as_value(-found.threshold))


class SaysNothing(Median):
    def judge(self, course, step, since, peers):
        found = super().judge(course, step, since, peers)
        return found and replace(found, words="")


class NeedsFiniteValues(Median):
    def judge(self, course, step, since, peers):
        int(course.values[step - 1])
        return super().judge(course, step, since, peers)


@dataclass(frozen=True)
class ForgetsAnOption(Asha):
    def __post_init__(self):
        object.__setattr__(self, "eta", 2)


BROKEN = [
    (Counts(), suite.check_pure),
    (TakesFromItsPeers(), suite.check_pure),
    (StopsNothing(), suite.check_stops),
    (StopsAll(), suite.check_spares_the_best),
    (StopsTheFirst(), suite.check_first),
    (SeesTheFuture(), suite.check_sees_no_future),
    (SeesTheEnd(), suite.check_sees_no_future),
    (MindsTheOrder(), suite.check_order),
    (TakesAllForLosses(), suite.check_goals),
    (TellsCosts(), suite.check_goals),
    (SaysNothing(), suite.check_words),
    (ForgetsAnOption(), suite.check_options),
]


@pytest.mark.parametrize(("rule", "check"), BROKEN, ids=[f"{type(r).__name__}-{c.__name__}" for r, c in BROKEN])
def test_a_broken_rule_is_rejected(rule, check):
    with pytest.raises(suite.ConformanceError):
        check(rule, suite.HOPELESS)


def test_a_rule_that_crashes_is_rejected():
    with pytest.raises((ValueError, OverflowError)):
        suite.check_odd_curves(NeedsFiniteValues(), suite.HOPELESS)
