"""From what a study runs to the launcher that runs it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.executors.slots import slots_of
from mlflow_tune.launchers import CommandLauncher, FunctionLauncher, Launcher, ObjectiveLauncher, ProjectLauncher
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.provenance import tell_difference
from mlflow_tune.spec.definition import ASKED, SEARCHED, only_by_fit
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.trial import Job, Params

REFERENCE_POINTS = 101


@contextlib.contextmanager
def checked_launcher(
    spec: StudySpec,
    objective: Callable[..., Any] | None,
    folder: Path,
    elsewhere: bool = False,
    to_run: bool = False,
) -> Iterator[tuple[Launcher, Params]]:
    """Give the launcher of a study and the defaults that its code declares; close it at the end.

    `elsewhere` says that an executor is given, so that nothing runs in this process; `to_run` that the study's trials
    are to run now, in slots with their devices. Raises InputError, with the key in the study file, when the code cannot
    take the study's parameters, or there are too few devices.
    """
    refuse_devices(spec, elsewhere)
    with contextlib.ExitStack() as stack:
        here = to_run and not elsewhere and spec.executor is None
        slots = stack.enter_context(slots_of(spec)) if here else Slots()
        with _keys_of_the_file():
            launcher = stack.enter_context(contextlib.closing(_launcher(spec, objective, folder, elsewhere, slots)))
            defaults = launcher.check(spec.space)
        yield launcher, defaults


@contextlib.contextmanager
def found_launcher(
    spec: StudySpec, objective: Callable[..., Any] | None, folder: Path, commit: str, elsewhere: bool
) -> Iterator[tuple[Launcher, Params]]:
    """Give what `checked_launcher` gives, for a study that exists, where its code lies now.

    It is told when that is another `commit` than the study began with. Raises InputError when the folder is not there.
    """
    if not folder.is_dir():
        raise InputError(f"the study's code was in {folder}, which is not here: name its folder", "folder")
    tell_difference(commit, folder)
    with checked_launcher(spec, objective, folder, elsewhere, to_run=True) as found:
        yield found


def declared_defaults(spec: StudySpec, objective: Callable[..., Any] | None, folder: Path) -> Params:
    """Return the defaults that the study's code declares, none where the caller runs the trials.

    Raises as `checked_launcher` does.
    """
    if objective is None and spec.run.objective == ASKED:
        return {}
    with checked_launcher(spec, objective, folder) as (_, defaults):
        return defaults


def reference_values(spec: StudySpec, folder: Path) -> list[float]:
    """Return the study's true function at `REFERENCE_POINTS` places, evenly over the range of its only parameter.

    It is called in a worker process. Empty where the study names none. Raises InputError with the key `reference`.
    """
    if spec.reference is None:
        return []
    name, dimension = next(iter(spec.space.items()))
    values: list[float] = []
    with contextlib.closing(FunctionLauncher(spec.reference, "reference", {}, None, folder)) as launcher:
        try:
            launcher.check(spec.space)
        except InputError as error:
            raise InputError(error.message, "reference") from None
        for index in range(REFERENCE_POINTS):
            at = dimension.from_unit(index / (REFERENCE_POINTS - 1))
            outcome = launcher(Job(index, {name: at}, "", "", ""))
            values.append(outcome.metrics.get("reference", math.nan))
            if not math.isfinite(values[-1]):
                said = outcome.reason or f"it gave {values[-1]}"
                raise InputError(f"must give a finite number at {name}={at}, but: {said}", "reference")
    return values


def prepare(launcher: Launcher) -> None:
    """Do what takes long before the first trial. Raises InputError, with the key in the study file."""
    with _keys_of_the_file():
        launcher.prepare()


@contextlib.contextmanager
def _keys_of_the_file() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise error.under("run") if error.key and not error.key.startswith("space.") else error from None


def runs_in_process(spec: StudySpec, objective: Callable[..., Any] | None, elsewhere: bool = False) -> bool:
    """Whether trials are calls in this very process: those of a Python object, with one worker and no executor.

    Nor with devices of their own: a library that has looked for its devices does not look again.
    """
    alone = spec.workers == 1 and not elsewhere and spec.executor is None
    return objective is not None and alone and not spec.placed


def refuse_limits(spec: StudySpec, objective: Callable[..., Any] | None, elsewhere: bool = False) -> None:
    """Raise InputError when trials that are calls in this very process have a limit, which nothing could enforce."""
    for key in ("timeout", "memory"):
        if getattr(spec.run, key) is not None and runs_in_process(spec, objective, elsewhere):
            raise InputError("an objective of this process cannot be stopped; leave it out or use workers=2", key)


def refuse_devices(spec: StudySpec, elsewhere: bool) -> None:
    """Raise InputError, key `gpus`, when the study gives out devices and its caller says where trials run."""
    if spec.placed and elsewhere:
        message = "whoever runs the trials gives them their devices (Ray by num_gpus): leave it out, or say none"
        raise InputError(message, "gpus")


def _launcher(
    spec: StudySpec, objective: Callable[..., Any] | None, folder: Path, elsewhere: bool, slots: Slots
) -> Launcher:
    if objective is None and spec.run.objective == ASKED:
        message = "nothing says what a trial runs: give objective or run, or ask() for trials and tell() their values"
        raise InputError(message, "objective")
    if objective is None and spec.run.objective == SEARCHED:
        raise only_by_fit(spec.name)
    if objective is None and spec.run.objective is not None:
        message = f"this study runs the Python object {spec.run.objective}: resume it by Study.load(..., objective=...)"
        raise InputError(message, "objective")
    refuse_limits(spec, objective, elsewhere)
    if objective is not None and runs_in_process(spec, objective, elsewhere):
        return ObjectiveLauncher(objective, spec.metric, spec.run.parameters)
    return launcher_of(spec.run, spec.metric, objective, folder, replace(slots, first=spec.stop.trials))


def launcher_of(
    run: RunSpec,
    metric: str,
    objective: Callable[..., Any] | bytes | None,
    folder: Path,
    slots: Slots | None = None,
) -> Launcher:
    """Return the launcher of what a study runs, in processes of their own; `objective` may be pickled.

    Where trials are calls, a worker for each of the first `slots` is ready for them.
    """
    if run.project is not None:
        return ProjectLauncher(
            run.project,
            run.entry_point,
            run.parameters,
            run.env_manager,
            run.timeout,
            folder,
            run.version,
            run.memory,
            slots,
        )
    if run.command is not None:
        return CommandLauncher(run.command, run.parameters, run.timeout, folder, run.memory, slots)
    function = str(run.function) if objective is None else objective  # which may be an object that is false
    return FunctionLauncher(function, metric, run.parameters, run.timeout, folder, run.memory, slots)
