"""A drop-in for RandomizedSearchCV whose candidates are the trials of a study: `python search.py [--trials 20]`."""

import argparse

from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlflow_tune import Float, StudySearchCV


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    args = parser.parse_args()
    search = StudySearchCV(
        make_pipeline(StandardScaler(), ElasticNet()),
        {"elasticnet__alpha": Float(1e-3, 10, log=True), "elasticnet__l1_ratio": Float(0, 1)},
        n_trials=args.trials,
        scoring="neg_root_mean_squared_error",
        name="sklearn-search",
        experiment="recipes",
    )
    search.fit(*load_diabetes(return_X_y=True))
    print(search.best_params_, search.best_score_)


if __name__ == "__main__":
    main()
