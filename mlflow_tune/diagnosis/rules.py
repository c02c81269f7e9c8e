"""The rules: each a small function of the evidence that returns a finding or None.

All thresholds stand here. They were set on seeds 0 to 9 of `projects/digits`, about the middle between what runs with
the fault and runs without it show, and are measured on other seeds by `tests/benchmarks/diagnosis.py`. All are
relative: to the curve's own fall, to its level, to its jitter, or to the loss of guessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from mlflow_tune.diagnosis.curves import CostCurve, index_at, progress_at
from mlflow_tune.diagnosis.evidence import Evidence
from mlflow_tune.diagnosis.finding import Finding, FindingName

GROWTH = 3.0  # a training loss that ends at three times its first value has diverged
NEAR_GUESSING = (0.75, 1.25)  # a loss between these multiples of what guessing gives is no better than guessing
SURE_GUESS = 1.6  # of an accuracy below one fifth; a higher one may be a mediocre model's, not that of guessing
BLOWN_UP = 1.5  # one that was half as much again as guessing gives, and ends no better than guessing, has blown up ...
MOVED = 1.2  # ... if it moved by a fifth: an untrained network is no better than guessing either
FAR_ABOVE = 5.0  # ... and so has one that was five times as high and did not come below it ...
RIGHTED = 0.8  # ... unless an error rate fell by so much: then the loss holds more than a cross-entropy
LOST = 0.9  # and one that loses nine tenths of a fall ...
DEEP = 0.5  # ... by more than half of its first value
JITTER = 0.03  # unstable: the jitter is at least this share of the spread ...
LEVEL_JITTER = 0.005  # ... and of the level, so that the last digits of a flat curve do not count ...
RISES = 0.20  # ... and a fifth of the movement goes up (noise: a half) ...
TREND = 8.0  # ... and it did not fall by eight times the jitter all the same ...
GRAINS = 2.0  # ... and it is twice what the noise of single minibatches leaves in a long curve
LEARNED = 0.04  # a loss that fell by 4 % has learned something
GUESSED = 0.15  # an error rate that fell by less may have done so by a few lucky units
RISE = 0.10  # overfitting: validation rose by a tenth of its best (Prechelt's GL of 10) ...
GAP = 0.13  # ... or stands still while the gap is 13 % of its first value ...
TIMES = 10.0  # ... and it is ten times the training loss
TRAIN_FALL = 0.20  # training goes on falling: by a fifth since validation was best
STALE = 0.20  # validation was best before the last fifth of the run
RECENT = 0.06  # still improving: the last quarter of the steps brought 6 % of the whole fall (evenly: 25 %) ...
LATELY = 0.10  # ... and its second half a tenth of that: a drop of the learning rate before it does not count
PLATEAU = 0.01  # plateaued: within 1 % of the whole fall of the best ...
MOST_NOISE = 0.05  # ... or within the noise, which may blur up to 5 % ...
COARSE = 2.0  # ... 2 % for scores: an accuracy of 450 images moves in jumps
PLATEAU_SHARE = 0.65  # ... for the last 65 % of the steps
NOISES = 3.0  # a change counts when it is three times the jitter


def diverged(curves: Sequence[CostCurve], evidence: Evidence | None) -> Finding | None:
    """Find training that blew up: a not-finite end, growth, a loss far above guessing, or all progress lost.

    With too large a learning rate gradient descent raises the training error (Goodfellow et al. 2016, section 11.4.1).
    A loss far above guessing needs an accuracy curve, by which guessing is known: it is what one epoch of far too large
    steps leaves in the first logged value, when the optimizer is already on its way back to guessing.
    """
    broken = next((curve for curve in curves if curve.broken is not None), None)
    if broken is not None:
        return _not_finite(broken)
    if evidence is None:
        return None
    return _grew(evidence.driving) or _above_guessing(evidence) or _collapsed(evidence.driving)


def _not_finite(curve: CostCurve) -> Finding:
    step = curve.broken or 0
    text = f"diverged at step {step}: {curve.name} is not finite from there on"
    if not curve.steps:
        return Finding("diverged", curve.name, (step,), text)
    text += f"; its last finite value is {_at(curve, -1)}"
    return Finding("diverged", curve.name, (curve.steps[-1], step), text, {"last": curve.values[-1]})


def _grew(curve: CostCurve) -> Finding | None:
    if not curve.is_loss or curve.best < 0 or not curve.end >= GROWTH * curve.start > 0 or jumps(curve):
        return None
    text = f"diverged: {curve.name} rose from {_at(curve, curve.body)} to {_at(curve, -1)}"
    return _finding("diverged", curve, curve.body, text, first=curve.start, end=curve.end)


def _above_guessing(evidence: Evidence) -> Finding | None:
    curve = evidence.driving
    guess = evidence.guess
    if guess is None or not curve.is_loss:
        return None
    peak = max(curve.costs)
    blown_up = guess >= SURE_GUESS and peak > max(BLOWN_UP * guess, MOVED * curve.best)
    rests = _guesses(evidence) or (curve.end > NEAR_GUESSING[1] * guess and jumps(curve))
    came_back = blown_up and rests and not _scores_rose(evidence, GUESSED)
    stayed = curve.end > NEAR_GUESSING[0] * guess and peak > FAR_ABOVE * guess and not _scores_rose(evidence, RIGHTED)
    if not came_back and not stayed:
        return None
    since = curve.costs.index(peak)
    course = f"{curve.name} was {_at(curve, since)} and ended at {_at(curve, -1)}"
    text = f"diverged: {course}, where guessing gives about {guess:.3g}"
    return _finding("diverged", curve, since, text, peak=peak, end=curve.end, guessing=guess)


def _collapsed(curve: CostCurve) -> Finding | None:
    lost = curve.end >= curve.best + LOST * (curve.start - curve.best)
    if _relative(curve.start, curve.best) < DEEP or not lost or jumps(curve):
        return None
    low = curve.costs.index(curve.best)
    text = f"diverged after step {curve.steps[low]}: {curve.name} went from {_at(curve, low)} back to {_at(curve, -1)}"
    return _finding("diverged", curve, low, text, best=curve.values[low], last=curve.values[-1])


def unstable(evidence: Evidence) -> Finding | None:
    """Find a training loss that jumps up and down instead of falling: too large a step, or too small a batch for it.

    (Bengio 2012, "Practical recommendations for gradient-based training of deep architectures", section 3.1.1.) It is
    read from the training loss where there is one: a small validation set makes a validation curve jump by itself.
    """
    curve = evidence.smooth
    if not jumps(curve):
        return None
    since = len(curve.steps) // 3
    share = curve.jitter / curve.spread
    text = (
        f"unstable: from step {curve.steps[since]} on {curve.name} jumps by about {curve.jitter:.3g} at each step, "
        f"{share:.0%} of all that it moved, and ends at {_at(curve, -1)}"
    )
    return _finding("unstable", curve, since, text, jitter=curve.jitter, spread=curve.spread)


def jumps(curve: CostCurve) -> bool:
    """Return whether the curve jumps up and down by more than its last digits."""
    level = median(abs(cost) for cost in curve.late)
    loud = curve.jitter >= max(JITTER * curve.spread, LEVEL_JITTER * level, GRAINS * curve.grain)
    trend = median(curve.late[: max(1, len(curve.costs) // 5)]) - curve.end
    return loud and curve.jitter > 0 and trend < TREND * curve.jitter and curve.rises >= RISES


def not_learning(evidence: Evidence, blown: Finding | None, jumpy: Finding | None) -> Finding | None:
    """Find that nothing was learned: no loss or error rate fell by 4 %, or the loss came to rest where guessing is.

    The figure `rises`, the share of the training loss's movement that goes up, tells too small steps (0: it creeps
    down) from a network that is stuck.
    """
    main = evidence.main
    driving = evidence.driving
    fall = max(_relative(each.start, each.best) for each in evidence.known)
    guesses = _guesses(evidence) and (blown is not None or _recent(driving)[0] < RECENT)
    still = fall < LEARNED and driving.start != 0 and jumpy is None
    if not guesses and not still:
        return None
    text = f"not learning: {main.name} went from {_at(main, 0)} to {_at(main, -1)}"
    if guesses:
        text += f"; {driving.name} ends at {_at(driving, -1)}, and guessing gives about {evidence.guess:.3g}"
    return _finding("not-learning", main, 0, text, fall=fall, rises=driving.rises)


def _guesses(evidence: Evidence) -> bool:
    """Return whether the training loss ends where guessing is, while no score rose by much."""
    guess = evidence.guess
    low, high = NEAR_GUESSING
    if guess is None or guess < SURE_GUESS or not low * guess <= evidence.driving.end <= high * guess:
        return False
    return not _scores_rose(evidence, GUESSED)


def _scores_rose(evidence: Evidence, share: float) -> bool:
    scores = [curve for curve in evidence.known if not curve.is_loss]
    return any(_relative(score.start, score.end) >= share for score in scores)


def overfitting(evidence: Evidence) -> Finding | None:
    """Find validation that got worse, or stands far above training, while training went on getting better.

    (Goodfellow et al. 2016, section 5.2: the gap; Prechelt 1998, "Early stopping - but when?": the generalization loss
    GL, the rise of the validation error over its best, here 10 %.) It needs a pair of curves, training and validation.
    """
    findings = (_overfits(train, validation) for train, validation in evidence.pairs)
    return next((finding for finding in findings if finding is not None), None)


def _overfits(train: CostCurve, validation: CostCurve) -> Finding | None:
    rose = _rose(validation)
    low = validation.costs.index(validation.best)
    since = low if rose else _settled(validation)
    progress = progress_at(validation, since)
    then = index_at(train, progress)
    goes_on = _relative(train.costs[then], train.end) >= TRAIN_FALL
    if progress > 1 - STALE or not goes_on or not (rose or _apart(train, validation)):
        return None
    best, last = _at(validation, low), _at(validation, -1)
    turned = f"{'rose' if validation.falls else 'fell'} from {best} to {last}"
    text = (
        f"overfitting from step {validation.steps[since]}: {validation.name} "
        f"{turned if rose else f'came no further than {best} and is {last}'}, "
        f"while {train.name} went from {_at(train, then)} to {_at(train, -1)}"
    )
    figures = {"best": validation.values[low], "last": validation.values[-1], "train": train.values[-1]}
    return _finding("overfitting", validation, since, text, **figures)


def _rose(validation: CostCurve) -> bool:
    """Return whether the end lies a tenth of the best above it; a best near zero counts as a tenth of the spread."""
    scale = max(abs(validation.best), 0.1 * validation.spread)
    return 0 < max(RISE * scale, NOISES * validation.jitter) <= validation.end - validation.floor


def _apart(train: CostCurve, validation: CostCurve) -> bool:
    gap = validation.end - train.end
    return train.end >= 0 and gap >= GAP * abs(validation.start) and validation.end >= TIMES * train.end and gap > 0


def still_improving(evidence: Evidence) -> Finding | None:
    """Find that the tuned metric is still getting better when training ends.

    Beside a score the validation loss decides: an accuracy is coarse, and a late lucky step would look like progress.
    """
    curve = evidence.judged[-1]
    share, since = _recent(curve)
    if share < RECENT:
        return None
    way = "falling" if curve.falls else "rising"
    text = (
        f"still {way} at the end: {curve.name} went from {_at(curve, since)} to {_at(curve, -1)}, "
        f"{share:.0%} of all its progress in the last quarter of the steps"
    )
    return _finding("still-improving", curve, since, text, share=share, last=curve.values[-1])


def _recent(curve: CostCurve) -> tuple[float, int]:
    """Return the share of the whole fall that the last quarter of the steps brought, 0 within noise, and its start."""
    since, lately = (min(index_at(curve, progress), len(curve.costs) - 2) for progress in (0.75, 0.875))
    before, half_way, last = (curve.level(index) for index in (since, lately, len(curve.costs) - 1))
    fall = curve.start - curve.best
    gain = before - last
    goes_on = half_way - last >= LATELY * gain
    clear = fall > 0 and gain > NOISES * curve.jitter and last <= curve.floor + NOISES * curve.jitter
    return (gain / fall if clear and goes_on else 0.0), since


def plateaued(evidence: Evidence) -> Finding | None:
    """Find that the last 65 % of the steps brought the tuned metric nothing worth having: more would be wasted.

    This is no fault by itself: a good run ends so too when it is given more steps than it needs. Beside a coarse score
    the validation loss must have come to rest as well.
    """
    curve = evidence.main
    idle = min(1 - progress_at(each, _settled(each)) for each in evidence.judged)
    if idle < PLATEAU_SHARE:
        return None
    since = _settled(curve)
    low = curve.costs.index(curve.best)
    text = (
        f"plateaued since step {curve.steps[since]}: {curve.name} was {_at(curve, since)} and came no further than "
        f"{_at(curve, low)} until step {curve.steps[-1]}"
    )
    return _finding("plateaued", curve, since, text, idle=idle, best=curve.values[low])


def _settled(curve: CostCurve) -> int:
    """Return the index of the first point that is as good as the best, but for 1 % of the whole fall, or for noise."""
    fall = curve.start - curve.best
    margin = max(PLATEAU * (1 if curve.is_loss else COARSE) * fall, min(NOISES * curve.jitter, MOST_NOISE * fall))
    return next(index for index, cost in enumerate(curve.costs) if cost <= curve.best + margin)


def too_little_evidence(curves: Sequence[CostCurve], metric: str) -> Finding:
    """Say that no curve has five finite steps."""
    longest = max(curves, key=lambda curve: curve.count, default=None)
    if longest is None or not longest.steps:
        text = f"too little evidence: {metric} has no finite value"
        return Finding("too-little-evidence", metric, (), text, {"count": 0})
    count = f"{longest.count} finite step{'s' * (longest.count > 1)}"
    text = f"too little evidence: {longest.name} has {count}, the last at step {longest.steps[-1]}"
    return _finding("too-little-evidence", longest, 0, text, count=longest.count)


def _relative(start: float, end: float) -> float:
    """Return by which share of the larger of the two the cost fell; negative when it rose."""
    scale = max(abs(start), abs(end))
    return (start - end) / scale if scale else 0.0


def _at(curve: CostCurve, index: int) -> str:
    return f"{curve.values[index]:.4g} (step {curve.steps[index]})"


def _finding(name: FindingName, curve: CostCurve, since: int, text: str, **figures: float) -> Finding:
    return Finding(name, curve.name, (curve.steps[since], curve.steps[-1]), text, figures)
