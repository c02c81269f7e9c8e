"""What every launcher is: it runs one trial, blocks until that ends, and says how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.space import Space, Value
from mlflow_tune.text import copied
from mlflow_tune.trial import Job, Outcome, Params


class Launcher(Protocol):
    """Runs the trials of one study; made with what all trials share, called with what one trial adds.

    It never talks to the tracking server: it hands the trial's run to the training code by MLflow's environment
    variables. Calls may overlap, each in a thread of its own. Whoever made it calls `close` in the end. `slots` are
    those in which its trials run.
    """

    slots: Slots = Slots()

    def check(self, space: Space) -> Params:
        """Return the values that the training code declares as defaults, by parameter; {} when it declares none.

        Raises InputError, before any run is created, when the code cannot take the study's parameters. The error's
        key is a key of what is run (`command`, `function`, `entry_point`, `parameters.<name>`) or `space.<name>`.
        """
        ...

    def prepare(self) -> None:
        """Do once what must be done before the first trial and may take long; InputError when that fails."""
        return

    def __call__(self, job: Job) -> Outcome:
        """Run one trial to its end. Whatever goes wrong in it is an outcome, not an exception."""
        ...

    def prune(self, run_id: str, grace: float) -> bool:  # noqa: ARG002
        """End the trial of one run: SIGTERM, `grace` seconds, SIGKILL. Its call returns "pruned", unless it had ended.

        From any thread; at once. False where trials cannot be ended so.
        """
        return False

    def stop(self) -> None:
        """Kill all that runs: those calls and all later ones return "interrupted". Any thread, any number of times."""
        ...

    def close(self) -> None:
        """End idle processes and remove temporary files; safe after `stop`, and twice."""
        return


def all_parameters(fixed: Params, searched: Iterable[str]) -> list[str]:
    """Return the names of all parameters; InputError when one is both fixed and searched."""
    names = list(searched)
    for name in fixed:
        if name in names:
            raise InputError("the parameter is searched, so it cannot have a fixed value too", f"parameters.{name}")
    return [*fixed, *names]


def existing_folder(folder: str | Path) -> Path:
    """Return the folder's absolute path; InputError when there is no such folder."""
    path = Path(folder).absolute()
    if not path.is_dir():
        raise InputError(f"must be an existing folder, but got {str(folder)!r}", "folder")
    return path


def merged(fixed: Params, job: Job) -> dict[str, Value]:
    """Return the trial's parameters, for training code to do with as it likes: the fixed ones, then the searched."""
    return {name: copied(value) for name, value in {**fixed, **job.params}.items()}
