"""What people change after a finding, for the parameters whose role the space states. Nothing of it is applied.

The table is custom, not theory: Goodfellow et al. 2016, section 11.4 (learning rate first, then capacity and
regularization); Bengio 2012, "Practical recommendations for gradient-based training of deep architectures" (learning
rates on a log scale, early stopping); Smith 2018, "A disciplined approach to neural network hyper-parameters" (under-
and overfitting, batch size).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mlflow_tune.diagnosis.finding import Finding
from mlflow_tune.diagnosis.neighbours import Neighbours
from mlflow_tune.space import Choice, Dimension, Float, Space
from mlflow_tune.text import is_number, rounded
from mlflow_tune.trial import Params

STEADY = 0.2  # a loss of whose movement a smaller share goes up creeps down: its steps are too small
LINEAR = (1.5, 2.0)  # factors for a regularization on a linear scale, such as dropout


@dataclass(frozen=True)
class Custom:
    """Multiply (`up`) or divide the parameter by a factor between the two of `factors`."""

    up: bool
    factors: tuple[float, float]


LESS = Custom(up=False, factors=(3, 10))
MORE = Custom(up=True, factors=(3, 10))
HALVE = Custom(up=False, factors=(2, 2))
DOUBLE = Custom(up=True, factors=(2, 2))
STOP_THERE = Custom(up=False, factors=(1, 1))  # epochs: end where the finding begins
CUSTOMS: dict[tuple[str, str], tuple[Custom, ...]] = {
    ("diverged", "learning_rate"): (LESS,),
    ("unstable", "learning_rate"): (LESS,),
    ("unstable", "batch_size"): (DOUBLE,),
    ("not-learning", "learning_rate"): (MORE, LESS),
    ("not-learning", "regularization"): (LESS,),
    ("overfitting", "regularization"): (MORE,),
    ("overfitting", "capacity"): (HALVE,),
    ("overfitting", "epochs"): (STOP_THERE,),
    ("still-improving", "epochs"): (DOUBLE,),
    ("still-improving", "learning_rate"): (Custom(up=True, factors=(2, 3)),),
    ("plateaued", "epochs"): (STOP_THERE,),
    ("plateaued", "capacity"): (DOUBLE,),
}


Seen: TypeAlias = Callable[[str], Neighbours | None]  # what the study's other trials say of a parameter


def suggestions(findings: Sequence[Finding], space: Space, params: Params, seen: Seen = lambda _: None) -> list[str]:
    """Return what people do after these findings, a sentence for each parameter that has a role in the space.

    `params` is the trial's point. Of several findings the first that has a custom for the parameter's role decides.
    Values are clipped to the space; of a parameter at its bound it is said that the bound could be widened. Parameters
    that are no numbers are left out. What the study's other trials, as they are `seen`, speak against is not proposed.
    """
    found = []
    for name, dimension in space.items():
        value = params.get(name)
        if not is_number(value):
            continue
        choices = ((finding, _customs(finding, findings, dimension, value)) for finding in findings)
        finding, customs = next((choice for choice in choices if choice[1]), (None, ()))
        if finding is not None:
            found.append(_sentence(name, dimension, value, customs, finding, seen(name)))
    return found


def _customs(finding: Finding, findings: Sequence[Finding], dimension: Dimension, value: float) -> tuple[Custom, ...]:
    """Return the customs of the table that the other findings and the figures leave standing."""
    customs = CUSTOMS.get((finding.name, dimension.role or ""), ())
    if finding.name == "not-learning":
        if finding is not findings[0]:  # it is what the first one, of too large steps, has done
            return ()
        if dimension.role == "learning_rate" and _creeps(finding):
            return (MORE,)
    if finding.name == "plateaued" and dimension.role == "capacity" and finding is not findings[0]:
        return ()  # an overfitting network need not grow
    can_stop = bool(finding.steps) and 0 <= finding.steps[0] <= finding.steps[-1] > 0
    return tuple(each for each in customs if (each.up or value != 0) and (can_stop or each is not STOP_THERE))


def _creeps(finding: Finding) -> bool:
    return finding.figures.get("rises", 1.0) < STEADY and finding.figures.get("fall", 0.0) > 0


def _sentence(
    name: str,
    dimension: Dimension,
    value: float,
    customs: Sequence[Custom],
    finding: Finding,
    seen: Neighbours | None,
) -> str:
    proposed = {custom: _proposed(dimension, value, custom, finding) for custom in customs}
    kept = proposed
    if seen is not None:
        kept = {
            custom: tries
            for custom, each in proposed.items()
            if (tries := [one for one in each if not seen.against(one)])
        }
    verbs = " or ".join(_verb(custom, dimension, finding) for custom in kept or customs) if value else "turn it on"
    if seen is not None and not kept:
        return f"{name}: people {verbs} here, {seen.words([one for each in proposed.values() for one in each])}"
    advice = ", or ".join(_advice(dimension, custom, tries) for custom, tries in kept.items())
    rest = "" if seen is None else f" ({seen.rest(next(iter(kept.values()))[0])})"
    return f"{name}: people {verbs} here: {advice}{rest}"


def _factors(custom: Custom, dimension: Dimension) -> tuple[float, float]:
    return LINEAR if dimension.role == "regularization" and not dimension.log else custom.factors


def _targets(dimension: Dimension, value: float, custom: Custom, finding: Finding) -> list[float]:
    """Return the values that the custom leads to; a regularization of 0 begins with 1 % and 10 % of its bound."""
    if custom is STOP_THERE:
        return [value * _progress(finding)]
    if value == 0:
        return [_bound(dimension, up=True) * share for share in (0.01, 0.1)]
    return [value * factor if custom.up else value / factor for factor in _factors(custom, dimension)]


def _proposed(dimension: Dimension, value: float, custom: Custom, finding: Finding) -> list[float]:
    """Return the values of the space to try; of a parameter at its bound, infinity on that side stands for a wider."""
    targets = _targets(dimension, value, custom, finding)
    fitted = [_fit(dimension, value, target, up=custom.up) for target in targets]
    return sorted({each for each in fitted if each is not None}) or [math.inf if custom.up else -math.inf]


def _advice(dimension: Dimension, custom: Custom, tries: Sequence[float]) -> str:
    bound = _bound(dimension, up=custom.up)
    side = f"its {'upper' if custom.up else 'lower'} bound"
    if math.isinf(tries[0]):
        return f"it is at {side} {bound:.6g}, which could be widened"
    return "try " + " to ".join(f"{each:.6g}" for each in tries) + (f" ({side})" if bound in tries else "")


def _verb(custom: Custom, dimension: Dimension, finding: Finding) -> str:
    low, high = _factors(custom, dimension)
    if custom is STOP_THERE:
        return f"stop near step {finding.steps[0]}"
    if low == high:
        return "double it" if custom.up else "halve it"
    return f"{'multiply' if custom.up else 'divide'} it by {low:g} to {high:g}"


def _progress(finding: Finding) -> float:
    """Return how far into the run the finding begins; steps may count epochs or minibatches, from 0 or from 1."""
    return finding.steps[0] / finding.steps[-1]


def _bound(dimension: Dimension, *, up: bool) -> float:
    values = _numbers(dimension) if isinstance(dimension, Choice) else [dimension.low, dimension.high]
    return max(values) if up else min(values)


def _numbers(dimension: Choice) -> list[float]:
    return [each for each in dimension.values if is_number(each)] or [0.0]


def _fit(dimension: Dimension, value: float, target: float, *, up: bool) -> float | None:
    """Return the value of the space next to `target` that lies on its side of `value`; None when there is none."""
    if isinstance(dimension, Choice):
        beyond = [each for each in _numbers(dimension) if (each > value if up else each < value)]
        return min(beyond, key=lambda each: abs(each - target), default=None)
    if dimension.step is not None:
        cells = round((target - dimension.low) / dimension.step)
        target = dimension.low + dimension.step * cells
        near = value + dimension.step if up else value - dimension.step
        target = max(target, near) if up else min(target, near)
    else:
        target = rounded(target, 2)
    fitted = min(max(target, dimension.low), dimension.high)
    if isinstance(dimension, Float):
        fitted = dimension.decode(fitted)  # 0.3, not 0.1 + 0.2
    return fitted if (fitted > value if up else fitted < value) else None
