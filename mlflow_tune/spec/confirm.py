"""Whether the best trials of a study are run again under fresh seeds: the key `confirm` of the study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.spec import forms
from mlflow_tune.spec.fields import Count
from mlflow_tune.spec.forms import Written
from mlflow_tune.strategies import Strategy
from mlflow_tune.strategies.confirmation import UNTIL, Plan
from mlflow_tune.text import as_integer, as_number

TOP = 3  # with 3, not 5, a study of 50 trials recommends better: tests/benchmarks/samples/README.md
SEEDS = 4
MOST_SEEDS = 20  # where only the probability is asked for


def _chance(value: object) -> float:
    number = as_number(value)
    if not 0.5 <= number < 1:
        raise InputError(f"0.5 <= until < 1 must hold, for it is a probability, but got {number:g}")
    return number


class ConfirmSpec(BaseModel):
    """How many of the best trials run again, under how many fresh seeds each at the most.

    It ends earlier when one is the best with the probability `until`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    top: Count = TOP
    """How many of the best points run again."""
    seeds: Count = SEEDS
    """How many fresh seeds each of them gets at most."""
    until: Annotated[float, BeforeValidator(_chance), Written(forms.chance())] = UNTIL
    """The probability that one point is the best at which the confirmation ends."""

    @property
    def plan(self) -> Plan:
        """The plan of the confirmation."""
        return Plan(self.top, self.seeds, self.until)


def refuse_boundary(strategy: Strategy) -> None:
    """Raise InputError when a study searches a boundary: what it recommends is its answer, whatever the value."""
    if strategy.requirement is not None:
        raise InputError(
            "a search for a boundary recommends its answer, which reruns of the best values do not confirm: give the "
            "strategy replicates instead",
            "confirm",
        )


def confirm_of(options: Mapping[str, object]) -> ConfirmSpec:
    """Return the confirmation with these options, of which None stands for the default. Raises InputError."""
    given = {name: value for name, value in options.items() if value is not None}
    if "until" in given:
        given.setdefault("seeds", MOST_SEEDS)
    faults = Faults()
    for name, value in given.items():
        with faults.at(name):
            given[name] = _chance(value) if name == "until" else _count(value)
    faults.tell()
    return ConfirmSpec.model_validate(given)


def _count(value: object) -> int:
    if (number := as_integer(value)) < 1:
        raise InputError(f"must be at least 1, but got {number}")
    return number
