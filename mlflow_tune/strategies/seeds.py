"""Where a trial's random seed comes from, and which seeds are fresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

from mlflow_tune.space import Dimension, Int, Space, Value
from mlflow_tune.text import words_of
from mlflow_tune.trial import SEED, Params, Trial

ROLE = "seed"  # of a searched parameter
FIRST = 0  # of a command that has {seed} and no value for it
LAST = 2**32 - 1  # that NumPy takes
PLAIN = ("seed", "random_seed", "random_state")  # the names of the seed of all, before that of a part
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Seeds:
    """The parameter `name` that holds a trial's random seed, "" where the training code takes none.

    One that is searched has its values in the trials' points, and they are `listed`; any other is `own` in every trial
    but the replicates. `always` says that nothing but the trial gives it to the code.
    """

    name: str = ""
    own: int = FIRST
    listed: Sequence[Value] = ()
    always: bool = False

    @property
    def searched(self) -> bool:
        """Whether the seed is one of the parameters of the space."""
        return bool(self.listed)

    def given(self, trial: Trial) -> dict[str, int]:
        """Return what the trial's code is given besides its point and what is fixed: its seed, by name."""
        if not self.name or self.searched or (trial.seed is None and not self.always):
            return {}
        return {self.name: self.own if trial.seed is None else trial.seed}

    def of(self, trial: Trial) -> Value:
        """Return the trial's seed, None where the training code takes none."""
        if self.searched:
            return trial.params.get(self.name)
        return self.given(trial).get(self.name, self.own if self.name else None)

    def fresh(self, used: Sequence[Value]) -> Value:
        """Return the first seed that is not among those `used`; None where there is none, or none is taken."""
        if not self.name:
            return None
        after = count(self.own + 1) if self.own > LAST else chain(range(self.own + 1, LAST + 1), range(self.own))
        return next((seed for seed in (self.listed if self.searched else after) if seed not in used), None)

    def most(self, wanted: int) -> int:
        """Return under how many fresh seeds a point can be tried, `wanted` at the most."""
        return min(wanted, len(self.listed) - 1) if self.searched else wanted


def names_seed(name: str) -> bool:
    """Whether a parameter holds a random seed, by its name."""
    words = words_of(name)
    return bool(words) and (words[-1] == SEED or words[-2:] == ["random", "state"])


def seeds_of(space: Space, fixed: Params, has_place: bool = False) -> Seeds:
    """Return where the seed comes from.

    That is a parameter of the space with the role, else a whole number from 0 among the fixed parameters that bears a
    seed's name, `seed` itself before `data_seed`, else {seed} in a command, which `has_place` for it.
    """
    for name, dimension in space.items():
        if dimension.role == ROLE and (listed := _listed(dimension)):
            return Seeds(name, listed=listed)
    for name, value in sorted(fixed.items(), key=lambda item: item[0] not in PLAIN):
        if names_seed(name) and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return Seeds(name, own=value)
    if has_place and SEED not in space and SEED not in fixed:
        return Seeds(SEED, always=True)
    return Seeds()


def _listed(dimension: Dimension) -> Sequence[Value]:
    """Return the seeds that a parameter may be, none where they cannot be counted or there is but one."""
    if isinstance(dimension, Int):
        listed: Sequence[Value] = range(dimension.low, dimension.high + 1, dimension.step)
    else:
        countable = dimension.size is not None and dimension.size <= MOST_LISTED
        listed = tuple(dimension.every_value() or ()) if countable else ()
    return listed if len(listed) > 1 else ()
