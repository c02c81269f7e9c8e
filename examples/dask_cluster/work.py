"""A function of one hyperparameter: what a Dask worker runs is packed with the folder that it lies in."""

from statistics import fmean

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(neighbours, power):
    """Return the cross-validated accuracy of k nearest neighbours on scikit-learn's wines."""
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours, p=power))
    return fmean(cross_val_score(model, *load_wine(return_X_y=True), cv=3))
