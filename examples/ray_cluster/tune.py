"""Trials as Ray tasks: `python tune.py [--trials 8]`.

`ray.init()` finds a cluster by RAY_ADDRESS, or starts one on this machine.
"""

import argparse
from concurrent.futures import Executor

import ray

from mlflow_tune import Float, Study


class RayExecutor(Executor):
    """Trials as Ray tasks; `options` are Ray's, such as num_gpus=1."""

    def __init__(self, **options):
        self._call = ray.remote(lambda fn, *args: fn(*args)).options(max_retries=0, **options)

    def submit(self, fn, /, *args):
        """Return the future of a task."""
        return self._call.remote(fn, *args).future()


def loss(x, y):
    """Return the height of a bent valley."""
    return (1 - x) ** 2 + 5 * (y - x**2) ** 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8)
    args = parser.parse_args()
    ray.init(include_dashboard=False, log_to_driver=False)
    study = Study(
        name="ray-cluster",
        experiment="recipes",
        objective=loss,
        space={"x": Float(-2, 2), "y": Float(-1, 3)},
        metric="loss",
        strategy="bayesian",
        stop={"trials": args.trials},
        workers=2,
    )
    study.run(executor=RayExecutor(num_cpus=1))
    print(study.best.params, study.best.value)
    ray.shutdown()


if __name__ == "__main__":
    main()
