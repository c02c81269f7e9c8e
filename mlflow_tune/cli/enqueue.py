"""The command that puts points before whatever a study would try next: enqueue."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example, print_line
from mlflow_tune.cli.points import asked_points, point_options
from mlflow_tune.cli.study_argument import study_argument
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.text import counted
from mlflow_tune.tracking import is_driven


@click.command(epilog=example("mlflow-tune enqueue my-study -P lr=0.01,0.1 -P depth=4"))
@study_argument()
@point_options
@common_options
def enqueue(study: str, common: Common, texts: tuple[str, ...], note: str, start: int | None, outside: bool) -> Answer:
    """Queue points for STUDY to try before any others.

    Whoever runs the study, now or later, on any machine, runs them first. If STUDY is a file whose study does not exist
    yet, the study is created.
    """
    refuse_secrets(note, "--note")
    loaded, points = asked_points(study, common, None, texts, start, outside)
    run_ids = [loaded.enqueue(point, note or "chosen by a person") for point in points]
    driven = is_driven(loaded.client, loaded.run_id)
    form = {"study": loaded.record.name, "run_id": loaded.run_id, "queued": run_ids, "points": points, "driven": driven}
    they = "it runs" if len(points) == 1 else "they run"
    when = "next" if driven else f"when the study goes on: {loaded.handle.resume_now()}"
    line = f"{counted(len(points), 'point')} queued in {loaded.record.name}; {they} {when}"
    return Answer(lambda: form, lambda: print_line(line))
