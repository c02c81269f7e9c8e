"""mlflow_tune itself: a function in this process, the random strategy.

With steps, the function logs the metric itself and returns None, so that its last value is read back.
"""

from __future__ import annotations

import mlflow
from common import loss, measure

from mlflow_tune import Study

SPACE = {name: {"type": "float", "low": 0, "high": 1} for name in ("x", "y")}


def study(name: str, trials: int, steps: int) -> None:
    """Run a study of so many trials."""

    def logging(x: float, y: float) -> None:
        for step in range(steps):
            mlflow.log_metric("loss", loss(x, y), step=step)

    Study(
        name=name, experiment="mlflow_tune", space=SPACE, metric="loss", objective=logging if steps else loss,
        strategy="random", stop={"trials": trials},
    ).run(quiet=True)  # fmt: skip


measure(study)
