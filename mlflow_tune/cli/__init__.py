"""The `mlflow-tune` command."""

from __future__ import annotations

import click

from mlflow_tune import __version__
from mlflow_tune.cli.adopt import adopt
from mlflow_tune.cli.common import TuneGroup
from mlflow_tune.cli.compare import compare
from mlflow_tune.cli.diff import diff
from mlflow_tune.cli.init import init
from mlflow_tune.cli.mlprojects import mlproject
from mlflow_tune.cli.open import open_study, ui
from mlflow_tune.cli.report import report
from mlflow_tune.cli.run import resume, run, stop
from mlflow_tune.cli.show import best, list_studies, show
from mlflow_tune.cli.try_points import enqueue, try_points
from mlflow_tune.cli.watch import watch


@click.group(cls=TuneGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mlflow-tune")
def main() -> None:
    """Tune hyperparameters in MLflow: a study is a run, its trials are nested runs.

    The tracking server holds all there is to know: whoever has the study's name, or its run id, can look at it, compare
    its trials in the MLflow UI, and resume it from any machine.
    """


_COMMANDS = (
    init, run, try_points, enqueue, adopt, resume, stop,
    list_studies, show, best, watch, report, compare, diff, open_study, ui, mlproject,
)  # fmt: skip
for _command in _COMMANDS:
    main.add_command(_command)
