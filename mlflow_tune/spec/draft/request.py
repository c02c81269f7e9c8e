"""For what a study is drafted, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlflow_tune.spec.draft.parameter import Parameter


@dataclass(frozen=True)
class ProjectRun:
    """A trial runs an entry point of an MLflow project: a folder as the study file names it, or a git URI."""

    project: str
    entry_point: str


@dataclass(frozen=True)
class CommandRun:
    """A trial runs a command: its words in order, a parameter's own words where the parameter stands.

    `script` is the file that it runs, as messages name it, and `hint` how a number to search is declared there.
    """

    words: Sequence[str | Parameter]
    script: str
    hint: str


@dataclass(frozen=True)
class DraftRequest:
    """What a study is drafted for. `metrics` are those that the code logs, the one to tune first.

    `experiment` is the study's, `why_experiment` why it has to be that one. `follows` says why the code opens its runs
    as by hand, "" where they are the trial's. `notes` are what a person should know, one sentence each.
    """

    run: ProjectRun | CommandRun
    name: str
    parameters: Sequence[Parameter]
    metrics: Sequence[str]
    experiment: str | None = None
    why_experiment: str = ""
    follows: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Draft:
    """A study file and what is to be said of it.

    `searched` and `fixed` are names of parameters, `missing` those that need a value before the study can run.
    `goal_known` tells whether the metric's name says which way is better. `notes` are what a person should know.
    """

    text: str
    metric: str
    goal: str
    goal_known: bool
    searched: list[str]
    fixed: list[str]
    missing: list[str]
    notes: list[str] = field(default_factory=list)
