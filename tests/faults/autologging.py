"""Tunes, in its own process, training code that does what `mlflow.autolog()` does, for 3 s: `autologging.py URI`."""

import contextlib
import importlib
import sys
import time

from mlflow.utils.import_hooks import register_post_import_hook

from mlflow_tune import Study


def import_for_a_while(_module):
    """Import what is not there, as autologging imports what it patches, under the lock of MLflow's import hooks."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with contextlib.suppress(ImportError):
            importlib.import_module("not_there")


def objective(x):
    register_post_import_hook(import_for_a_while, "sys", overwrite=True)
    return x


space = {"x": {"type": "float", "low": 0, "high": 1}}
Study(
    name="autologging", objective=objective, space=space, metric="loss", strategy="random", stop={"trials": 1},
    tracking_uri=sys.argv[1],
).run()  # fmt: skip
