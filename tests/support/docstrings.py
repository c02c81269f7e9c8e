"""The docstrings of the public names as a page: `python -m tests.support.docstrings` writes it into docs/."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc

import mlflow_tune


def write_page(folder: Path) -> None:
    """Write the page, mlflow_tune.html, with every public name; index.html leads to it."""
    for name in mlflow_tune.__all__:  # they are imported when first used, and pdoc shows what is there already
        setattr(mlflow_tune, name, getattr(mlflow_tune, name))
    with warnings.catch_warnings():
        # pdoc looks for the annotations that a dataclass inherits in the heir's module.
        warnings.filterwarnings("ignore", "Error parsing type annotation", UserWarning)
        pdoc.pdoc("mlflow_tune", output_directory=folder)


if __name__ == "__main__":
    write_page(Path(*sys.argv[1:] or ["docs"]))
