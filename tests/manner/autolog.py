"""Lets MLflow log what scikit-learn does, and adds a metric of its own."""

import argparse

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge

parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
args = parser.parse_args()

mlflow.autolog()
features, target = load_iris(return_X_y=True)
with mlflow.start_run():
    model = Ridge(alpha=args.alpha).fit(features, target)
    mlflow.log_metric("loss", 1 - model.score(features, target))
