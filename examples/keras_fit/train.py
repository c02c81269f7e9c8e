"""Keras 3 on the digits of scikit-learn, with MLflow's autologging."""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import mlflow
from sklearn.datasets import load_digits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    model = keras.Sequential([keras.layers.Dense(args.units, activation="relu"), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(args.lr), loss, metrics=["accuracy"])
    mlflow.keras.autolog(log_models=False)
    with mlflow.start_run():
        model.fit(x / 16, y, batch_size=128, epochs=args.epochs, validation_split=0.25, verbose=0)


if __name__ == "__main__":
    main()
