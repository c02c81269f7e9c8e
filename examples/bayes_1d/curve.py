"""A validation loss over one hyperparameter, so cheap that the whole curve can be drawn beside what a study saw of it.

Two valleys, of which the left one is a little deeper: enough to mislead whoever looks at one place only.
"""

import math


def loss(x: float) -> float:
    """Return the loss at x in [0, 1]."""
    return 0.9 - 0.7 * math.exp(-(((x - 0.22) / 0.11) ** 2)) - 0.55 * math.exp(-(((x - 0.74) / 0.16) ** 2)) + 0.1 * x
