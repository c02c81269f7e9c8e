"""A loss of two hyperparameters, one of which hardly matters: f(x, y) = g(x) + h(y), with h nearly flat.

After Bergstra and Bengio, 2012, figure 1, https://jmlr.org/papers/v13/bergstra12a.html.
"""

import math


def g(x: float) -> float:
    """Return the part that matters, to be minimised: a narrow valley at x = 0.31."""
    return 1.0 - math.exp(-(((x - 0.31) / 0.15) ** 2)) - 0.25 * math.exp(-(((x - 0.8) / 0.3) ** 2))


def h(y: float) -> float:
    """Return the part that hardly matters."""
    return 0.04 * (y - 0.6) ** 2


def loss(x: float, y: float) -> float:
    """Return the loss at (x, y) in the unit square."""
    return g(x) + h(y)
