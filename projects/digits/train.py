"""Train a neural network of one hidden layer to read handwritten digits, epoch by epoch, and log it to MLflow.

The data are the 1,797 images (8 x 8 grey pixels) that come with scikit-learn: the test set of
https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits. A quarter is held out for
validation, the same one in every run. The seed sets the initial weights and the order of the minibatches: equal
parameters give equal curves, and another seed tells what of a result is chance. Few training images make it overfit.

Run it by hand with `python train.py --lr 0.01`, or as an MLflow project (see the file MLproject beside it).
"""

import argparse
import os
from importlib.metadata import version

import mlflow
import mlflow.sklearn
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SPLIT_SEED = 0
TRAINING_IMAGES = 1347


def parse_args():
    """Read the command line; the defaults are those of scikit-learn's MLPClassifier, but for the epochs."""
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument("--lr", type=float, default=0.001, help="step size of the Adam optimizer")
    parser.add_argument("--units", type=int, default=100, help="neurons in the hidden layer")
    parser.add_argument("--alpha", type=float, default=0.0001, help="strength of the L2 penalty on the weights")
    parser.add_argument("--batch_size", type=int, default=200, help="images in a minibatch")
    parser.add_argument("--activation", choices=["relu", "tanh", "logistic"], default="relu")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the training images")
    parser.add_argument("--train_images", type=int, default=TRAINING_IMAGES, help="how many images to train on")
    parser.add_argument("--seed", type=int, default=0, help="sets the initial weights and the order of the minibatches")
    args = parser.parse_args()
    if args.epochs < 1:
        parser.error(f"epochs >= 1 must hold, but got {args.epochs}")
    if not 1 <= args.train_images <= TRAINING_IMAGES:
        parser.error(f"1 <= train_images <= {TRAINING_IMAGES} must hold, but got {args.train_images}")
    return args


def load_data(train_images=TRAINING_IMAGES):
    """Return ((images, labels), (images, labels)) to train on and to validate with, pixels scaled to 0..1.

    The first `train_images` of the shuffled training images are used; validation always has all of its 450.
    """
    images, labels = load_digits(return_X_y=True)
    train_x, val_x, train_y, val_y = train_test_split(
        images / 16.0, labels, test_size=0.25, stratify=labels, random_state=SPLIT_SEED
    )
    return (train_x[:train_images], train_y[:train_images]), (val_x, val_y)


def evaluate(model, images, labels):
    """Return the cross-entropy (without the L2 penalty) and the share of images that are read rightly."""
    probabilities = model.predict_proba(images)
    accuracy = np.mean(model.classes_[probabilities.argmax(axis=1)] == labels)
    # The classes are named, for a few images need not show them all.
    return float(log_loss(labels, probabilities, labels=model.classes_)), float(accuracy)


def make_model(args):
    """Return the untrained network."""
    return MLPClassifier(
        hidden_layer_sizes=(args.units,),
        activation=args.activation,
        alpha=args.alpha,
        batch_size=min(args.batch_size, args.train_images),
        learning_rate_init=args.lr,
        random_state=args.seed,
    )


def learn(model, epochs, train_set, val_set):
    """Train the model for so many epochs; after each yield its number, from 1, and the three metrics by name."""
    for epoch in range(1, epochs + 1):
        # One call is one epoch over shuffled minibatches. A step size that is far too large overflows: the losses say
        # so, and scikit-learn raises ValueError once a weight is no longer finite. NumPy's warnings would add nothing.
        with np.errstate(all="ignore"):
            model.partial_fit(*train_set, classes=np.arange(10))
        train_loss, _ = evaluate(model, *train_set)
        val_loss, val_accuracy = evaluate(model, *val_set)
        yield epoch, {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": val_accuracy}


def train(args, train_set, val_set):
    """Train for `args.epochs` epochs, log the three metrics after each, and return the model."""
    model = make_model(args)
    for epoch, metrics in learn(model, args.epochs, train_set, val_set):
        mlflow.log_metrics(metrics, step=epoch)
        print(f"epoch {epoch:2d}  " + "  ".join(f"{key}={value:.4f}" for key, value in metrics.items()), flush=True)
    return model


def log_model(model):
    """Store the model with the run, in a format that can be loaded without running code."""
    mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
        skops_trusted_types=["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"],
        # Given, for MLflow takes seconds to find them out.
        pip_requirements=[f"{package}=={version(package)}" for package in ("scikit-learn", "skops")],
    )


def main():
    """Train within an MLflow run: the one that started this script, or a new one."""
    args = parse_args()
    started_by_mlflow = "MLFLOW_RUN_ID" in os.environ
    train_set, val_set = load_data(args.train_images)
    with mlflow.start_run():
        if not started_by_mlflow:
            # Whoever makes the run (`mlflow run`, a tuner) has logged its parameters already.
            mlflow.log_params(vars(args))
        model = train(args, train_set, val_set)
        log_model(model)


if __name__ == "__main__":
    main()
