"""Tunes `functions.objective` in its own process, as a notebook does: `in_process.py URI EXPERIMENT KIND...`."""

import sys

import functions

from mlflow_tune import Study

uri, experiment, *kinds = sys.argv[1:]
study = Study(
    name="in process",
    objective=functions.objective,
    space={
        "kind": {"type": "categorical", "values": kinds},
        "alpha": {"type": "float", "low": 0, "high": 1, "grid": [0.25]},
    },
    metric="loss",
    strategy="grid",
    stop={"failures": 100},
    experiment=experiment,
    tracking_uri=uri,
).run()
print(study.run_id)
