"""What one trial runs: the key `run` of the study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from mlflow_tune.errors import InputError
from mlflow_tune.spec.fields import Command, CountFromZero, Duration, Function, Parameters, Project, Size, Text

KINDS = ("project", "command", "function")


class RunSpec(BaseModel):
    """What one trial runs: exactly one of `project`, `command`, `function`.

    With `mlflow: bind` the first MLflow run that the code opens is the trial's own; with `follow` it opens runs as by
    hand, and the metric is followed to them. `version` is the branch, tag or commit of a project that lies in a git
    repository. `objective` stands for a Python object that only `Study(objective=...)` can give; a study file may not
    use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    project: Project | None = None
    """An MLflow project: a folder, relative to the study file, or a git URI."""
    command: Command | None = None
    """A list of words, never run by a shell. `{name}` stands for a parameter; a list within it is a group of words that
    goes by its parameter's value."""
    function: Function | None = None
    """`module:function`. The study file's folder is importable. Runs in worker processes."""
    objective: str | None = None
    """A Python object, which only `Study(objective=...)` can give."""
    entry_point: Text = "main"
    """The project's entry point, or a script such as `train.py`."""
    version: Text | None = None
    """The branch, tag or commit of a project in a git repository; the newest unless given."""
    parameters: Parameters = {}
    """Fixed values, by the name of the parameter."""
    env_manager: Literal["local", "uv"] = "local"
    """`local`: this environment. `uv`: the project's own, built once for a study."""
    mlflow: Literal["bind", "follow"] = "bind"
    """`bind`: the first MLflow run that the code opens is the trial's own. `follow`: the code opens its own runs, as by
    hand, and the metric is looked for there."""
    timeout: Duration | None = None
    """How long a trial may take: 90s, 10m, 2h."""
    memory: Size | None = None
    """How much memory all processes of a trial may use together: 512MiB, 2GiB, 1.5GB. Not for an objective that runs in
    this process."""
    retries: CountFromZero = 0
    """How many more attempts a trial gets after a failure."""

    @property
    def kind(self) -> str:
        """Which of project, command, function and objective is given."""
        return next(kind for kind in (*KINDS, "objective") if getattr(self, kind) is not None)

    @property
    def source(self) -> str:
        """The project, command or function in one line, as MLflow shows a run's source."""
        return " ".join(map(_shown_part, self.command)) if self.command else str(getattr(self, self.kind))

    @property
    def takes_seed(self) -> bool:
        """Whether a command has a place for a seed, {seed}, whatever the parameters are."""
        words = [word for part in self.command or () for word in ([part] if isinstance(part, str) else part)]
        return any("{seed}" in word.replace("${", "") for word in words)

    @model_validator(mode="after")
    def _exactly_one(self) -> RunSpec:
        given = [kind for kind in (*KINDS, "objective") if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f"but got {' and '.join(given)}" if given else "but none is there"
            raise InputError(f"exactly one of project, command, function is needed, {found}")
        for key, default in (("entry_point", "main"), ("version", None), ("env_manager", "local")):
            if getattr(self, key) != default and given != ["project"]:
                raise InputError(f"only a project has one, but this study runs a {given[0]}; take it out", key)
        return self


def _shown_part(part: str | list[str]) -> str:
    return part if isinstance(part, str) else f"[{' '.join(part)}]"
