"""The parameter that says how long a trial trains: what is raised when a trial is trained on."""

from __future__ import annotations

from mlflow_tune.errors import InputError
from mlflow_tune.space import Space
from mlflow_tune.text import as_integer, words_of
from mlflow_tune.trial import Params, Trial

_BESIDE = {"n", "num", "nb", "number", "of", "max", "maximum", "total", "train", "training", "trainer"}


def epochs_name(space: Space, fixed: Params) -> str | None:
    """Return the parameter that says for how many epochs a trial trains, None where there is none.

    It is the searched one with `role: epochs`, else the first that bears that name: `epochs`, `max_epochs`,
    `trainer.max_epochs`, `num_train_epochs`. `fixed` are those that are not searched.
    """
    declared = [name for name, dimension in space.items() if dimension.role == "epochs"]
    named = [name for name in (*space, *fixed) if set(words_of(name)) - _BESIDE in ({"epochs"}, {"epoch"})]
    return next(iter([*declared, *named]), None)


def epochs_of(trial: Trial, name: str, fixed: Params) -> int:
    """Return for how many epochs a trial's latest attempt was to train. Raises InputError when that is no count."""
    try:
        found = as_integer({**fixed, **trial.trained_with}.get(name))
    except InputError as error:
        raise error.under(name) from None
    if found < 1:
        raise InputError(f"must be at least 1, but trial {trial.number} has {found}", name)
    return found
