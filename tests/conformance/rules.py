"""The conformance suite for rules that stop trials: each check takes a rule, and fails unless a promise is kept.

`CASES` lists what is checked, each rule with a course that it must stop: a new rule gets its tests by standing there.
The checks raise `ConformanceError`, so that `test_rules.py` can show that each of them rejects a broken rule.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import replace

from mlflow_tune.diagnosis.stopping import (
    Asha,
    Course,
    Diverged,
    Extrapolate,
    Median,
    Patience,
    Peers,
    Percentile,
    Rule,
    Verdict,
    make_rule,
    rule_to_json,
)
from tests.conformance.strategies import ConformanceError, demand

__all__ = ["CASES", "CHECKS", "ConformanceError"]

LENGTH = 16


def falling(number: int, end: float, pace: float = 4.0, length: int = LENGTH, done: bool = True) -> Course:
    """Return a loss that falls from 2.3 towards `end`, of a trial that trained to its end unless not `done`."""
    values = tuple(end + (2.3 - end) * math.exp(-step / pace) for step in range(1, length + 1))
    return Course(number, "val_loss", "minimize", values, values[-1] if done else None)


PEERS = [falling(number, 0.1 + 0.05 * number) for number in range(1, 9)]
HOPELESS = falling(20, 2.1, done=False)
BEST = falling(21, 0.01, pace=3.0, done=False)
IDLE = Course(22, "val_loss", "minimize", tuple(0.3 + 0.01 * min(abs(step - 4), 6) for step in range(LENGTH)))
BLOWN = Course(23, "val_loss", "minimize", (2.3, 1.9, 1.5, math.nan, math.nan, math.nan))
CASES: list[tuple[Rule, Course]] = [
    (Median(), HOPELESS),
    (Percentile(), HOPELESS),
    (Percentile(keep=25), HOPELESS),
    (Asha(), HOPELESS),
    (Asha(eta=2, first=2), HOPELESS),
    (Patience(steps=4), IDLE),
    (Diverged(), BLOWN),
    (Extrapolate(), HOPELESS),
]


def peers_of(courses: Sequence[Course], steps: int = LENGTH) -> Peers:
    """Return what is known when these trials have come so far, and those that are complete have ended."""
    peers = Peers()
    for course in courses:
        for step in range(1, min(steps, len(course)) + 1):
            peers.note(course, step)
        if course.complete:
            peers.finish(course, range(1, len(course) + 1))
    return peers


def verdicts(rule: Rule, course: Course, peers: Peers) -> list[Verdict | None]:
    """Return what the rule says after each step."""
    return [rule.judge(course, step, step - 1, peers) for step in range(1, len(course) + 1)]


def known(peers: Peers) -> object:
    steps = range(1, LENGTH + 1)
    columns = [(peers.reached(step), peers.lows(step), peers.costs(step), peers.means(step)) for step in steps]
    return copy.deepcopy((columns, peers.ended))


# --- the checks ------------------------------------------------------------------------------------------------


def check_pure(rule: Rule, hopeless: Course) -> None:
    """The same question has the same answer, also from a copy, and what is known of the others stays as it was."""
    peers = peers_of(PEERS)
    before = known(peers)
    first = verdicts(rule, hopeless, peers)
    demand(known(peers) == before, "the peers were changed")
    demand(verdicts(rule, hopeless, peers) == first, "another answer to the same question", first)
    backwards = [rule.judge(hopeless, step, step - 1, peers) for step in range(len(hopeless), 0, -1)]
    demand(backwards[::-1] == first, "the answer depends on what was asked before", first)
    demand(verdicts(copy.deepcopy(rule), hopeless, peers_of(PEERS)) == first, "a copy answers otherwise", first)


def check_stops(rule: Rule, hopeless: Course) -> None:
    """A trial that is made to be stopped by the rule is stopped before its end."""
    found = verdicts(rule, hopeless, peers_of(PEERS))[:-1]
    demand(any(found), "a hopeless trial runs to its end", found)


def check_spares_the_best(rule: Rule, hopeless: Course) -> None:
    """A trial that is the best at every step and goes on getting better is never stopped, however many others ran."""
    for peers in (Peers(), peers_of(PEERS[:1]), peers_of([*PEERS, HOPELESS, IDLE, BLOWN])):
        demand(not any(verdicts(rule, BEST, peers)), "the best trial is stopped", verdicts(rule, BEST, peers))


def check_first(rule: Rule, hopeless: Course) -> None:
    """The first trial of a study has nobody to be worse than: none that still learns is stopped."""
    slow = falling(1, 0.2, pace=20, done=False)
    demand(not any(verdicts(rule, slow, Peers())), "the first trial is stopped", verdicts(rule, slow, Peers()))


def check_sees_no_future(rule: Rule, hopeless: Course) -> None:
    """What comes after a step does not count, nor does what the trial comes to, or its number."""
    peers = peers_of(PEERS)
    ends = replace(hopeless, value=0.0, number=99)
    for step in range(1, len(hopeless) + 1):
        then = rule.judge(hopeless.until(step), step, step - 1, peers)
        for later in (hopeless, ends, replace(hopeless, values=hopeless.values[:step] + (0.0,) * 9)):
            demand(rule.judge(later, step, step - 1, peers) == then, "it sees the future", step, then)


def check_order(rule: Rule, hopeless: Course) -> None:
    """In which order the others ran does not count."""
    forth, back = (verdicts(rule, hopeless, peers_of(order)) for order in (PEERS, PEERS[::-1]))
    same = [_essence(each) for each in forth] == [_essence(each) for each in back]
    demand(same, "the order of the others counts", forth, back)


def _essence(verdict: Verdict | None) -> object:
    return verdict and (verdict.step, repr(verdict.value), verdict.words)


def check_goals(rule: Rule, hopeless: Course) -> None:
    """A metric that is to rise is judged as its negative, which is to fall; values keep the metric's own sign."""
    if rule.absolute:  # it reads from the metric's name which way is better
        return
    falls = verdicts(rule, hopeless, peers_of(PEERS))
    rises = verdicts(rule, _mirrored(hopeless), peers_of([_mirrored(each) for each in PEERS]))
    for fall, rise in zip(falls, rises, strict=True):
        demand((fall is None) == (rise is None), "the goal counts", fall, rise)
        demand(fall is None or (fall.step, -fall.value) == (rise.step, rise.value), "a wrong sign", fall, rise)
        limits = fall and (fall.threshold, rise.threshold)
        demand(not limits or limits[0] is None or math.isclose(limits[0], -limits[1]), "a wrong sign", limits)


def _mirrored(course: Course) -> Course:
    value = None if course.value is None else -course.value
    return replace(course, goal="maximize", values=tuple(-each for each in course.values), value=value)


def check_words(rule: Rule, hopeless: Course) -> None:
    """A verdict names rule, step, value and threshold, and says in one line, with the metric's name, why."""
    peers = peers_of(PEERS)
    for step, verdict in enumerate(verdicts(rule, hopeless, peers), start=1):
        if verdict is None:
            continue
        demand(verdict.rule == rule.name and verdict.step == step, "another rule or step", verdict)
        demand(repr(verdict.value) == repr(hopeless.values[step - 1]), "another value", verdict)
        demand(verdict.words.startswith(f"{rule.name}: ") and "\n" not in verdict.words, "no reason in a line", verdict)
        demand("val_loss" in verdict.words, "no metric", verdict)
        demand("step" in verdict.words or "rung" in verdict.words, "no step", verdict)
        limit = verdict.threshold
        demand(limit is None or (type(limit) is float and math.isfinite(limit)), "no threshold", verdict)
        ranked = verdict.ranked(hopeless, peers)
        demand(ranked.reason.endswith(f"rank {ranked.place} of {len(PEERS) + 1}"), "no rank", ranked)


def check_odd_curves(rule: Rule, hopeless: Course) -> None:
    """Whatever was logged has an answer."""
    infinite, huge = (math.inf, -math.inf, math.nan), (1.797e308, -1.797e308, 1e300)
    odd = [
        (),
        (0.0,),
        (1.0,) * 9,
        infinite,
        huge,
        (1e200, -1e200) * 4,
        (math.nan, 1.0, 2.0, 3.0, 4.0, 5.0),
        (5e-324, 0.0, -0.0, 5e-324, 0.0),
    ]
    courses = [Course(40 + index, "val_loss", "minimize", values) for index, values in enumerate(odd)]
    ended = [replace(each, value=each.values[-1]) for each in courses if each.values]
    for peers in (Peers(), peers_of(ended), peers_of([*ended, *PEERS])):
        for course in [*courses, hopeless, BEST]:
            for verdict in filter(None, verdicts(rule, course, peers)):
                demand(bool(verdict.words), "no words", verdict)


def check_options(rule: Rule, hopeless: Course) -> None:
    """Its options go through JSON, and through what people write, and equal options are equal rules."""
    for written in (json.loads(json.dumps(rule_to_json(rule))), rule.label):
        demand(make_rule(written) == rule and hash(make_rule(written)) == hash(rule), "another rule", written)


CHECKS = [
    check_pure,
    check_stops,
    check_spares_the_best,
    check_first,
    check_sees_no_future,
    check_order,
    check_goals,
    check_words,
    check_odd_curves,
    check_options,
]
