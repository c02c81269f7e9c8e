"""The command that puts points before whatever a study would try next: enqueue."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Common, common_options, print_json, print_line
from mlflow_tune.cli.points import asked_points, point_options
from mlflow_tune.cli.study_argument import study_argument
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.text import counted
from mlflow_tune.tracking import is_driven


@click.command()
@study_argument()
@point_options
@common_options
def enqueue(study: str, common: Common, texts: tuple[str, ...], note: str, start: int | None, outside: bool) -> None:
    """Put points before whatever STUDY would try next.

    Whoever drives the study, now or later, on any machine, runs them first. The study of a file is made on first use.
    """
    refuse_secrets(note, "--note")
    loaded, points = asked_points(study, common, None, texts, start, outside)
    run_ids = [loaded.enqueue(point, note or "chosen by a person") for point in points]
    driven = is_driven(loaded.client, loaded.run_id)
    if common.as_json:
        print_json(
            {
                "study": loaded.record.name,
                "run_id": loaded.run_id,
                "queued": run_ids,
                "points": points,
                "driven": driven,
            }
        )
        return
    they = "it runs" if len(points) == 1 else "they run"
    when = "next" if driven else f"when the study goes on: {loaded.handle.resume_now()}"
    print_line(f"{counted(len(points), 'point')} queued in {loaded.record.name}; {they} {when}")
