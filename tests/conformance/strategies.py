"""The conformance suite for strategies: each check takes a strategy and a space, and fails unless a promise is kept.

`CASES` lists what is checked: a new strategy gets its tests by standing there. The checks raise `ConformanceError`, so
that `test_strategies.py` can show that each of them rejects a strategy that breaks its promise.
"""

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlflow_tune.space import Categorical, Choice, Float, Int, Ordinal, Space
from mlflow_tune.strategies import Bayesian, Bisection, Grid, Manual, Random, Strategy
from mlflow_tune.strategies.base import next_number
from mlflow_tune.text import is_number, value_text
from mlflow_tune.trial import Params, Suggestion, Trial
from tests.conformance.fresh import elsewhere

FINITE = Space(
    {
        "act": Categorical(["relu", "tanh", True]),
        "depth": Int(1, 3, grid=[1, 3]),
        "batch": Int(16, 48, step=16, grid=2, role="batch_size"),
    }
)
FEW = Space({"act": Categorical(["relu", "tanh"]), "depth": Int(1, 3, grid=[1, 3]), "batch": Int(16, 32, step=16)})
MIXED = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True, grid=4, role="learning_rate"),
        "dropout": Float(0, 0.5, grid=3),
        "units": Int(8, 512, log=True, grid=3),
        "act": Categorical(["relu", 1, 1.0, True]),
    }
)
ALIKE = Space(
    {
        "hidden": Categorical([None, [64, 32]]),
        "flag": Categorical([1, True, 1.0]),
        "batch": Ordinal([16, 32]),
        "drop": Float(0, 0.1, step=0.1, grid=2),
        "fixed": Float(0.1, 0.1, log=True),
    }
)
LINE = Space({"lr": Float(1e-4, 1e-1, log=True, grid=30)})
STEPS = Space({"width": Int(30, 3030, step=3)})
SIZES = Space({"units": Int(1, 5000, log=True)})
POWERS = Space({"fixed": Categorical([None]), "batch": Ordinal([2**index for index in range(20, 0, -1)])})
DECIMALS = Space({"x": Float(-1, 2, step=0.001), "fixed": Int(3, 3)})

CASES: list[tuple[Strategy, Space]] = [
    (Manual([{"lr": f"{index}e-3"} for index in range(1, 21)]), LINE),
    (Manual([{"fixed": None, "batch": 2**index} for index in range(1, 20)]), POWERS),
    (Grid(), FINITE),
    (Grid(), MIXED),
    (Grid(), LINE),
    (Grid(), ALIKE),
    (Random(), FINITE),
    (Random(), MIXED),
    (Random(seed=7), LINE),
    (Random(sampling="sobol", baseline=True), FINITE),
    (Random(sampling="sobol"), MIXED),
    (Random(baseline=True), ALIKE),
    (Bayesian(initial=3), FINITE),
    (Bayesian(initial=3), MIXED),
    (Bayesian(initial=3), ALIKE),
    (Bayesian(acquisition="uncertainty", initial=2), LINE),
    (Bisection(), LINE),
    (Bisection("width"), STEPS),
    (Bisection(tolerance=1e-6), SIZES),
    (Bisection("batch"), POWERS),
    (Bisection(), DECIMALS),
    (Bisection(find="boundary", constraint="objective <= 40"), POWERS),
    (Bisection(find="boundary", constraint="objective <= 0.9", keep="smallest"), LINE),
    (Bisection("width", find="boundary", constraint="objective >= 20", keep="smallest", margin=0.1), STEPS),
    (Bisection(find="boundary", constraint="objective <= 9"), SIZES),
]


class ConformanceError(Exception):
    """A strategy breaks a promise; it is no AssertionError, so that a strategy's own bug is not taken for it."""


def demand(kept: bool, message: str, *values: object) -> None:
    if not kept:
        raise ConformanceError(": ".join([message, *map(repr, values)]))


# --- the histories that the checks use ----------------------------------------------------------------------------


def started(number: int, params: Params) -> Trial:
    return Trial(number=number, params=dict(params), run_id=f"run-{number}", start_time=1_000 * number)


def ended(trial: Trial, kind: str = "ok") -> Trial:
    """End the trial; its value is a smooth function of the point's numbers, so that models have what to learn."""
    numbers = [math.log1p(abs(value)) for value in map(as_number, trial.params.values()) if value is not None]
    value = round(sum((number - 1) ** 2 for number in numbers), 6) if kind == "ok" else None
    metrics = {} if value is None else {"objective": value}
    return replace(trial, outcome=kind, value=value, end_time=trial.start_time + 500, metrics=metrics)


def as_number(value: object) -> float | None:
    """Return a number for the values that have one; lists count their elements."""
    if isinstance(value, list):
        return float(len(value))
    return float(value) if is_number(value) or isinstance(value, bool) else None


def all_ok(number: int) -> str:
    return "ok"


def with_failures(number: int) -> str:
    return ("ok", "ok", "failed", "not-finite", "ok", "timeout", "interrupted")[(number - 1) % 7]


def simulate(strategy: Strategy, space: Space, trials: int, history: Iterable[Trial] = (), kinds=all_ok) -> list[Trial]:
    """Return the history of a study with one worker, from `history` until it has `trials` or the strategy ends."""
    found = list(history)
    while len(found) < trials:
        suggestions = strategy.suggest(space, list(found), 1)
        if not suggestions:
            break
        number = next_number(found)
        found.append(ended(started(number, suggestions[0].params), kinds(number)))
    return found


def as_mlflow_holds_it(history: Sequence[Trial], space: Space) -> list[Trial]:
    """Return the history read back on another day: decoded from text, in other runs, at other times."""
    return [
        replace(
            trial,
            params=space.decode({name: value_text(value) for name, value in trial.params.items()}),
            value=None if trial.value is None else float(str(trial.value)),
            run_id=f"resumed-{trial.number}",
            start_time=trial.start_time + 86_400_000,
            reason="read back",
        )
        for trial in history
    ]


def points(trials: Iterable[Trial | Suggestion]) -> list[dict[str, object]]:
    return [dict(trial.params) for trial in trials]


# --- the checks ------------------------------------------------------------------------------------------------


def check_suggestions(strategy: Strategy, space: Space, suggestions: Sequence[Suggestion]) -> None:
    """The suggestions are points of the space, made of Python's own values, with a reason and finite evidence."""
    for suggestion in suggestions:
        demand(list(suggestion.params) == list(space), "names are not the space's", suggestion)
        for value in suggestion.params.values():
            kinds = {type(each) for each in value} if isinstance(value, list) else {type(value)} - {type(None)}
            demand(kinds <= {bool, int, float, str}, "not Python's own", value)
        demand(space.contains(suggestion.params), "outside the space", suggestion)
        for name, dimension in space.items():
            kind = {Float: float, Int: int}.get(type(dimension))
            demand(kind in (None, type(suggestion.params[name])), f"not of the type of {name!r}", suggestion)
        demand(bool(suggestion.why.strip()) and "\n" not in suggestion.why, "no reason in one line", suggestion)
        for number in suggestion.evidence.values():
            demand(type(number) in (int, float) and math.isfinite(number), "evidence is no number", suggestion)


def check_accepts(strategy: Strategy, space: Space) -> None:
    """`check` accepts the space, an empty history is answered, and never with more than was asked for."""
    strategy.check(space)
    demand(len(strategy.suggest(space, [], 1)) == 1, "no first point")
    demand(strategy.suggest(space, [], 0) == [], "an answer to count=0")
    demand(1 <= len(strategy.suggest(space, [], 4)) <= 4, "more points than were asked for")


def check_in_space(strategy: Strategy, space: Space) -> None:
    """All suggestions of a study are points of the space, asked for one by one or several at once."""
    history = simulate(strategy, space, 8)
    for end in range(len(history) + 1):
        check_suggestions(strategy, space, strategy.suggest(space, history[:end], 3))


def check_pure(strategy: Strategy, space: Space) -> None:
    """The same question has the same answer, also from a copy, and the history stays as it was."""
    for history in ([], simulate(strategy, space, 5)):
        given, before = list(history), copy.deepcopy(history)
        first = strategy.suggest(space, given, 2)
        demand(given == before, "the history was changed")
        demand(strategy.suggest(space, tuple(history), 2) == first, "another answer to the same question", first)
        strategy.suggest(space, history[:1], 3)
        demand(strategy.suggest(space, history, 2) == first, "the answer depends on what was asked before", first)
        demand(copy.deepcopy(strategy).suggest(space, history, 2) == first, "a copy answers otherwise", first)


def check_fresh_process(strategy: Strategy, space: Space) -> None:
    """Another process, with other hash seeds, answers as this one does."""
    history = simulate(strategy, space, 4, kinds=with_failures)
    for seed in ("1", "2"):
        there, here = elsewhere(seed, (strategy, space, history, 2)), strategy.suggest(space, history, 2)
        demand(there == here, "another process answers otherwise", here, there)


def check_keyed(strategy: Strategy, space: Space) -> None:
    """A batch is what comes of asking one by one while the trials before run. A strategy may answer with fewer.

    One that works in rounds waits instead, from the first trial of the round that runs to the last.
    """
    if strategy.in_rounds:
        check_waits(strategy, space)
        return
    for history in ([], simulate(strategy, space, 3)):
        running: list[Trial] = list(history)
        for suggestion in strategy.suggest(space, history, 3):
            alone = strategy.suggest(space, list(running), 1)
            demand(points(alone) == points([suggestion]), "a batch differs from one by one", suggestion, alone)
            running.append(started(next_number(running), suggestion.params))


def check_waits(strategy: Strategy, space: Space) -> None:
    for history in ([], simulate(strategy, space, 3)):
        batch = [
            started(next_number(history) + at, each.params)
            for at, each in enumerate(strategy.suggest(space, history, 3))
        ]
        for at in range(len(batch)):
            trials = [*map(ended, batch[:at]), batch[at], *map(ended, batch[at + 1 :])]
            demand(strategy.suggest(space, [*history, *trials], 2) == [], "it does not wait for its round", trials)
        demand(bool(strategy.suggest(space, [*history, *map(ended, batch)], 1)), "no next round", batch)


def check_resumes(strategy: Strategy, space: Space) -> None:
    """A study that is cut anywhere and read back from MLflow goes on as if it had not been cut."""
    for kinds in (all_ok, with_failures):
        whole = simulate(strategy, space, 8, kinds=kinds)
        for cut in range(len(whole)):
            resumed = simulate(strategy, space, 8, as_mlflow_holds_it(whole[:cut], space), kinds)
            demand(points(resumed) == points(whole), f"resumed after trial {cut} it differs", whole, resumed)


def check_failures(strategy: Strategy, space: Space) -> None:
    """Trials without a value are tolerated, be they a few, the first or all, and their points are not tried again."""
    for kind in ("failed", "timeout", "not-finite", "pruned", "interrupted"):
        for kinds in (lambda number, kind=kind: kind, lambda number, kind=kind: kind if number % 2 else "ok"):
            history = simulate(strategy, space, 6, kinds=kinds)
            demand(len(history) == 6 or is_settled(strategy, history), "failures end the study", kind, history)
            check_new(strategy, space, history)


def is_settled(strategy: Strategy, history: Sequence[Trial]) -> bool:
    """Whether no trial met a boundary's constraint, one without a value does not, at either end of the range."""
    return strategy.requirement is not None and len(history) == 2 and all(trial.value is None for trial in history)


def check_running(strategy: Strategy, space: Space) -> None:
    """While trials run, the answer is other points, or nothing, which means "wait"."""
    history = [started(trial.number, trial.params) for trial in simulate(strategy, space, 4)]
    check_new(strategy, space, history)
    check_new(strategy, space, [ended(history[0]), history[1], ended(history[2], "failed"), history[3]])


def check_new(strategy: Strategy, space: Space, history: Sequence[Trial]) -> None:
    """The next suggestions are in the space, are distinct, and are points that no trial has."""
    suggestions = strategy.suggest(space, history, 3)
    check_suggestions(strategy, space, suggestions)
    seen = space.identities(trial.params for trial in history)
    for suggestion in suggestions:
        demand(space.identity(suggestion.params) not in seen, "a point that was visited", suggestion, history)
        seen.add(space.identity(suggestion.params))


def check_exhausts(strategy: Strategy, space: Space) -> None:
    """In a finite space no point comes twice, the study ends, and the end is final, also with trials running."""
    if space.size is None:
        return
    for count, kind in ((1, None), (3, None), (1, "ok"), (3, "ok"), (2, "failed")):
        history: list[Trial] = []
        while suggestions := strategy.suggest(space, history, count):
            demand(len(history) < space.size, "more trials than the space has points", history)
            check_new(strategy, space, history)
            trials = (started(next_number(history) + at, each.params) for at, each in enumerate(suggestions))
            history += [ended(trial, kind) if kind else trial for trial in trials]
        demand(len(space.identities(points(history))) == len(history), "a point twice", history)
        demand(strategy.suggest(space, history, 5) == [], "it goes on after its end", history)


def check_odd_history(strategy: Strategy, space: Space) -> None:
    """Points outside the space, gaps in the numbers and trials of other strategies are tolerated."""
    point = space.from_unit([0.3] * len(space))
    odd = {name: "elsewhere" if isinstance(each, Choice) else -1e9 for name, each in space.items()}
    history = [
        replace(ended(started(3, point)), strategy="manual"),
        ended(started(5, odd)),
        ended(started(6, {}), "failed"),
        ended(started(7, {**point, "gone": 1})),
        started(11, {**point, next(iter(space)): "1e-99"}),
    ]
    for end in range(len(history) + 1):
        check_new(strategy, space, history[:end])
    demand(len(strategy.suggest(space, history, 1)) == 1, "no point after an odd history")


CHECKS = [
    check_accepts,
    check_in_space,
    check_pure,
    check_fresh_process,
    check_keyed,
    check_resumes,
    check_failures,
    check_running,
    check_exhausts,
    check_odd_history,
]
