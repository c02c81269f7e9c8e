"""What may be expected of a study, a sentence at a time, each with the measured figures that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import Bisection, Grid
from mlflow_tune.study.advice.cost import Cost
from mlflow_tune.study.advice.table import (
    BUDGETS,
    GROUPS,
    Condition,
    Figure,
    Stopping,
    group_of,
    lead,
    measured,
    nearest_budget,
    stopping_table,
)
from mlflow_tune.text import counted

UNKNOWN_BUDGET = 50  # trials, where nothing says how many there will be
LEVELS = 3  # values a parameter of a grid that nobody wrote down
EVIDENCE = 5  # whole trials that `stop_trials: auto` waits for
WORKERS = 4  # measured
NAMES = {
    "bayesian": "Bayesian search",
    "random": "random search",
    "grid": "a grid",
    "by hand": "one parameter at a time (a person, simulated)",
    "bisection": "bisection",
}
OURS = {"manual": "by hand"}  # where the table calls a strategy otherwise


@dataclass(frozen=True)
class Advice:
    """A sentence on a topic, and the figures behind it as JSON: rows of a table, a count of points, a study."""

    topic: str
    says: str
    evidence: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {"topic": self.topic, "says": self.says, "evidence": list(self.evidence)}


@dataclass(frozen=True)
class Adviser:
    """Says what the tables hold for a study; `cost` is what a trial takes, where that is known."""

    spec: StudySpec
    cost: Cost | None = None

    def everything(self) -> list[Advice]:
        """Return all that there is to say, in the order in which a person decides."""
        found: list[Advice | None] = [self.points(), self.time()]
        if self._searches_best:
            found += [self.expected(), self.ahead(), self.landscape(), self.noise(), self.parallel()]
        found += [self.bisection(), self.stopping()]
        return [each for each in found if each is not None]

    def most_useful(self) -> Advice | None:
        """Return the one sentence that a study should start with; None where there is nothing to choose.

        That is a strategy that is clearly behind another one, else what may be expected. Of a grid that the budget cuts
        off a study warns by itself.
        """
        if self.spec.strategy.by_hand or not self._searches_best:
            return None
        expected, ahead = self.expected(), self.ahead()
        behind = self._leader is not None and self._leader.strategy != self._own and self._told_apart
        return ahead if behind else expected

    # --- how many trials, and how long -------------------------------------------------------------------------------

    @property
    def budget(self) -> int | None:
        """How many trials there will be, as the file, the strategy, or time and cost say; None where nothing does."""
        if self.spec.stop.time is None or self.cost is None or self.cost.seconds <= 0:
            return self._bound
        in_time = max(int(self.spec.stop.time / self.cost.seconds) * self.spec.workers, 1)
        return in_time if self._bound is None else min(in_time, self._bound)

    def points(self) -> Advice:
        """Say how many trials a grid takes: the one that the file writes down, else one of three values each."""
        counts = self._levels
        points = math.prod(counts.values())
        sizes = " x ".join(f"{name} {count}" for name, count in counts.items())
        whose = "The grid takes" if self._has_grid else f"A grid of {LEVELS} values a parameter would take"
        says = f"{whose} {counted(points, 'trial')} ({sizes})"
        evidence: list[Mapping[str, Any]] = [{"points": points, "levels": counts}]
        if self.cost is not None:
            says += f", {self.cost.words(points, self.spec.workers)}"
            evidence.append(self.cost.to_json(points, self.spec.workers))
        if self._cut_grid:
            (name, most), tried = next(iter(counts.items())), -(-self._trials * next(iter(counts.values())) // points)
            says += (
                f"; stop.trials ends it after {self._trials}, when {tried} of the {most} values of {name} were tried"
            )
            evidence.append({"trials": self._trials, "tried": tried})
        return Advice("grid", f"{says}.", evidence)

    def time(self) -> Advice:
        """Say what the whole study costs, or how that can be known."""
        if self.cost is None:
            return Advice("cost", "What a trial costs is not known: --minutes-per-trial says it, or an earlier study.")
        trials, workers = self._trials, self.spec.workers
        at_once = f", {workers} at once," if workers > 1 else ""
        ends = "; stop.time ends it then" if self.budget != self._bound else ""
        ends = ends if self.budget else "; stop names no number of trials"
        says = (
            f"{counted(trials, 'trial')}{at_once} take {self.cost.words(trials, workers)} ({self.cost.origin}){ends}."
        )
        return Advice("cost", says, [self.cost.to_json(trials, workers)])

    # --- what the strategies reach -----------------------------------------------------------------------------------

    def expected(self) -> Advice | None:
        """Say how far each strategy came on spaces of this kind under this budget."""
        found = self._ranked
        if not found:
            return None
        reached = ", ".join(f"{NAMES[each.strategy]} {_with_interval(each)}" for each in found)
        gone = "this much of the way from a middling point to the best one was gone"
        says = f"{self._where(found[0])} {gone}: {reached}."
        return Advice("strategies", says, [each.to_json() for each in found])

    def ahead(self) -> Advice | None:
        """Say which strategy came furthest, and whether its lead over this study's own is more than chance."""
        best, other = self._leader, self._other
        if best is None or other is None:
            return None
        points = lead(best, other)
        mean, interval = points.mean or 0.0, points.interval
        span = f" [{_percent(interval[0])}, {_percent(interval[1])}]" if interval else ""
        whose = ", which this study uses," if other.strategy == self._own else ""
        says = (
            f"{self._where(best)} {NAMES[best.strategy]} was ahead of {NAMES[other.strategy]}{whose} by "
            f"{_percent(mean)} points{span}, where 100 points are the way from a middling point to the best one"
        )
        evidence = [best.to_json(), other.to_json(), {"lead": round(mean, 4), "interval": _rounded(interval)}]
        if not self._told_apart:
            says += ": no difference can be told"
        elif sooner := self._as_far(best.strategy, other):
            says += f"; it had come as far after {counted(sooner.trials, 'trial')}"
            evidence.append(sooner.to_json())
        return Advice("lead", f"{says}.", evidence)

    def landscape(self) -> Advice | None:
        """Say what it makes whether the metric has one optimum or many."""
        words = {"smooth": "smooth ones", "rugged": "rugged ones, with many optima", "model": "small models"}
        parts: list[str] = []
        evidence: list[Mapping[str, Any]] = []
        for kind, said in words.items():
            one, two = (self._measured(name, Condition(self._group, kind)) for name in ("bayesian", "random"))
            if one is not None and two is not None:
                parts.append(f"{_percent(one.mean)} % and {_percent(two.mean)} % on the {len(one.problems)} {said}")
                evidence += [one.to_json(), two.to_json()]
        if not parts:
            return None
        return Advice("landscape", f"Of these, Bayesian and random search came {', '.join(parts)}.", evidence)

    def noise(self) -> Advice | None:
        """Say what noise takes away."""
        names = [each.strategy for each in self._ranked if each.strategy not in ("by hand", "grid")]
        noisy = [self._measured(name, Condition(self._group, noise=True)) for name in names]
        found = [(measured(one.strategy, one.trials, Condition(self._group)), one) for one in noisy if one is not None]
        pairs = [(clean, one) for clean, one in found if clean is not None]
        if not pairs:
            return None
        parts = [
            f"{NAMES[one.strategy]} {_percent(one.mean)} instead of {_percent(clean.mean)} %" for clean, one in pairs
        ]
        says = f"With normal noise of a tenth of that way in each result: {', '.join(parts)}."
        return Advice("noise", says, [figure.to_json() for pair in pairs for figure in pair])

    def parallel(self) -> Advice | None:
        """Say what several workers take away from a strategy that learns from results."""
        if self.spec.workers == 1:
            return None
        one = self._measured("bayesian", Condition(self._group))
        four = one and self._measured("bayesian", Condition(self._group, workers=WORKERS), one.trials)
        if one is None or four is None:
            return None
        says = (
            f"With {WORKERS} trials at once Bayesian search came {_percent(four.mean)} % instead of "
            f"{_percent(one.mean)} % with one; what grid and random search try does not depend on it."
        )
        return Advice("workers", says, [four.to_json(), one.to_json()])

    # --- bisection and stopping --------------------------------------------------------------------------------------

    def bisection(self) -> Advice:
        """Say whether bisection applies, and what it reached where it did."""
        space = self.spec.space
        own = self.spec.strategy
        chosen = own if isinstance(own, Bisection) else Bisection()
        try:
            chosen.check(space)
        except InputError:
            has = str(len(space)) if len(space) > 1 else "none"
            says = f"Bisection does not apply: it searches one parameter that has an order, and this space has {has}."
            return Advice("bisection", says, [{"parameters": len(space)}])
        most = chosen.length(space)
        found = [self._measured("bisection", Condition(GROUPS[0], kind)) for kind in (None, "smooth", "rugged")]
        every, smooth, rugged = found
        says = f"Bisection applies, and takes {counted(most, 'trial')} here at the most"
        if every is not None and smooth is not None and rugged is not None:
            says += (
                f": on {counted(len(every.problems), 'problem')} of 1 parameter it came {_with_interval(every)} in "
                f"{every.ran:.0f} trials; {_percent(smooth.mean)} % on the {len(smooth.problems)} smooth ones, "
                f"{_percent(rugged.mean)} % on the {len(rugged.problems)} with many local optima, which it may not have"
            )
        evidence = [{"most": most}, *(each.to_json() for each in found if each is not None)]
        return Advice("bisection", f"{says}.", evidence)

    def stopping(self) -> Advice:
        """Say what stopping trials saved of recorded curves, and how often the best trial was kept."""
        table = stopping_table()
        near = nearest_budget(self._trials, sorted({row.trials for row in table}))
        rows = [row for row in table if row.trials == near]
        rules = dict.fromkeys((row.rule, row.after) for row in rows)
        of_rules = [_saved([row for row in rows if (row.rule, row.after) == rule]) for rule in rules]
        says = (
            f"In {rows[0].studies} studies of {near} trials each, drawn from {_curves(rows)}, stopping saved of "
            f"{rows[0].epochs} epochs a trial {'; '.join(of_rules)}. It needs a metric that is logged step by step; "
            f"`stop_trials: auto` chooses by the study's own curves, once {EVIDENCE} trials trained to their end"
        )
        evidence: list[Mapping[str, Any]] = [*(row.to_json() for row in rows), {"waits_for": EVIDENCE}]
        return Advice("stopping", f"{says}.", evidence)

    # --- what the sentences share ------------------------------------------------------------------------------------

    @property
    def _bound(self) -> int | None:
        """How many trials there are at the most, whatever they cost."""
        bounds = (self.spec.stop.trials, self.spec.strategy.length(self.spec.space))
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def _trials(self) -> int:
        return self.budget or UNKNOWN_BUDGET

    @property
    def _own(self) -> str:
        return OURS.get(self.spec.strategy.name, self.spec.strategy.name)

    @property
    def _group(self) -> tuple[int, int]:
        return group_of(len(self.spec.space))

    @property
    def _searches_best(self) -> bool:
        """Whether the study wants the best value: what a search for a boundary reaches was not measured."""
        return self.spec.strategy.requirement is None

    @property
    def _has_grid(self) -> bool:
        try:
            Grid().check(self.spec.space)
        except InputError:
            return False
        return True

    @property
    def _levels(self) -> dict[str, int]:
        if self._has_grid:
            alone = {name: type(self.spec.space)({name: each}) for name, each in self.spec.space.items()}
            return {name: Grid().length(one) for name, one in alone.items()}
        return {name: min(LEVELS, each.size or LEVELS) for name, each in self.spec.space.items()}

    @property
    def _cut_grid(self) -> bool:
        budget = self.spec.stop.trials
        return self._own == "grid" and budget is not None and budget < math.prod(self._levels.values())

    @property
    def _ranked(self) -> list[Figure]:
        """The strategies under this budget, the one that came furthest first."""
        several = Condition(self._group, workers=WORKERS if self.spec.workers > 1 else 1)
        found = [self._measured(name, several) or self._measured(name, Condition(self._group)) for name in NAMES]
        return sorted((each for each in found if each is not None), key=lambda each: -each.mean)

    @property
    def _choices(self) -> list[Figure]:
        """The ranked ones without the person, whom no study can hire; but for a study of a person's."""
        return [each for each in self._ranked if each.strategy in (self._own, *(set(NAMES) - {"by hand"}))]

    @property
    def _leader(self) -> Figure | None:
        """The strategy that came furthest."""
        return next(iter(self._choices), None)

    @property
    def _other(self) -> Figure | None:
        """What the leader is held against: this study's own strategy, else the next one."""
        behind = self._choices[1:]
        return next((each for each in behind if each.strategy == self._own), behind[0] if behind else None)

    @property
    def _told_apart(self) -> bool:
        """Whether the best strategy's lead over the other one excludes zero."""
        best, other = self._leader, self._other
        interval = lead(best, other).interval if best and other else None
        return bool(interval and interval[0] > 0)

    def _as_far(self, strategy: str, other: Figure) -> Figure | None:
        """Return where a strategy had come as far as the other one with fewer trials, if it had."""
        best = [self._measured(strategy, other.condition, trials) for trials in BUDGETS if trials < other.trials]
        return next((each for each in best if each is not None and each.mean >= other.mean), None)

    def _measured(self, strategy: str, condition: Condition, trials: int | None = None) -> Figure | None:
        """Return a strategy's figure, at the measured budget that is nearest to the study's."""
        return measured(strategy, trials or nearest_budget(self._trials), condition)

    def _where(self, figure: Figure) -> str:
        low, high = figure.condition.parameters
        span = f"{low}" if low == high else f"{low} to {high}"
        noun = "parameter" if high == 1 else "parameters"
        nearest = ", the nearest that were measured" if len(self.spec.space) > high else ""
        return f"On {counted(len(figure.problems), 'problem')} of {span} {noun}{nearest}, after {figure.trials} trials,"


def _percent(share: float) -> str:
    """Return a share as a whole number of percent, from what the evidence has of it."""
    return f"{100 * round(share, 4):.0f}"


def _with_interval(figure: Figure) -> str:
    interval = figure.interval
    span = f" [{_percent(interval[0])}, {_percent(interval[1])}]" if interval else ""
    return f"{_percent(figure.mean)} %{span}"


def _saved(rows: Sequence[Stopping]) -> str:
    """Return in words what a rule saved of each project's curves, and how often the best trial was kept."""
    after = f" after {rows[0].after} steps" if rows[0].after else ""
    saved = " and ".join(f"{_percent(row.saved)} %" for row in rows)
    kept = " and ".join(f"{_percent(row.kept)} %" for row in rows)
    return f"{saved} by `{rows[0].rule}`{after} (the best trial kept in {kept})"


def _curves(rows: Sequence[Stopping]) -> str:
    return " and ".join(
        f"{curves} curves of projects/{name}" for name, curves in {r.project: r.curves for r in rows}.items()
    )


def _rounded(interval: tuple[float, float] | None) -> list[float] | None:
    return interval and [round(end, 4) for end in interval]
