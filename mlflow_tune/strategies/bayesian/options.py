"""The options of Bayesian optimisation, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.strategies.random import read_seed
from mlflow_tune.text import as_integer, as_number, unknown
from mlflow_tune.trial import Goal

SURROGATES = ("GP", "RF", "ET")
ACQUISITIONS = ("EI", "PI", "LCB", "uncertainty", "EIps")


@dataclass(frozen=True)
class Options:
    """What a study file may say of the strategy; `Bayesian` tells what each means.

    `InputError` for values out of range, with the option as its key.
    """

    surrogate: Literal["GP", "RF", "ET"] = "GP"
    """The model of the metric: `GP`, a Gaussian process; `RF`, a random forest; `ET`, extremely randomised trees."""
    acquisition: Literal["EI", "PI", "LCB", "uncertainty", "EIps"] = "EI"
    """What chooses the next point: the `EI` expected improvement, the `PI` probability of one, the `LCB` confidence
    bound, the model's `uncertainty`, or `EIps`, the expected improvement per second."""
    initial: int = 5
    """How many points are drawn before the model chooses."""
    seed: int = 0
    """What the draws depend on, a whole number from 0."""
    kappa: float = 1.96
    """How much `LCB` explores: so many standard deviations below the mean."""
    goal: Goal = "minimize"

    def __post_init__(self) -> None:
        faults = Faults()
        for key, known in (
            ("surrogate", SURROGATES),
            ("acquisition", ACQUISITIONS),
            ("goal", ("minimize", "maximize")),
        ):
            with faults.at(key):
                if getattr(self, key) not in known:
                    raise InputError(unknown(key, getattr(self, key), known))
        for key, read, least in (("initial", as_integer, 1), ("kappa", as_number, 0)):
            with faults.at(key):
                number = read(getattr(self, key))
                if number < least:
                    raise InputError(f"{key} >= {least} must hold, but got {key}={number}")
                object.__setattr__(self, key, number)
        with faults.at():
            object.__setattr__(self, "seed", read_seed(self.seed))
        faults.tell()
