"""The `mlflow-tune` command: a file for each of its commands."""

from __future__ import annotations

import click

from mlflow_tune import __version__
from mlflow_tune.cli.group import TuneGroup

_COMMANDS = {
    "adopt": ("adopt", "Make trials of STUDY from runs that people made by hand or by autolog."),
    "best": ("show", "Show the best trial of STUDY, with the parameters to use."),
    "compare": ("compare", "Compare two or more studies of one metric."),
    "diff": ("diff", "Hold two trials of STUDY against each other, by their numbers."),
    "enqueue": ("try_points", "Put points before whatever STUDY would try next."),
    "init": ("init", "Draft a study file for PROJECT, a folder with an MLproject file or a git URI."),
    "list": ("show", "List the studies, of one experiment or of all."),
    "mlproject": ("mlprojects", ""),  # called by projects/
    "open": ("open", "Print the link to STUDY in MLflow's UI."),
    "report": ("report", "Draw STUDY's pictures, trials.csv and report.html again, and log them on its parent run."),
    "resume": ("run", "Go on with STUDY, wherever it was left."),
    "run": ("run", "Run the study that FILE describes."),
    "show": ("show", "Show STUDY: its state, every trial, and the points that wait in its queue."),
    "stop": (
        "run",
        "Ask a running STUDY to stop: it starts no new trial, lets others end, and can be resumed.",
    ),
    "try": ("try_points", "Run a trial of STUDY with parameters of your choice, and see what it did."),
    "ui": ("open", "Open the comparison of STUDY, or of the newest study, in MLflow's UI."),
    "watch": ("watch", "Watch STUDY, which somebody drives elsewhere, until it ends."),
}


@click.group(
    cls=TuneGroup,
    loaded={name: (f"{__name__}.{file}", said) for name, (file, said) in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="mlflow-tune")
def main() -> None:
    """Tune hyperparameters in MLflow: a study is a run, its trials are nested runs.

    The tracking server holds all there is to know: whoever has the study's name, or its run id, can look at it, compare
    its trials in the MLflow UI, and resume it from any machine.
    """
