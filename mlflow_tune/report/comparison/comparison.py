"""Several studies as numbers: which of them differ in seed alone, and the target that all are measured by."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, Literal

from mlflow_tune.errors import InputError
from mlflow_tune.report.comparison.statistics import Sample
from mlflow_tune.report.comparison.trajectory import Course, best_at, course, reached_at
from mlflow_tune.report.subject import Subject
from mlflow_tune.text import apart
from mlflow_tune.trial import Goal, Trial

# What studies share that differ in seed alone. Budget and workers may differ: the curves are against trials and hours.
ALIKE = ("metric", "goal", "value", "space", "run", "stop_trials")
NAME = 60  # characters that a sentence or a table has room for
MeanCurve = list[tuple[float, Sample]]


@dataclass(frozen=True)
class Entrant:
    """A study that is compared.

    `definition` is the study file as JSON, `steps` for how many of the metric's own steps its trials trained, None
    where nothing tells. The subject names the trials that break the study's constraint: they are never the best.
    `called` is the name as people are told it, short and no other's.
    """

    name: str
    run_id: str
    experiment_id: str
    state: str
    definition: Mapping[str, Any]
    subject: Subject
    trials: Sequence[Trial]
    commit: str = ""
    steps: int | None = None
    called: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the strategy, without its name and its seed."""
        return {key: option for key, option in self._strategy.items() if key not in ("name", "seed")}

    @property
    def strategy(self) -> str:
        """The name of the strategy."""
        return str(self._strategy.get("name", ""))

    @property
    def seed(self) -> int | None:
        """The seed of the strategy; of one that has none, the fixed parameter `seed` of what is trained, if any."""
        of_strategy: int | None = self._strategy.get("seed")
        return self._trained_with if of_strategy is None else of_strategy

    @property
    def key(self) -> str:
        """What is equal for studies that differ in seed alone."""
        return json.dumps([self.strategy, self.options, [self.but_for_seed(name) for name in ALIKE]])

    def but_for_seed(self, name: str) -> Any:
        """Return what the study file says under this key, `run` without the fixed parameter `seed`."""
        given: Any = self.definition.get(name)
        if name != "run" or self._trained_with is None:
            return given
        fixed = {key: value for key, value in given["parameters"].items() if key != "seed"}
        return {**given, "parameters": fixed}

    @functools.cached_property
    def course(self) -> Course:
        """How the study went."""
        return course(self.subject, self.trials)

    @property
    def best(self) -> float | None:
        """The best value of the study, None when it has none."""
        return best_at(self.course.by_trial, math.inf)

    @property
    def _trained_with(self) -> int | None:
        seed = (self.definition.get("run") or {}).get("parameters", {}).get("seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def _strategy(self) -> Mapping[str, Any]:
        strategy: Mapping[str, Any] = self.definition["strategy"]
        return strategy


@dataclass(frozen=True)
class Group:
    """Studies that differ in seed alone, under a label of their own; `called` is that label, short and no other's."""

    label: str
    members: tuple[Entrant, ...]
    called: str

    @property
    def strategy(self) -> str:
        """The name of the strategy."""
        return self.members[0].strategy

    @property
    def independent(self) -> bool:
        """Whether every study has a seed that no other has."""
        seeds = [member.seed for member in self.members]
        return None not in seeds and len({*seeds}) == len(seeds)

    def sample(self, number: Callable[[Entrant], float | None], least: float = -math.inf) -> Sample:
        """Return one number of each study."""
        return Sample(tuple(number(member) for member in self.members), self.independent, least)


@dataclass(frozen=True)
class Comparison:
    """Groups of studies of one metric, and the value that all of them are measured by.

    `target` is None when it was not given and no study has a value; `given` says that a person chose it.
    """

    metric: str
    goal: Goal
    groups: tuple[Group, ...]
    target: float | None
    given: bool = False

    @property
    def entrants(self) -> list[Entrant]:
        """All studies, group by group."""
        return [member for group in self.groups for member in group.members]

    @property
    def shared(self) -> int:
        """How many trials every study has: where their best values can be compared at equal cost."""
        return min(entrant.course.trials for entrant in self.entrants)

    @property
    def pairs(self) -> int:
        """How many pairs of groups there are, at least 1."""
        return max(math.comb(len(self.groups), 2), 1)

    def curve(self, group: Group, against: Literal["trials", "hours"]) -> MeanCurve:
        """Return the studies' best values so far against trials or hours, wherever one of them improves.

        From where every study has a value to where the last one ends; one that ended before keeps its best. Empty
        where a study has no value at all.
        """
        courses = [member.course for member in group.members]
        steps = [course.by_trial if against == "trials" else course.by_hour for course in courses]
        if not all(steps):
            return []
        first = max(each[0][0] for each in steps)
        end = max(float(getattr(course, against)) for course in courses)
        places = sorted({x for each in steps for x, _ in each if x >= first} | {first, end})
        return [(x, Sample(tuple(best_at(each, x) for each in steps), group.independent)) for x in places]

    def best(self, group: Group, trials: float = math.inf) -> Sample:
        """Return the best value after so many trials, else at the end, of each study."""
        return group.sample(lambda entrant: best_at(entrant.course.by_trial, trials))

    def hours(self, group: Group) -> Sample:
        """Return the hours that each study took."""
        return group.sample(lambda entrant: entrant.course.hours, 0.0)

    def steps(self, group: Group) -> Sample:
        """Return for how many steps the trials of each study trained, None where nothing tells."""
        return group.sample(lambda entrant: entrant.steps, 0.0)

    def to_target(self, group: Group) -> Sample:
        """Return the number of trials after which each study had reached the target, None where it did not."""

        def reached(entrant: Entrant) -> float | None:
            return self.target if self.target is None else reached_at(entrant.course.by_trial, self.target, self.goal)

        return group.sample(reached, 1.0)


def compare(entrants: Sequence[Entrant], target: float | None = None) -> Comparison:
    """Return the comparison of two or more studies.

    Without a target it is the worst of the studies' best values, rounded to the worse side at four digits: all studies
    reach it that have a value.
    Studies are a group when metric, goal, value, space, run, strategy and its options are equal, but for the seed: that
    of the strategy, and the fixed parameter `seed` of what is trained.

    Raises:
        InputError: Fewer than two studies, one of them twice, different metrics or goals, or no finite target.
    """
    _check(entrants)
    if target is not None and not math.isfinite(target):
        raise InputError(f"must be a finite number, but got {target}", "--target")
    goal = entrants[0].subject.goal
    bests = [entrant.best for entrant in entrants if entrant.best is not None]
    chosen = _within_all(bests, goal) if target is None and bests else target
    groups = _grouped(_called(entrants))
    return Comparison(entrants[0].subject.metric, goal, tuple(groups), chosen, target is not None)


def _called(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Return the entrants with what they are called: those of one name, as of two experiments, by their runs too."""
    names = [entrant.name for entrant in entrants]
    told = [
        f"{entrant.name} ({entrant.run_id[:8]})" if names.count(entrant.name) > 1 else entrant.name
        for entrant in entrants
    ]
    shown = apart(told, NAME)
    return [replace(entrant, called=shown[name]) for entrant, name in zip(entrants, told, strict=True)]


def _check(entrants: Sequence[Entrant]) -> None:
    if len(entrants) < 2:
        names = ", ".join(repr(entrant.name) for entrant in entrants) or "none"
        raise InputError(f"a comparison needs at least two studies, but got {len(entrants)}: {names}")
    for first, second in itertools.combinations(entrants, 2):
        if first.run_id == second.run_id:
            raise InputError(f"the study {first.name!r} (run {first.run_id}) is named twice; name each study once")
    if len({(entrant.subject.metric, entrant.subject.goal) for entrant in entrants}) > 1:
        found = "\n".join(f"{each.name!r} is to {each.subject.goal} {each.subject.metric!r}" for each in entrants)
        raise InputError(f"studies that are compared must have one metric and one goal, but\n{found}")


def _within_all(bests: Sequence[float], goal: Goal) -> float:
    """Return the worst of the values, rounded to the worse side at four significant digits."""
    worst = Decimal(repr((max if goal == "minimize" else min)(bests)))
    rounding = ROUND_CEILING if goal == "minimize" else ROUND_FLOOR
    rounded = float(Context(prec=4, rounding=rounding).plus(worst))
    return rounded if math.isfinite(rounded) else float(worst)


def _grouped(entrants: Sequence[Entrant]) -> list[Group]:
    found: dict[str, list[Entrant]] = {}
    for entrant in entrants:
        found.setdefault(entrant.key, []).append(entrant)
    groups = list(found.values())
    labels = [_label(members, groups) for members in groups]
    twice = {label for label in labels if labels.count(label) > 1}
    told = [
        f"{label} ({each[0].run_id[:8]})" if label in twice else label
        for label, each in zip(labels, groups, strict=True)
    ]
    shown = apart(told, NAME)
    return [
        Group(label, tuple(members), members[0].called if len(members) == 1 else shown[label])
        for label, members in zip(told, groups, strict=True)
    ]


def _label(members: Sequence[Entrant], groups: Sequence[Sequence[Entrant]]) -> str:
    """Return a study's own name, or for several the strategy with the options in which it differs from others."""
    first = members[0]
    if len(members) == 1:
        return first.name
    rivals = [other[0] for other in groups if other[0].strategy == first.strategy]
    differing = {
        key: option for key, option in first.options.items() if any(each.options.get(key) != option for each in rivals)
    }
    if any(each.but_for_seed("stop_trials") != first.but_for_seed("stop_trials") for each in rivals):
        differing["stop_trials"] = _rule_words(first.but_for_seed("stop_trials"))
    shown = ", ".join(f"{key}={option}" for key, option in differing.items())
    return f"{first.strategy} ({shown})" if shown else first.strategy


def _rule_words(given: Any) -> str:
    """Return which rule stops trials, in a word."""
    rule = given.get("rule") if isinstance(given, Mapping) else given
    return str(rule.get("name") if isinstance(rule, Mapping) else rule or "none")
