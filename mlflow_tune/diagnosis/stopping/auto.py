"""The choice of a rule by replay: that which saves most among those that keep the best trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from mlflow_tune.diagnosis.stopping.asha import Asha
from mlflow_tune.diagnosis.stopping.base import Course, Rule
from mlflow_tune.diagnosis.stopping.extrapolate import Extrapolate
from mlflow_tune.diagnosis.stopping.joined import Joined
from mlflow_tune.diagnosis.stopping.median import Median
from mlflow_tune.diagnosis.stopping.percentile import Percentile
from mlflow_tune.diagnosis.stopping.replay import REPLAYS, Replay, Tally, samples
from mlflow_tune.diagnosis.stopping.watch import Terms

EVIDENCE = 5  # complete curves: before them `auto` stops nothing
FIRST = 20  # replays of every rule; those that save most are replayed further
KEEPS = 0.95  # of the replays, in which a rule must keep the best trial
CONTROLS = 10  # one trial in so many runs on where the chosen rule would stop it
_WARM_UPS = (0.125, 0.25, 0.5)  # of a trial's steps, which are safe
_FIRST_RUNG = 0.0625  # of a trial's steps: no rung of successive halving stands earlier


@dataclass(frozen=True)
class Choice:
    """The rule that `auto` takes, with its terms, None for none; `table` has every rule that was replayed."""

    chosen: Replay | None
    table: tuple[Replay, ...]
    why: str


def is_spared(number: int) -> bool:
    """Return whether a trial runs on where `auto` would stop it: one in `CONTROLS`, by the trial's number."""
    import numpy as np

    return bool(np.random.default_rng([CONTROLS, number]).random() < 1 / CONTROLS)


def choose(
    courses: Sequence[Course],
    terms: Terms,
    seed: int = 0,
    workers: int = 1,
    weights: Sequence[float] | None = None,
    replays: int = REPLAYS,
) -> Choice:
    """Return the rule that saves most steps among those that keep the best trial in 95 % of the replays.

    `courses` are the study's complete ones, `weights` how many trials each of them stands for. Rules act as in `auto`:
    from the sixth trial on, and only what they do from there on counts.
    """
    if len(courses) < EVIDENCE:
        return Choice(
            None, (), f"auto: no rule before {EVIDENCE} complete curves, of which there are {len(courses)} yet"
        )
    drawn = list(samples(courses, seed, replays, weights, EVIDENCE))
    found = [Tally(rule, each, len(courses), workers, EVIDENCE) for rule, each in candidates(courses, terms)]
    for each in found:
        _go_on(each, drawn, FIRST)
    for each in sorted(found, key=lambda each: -each.saved):
        _go_on(each, drawn, replays)
        if _keeps(each, replays):
            break  # those that come after it save less
    table = sorted((each.result for each in found), key=lambda each: (each.kept < KEEPS, -each.replays, -each.saved))
    best = table[0]
    if best.kept < KEEPS or best.saved <= 0 or best.replays < replays:
        often = f"in {KEEPS:.0%} of the replays"
        why = f"auto: no rule, for of {len(table)} none saves steps and keeps the best trial {often}"
        return Choice(None, tuple(table), why)
    return Choice(best, tuple(table), f"auto: {best.words}")


def _keeps(tally: Tally, replays: int) -> bool:
    """Return whether the best trial may yet survive in enough of so many replays."""
    return tally.done - tally.kept <= (1 - KEEPS) * replays


def _go_on(tally: Tally, drawn: Sequence[Sequence[Course]], until: int) -> None:
    """Go on to so many replays, only as long as the rule may yet be taken."""
    while tally.done < min(until, len(drawn)) and _keeps(tally, len(drawn)):
        tally.add(drawn[tally.done])


def candidates(courses: Sequence[Course], terms: Terms) -> list[tuple[Rule, Terms]]:
    """Return the rules that are replayed, each with its terms, for trials as long as these.

    Five curves cannot tell a rule that loses the best trial in one study of ten. So what was seen to do so more often,
    on recorded curves (`tests/benchmarks/stopping.py`), is no candidate: bars on the first eighth of the steps, or
    rungs on the first sixteenth, and such as let through less than a third. Each rule that compares trials at a step
    is a candidate alone, and joined with the extrapolation, which sees how a curve goes on.
    """
    steps = round(median(len(course) for course in courses))
    safe = sorted({max(terms.after, 1, round(share * steps)) for share in _WARM_UPS})
    barred: list[Rule] = [Median(), Percentile(50), Percentile(75)]
    found: list[tuple[Rule, Terms]] = [(rule, replace(terms, after=after)) for after in safe for rule in barred]
    firsts = [2**power for power in range(12) if _FIRST_RUNG <= 2**power / steps <= _WARM_UPS[-1]]
    found += [(Asha(eta, first), terms) for eta in (2, 3) for first in firsts]
    joined = [(Joined(rule, Extrapolate()), safe_from) for rule, safe_from in found]
    return [*found, (Extrapolate(), terms), *joined]
