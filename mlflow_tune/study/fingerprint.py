"""What a search was made with: its data, folds and estimator, in words and as digests, to be told from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from mlflow_tune.space import Space

_DIGITS = 16


def data_words(x: Any, y: Any, more: Mapping[str, Any]) -> str:
    """Return the data in words with a digest of every value: `150 x 4, 3f2a...`; `more` goes with each sample."""
    shape = getattr(x, "shape", None) or (len(x),)
    return f"{' x '.join(map(str, shape))}, {digest([x, y, *(part for pair in sorted(more.items()) for part in pair)])}"


def fold_words(splits: Sequence[tuple[Any, Any]]) -> str:
    """Return the folds in words with a digest of their indices."""
    return f"{len(splits)} folds, {digest([part for split in splits for part in split])}"


def estimator_words(estimator: Any) -> str:
    """Return the classes of an estimator and of its parts in words, with a digest of its parameters.

    Never its repr, which may hold data and passwords.
    """
    params = estimator.get_params(deep=True)
    parts = [_class_of(each) for each in (estimator, *params.values()) if hasattr(each, "get_params")]
    names = [each.rpartition(".")[2] for each in parts]
    plain = {name: _class_of(value) if hasattr(value, "get_params") else value for name, value in params.items()}
    return f"{' of '.join(names[:1] + [', '.join(names[1:])] * (len(names) > 1))}, {_hashed([parts, _flat(plain)])}"


def scoring_words(scoring: Any) -> str:
    """Return the scores in words: their names, and for a function where it is defined."""
    if isinstance(scoring, Mapping):
        return ", ".join(f"{name}: {scoring_words(scoring[name])}" for name in sorted(scoring))
    if callable(scoring):
        return f"{getattr(scoring, '__module__', '')}:{getattr(scoring, '__qualname__', type(scoring).__qualname__)}"
    if isinstance(scoring, Iterable) and not isinstance(scoring, str):
        return ", ".join(sorted(map(str, scoring)))
    return "the estimator's own" if scoring is None else str(scoring)


def space_words(space: Space) -> str:
    """Return the searched parameters in words, with a digest of their ranges."""
    return f"{', '.join(space)}, {_hashed(space.to_json())}"


def digest(values: Iterable[Any]) -> str:
    """Return a digest of arrays, tables and lists: equal ones have the same in every process, others another."""
    found = hashlib.sha256()
    for value in values:
        _feed(found, value)
    return found.hexdigest()[:_DIGITS]


def _feed(found: Any, value: Any) -> None:
    if value is None or isinstance(value, str):
        found.update(repr(value).encode())
    elif sparse.issparse(value):
        rows = value.tocsr()
        for part in (np.array(rows.shape), rows.data, rows.indices, rows.indptr):
            _feed(found, part)
    elif hasattr(value, "iloc"):
        _feed_table(found, value)
    else:
        array = np.asarray(value)
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(_hashed(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).data)


def _feed_table(found: Any, table: Any) -> None:
    import pandas as pd

    found.update(repr([(str(name), str(kind)) for name, kind in pd.DataFrame(table).dtypes.items()]).encode())
    try:
        found.update(pd.util.hash_pandas_object(table, index=False).to_numpy().data)
    except TypeError:  # cells that are lists or dicts
        found.update(_hashed(pd.DataFrame(table).to_numpy().tolist()).encode())


def _class_of(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _flat(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, but for lists of steps, whose members stand among them by themselves."""
    return {
        name: value
        for name, value in params.items()
        if not (isinstance(value, list) and any(isinstance(each, tuple) for each in value))
    }


def _hashed(value: Any) -> str:
    import cloudpickle
    import joblib

    try:
        return str(joblib.hash(value, hash_name="sha1"))[:_DIGITS]
    except Exception:  # what joblib cannot pickle, such as a lambda
        return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()[:_DIGITS]
