"""A plain script: gradient boosting on the diabetes data of scikit-learn. It knows nothing of mlflow_tune."""

import argparse

import mlflow
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-depth", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()

    x, x_test, y, y_test = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    model = GradientBoostingRegressor(
        learning_rate=args.learning_rate, max_depth=args.max_depth, n_estimators=args.rounds, random_state=0
    )
    model.fit(x, y)
    with mlflow.start_run():
        mlflow.log_metric("rmse", root_mean_squared_error(y_test, model.predict(x_test)))


if __name__ == "__main__":
    main()
