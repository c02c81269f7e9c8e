"""The `mlflow-tune` command: a file for each of its commands."""

from __future__ import annotations

import click

from mlflow_tune import __version__
from mlflow_tune.cli.common import example, shared_options
from mlflow_tune.cli.group import TuneGroup

# What the group's help says about each command; one without words is hidden.
_COMMANDS = {
    "adopt": "Turn runs that were made by hand or by autolog into trials of STUDY.",
    "advise": "Say what to expect of the study that FILE describes, before it runs.",
    "best": "Show the best trial of STUDY and the parameters to use.",
    "compare": "Compare two or more studies of the same metric.",
    "confirm": "Run the best trials of STUDY again with fresh seeds, to tell merit from luck.",
    "diff": "Compare two trials of STUDY, given by their numbers.",
    "enqueue": "Queue points for STUDY to try before any others.",
    "init": "Draft a study file from SOURCE: a script, an MLflow project or a W&B sweep.",
    "list": "List the studies of one experiment or of all.",
    "mlproject": "",  # called by projects/
    "open": "Print the link to STUDY in MLflow's UI.",
    "replay": "Show what stopping trials early would have saved in STUDY, and whether its best would have survived.",
    "report": "Redraw STUDY's pictures, trials.csv and report.html, and log them to its parent run.",
    "resume": "Continue STUDY from where it stopped.",
    "run": "Run the study that FILE describes.",
    "schema": "Print the JSON Schema of study files, with which editors complete and check them.",
    "show": "Show STUDY: its state, every trial, and the points in its queue.",
    "stop": "Ask a running STUDY to stop: it starts no new trial, lets the others end, and can be resumed.",
    "try": "Run a trial of STUDY with parameters of your choice and see how it does.",
    "ui": "Open the comparison of STUDY, or of the newest study, in MLflow's UI.",
    "watch": "Watch STUDY, which is running elsewhere, until it ends.",
}
_FILES = {"list": "list_studies", "try": "try_points"}  # Python has these words for itself


_EXAMPLES = example("mlflow-tune run study.yaml", "mlflow-tune best my-study", "mlflow-tune COMMAND --help")
_EXIT_CODES = """\b
Exit codes:
  0    done
  1    the study was aborted or failed, no trial has a value, or the result
       could not be written
  2    wrong input, code that you have not approved, or an unfinished study of
       that name exists
  3    the tracking server is out of reach or refuses access
  130  interrupted or stopped
  143  ended by SIGTERM
"""


@click.group(
    cls=TuneGroup,
    epilog="\n\n".join([_EXAMPLES, _EXIT_CODES]),
    loaded={name: (f"{__name__}.{_FILES.get(name, name)}", said) for name, said in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="mlflow-tune")
@shared_options
@click.pass_context
def main(ctx: click.Context, /, **given: object) -> None:
    """Tune hyperparameters in MLflow: a study is a run, its trials are nested runs.

    The tracking server holds everything: anyone who has a study's name or run id can look at it, compare its trials in
    MLflow's UI, and resume it from any machine that reaches the server. The options below may be given before or after
    the name of the command.
    """
    ctx.default_map = {name: {key: value for key, value in given.items() if value} for name in _COMMANDS}
