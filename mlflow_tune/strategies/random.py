"""Random search (Bergstra and Bengio, 2012, https://jmlr.org/papers/v13/bergstra12a.html)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Space, Value
from mlflow_tune.strategies.base import Strategy, next_number
from mlflow_tune.text import as_integer, copied, plain, unknown
from mlflow_tune.trial import Suggestion, Trial

SAMPLINGS = ("uniform", "sobol")


@dataclass(frozen=True)
class Random(Strategy):
    """Draws each point uniformly from the unit cube: log-uniformly where a parameter has a log scale.

    The draw of a trial depends on `seed`, a whole number from 0, and the trial's number. `sampling: sobol` takes the
    trial's point of a Sobol sequence that the seed scrambles, which covers the cube more evenly (Owen, 1998,
    https://doi.org/10.1006/jcom.1998.0487). With `baseline` the first point is the one of the parameters' defaults, or
    the middle of the range where a parameter has none. A space whose points can be counted is drawn from without
    replacement, until it is used up. `InputError` whose key is the option for values out of range.
    """

    seed: int = 0
    """What the draws depend on, a whole number from 0."""
    sampling: Literal["uniform", "sobol"] = "uniform"
    """`uniform`: each point by itself. `sobol`: a scrambled Sobol sequence, which covers the space more evenly."""
    baseline: bool = False
    """Whether the first point is that of the parameters' defaults, or the middle of a range without one."""
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        faults = Faults()
        with faults.at():
            object.__setattr__(self, "seed", read_seed(self.seed))
        with faults.at("sampling"):
            if self.sampling not in SAMPLINGS:
                raise InputError(unknown("sampling", self.sampling, SAMPLINGS))
        object.__setattr__(self, "baseline", plain(self.baseline))
        with faults.at("baseline"):
            if not isinstance(self.baseline, bool):
                raise InputError(f"must be true or false, but got {self.baseline!r}")
        faults.tell()

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the draws of the next `count` trials, fewer when the space is used up."""
        visited = set()
        if self.baseline or space.size is not None:
            visited = space.identities(trial.params for trial in history)
        found: list[Suggestion] = []
        for number in range(next_number(history), next_number(history) + count):
            if space.size is not None and len(visited) >= space.size:
                break
            found.append(self._baseline(space, visited) or self._draw(space, visited, number))
            visited.add(space.identity(found[-1].params))
        return found

    def _baseline(self, space: Space, visited: set[tuple[str, ...]]) -> Suggestion | None:
        params = baseline_point(space)
        if not self.baseline or space.identity(params) in visited:
            return None
        given = [name for name, dimension in space.items() if dimension.default is not None]
        words = "the parameters' defaults" if len(given) == len(space) else "the centre of the space"
        if 0 < len(given) < len(space):
            words = f"the defaults of {', '.join(given)}, the middle of the other ranges"
        return Suggestion(params, f"baseline: {words}")

    def _draw(self, space: Space, visited: set[tuple[str, ...]], number: int) -> Suggestion:
        import numpy

        draws = numpy.random.default_rng([self.seed, number])
        if self.sampling == "sobol":
            index = max(number - 1 - self.baseline, 0)
            params = space.from_unit(sobol_point(len(space), self.seed, index))
            why = f"Sobol point {index + 1}, seed {self.seed}"
        else:
            params = space.from_unit(draws.random(len(space)).tolist())
            why = f"uniform draw of trial {number}, seed {self.seed}"
        skipped = 0
        while space.identity(params) in visited:
            skipped += 1
            params = space.from_unit(draws.random(len(space)).tolist())
        return Suggestion(params, f"{why}; {skipped} drawn before had been visited" if skipped else why)


def baseline_point(space: Space) -> dict[str, Value]:
    """Return the point of the parameters' defaults, with the middle of its range for a parameter that has none."""
    middle = space.from_unit([0.5] * len(space))
    defaults = {name: copied(each.default) for name, each in space.items() if each.default is not None}
    return {name: defaults.get(name, middle[name]) for name in space}


def sobol_point(dimensions: int, seed: int, index: int) -> list[float]:
    """Return point `index` (from 0) of the Sobol sequence in the unit cube that `seed` scrambles."""
    import numpy
    from scipy.stats import qmc  # type: ignore[import-untyped]

    engine = qmc.Sobol(dimensions, scramble=True, seed=numpy.random.default_rng([seed]))
    if index:  # a million points are skipped in 10 ms; drawn they take 100 MB in 12 dimensions
        engine.fast_forward(index)
    return [float(unit) for unit in engine.random(1)[0]]


def read_seed(value: object) -> int:
    """Return the seed that an option gives; `InputError` with the key `seed` unless it is a whole number from 0."""
    try:
        seed = as_integer(value)
    except InputError as error:
        raise error.under("seed") from None
    if seed < 0:
        raise InputError(f"seed >= 0 must hold, but got seed={seed}", "seed")
    return seed
