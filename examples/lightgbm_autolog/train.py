"""LightGBM with MLflow's autologging, in the manner of their documents."""

import argparse

import lightgbm as lgb
import mlflow
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split


def main():
    parser = argparse.ArgumentParser(description="LightGBM example")
    parser.add_argument("--learning-rate", type=float, default=0.1, help="learning rate to update step size")
    parser.add_argument("--colsample-bytree", type=float, default=1.0, help="subsample ratio of columns")
    parser.add_argument("--subsample", type=float, default=1.0, help="subsample ratio of the training instances")
    args = parser.parse_args()

    x, y = load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    train_set = lgb.Dataset(x_train, label=y_train)
    valid_set = lgb.Dataset(x_test, label=y_test)
    mlflow.lightgbm.autolog(log_models=False)
    with mlflow.start_run():
        params = {
            "objective": "multiclass",
            "num_class": 3,
            "metric": "multi_logloss",
            "seed": 42,
            "verbose": -1,
            "learning_rate": args.learning_rate,
            "colsample_bytree": args.colsample_bytree,
            "subsample": args.subsample,
            "num_threads": 1,
        }
        seen = {}
        lgb.train(
            params,
            train_set,
            num_boost_round=5,
            valid_sets=[train_set, valid_set],
            valid_names=["train", "val"],
            callbacks=[lgb.record_evaluation(seen)],
        )
    print("result", seen["val"]["multi_logloss"][-1])


if __name__ == "__main__":
    main()
