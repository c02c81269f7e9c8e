"""The command that shows the best trial of a study: best."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Common, common_options, print_json, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.study.display.tables import found_text, trial_json
from mlflow_tune.text import point_text, value_text


@click.command()
@study_argument()
@common_options
def best(study: str, common: Common) -> None:
    """Show the best trial of STUDY, with the parameters to use.

    Of a search for a boundary, the trial that it has come to stands beside the best one.
    """
    loaded = find_study(study, common)
    spec = loaded.spec
    trials = loaded.trials
    trial = spec.best(trials)
    found = spec.strategy.answer(spec.space, trials)
    if common.as_json:
        told = trial and trial_json(trial)
        answer = trial_json(found) if found else told
        print_json({"study": loaded.record.name, "metric": spec.metric, "best": told, "answer": answer})
    elif trial is None:
        print_line(f"No trial of {loaded.record.name} has a value of {spec.metric}.")
    else:
        print_line(f"{found_text(spec.metric, trial)} at trial {trial.number}, run {trial.run_id}")
        for name, value in trial.params.items():
            print_line(f"{name}={value_text(value)}")
        if found and found.params != trial.params:
            where = f"trial {found.number}, run {found.run_id}"
            print_line(f"{spec.strategy.name} has come to {point_text(found.params)} at {where}")
    if trial is None:
        raise SystemExit(1)
