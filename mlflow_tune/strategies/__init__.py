"""The strategies by name. A new one is a `Strategy` in a file of its own, and a line in `STRATEGIES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.space import RESERVED_NAMES
from mlflow_tune.strategies.base import Band, Strategy
from mlflow_tune.strategies.bayesian import Bayesian
from mlflow_tune.strategies.bisection import Bisection
from mlflow_tune.strategies.constraint import Constraint
from mlflow_tune.strategies.grid import Grid
from mlflow_tune.strategies.manual import Manual
from mlflow_tune.strategies.random import Random
from mlflow_tune.text import unknown
from mlflow_tune.text.named import made, options_of
from mlflow_tune.trial import Goal

__all__ = [
    "STRATEGIES",
    "Band",
    "Bayesian",
    "Bisection",
    "Constraint",
    "Grid",
    "Manual",
    "Random",
    "Strategy",
    "evidence_names",
    "make_strategy",
    "model_based",
    "reserved_names",
    "strategy_options",
    "strategy_to_json",
]

STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind
    for kind in (
        Manual,
        Grid,
        Random,
        Bisection,
        Bayesian,
    )
}


def make_strategy(options: Mapping[str, object], goal: Goal = "minimize") -> Strategy:
    """Return the strategy that `{name: random, seed: 0}` describes; options left out have their defaults.

    Raises `InputError`, whose key is the culprit, for an unknown name or option and for a value out of range; all such
    faults are told at once.
    """
    if not isinstance(options, Mapping) or "name" not in options:
        raise InputError(f"must be a mapping with a 'name' ({', '.join(STRATEGIES)}), but got {options!r}")
    return made(STRATEGIES, "strategy", options, {"goal": goal})


def strategy_to_json(strategy: Strategy) -> dict[str, Any]:
    """Return the options that `make_strategy` reads back to an equal strategy, defaults included."""
    return {"name": strategy.name, **{key: getattr(strategy, key) for key in strategy_options(strategy.name)}}


def strategy_options(name: str) -> list[str]:
    """Return the names of a strategy's options. Raises `InputError` when there is no such strategy."""
    if name not in STRATEGIES:
        raise InputError(unknown("strategy", name, STRATEGIES), "strategy.name")
    return options_of(STRATEGIES[name], {"goal": None})


def model_based() -> list[str]:
    """Return the names of the strategies that have a model."""
    return [name for name, kind in STRATEGIES.items() if kind.has_model]


def evidence_names() -> list[str]:
    """Return the names of the metrics in which the strategies log the numbers behind their choices."""
    return list(dict.fromkeys(name for kind in STRATEGIES.values() for name in kind.evidence))


def reserved_names() -> list[str]:
    """Return the names that neither a parameter nor a metric of the training code may have."""
    return [*RESERVED_NAMES, *evidence_names()]
