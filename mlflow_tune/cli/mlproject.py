"""What the MLprojects under projects/ call: a study, or a comparison of strategies, from an MLproject's parameters.

An MLproject passes each of its parameters, so an empty text, and /dev/null for a path, mean "not given".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import Common, common_options, console
from mlflow_tune.cli.compare import show_comparison
from mlflow_tune.cli.session import drive
from mlflow_tune.errors import InputError, StudyFailed
from mlflow_tune.spec.study_file import StudySpec, read_study, read_study_file
from mlflow_tune.strategies import strategy_options
from mlflow_tune.study.comparison import StudyComparison
from mlflow_tune.study.display.progress import screen_for
from mlflow_tune.study.display.summary import print_summary
from mlflow_tune.study.study import Study
from mlflow_tune.text.yaml import load_yaml

if TYPE_CHECKING:
    from rich.console import Console

UNATTENDED = ("grid", "random", "bayesian")  # those that any space takes and that need no person
_PLACES = {
    "project": "run.project",
    "git": "run.project",
    "version": "run.version",
    "entry_point": "run.entry_point",
    "parameters": "run.parameters",
    "metric": "metric",
    "goal": "goal",
    "space": "space",
    "trials": "stop.trials",
    "workers": "workers",
    "name": "name",
}
_TEXTS = {"project", "git", "version", "entry_point", "metric", "goal", "name", "study", "constraint"}


@click.command(hidden=True)
@click.argument("strategy")
@click.argument("settings", nargs=-1)
@common_options
def mlproject(strategy: str, settings: tuple[str, ...], common: Common) -> None:
    """Run the study that SETTINGS (NAME=VALUE) describe by STRATEGY, or `compare` several strategies."""
    given = _given(settings)
    if strategy == "compare":
        _compare(given, common)
    else:
        _run(_spec(strategy, given, common), given, common)


def _given(settings: Sequence[str]) -> dict[str, Any]:
    """Return the settings that are given, by name; those that are no texts are read as YAML."""
    pairs = (setting.partition("=") for setting in settings)
    texts = {name: value for name, _, value in pairs if value not in ("", os.devnull)}
    return {name: text if name in _TEXTS else load_yaml(text) for name, text in texts.items()}


def _spec(strategy: str, given: Mapping[str, Any], common: Common) -> StudySpec:
    """Return the study: what its file says, with what is given over it."""
    if not {"project", "git", "study"} & set(given):
        raise InputError("give project (a folder with an MLproject), git (a git URI) or study (a study file)")
    over = {place: given[name] for name, place in _PLACES.items() if name in given}
    over |= _strategy(strategy, given)
    if common.experiment:
        over["experiment"] = common.experiment
    if "study" in given:
        return read_study_file(Path(given["study"]), over)
    over.setdefault("name", f"{_project_name(over['run.project'])}-{strategy}")
    return read_study({}, over)


def _strategy(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strategy by its place in a study file; a file's options stay where it names the same strategy."""
    options = {key: given[key] for key in strategy_options(name) if key in given}
    if "study" in given and _strategy_of(Path(given["study"])) == name:
        return {f"strategy.{key}": value for key, value in options.items()}
    return {"strategy": {"name": name, **options}}


def _strategy_of(path: Path) -> object:
    with suppress(OSError, ValueError, TypeError, AttributeError):  # what is wrong with the file is told later
        strategy = load_yaml(path.read_text(encoding="utf-8")).get("strategy")
        return strategy.get("name") if isinstance(strategy, Mapping) else strategy
    return None


def _project_name(project: str) -> str:
    repository, _, subfolder = project.partition("#")
    return Path(subfolder or repository).name.removesuffix(".git") or "study"


def _folder(given: Mapping[str, Any]) -> Path:
    """Return where relative paths start: beside the file, or in the project."""
    if "study" in given:
        return Path(given["study"]).resolve().parent
    return Path(given.get("project", "."))


def _run(spec: StudySpec, given: Mapping[str, Any], common: Common) -> None:
    study = Study.of(spec, folder=_folder(given), tracking_uri=common.tracking_uri)
    drive(study, common, lambda shown: study.run(quiet=True, callbacks=[shown]))


def _compare(given: Mapping[str, Any], common: Common) -> None:
    """Run one study a strategy, all with the same budget, and compare them."""
    shown = console(common)
    studies = []
    run_id = os.environ.pop("MLFLOW_RUN_ID", None)  # MLflow's run becomes the comparison, not one of the studies
    for spec in _contestants(given, common):
        study = Study.of(spec, folder=_folder(given), tracking_uri=common.tracking_uri)
        _run_one(study, shown)
        studies.append(study)
    if run_id:
        os.environ["MLFLOW_RUN_ID"] = run_id
    show_comparison(StudyComparison([each.handle for each in studies], studies[0].client), common)
    if any(study.ending is None or study.ending.state != "finished" for study in studies):
        raise SystemExit(1)


def _run_one(study: Study, shown: Console) -> None:
    """Run one of the studies that are compared; of one that fails the summary tells, and the others go on."""
    with screen_for(shown, lambda: study.handle) as screen, suppress(StudyFailed):
        study.run(quiet=True, callbacks=[screen])
    print_summary(shown, study.handle, study.trials)


def _contestants(given: Mapping[str, Any], common: Common) -> list[StudySpec]:
    wanted = given.get("strategies", list(UNATTENDED))
    if not isinstance(wanted, list) or len(wanted) < 2:
        raise InputError(
            f"must be a list of at least two strategies, such as [grid, random], but got {wanted!r}", "strategies"
        )
    base = given.get("name") or ("study" in given and read_study_file(Path(given["study"])).name)
    return [_spec(name, {**given, "name": f"{base}-{name}"} if base else given, common) for name in map(str, wanted)]
