"""The methods that are compared: ours, and its peers in the settings that a person gets who sets nothing.

A method takes a space, an objective to be minimised, how often it may be called, and a seed. It returns the point that
it recommends, None where that is the best that the objective has seen. What has an order but no numbers that count, an
ordinal, is a whole number to a peer.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

import mlflow_tune
from mlflow_tune.space import Categorical, Dimension, Float, Int, Ordinal, Space
from mlflow_tune.spec.confirm import ConfirmSpec
from mlflow_tune.strategies import Bayesian
from mlflow_tune.strategies.confirmation import Confirmation, Plan
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.trial import Params, Trial


class Objective(Protocol):
    """What a method calls for the value of a point."""

    def __call__(self, params: Params) -> float:
        """Return the value of the next trial."""
        ...

    def again(self, params: Params, seed: int) -> float:
        """Return the value of the next trial, under a fresh seed: one that means the same for all points."""
        ...


Method: TypeAlias = Callable[[Space, Objective, int, int], Params | None]
SEEDS = Seeds("seed", own=0)
OURS = "mlflow-tune"
OURS_AT_ONCE = "mlflow-tune, 4 at once"
OURS_CONFIRMED = "mlflow-tune, confirmed"


def ours(space: Space, objective: Objective, trials: int, seed: int, at_once: int = 1) -> None:
    """Run the Bayesian strategy with its defaults, so many trials at once, of which the first to start ends first."""
    searched(space, objective, trials, seed, at_once)


def ours_confirmed(space: Space, objective: Objective, trials: int, seed: int) -> Params | None:
    """Run the Bayesian strategy, and a confirmation with its defaults as the last part of the trials."""
    plan = ConfirmSpec().plan
    best = confirmed(plan, searched(space, objective, trials - plan.trials, seed), objective.again).best
    return None if best is None else best.trial.params


def confirmed(plan: Plan, ended: Sequence[Trial], again: Callable[[Params, int], float]) -> Confirmation:
    """Return the confirmation at its end; `again` runs a point of the trials that have ended under a fresh seed."""
    trials = list(ended)
    standing = Confirmation(plan, "minimize", SEEDS, list(trials))
    while found := standing.next(1):
        (rerun,) = found
        assert rerun.seed is not None
        value = again(rerun.params, rerun.seed)
        trials.append(Trial(len(trials) + 1, rerun.params, "ok", value, replicate=rerun.replicate, seed=rerun.seed))
        standing = Confirmation(plan, "minimize", SEEDS, list(trials))
    return standing


def searched(space: Space, objective: Objective, trials: int, seed: int, at_once: int = 1) -> list[Trial]:
    """Return the trials that the Bayesian strategy has run."""
    strategy = Bayesian(seed=seed)
    ended: list[Trial] = []
    running: list[Trial] = []
    while len(ended) < trials:
        while len(running) < min(at_once, trials - len(ended)):
            (found,) = strategy.suggest(space, ended + running, 1)
            running.append(Trial(len(ended) + len(running) + 1, found.params, metrics=found.evidence))
        first = running.pop(0)
        ended.append(replace(first, outcome="ok", value=objective(first.params)))
    return ended


def random(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Draw points evenly."""
    draws = np.random.default_rng([seed, 3])
    for _ in range(trials):
        objective(space.from_unit(draws.random(len(space)).tolist()))


def scikit_optimize(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run `skopt.gp_minimize`."""
    import skopt
    from skopt import space as terms

    def dimension(of: Dimension) -> Any:
        if isinstance(of, Categorical):
            return terms.Categorical(list(of.values))
        if isinstance(of, Ordinal):
            return terms.Integer(0, of.size - 1)
        assert isinstance(of, Float | Int)
        kind = terms.Real if isinstance(of, Float) else terms.Integer
        return kind(of.low, of.high, "log-uniform" if of.log else "uniform")

    def loss(point: list[Any]) -> float:
        return objective(read(space, dict(zip(space, point, strict=True))))

    skopt.gp_minimize(loss, [dimension(each) for each in space.values()], n_calls=trials, random_state=seed)


def optuna_tpe(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run Optuna's TPESampler, which it takes by itself."""
    import optuna

    _optuna(space, objective, trials, optuna.samplers.TPESampler(seed=seed))


def optuna_gp(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run Optuna's GPSampler."""
    import optuna

    _optuna(space, objective, trials, optuna.samplers.GPSampler(seed=seed))


def _optuna(space: Space, objective: Objective, trials: int, sampler: Any) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def suggested(trial: Any, name: str, of: Dimension) -> Any:
        if isinstance(of, Categorical):
            return trial.suggest_categorical(name, list(of.values))
        if isinstance(of, Ordinal):
            return trial.suggest_int(name, 0, of.size - 1)
        assert isinstance(of, Float | Int)
        ask = trial.suggest_float if isinstance(of, Float) else trial.suggest_int
        return ask(name, of.low, of.high, log=of.log)

    def loss(trial: Any) -> float:
        return objective(read(space, {name: suggested(trial, name, of) for name, of in space.items()}))

    optuna.create_study(sampler=sampler).optimize(loss, n_trials=trials)


def hyperopt_tpe(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run Hyperopt's `tpe.suggest`."""
    from hyperopt import fmin, hp, tpe

    def dimension(name: str, of: Dimension) -> Any:
        if isinstance(of, Categorical):
            return hp.choice(name, list(of.values))
        if isinstance(of, Ordinal):
            return hp.uniformint(name, 0, of.size - 1)
        assert isinstance(of, Float | Int)
        if isinstance(of, Int):
            return (
                hp.qloguniform(name, *np.log([of.low, of.high]), 1) if of.log else hp.uniformint(name, of.low, of.high)
            )
        return hp.loguniform(name, *np.log([of.low, of.high])) if of.log else hp.uniform(name, of.low, of.high)

    fmin(
        lambda point: objective(read(space, point)),
        {name: dimension(name, of) for name, of in space.items()},
        algo=tpe.suggest,
        max_evals=trials,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
    )


def ngopt(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run nevergrad's NGOpt, which knows the budget."""
    import nevergrad

    def dimension(of: Dimension) -> Any:
        if isinstance(of, Categorical):
            return nevergrad.p.Choice(list(of.values))
        if isinstance(of, Ordinal):
            return nevergrad.p.Scalar(lower=0, upper=of.size - 1).set_integer_casting()
        assert isinstance(of, Float | Int)
        found = (nevergrad.p.Log if of.log else nevergrad.p.Scalar)(lower=of.low, upper=of.high)
        return found if isinstance(of, Float) else found.set_integer_casting()

    asked = nevergrad.p.Dict(**{name: dimension(of) for name, of in space.items()})
    asked.random_state.seed(seed)
    optimiser = nevergrad.optimizers.NGOpt(parametrization=asked, budget=trials)
    optimiser.minimize(lambda point: objective(read(space, point)))


def smac3(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run SMAC3's HyperparameterOptimizationFacade, which is told that no point needs a second look."""
    from ConfigSpace import Categorical as Choice
    from ConfigSpace import ConfigurationSpace, Integer
    from ConfigSpace import Float as Number
    from smac import HyperparameterOptimizationFacade, Scenario

    def dimension(name: str, of: Dimension) -> Any:
        if isinstance(of, Categorical):
            return Choice(name, list(of.values))
        if isinstance(of, Ordinal):
            return Integer(name, (0, of.size - 1))
        assert isinstance(of, Float | Int)
        return (Number if isinstance(of, Float) else Integer)(name, (of.low, of.high), log=of.log)

    def loss(point: Any, seed: int) -> float:
        return objective(read(space, dict(point)))

    asked = ConfigurationSpace(seed=seed)
    asked.add([dimension(name, of) for name, of in space.items()])
    with tempfile.TemporaryDirectory() as folder:
        told = Scenario(asked, deterministic=True, n_trials=trials, seed=seed, output_directory=Path(folder))
        HyperparameterOptimizationFacade(told, loss, logging_level=40, overwrite=True).optimize()


def ax(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run Ax's Client, which chooses its generation strategy by itself."""
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    logging.disable(logging.WARNING)

    def dimension(name: str, of: Dimension) -> Any:
        if isinstance(of, Categorical):
            values = [str(each) for each in of.values]
            return ChoiceParameterConfig(name=name, parameter_type="str", values=values, is_ordered=False)
        if isinstance(of, Ordinal):
            return RangeParameterConfig(name=name, parameter_type="int", bounds=(0, of.size - 1))
        assert isinstance(of, Float | Int)
        kind = "float" if isinstance(of, Float) else "int"
        scale = "log" if of.log else "linear"
        return RangeParameterConfig(name=name, parameter_type=kind, bounds=(of.low, of.high), scaling=scale)

    client = Client(random_seed=seed)
    client.configure_experiment(parameters=[dimension(name, of) for name, of in space.items()])
    client.configure_optimization(objective="-loss")
    for _ in range(trials):
        for number, point in client.get_next_trials(max_trials=1).items():
            client.complete_trial(trial_index=number, raw_data={"loss": objective(read(space, point))})


def hebo(space: Space, objective: Objective, trials: int, seed: int) -> None:
    """Run HEBO, which draws from NumPy's and PyTorch's own generators."""
    import torch
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    def dimension(name: str, of: Dimension) -> dict[str, Any]:
        if isinstance(of, Categorical):
            return {"name": name, "type": "cat", "categories": [str(each) for each in of.values]}
        if isinstance(of, Ordinal):
            return {"name": name, "type": "int", "lb": 0, "ub": of.size - 1}
        assert isinstance(of, Float | Int)
        kind = ("pow" if of.log else "num") if isinstance(of, Float) else ("pow_int" if of.log else "int")
        return {"name": name, "type": kind, "lb": of.low, "ub": of.high}

    np.random.seed(seed)
    torch.manual_seed(seed)
    optimiser = HEBO(DesignSpace().parse([dimension(name, of) for name, of in space.items()]), scramble_seed=seed)
    for _ in range(trials):
        points = optimiser.suggest(n_suggestions=1)
        optimiser.observe(points, np.array([[objective(read(space, points.iloc[0].to_dict()))]]))


def read(space: Space, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a peer's point in the values of the space: numbers of Python's own, ordinals by their place."""
    return {name: _value(of, point[name]) for name, of in space.items()}


def _value(of: Dimension, given: Any) -> Any:
    if isinstance(of, Categorical):
        return of.values[[str(each) for each in of.values].index(str(given))]
    if isinstance(of, Ordinal):
        return of.values[round(float(given))]
    assert isinstance(of, Float | Int)
    number = min(max(float(given), of.low), of.high)
    return number if isinstance(of, Float) else round(number)


METHODS: dict[str, Method] = {
    OURS: ours,
    OURS_AT_ONCE: partial(ours, at_once=4),
    OURS_CONFIRMED: ours_confirmed,
    "random": random,
    "optuna-tpe": optuna_tpe,
    "hyperopt-tpe": hyperopt_tpe,
    "ngopt": ngopt,
    "optuna-gp": optuna_gp,
    "smac3": smac3,
    "ax": ax,
    "hebo": hebo,
    "scikit-optimize": scikit_optimize,
}
PEERS = tuple(name for name in METHODS if not name.startswith(OURS))
BY_BUDGET = ("ngopt", OURS_CONFIRMED)  # they plan for the budget, so that each has a study of its own
PACKAGES = {
    "optuna-tpe": "optuna",
    "optuna-gp": "optuna",
    "hyperopt-tpe": "hyperopt",
    "ngopt": "nevergrad",
    "smac3": "smac",
    "ax": "ax-platform",
    "hebo": "HEBO",
    "scikit-optimize": "scikit-optimize",
}


def version_of(method: str) -> str:
    """Return what a run of the method is a run of: a version, of ours a hash of strategies, space and what confirms."""
    if method in PEERS:
        return version(PACKAGES.get(method, "numpy"))
    root = Path(mlflow_tune.__file__).parent
    files = sorted(path for room in ("strategies", "space") for path in (root / room).rglob("*.py"))
    files.append(root / "spec" / "confirm.py")
    source = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:10]
    return source + method.removeprefix(OURS)


def quietly(method: str, space: Space, objective: Objective, trials: int, seed: int) -> Params | None:
    """Run a method without its warnings, and return what it recommends; None is the best seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return METHODS[method](space, objective, trials, seed)
