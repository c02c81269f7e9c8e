"""Params that MLflow's autologging lost: it logs all of a fit at once, and MLflow refuses all when one differs.

The study has logged the searched parameters before; `hidden_layer_sizes=(64,)` is another text than its `64`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mlflow_tune.text import some_of
from mlflow_tune.tracking.logged import LoggedRun

_WARNED = re.compile(r"autologging: [^\n]*Changing param values is not allowed[^\n]*")
_NAMED = re.compile(r"key(?:=|': )'([^'\n]{1,250})'")
_READ = 2**18  # bytes of what was printed


def lost_params(run: LoggedRun | None, given: Collection[str], output: bytes) -> str:
    """Return in words that autologging could log no params, and the remedy; "" where there is no sign of it.

    The signs: what the code printed, or a trial's `run` that autologging wrote to and that holds the params `given` by
    the study alone.
    """
    if warned := _WARNED.search(output[-_READ:].decode(errors="replace")):
        named = {name for name in _NAMED.findall(warned[0].replace("\\", "")) if name in given}
        return _words(sorted(named))
    if run is None or "mlflow.autologging" not in run.tags or not run.params.keys() <= set(given):
        return ""
    return _words([])


def _words(names: list[str]) -> str:
    which = some_of([repr(name) for name in names], 3) or "a searched parameter"
    return (
        f"MLflow's autologging logged none of its params: it gives {which} another text than the study did, and MLflow "
        "then refuses all of them; search it under another name, or give the study `run.mlflow: follow`"
    )
