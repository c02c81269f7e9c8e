"""What a Bayesian study tries next: the initial design, then the candidate that promises most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlflow_tune.space import Space, Value
from mlflow_tune.strategies.base import next_number
from mlflow_tune.strategies.bayesian.encoding import Array, Observations, observe
from mlflow_tune.strategies.bayesian.model import fit_model
from mlflow_tune.strategies.bayesian.options import Options
from mlflow_tune.strategies.bayesian.search import promising_points
from mlflow_tune.strategies.bayesian.threads import one_thread
from mlflow_tune.strategies.random import Random
from mlflow_tune.trial import Suggestion, Trial

EFFORT = 200_000  # covariances between candidates and trials that one search may compute
CANDIDATES = (400, 3000)  # but no fewer and no more than so many candidates
SEARCHED_AROUND = 5  # the search begins around so many of the best trials


@one_thread()
def propose(options: Options, space: Space, history: Sequence[Trial]) -> Suggestion | None:
    """Return the next trial's point, None when the space is used up."""
    number = next_number(history)
    seen = observe(space, history, options.goal)
    model = fit_model(options, space, seen, number)
    if model is None:
        return _initial(options, space, history, len(seen.points) + len(seen.pending) + 1)
    if space.size is not None and len(seen.visited) >= space.size:
        return None
    budget = int(np.clip(EFFORT // len(seen.points), *CANDIDATES))
    draws = np.random.default_rng([options.seed, number])
    points, judged = promising_points(space, model.judge, _best(seen), draws, budget)
    params = _first_free(space, points, seen) or Random(options.seed).suggest(space, history, 1)[0].params
    evidence = model.evidence(params, log_improvement=float(judged[:, 1].max()))
    return Suggestion(params, _why(options, seen, evidence), evidence)


def _initial(options: Options, space: Space, history: Sequence[Trial], index: int) -> Suggestion | None:
    design = Random(options.seed, sampling="sobol", baseline=True)
    part = f"{index} of {options.initial}" if index <= options.initial else "longer, as hardly a trial has a value"
    for each in design.suggest(space, history, 1):
        return Suggestion(each.params, f"initial design, {part}: {each.why}")
    return None


def _best(seen: Observations) -> Array:
    known = int((~np.isnan(seen.values)).sum())
    return seen.points[np.argsort(seen.values, kind="stable")[: min(known, SEARCHED_AROUND)]]


def _first_free(space: Space, points: Array, seen: Observations) -> dict[str, Value] | None:
    for units in points.tolist():
        params = space.from_unit(units)
        if tuple(space.to_unit(params)) not in seen.visited:
            return params
    return None


def _why(options: Options, seen: Observations, evidence: dict[str, float]) -> str:
    failed = int(np.isnan(seen.values).sum())
    running = len(seen.pending)
    parts = [f"{failed} without a value"] * bool(failed) + [f"{running} running"] * bool(running)
    return (
        f"{options.surrogate} model, {options.acquisition} {evidence['acquisition']:.4g}: "
        f"predicted {evidence['predicted_mean']:.6g} +- {evidence['predicted_std']:.2g} "
        f"from {len(seen.points) + running} trials" + (f" ({', '.join(parts)})" if parts else "")
    )
