"""Bayesian optimisation: a model of the values seen so far says which point promises most.

After Jones, Schonlau and Welch, 1998, https://doi.org/10.1023/A:1008306431147. What is heavy to import stands in the
other files of this package, which are loaded with the first suggestion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.space import Space
from mlflow_tune.strategies.base import Band, Posterior, Strategy, next_number
from mlflow_tune.strategies.bayesian.options import Options
from mlflow_tune.trial import Params, Suggestion, Trial

__all__ = ["EVIDENCE", "Bayesian"]

# The metrics of a model-based trial. `predicted_mean` and `predicted_std` are of the value that the trial will have, in
# the metric's own units and sign: its median, and half of what the central 68 % span. `model_mean` and `model_std` are
# the same in the model's units, in which values have mean 0 and variance 1 and are to be minimised. `acquisition` is
# the score, the larger the better, in these units. `expected_improvement` is the largest that any point promises,
# whichever the acquisition, in terms of how far the best value of the initial design lay from its median.
EVIDENCE = ("predicted_mean", "predicted_std", "model_mean", "model_std", "acquisition", "expected_improvement")


@dataclass(frozen=True)
class Bayesian(Options, Strategy):
    """Tries the baseline, then points of a Sobol sequence, and from `initial` trials on what its model recommends.

    `surrogate` is the model: GP (a Gaussian process), RF (a random forest) or ET (extremely randomised trees).
    `acquisition` says what promising means: EI (expected improvement on the best), PI (its probability), LCB
    (the bound of `kappa` standard deviations), uncertainty (the largest standard deviation, which explores only)
    or EIps (expected improvement a second). Trials that ended without a value count as bad as the worst value seen,
    running ones as what the model predicts of them; points outside the space are ignored. A point is tried once. With
    `count` > 1 the points are those of asking one by one while the ones before run. `InputError` for values out of
    range, with the option as its key.
    """

    name: ClassVar[str] = "bayesian"
    evidence: ClassVar[tuple[str, ...]] = EVIDENCE
    has_model: ClassVar[bool] = True
    takes_long: ClassVar[bool] = True

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the next `count` points, fewer when the space is used up. Model-based ones have `EVIDENCE`."""
        from mlflow_tune.strategies.bayesian.proposal import propose

        trials = list(history)
        found: list[Suggestion] = []
        while len(found) < count and (suggestion := propose(self, space, trials)):
            found.append(suggestion)
            trials.append(Trial(number=next_number(trials), params=suggestion.params))
        return found

    def posterior(self, space: Space, history: Sequence[Trial], points: Sequence[Params]) -> Posterior | None:
        """Return what the model that chose the trial after `history` believed, None where no model chose it.

        Raises `InputError` for a point that the space's dimensions cannot read.
        """
        from mlflow_tune.strategies.bayesian.posterior import predict

        return predict(self, space, history, points)

    def band(self, space: Space, history: Sequence[Trial], trial: Trial) -> Band | None:
        """Return how the model's prediction came out; counted in its own units, in which its errors are alike."""
        from mlflow_tune.strategies.bayesian.posterior import band

        return band(self, space, history, trial)
