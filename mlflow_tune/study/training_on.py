"""Trials that a person has trained on: which may be, and for how many epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.spec.epochs import epochs_name, epochs_of
from mlflow_tune.text import as_integer, shown
from mlflow_tune.tracking import Trials
from mlflow_tune.trial import TrainOn, Trial

OPTION, EPOCHS = "--train-on", "--epochs"
_WHY_NOT: Mapping[str | None, str] = {
    None: "it runs",
    "interrupted": "it was interrupted, and runs again by itself when the study goes on",
    "failed": "it failed: have it run again by --retry-failed",
    "timeout": "it took too long: have it run again by --retry-failed",
    "not-finite": "its metric was not finite in the end, which more epochs do not mend",
}


def asked_on(trials: object, epochs: object) -> tuple[list[int], int | None]:
    """Return the numbers of the trials that `3,7`, 3 or [3, 7] names, each once, and for how many epochs they train.

    Raises InputError when they are no such numbers, or epochs are given and no trial.
    """
    listed = trials.split(",") if isinstance(trials, str) else trials if isinstance(trials, Sequence) else [trials]
    try:
        numbers = list(dict.fromkeys(as_integer(each) for each in listed))
    except InputError:
        raise InputError(f"must be numbers of trials, such as 3,7, but got {shown(trials)}", OPTION) from None
    if epochs is None:
        return numbers, None
    if not numbers:
        raise InputError(f"says for how long trials are trained on: name them by {OPTION} too", EPOCHS)
    try:
        count = as_integer(epochs)
    except InputError as error:
        raise error.under(EPOCHS) from None
    if count < 1:
        raise InputError(f"must be at least 1, but got {count}", EPOCHS)
    return numbers, count


def train_on(store: Trials, history: Sequence[Trial], numbers: Sequence[int], epochs: int | None = None) -> list[Trial]:
    """Write on the server that trials are to be trained on, and return the history, which has it too.

    Without `epochs` one that trained to its end gets twice as many as it had, one that was stopped those that it had.
    Raises InputError, which tells of all trials that cannot be trained on, before anything is written.
    """
    found = {trial.number: trial for trial in history}
    faults = Faults()
    wishes: dict[int, TrainOn] = {}
    for number in numbers:
        with faults.at():
            wishes[number] = _wish(found.get(number), number, len(history), store, epochs)
    faults.tell()
    asked = {number: store.ask_on(found[number], wish) for number, wish in wishes.items()}
    return [asked.get(trial.number, trial) for trial in history]


def _wish(trial: Trial | None, number: int, count: int, store: Trials, epochs: int | None) -> TrainOn:
    """Return for how many epochs the trial is to train. Raises InputError when it cannot be trained on."""
    if trial is None:
        raise InputError(f"the study has no trial {number}; it has {count}", OPTION)
    if trial.outcome not in ("ok", "pruned"):
        raise InputError(f"trial {number} cannot be trained on: {_WHY_NOT[trial.outcome]}", OPTION)
    assert store.space is not None
    if (name := epochs_name(store.space, store.fixed)) is None:
        raise InputError(
            "nothing says for how many epochs a trial trains: there must be a fixed parameter such as `epochs` "
            "(run.parameters) or a searched one with `role: epochs`; begin a study that has one",
            OPTION,
        )
    had = epochs_of(trial, name, store.fixed)
    least = 1 if trial.outcome == "pruned" else had + 1
    if epochs is not None and epochs < least:
        raise InputError(f"must be more than the {had} {name} that trial {number} had, but got {epochs}", EPOCHS)
    return TrainOn(trial.attempt, {name: epochs or (had if trial.outcome == "pruned" else 2 * had)})
