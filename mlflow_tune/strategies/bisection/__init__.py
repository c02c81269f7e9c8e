"""Bisection: the search of one numeric parameter for its optimum, or for the boundary that a constraint draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Space
from mlflow_tune.strategies.base import Strategy
from mlflow_tune.strategies.bisection.axis import Axis, Bracket, Points, make_axis
from mlflow_tune.strategies.bisection.boundary import Boundary, Keep
from mlflow_tune.strategies.bisection.optimum import Optimum
from mlflow_tune.strategies.constraint import Constraint, parse_constraint
from mlflow_tune.text import as_integer, as_number, unknown
from mlflow_tune.trial import Goal, Suggestion, Trial, best_trial, searched

__all__ = ["Bisection"]

_CHOICES = {"find": ("optimum", "boundary"), "keep": ("largest", "smallest"), "goal": ("minimize", "maximize")}

_NUMBERS: tuple[tuple[str, Callable[[object], float], str, Callable[[float], bool]], ...] = (
    ("tolerance", as_number, "> 0", lambda number: number > 0),
    ("margin", as_number, ">= 0", lambda number: number >= 0),
    ("replicates", as_integer, ">= 1", lambda number: number >= 1),
)


@dataclass(frozen=True)
class Bisection(Strategy):
    """Narrows a bracket of one Float, Int or Ordinal of numbers, on its own scale, to a tolerance.

    Parameters of one value may stand beside it.

    `find: optimum` takes the objective to have one extremum: golden section (Kiefer, 1953) with one worker, block
    search (Avriel and Wilde, 1966) with more. `find: boundary` takes `constraint`, such as `recall >= 0.95` on a
    logged metric, to be monotone, and finds the largest value that meets it, or the smallest (`keep`), by `margin`.

    It ends when the bracket is no wider than `tolerance`: absolute, or on a log scale high/low <= 1 + tolerance.
    Without one, that is a thousandth of the range (on its scale), and where the values can be counted no untried one is
    left inside. The scale of an Ordinal is the places of its values.

    The bracket comes from all trials inside the space, whoever ran them; the answer is empty while one of them runs.
    A trial that ended without a value (failed, timeout, not-finite, or without the constraint's metric) counts
    as the worst, or as not meeting the constraint. With `replicates` the new points, and those known ones that make
    up the bracket, are run so often and averaged. A broken rule raises `InputError`, whose key is the option.
    """

    parameter: str | None = None
    """Which parameter is searched; the only one of more than one value unless given."""
    find: Literal["optimum", "boundary"] = "optimum"
    """`optimum`: the best value of the metric. `boundary`: the last parameter value that meets the constraint."""
    tolerance: float | None = None
    """How narrow the bracket must get; on a log scale, high/low - 1. A thousandth of the range unless given."""
    constraint: str | None = None
    """With `find: boundary`, what must hold of a logged metric, such as `recall >= 0.95`."""
    keep: Keep | None = None
    """With `find: boundary`, which value that meets the constraint is looked for; the largest unless given."""
    margin: float = 0.0
    """With `find: boundary`, by how much the constraint must be met."""
    replicates: int = 1
    """How often each new point is run; its values are averaged."""
    goal: Goal = "minimize"
    name: ClassVar[str] = "bisection"
    evidence: ClassVar[tuple[str, ...]] = ("bracket_low", "bracket_high")
    in_rounds: ClassVar[bool] = True
    has_end: ClassVar[bool] = True

    def __post_init__(self) -> None:
        faults = Faults()
        with faults.at("parameter"):
            if self.parameter is not None and not isinstance(self.parameter, str):
                raise InputError(f"must be a parameter's name, but got {self.parameter!r}")
        if self.find == "boundary" and self.keep is None:
            object.__setattr__(self, "keep", "largest")
        for key, known in _CHOICES.items():
            with faults.at(key):
                if getattr(self, key) not in (*known, *([None] if key == "keep" else [])):
                    raise InputError(unknown(key, getattr(self, key), known))
        self._check_numbers(faults)
        faults.tell()
        self._check_combination()

    def _check_numbers(self, faults: Faults) -> None:
        for key, read, rule, holds in _NUMBERS:
            with faults.at(key):
                if (given := getattr(self, key)) is not None or key != "tolerance":
                    number = read(given)
                    object.__setattr__(self, key, number)
                    if not holds(number):
                        raise InputError(f"{key} {rule} must hold, but got {key}={number}")

    def _check_combination(self) -> None:
        if self.find == "boundary":
            parse_constraint(self.constraint, self.margin)
            return
        for key in ("constraint", "keep", "margin"):
            if getattr(self, key):
                raise InputError("goes with 'find: boundary' only, but this finds the optimum", key)

    @property
    def requirement(self) -> Constraint | None:
        """The constraint, parsed and with the margin in its bound; None with `find: optimum`."""
        return parse_constraint(self.constraint, self.margin) if self.find == "boundary" else None

    def check(self, space: Space) -> None:
        """Raise `InputError` unless there is one parameter to search, with an order, and of the name `parameter`."""
        self._axis(space)

    def length(self, space: Space) -> int:
        """Return the most trials that one worker runs from an empty history; `InputError` as in `check`.

        With more workers the rounds are fewer and the trials are more.
        """
        return self.replicates * self._search.length(self._axis(space))

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the trials of the next round, `count` at the most; none while a trial inside the space runs."""
        axis = self._axis(space)
        inside = _in_space(space, history)
        if count < 1 or any(trial.running for trial in inside):
            return []
        groups = _groups(axis, inside)
        points = self._points(groups)
        asked = self._unfinished(axis, groups, points) or self._new(axis, points, count)
        bracket = self._search.bracket(axis, points)
        evidence = dict(zip(self.evidence, (float(bracket.low), float(bracket.high)), strict=True))
        doubts = "".join(f"; but {finding}" for finding in self.findings(space, history))
        return [Suggestion(axis.point(value), why + doubts, evidence) for value, why in asked[:count]]

    def bracket(self, space: Space, history: Sequence[Trial]) -> tuple[float, float] | None:
        """Return the bracket (low, high) that the ended trials leave; None when none of them is inside the space.

        Optimum: the neighbours of the best point. Boundary: the last value that meets the constraint and the next that
        does not, in ascending order.
        """
        axis, groups = self._known(space, history)
        found = self._search.bracket(axis, self._points(groups))
        return (float(found.low), float(found.high)) if groups else None

    def findings(self, space: Space, history: Sequence[Trial]) -> list[str]:
        """Return, a sentence each, what speaks against the assumption, and what to use instead; mostly nothing.

        With `find: boundary` it tells as well when an end of the range is the answer, and when there is none.
        """
        axis, groups = self._known(space, _with_value(history))
        return self._search.findings(axis, self._points(groups))

    def answer(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """Return a trial of the best point or, for a boundary, of the last one seen to meet the constraint, if any."""
        axis, groups = self._known(space, history)
        best = self._search.bracket(axis, self._points(groups)).best
        if best is None:
            return None
        if self.find == "boundary":
            return next(trial for trial in groups[best] if self.is_feasible(trial))
        return best_trial(groups[best], self.goal)

    def conclusion(self, space: Space, history: Sequence[Trial]) -> str:
        """Return in words the answer and how well it is known."""
        answer = self.answer(space, history)
        axis = self._axis(space)
        failed = sum(trial.done and trial.outcome != "ok" for trial in _in_space(space, history))
        if answer is None:
            found = f"no value of {axis.name} was seen to meet {self.requirement}" if self.requirement else "no value"
            return found + (f"; {failed} trials failed, which --retry-failed runs again" if failed else "")
        low, high = self.bracket(space, history) or (axis.low, axis.high)
        return f"converged at {axis.name}={axis.number(answer):.6g}, bracket {low:.6g} to {high:.6g}"

    @property
    def _search(self) -> Optimum | Boundary:
        constraint = self.requirement
        return Optimum(self.goal) if constraint is None else Boundary(constraint, self.keep or "largest")

    def _axis(self, space: Space) -> Axis:
        return make_axis(space, self.parameter, self.tolerance)

    def _known(self, space: Space, history: Sequence[Trial]) -> tuple[Axis, dict[float, list[Trial]]]:
        axis = self._axis(space)
        return axis, _groups(axis, [trial for trial in _in_space(space, history) if trial.done])

    def _points(self, groups: Mapping[float, Sequence[Trial]]) -> Points:
        search = self._search
        return {value: search.score(trials) for value, trials in groups.items()}

    def _unfinished(
        self, axis: Axis, groups: Mapping[float, Sequence[Trial]], points: Points
    ) -> list[tuple[float, str]]:
        bracket = self._search.bracket(axis, points)
        return [
            (value, f"replicate {number} of {self.replicates} at a point of the bracket {bracket}")
            for value in _distinct(bracket)
            if value in groups
            for number in range(len(groups[value]) + 1, self.replicates + 1)
        ]

    def _new(self, axis: Axis, points: Points, count: int) -> list[tuple[float, str]]:
        found = self._search.propose(axis, points, max(count // self.replicates, 1))
        return [each for each in found for _ in range(self.replicates)]


def _distinct(bracket: Bracket) -> list[float]:
    values = (bracket.best, bracket.low, bracket.high)
    return list(dict.fromkeys(value for value in values if value is not None))


def _with_value(history: Sequence[Trial]) -> list[Trial]:
    # A crash says nothing about the assumption: only values may contradict it.
    return [trial for trial in history if trial.outcome == "ok"]


def _in_space(space: Space, history: Sequence[Trial]) -> list[Trial]:
    # What a confirmation adds to some points would take a search that has ended elsewhere.
    return [trial for trial in searched(history) if space.contains(trial.params)]


def _groups(axis: Axis, trials: Sequence[Trial]) -> dict[float, list[Trial]]:
    found: dict[float, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        found.setdefault(axis.number(trial), []).append(trial)
    return dict(sorted(found.items()))
