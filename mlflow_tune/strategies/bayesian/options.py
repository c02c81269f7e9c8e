"""The options of Bayesian optimisation, checked."""

from __future__ import annotations

from dataclasses import dataclass

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

    surrogate: str = "GP"
    acquisition: str = "EI"
    initial: int = 8
    seed: int = 0
    kappa: float = 1.96
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
