"""A grid search of scikit-learn within a trial, logged by MLflow: the trial's run is that of the search."""

import argparse

import mlflow
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--min-samples-leaf", type=int, default=8)
    parser.add_argument("--criterion", choices=["gini", "entropy"], default="gini")
    args = parser.parse_args()

    mlflow.sklearn.autolog(log_models=False, log_datasets=False)
    tree = DecisionTreeClassifier(criterion=args.criterion, min_samples_leaf=args.min_samples_leaf, random_state=0)
    search = GridSearchCV(tree, {"max_depth": [1, 3]}, cv=3)
    search.fit(*load_iris(return_X_y=True))
    print("result", float(search.best_score_))


if __name__ == "__main__":
    main()
