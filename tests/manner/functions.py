"""Objectives in the manner of MLflow's examples, one for each `kind`."""

import sys

import mlflow


def objective(kind, alpha):
    """Call the objective of this kind; it gets the parameters that a person would give it."""
    return globals()[kind](alpha)


def starts_run(alpha):
    with mlflow.start_run():
        mlflow.log_param("alpha", alpha)
        mlflow.log_metric("loss", alpha * 2)


def logs_at_top_level(alpha):
    mlflow.log_param("alpha", alpha)
    mlflow.log_metric("loss", alpha * 2)


def leaves_its_run_open(alpha):
    mlflow.start_run()
    mlflow.log_metric("loss", alpha * 2)


def logs_a_curve_and_returns_its_end(alpha):
    for epoch, loss in enumerate((0.9, 0.2, 0.5)):
        mlflow.log_metric("loss", loss, step=epoch)
    return loss


def trains_folds(alpha):
    with mlflow.start_run():
        for fold in range(2):
            with mlflow.start_run(run_name=f"fold {fold}", nested=True):
                mlflow.log_metric("loss", fold)
        mlflow.log_metric("loss", alpha * 2)


def autologs(alpha):
    from sklearn.datasets import load_iris
    from sklearn.linear_model import Ridge

    mlflow.autolog(log_models=False)
    try:
        features, target = load_iris(return_X_y=True)
        model = Ridge(alpha=alpha).fit(features, target)
        return 1 - model.score(features, target)
    finally:
        mlflow.autolog(disable=True)


def returns_a_number(alpha):
    print("quite quick")
    return alpha * 2


def returns_a_dict(alpha):
    return {"loss": alpha * 2, "accuracy": 0.5}


def raises_after_logging(alpha):
    mlflow.log_metric("loss", 0.1)
    raise ValueError("no luck")


def raises_many_lines(alpha):
    raise ValueError("first of all\nthe second line")


def logs_another_param(alpha):
    mlflow.log_param("alpha", alpha + 1e-6)


def exits(alpha):
    mlflow.log_metric("loss", 0.1)
    sys.exit(3)


def returns_nan(alpha):
    return float("nan")


def returns_infinity(alpha):
    return float("inf")


def returns_text(alpha):
    return "good"


def logs_another_name(alpha):
    mlflow.log_metric("val_loss", 0.1)


def does_nothing(alpha):
    pass
