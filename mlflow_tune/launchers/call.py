"""Calling a Python objective: bind it to the trial's run, read what it returns. Used here and in worker processes."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.environment import RUN_ID_VARIABLE, trial_environment
from mlflow_tune.launchers.main_module import missing_from_main
from mlflow_tune.launchers.output import REASON_LENGTH, refused_param
from mlflow_tune.launchers.refusal import refused_run
from mlflow_tune.space import check_mlflow_name
from mlflow_tune.text import cut, short
from mlflow_tune.text.redaction import masked
from mlflow_tune.trial import Job, Outcome, Params

Objective = Callable[..., Any]
_FOREIGN = ("<frozen", str(Path(os.__file__).parent))


def signature_problem(function: Objective, names: Iterable[str]) -> str:
    """Return in words why the function cannot be called with these keyword arguments; "" when it can."""
    if not callable(function):
        return f"must be a function, but it is {_described(function)}"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions of C often have none
        return ""
    try:
        signature.bind_partial(**dict.fromkeys(names))  # a misspelt name is a better reason than a missing one
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        takes = short(signature, REASON_LENGTH)
        return f"{error}; the function takes {takes}, the study gives it {', '.join(names)}"
    return ""


def call(function: Objective, parameters: Params, job: Job, metric: str) -> Outcome:
    """Call the function as the trial `job`; its MLflow calls go to the trial's run, which is ended afterwards.

    It returns a number (the value of `metric`), a mapping of metrics, or None when it logged the metric itself.
    What it raises becomes a "failed" outcome; KeyboardInterrupt passes through.
    """
    if run := active_run():
        reason = f"an MLflow run is active already ({run}), so the trial's own run cannot become active: end it first"
        return Outcome("failed", reason=reason)
    with trial_environment(job):
        try:
            result = function(**parameters)
        except SystemExit as error:
            bound = end_runs(job, "FAILED")
            return Outcome("failed", logged=bound, reason=f"the function called sys.exit({error.code!r})")
        except Exception as error:
            bound = end_runs(job, "FAILED")
            return _failure(error, bound, job)
        except BaseException:
            end_runs(job, "KILLED")
            raise
        bound = end_runs(job, "FINISHED")
    try:
        return Outcome("ok", metrics=metrics_of(result, metric), logged=bound or result is None)
    except ValueError as error:
        return Outcome("failed", logged=bound, reason=cut(masked(str(error)), REASON_LENGTH))


def active_run() -> str:
    """Return the id of this thread's active MLflow run, "" when there is none. Does not import mlflow."""
    run = mlflow.active_run() if (mlflow := _loaded_mlflow()) else None
    return str(run.info.run_id) if run else ""


def _loaded_mlflow() -> Any:
    mlflow: Any = sys.modules.get("mlflow")
    return mlflow if hasattr(mlflow, "active_run") else None


def end_runs(job: Job, status: str) -> bool:
    """End this thread's active runs, so that the next trial binds anew; return whether the trial's run was bound.

    Of a trial that binds none, return whether the code may have opened runs: whether MLflow is loaded. `start_run`
    takes MLFLOW_RUN_ID out of the environment when it adopts the run.
    """
    if not (mlflow := _loaded_mlflow()):
        return False
    if job.bind and os.environ.get(RUN_ID_VARIABLE) == job.run_id and not active_run():
        return False
    with suppress(Exception):
        mlflow.flush_async_logging()
    while active_run():
        with suppress(Exception):  # the driver ends the run too; what counts is that it is no longer active
            mlflow.end_run(status)
    return True


def metrics_of(result: object, metric: str, said: str = "the function returned") -> dict[str, float]:
    """Return the metrics that a result stands for; ValueError, saying what was `said`, when it stands for none."""
    if result is None:
        return {}
    if not isinstance(result, Mapping):
        return {metric: _number(result, said)}
    for name in result:
        if not isinstance(name, str):
            raise ValueError(f"{said} a dict with the key {name!r}, but metrics have names")
        try:
            check_mlflow_name(name)
        except InputError as error:
            raise ValueError(f"{said} a metric that MLflow does not take: {error.message}") from None
    return {name: _number(value, f"{said} a dict with {name!r}:") for name, value in result.items()}


def _number(value: Any, where: str) -> float:
    if not isinstance(value, str | bytes | bytearray) and getattr(value, "ndim", 0) == 0:
        with suppress(TypeError, ValueError, OverflowError):
            return float(value)
    raise ValueError(f"{where} {_described(value)}; it must be a number, a dict of metrics (names to numbers) or None")


def _described(value: object) -> str:
    kind = type(value).__name__
    with suppress(Exception):
        return f"{cut(repr(value), 100)} ({kind})"
    return f"a {kind}"


def _failure(error: Exception, bound: bool, job: Job) -> Outcome:
    own = error.__traceback__.tb_next if error.__traceback__ else None  # without the frame of `call`
    output = "".join(traceback.format_exception(type(error), error, own)).encode(errors="replace")
    places = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(own)]
    if job.bind and (cause := refused_run(str(error), places, job, Path.cwd())):
        return Outcome("failed", logged=bound, reason=cut(cause, REASON_LENGTH), output=output, certain=True)
    return Outcome("failed", logged=bound, reason=error_words(error, own), output=output)


def error_words(error: BaseException, frames: TracebackType | None) -> str:
    """Return `ValueError: ... (file:line)`, the line being the last one of the user's own code."""
    # A syntax error is preceded by its place, other errors may be followed by notes.
    told = [part for part in traceback.format_exception_only(type(error), error) if not part.startswith("  ")]
    said = refused_param(str(error)) or told[0].strip().splitlines()[0]
    if remedy := missing_from_main(error):
        said = f"{cut(said, 150)}: {remedy}"
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(frames)]
    own = [place for place in places if not place[0].startswith(_FOREIGN) and "site-packages" not in place[0]]
    if isinstance(error, SyntaxError):
        own.append((error.filename or "", error.lineno))
    words = cut(masked(said), 400)  # a secret that is cut would not be found any more
    if not own and not places:
        return words
    file, line = (own or places)[-1]
    with suppress(ValueError):
        file = str(Path(file).relative_to(Path.cwd()))
    return f"{words} ({file}:{line})"
