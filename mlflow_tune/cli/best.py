"""The command that shows the best trial of a study: best."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.errors import InputError
from mlflow_tune.launchers.by_hand import command_by_hand, function_by_hand, project_by_hand
from mlflow_tune.report.answer import answer_lines
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.recommendation import Recommendation
from mlflow_tune.study.display.tables import again_text, found_text, recommended_json, recommended_lines, trial_json
from mlflow_tune.study.study import Study
from mlflow_tune.text import value_text
from mlflow_tune.trial import Trial


@click.command(epilog=example("mlflow-tune best my-study", "mlflow-tune best my-study --command"))
@study_argument()
@click.option("--command", "wants_command", is_flag=True, help="Print the command that trains with these parameters.")
@common_options
def best(study: str, common: Common, wants_command: bool) -> Answer:
    """Show the best trial of STUDY and the parameters to use.

    The best value seen may be luck: the recommended trial is shown too, with the value to expect of it. For a
    bisection, the trial that it has arrived at and its bracket are shown as well. The command is that of the
    recommended trial.
    """
    loaded = find_study(study, common)
    spec = loaded.spec
    trials = loaded.trials
    trial = spec.best(trials)
    recommended = spec.recommended(trials)
    command = None
    if wants_command and recommended:
        command = training_command(spec, recommended.trial, loaded.handle.folder)
    return Answer(
        lambda: _json(loaded, trial, trials, recommended, command),
        lambda: print_line(command) if command else _print_best(spec, trial, trials, recommended, loaded.record.name),
        exit_code=1 if trial is None else 0,
    )


def _print_best(
    spec: StudySpec, trial: Trial | None, trials: Sequence[Trial], recommended: Recommendation | None, name: str
) -> None:
    if trial is None:
        print_line(f"No trial of {name} has a value of {spec.metric}.")
    else:
        print_line(f"{found_text(spec, trial)} at trial {trial.number}{again_text(trial)}, run {trial.run_id}")
        for parameter, value in trial.trained_with.items():
            print_line(f"{parameter}={value_text(value)}")
    for line in [*answer_lines(spec, trials), *recommended_lines(spec, recommended)]:
        print_line(line)


def _json(
    study: Study,
    best: Trial | None,
    trials: Sequence[Trial],
    recommended: Recommendation | None,
    command: str | None,
) -> dict[str, Any]:
    spec = study.spec
    found = spec.strategy.answer(spec.space, trials)
    told = best and trial_json(best)
    form = {
        "study": study.record.name,
        "metric": spec.metric,
        "best": told,
        "recommended": recommended_json(recommended),
        "answer": trial_json(found) if found else told,
        "bracket": spec.strategy.bracket(spec.space, trials),
    }
    return {**form, "command": command} if command else form


def training_command(spec: StudySpec, trial: Trial, folder: Path) -> str:
    """Return the command line that trains by hand what the trial trained, in the folder of the study's code.

    Raises InputError for a study of a Python object, which no command line names.
    """
    run = spec.run
    values = {**run.parameters, **trial.trained_with, **spec.seeds.given(trial)}
    if run.command is not None:
        words = command_by_hand(run.command, values)
    elif run.project is not None:
        words = project_by_hand(run.project, run.entry_point, run.version, values)
    elif run.function is not None:
        words = function_by_hand(run.function, values)
    else:
        raise InputError(
            "the study runs a Python object, which cannot be run from a command line; `best` shows its parameters"
        )
    here = Path.cwd() == folder or "://" in (run.project or "")
    return words if here else f"cd {shlex.quote(str(folder))} && {words}"
