"""A loop of one's own asks for trials and tells their values: `python loop.py [--trials 15]`."""

import argparse
import math

from mlflow_tune import Float, Study

SPACE = {"lr": Float(1e-4, 1, log=True), "momentum": Float(0, 0.99)}


def train(lr, momentum):
    """Return the loss of a hundred steps of gradient descent with momentum, down a narrow valley."""
    x, y, speed_x, speed_y = 3.0, 1.0, 0.0, 0.0
    for _ in range(100):
        speed_x = momentum * speed_x - lr * 0.1 * x
        speed_y = momentum * speed_y - lr * 4 * y
        x, y = x + speed_x, y + speed_y
    return math.log10(min(0.05 * x**2 + 2 * y**2, 1e6) + 1e-9)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=15)
    args = parser.parse_args()
    study = Study(
        name="ask-and-tell",
        experiment="recipes",
        space=SPACE,
        metric="log_loss",
        strategy="bayesian",
        stop={"trials": args.trials},
    )
    while (trial := study.ask()) is not None:
        study.tell(trial, train(**trial.params))
    print(study.best.params, study.best.value)


if __name__ == "__main__":
    main()
