"""Leaves everything to MLflow's autologging: there is no other call of MLflow."""

import argparse

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge

parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)

mlflow.autolog()
Ridge(alpha=parser.parse_args().alpha).fit(*load_iris(return_X_y=True))
