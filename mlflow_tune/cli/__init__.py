"""The `mlflow-tune` command: a file for each of its commands."""

from __future__ import annotations

import click

from mlflow_tune import __version__
from mlflow_tune.cli.common import shared_options
from mlflow_tune.cli.group import TuneGroup

# What the help says of each command; one of which it says nothing is hidden.
_COMMANDS = {
    "adopt": "Make trials of STUDY from runs that people made by hand or by autolog.",
    "advise": "Say what may be expected of the study that FILE describes, before it runs.",
    "best": "Show the best trial of STUDY, with the parameters to use.",
    "compare": "Compare two or more studies of one metric.",
    "confirm": "Run the best trials of STUDY again under fresh seeds, to tell luck from merit.",
    "diff": "Hold two trials of STUDY against each other, by their numbers.",
    "enqueue": "Put points before whatever STUDY would try next.",
    "init": "Draft a study file for SOURCE: a script, an MLflow project or a sweep of W&B.",
    "list": "List the studies, of one experiment or of all.",
    "mlproject": "",  # called by projects/
    "open": "Print the link to STUDY in MLflow's UI.",
    "replay": "Tell what stopping trials early would have saved in STUDY, and whether its best had survived.",
    "report": "Draw STUDY's pictures, trials.csv and report.html again, and log them on its parent run.",
    "resume": "Go on with STUDY, wherever it was left.",
    "run": "Run the study that FILE describes.",
    "show": "Show STUDY: its state, every trial, and the points that wait in its queue.",
    "stop": "Ask a running STUDY to stop: it starts no new trial, lets others end, and can be resumed.",
    "try": "Run a trial of STUDY with parameters of your choice, and see what it did.",
    "ui": "Open the comparison of STUDY, or of the newest study, in MLflow's UI.",
    "watch": "Watch STUDY, which somebody drives elsewhere, until it ends.",
}
_FILES = {"list": "list_studies", "try": "try_points"}  # Python has these words for itself


@click.group(
    cls=TuneGroup,
    loaded={name: (f"{__name__}.{_FILES.get(name, name)}", said) for name, said in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="mlflow-tune")
@shared_options
@click.pass_context
def main(ctx: click.Context, /, **given: object) -> None:
    """Tune hyperparameters in MLflow: a study is a run, its trials are nested runs.

    The tracking server holds all there is to know: whoever has the study's name, or its run id, can look at it, compare
    its trials in the MLflow UI, and resume it from any machine that reaches the server.
    The options below may stand before a command as well as after it.
    """
    ctx.default_map = {name: {key: value for key, value in given.items() if value} for name in _COMMANDS}
