"""Predict how diabetes progresses. This script knows nothing of mlflow_tune."""

import argparse

import mlflow
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--depth", type=int, default=3)
args = parser.parse_args()

x, x_test, y, y_test = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
model = GradientBoostingRegressor(learning_rate=args.lr, max_depth=args.depth, random_state=0).fit(x, y)
with mlflow.start_run():
    mlflow.log_metric("rmse", root_mean_squared_error(y_test, model.predict(x_test)))
