"""What fresh seeds have shown of the best trials: what was seen of each, its reruns, and where its true value lies."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.figures.scales import legend_below, plain_ticks
from mlflow_tune.report.figures.style import BLUE, GREY, INK, ORANGE, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.places import within_reach
from mlflow_tune.report.subject import Subject
from mlflow_tune.strategies.confirmation import Confirmation, Leader
from mlflow_tune.text import number_text, trial_label
from mlflow_tune.trial import Trial, searched

MOST = 20  # leaders
APART = 0.16  # rows between what was believed before and after


@in_house_style
def confirmation_figure(subject: Subject, trials: Sequence[Trial], confirmation: Confirmation | None) -> Figure | None:
    """Draw the leaders, the best on top: the value that was seen and what was believed of it, the reruns, the interval.

    None before a rerun has a value.
    """
    if confirmation is None or not any(leader.values for leader in confirmation.leaders):
        return None
    leaders = _ordered(confirmation)[:MOST]
    figure = sheet(1.9 + 0.5 * len(leaders))
    axes = figure.add_subplot()
    _draw_seen(axes, leaders, _believed_before(subject, trials, leaders))
    _draw_after(axes, confirmation, leaders)
    axes.set_yticks(range(len(leaders)), labels=[trial_label(leader.number) for leader in leaders])
    axes.set_ylim(len(leaders) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))  # as many as numbers far from 0 have room
    plain_ticks(axes.xaxis)
    axes.set(xlabel=f"{clean(subject.metric, 20)} ({subject.sense}), true values to 90 %")
    headline(figure, clean(confirmation.words, 200))
    legend_below(figure, axes)
    told = "; ".join(_told(confirmation, leader) for leader in leaders)
    return finish(figure, f"Reruns of the best trials under fresh seeds: {confirmation.words}. {told}.")


def _ordered(confirmation: Confirmation) -> list[Leader]:
    """Return the leaders by what is believed of them now, those of which nothing is known last."""
    if (belief := confirmation.belief) is None:
        return list(confirmation.leaders)
    known = sorted(range(len(confirmation.contenders)), key=belief.mean.__getitem__)
    unknown = [leader for leader in confirmation.leaders if not leader.values]
    return [*(confirmation.contenders[index] for index in known), *unknown]


def _believed_before(subject: Subject, trials: Sequence[Trial], leaders: list[Leader]) -> Sequence[tuple[float, float]]:
    """Return between which values the search alone had the true values lie; nothing where that was too little."""
    from mlflow_tune.strategies.bayesian.luck import luck_of

    luck = luck_of(subject.space, searched(trials), subject.goal, [leader.trial for leader in leaders])
    return luck.intervals if luck is not None else ()


def _draw_seen(axes: Axes, leaders: list[Leader], before: Sequence[tuple[float, float]]) -> None:
    places = [row - APART for row in range(len(leaders))]
    seen = [within_reach(leader.trial.value or 0.0) for leader in leaders]
    axes.plot(seen, places, "D", color=ORANGE, markersize=5, label="seen")
    for index, (place, (low, high)) in enumerate(zip(places, before, strict=False)):
        label = "believed before" if index == 0 else ""
        _bar(axes, place, low, high, ORANGE, 1.2, label)


def _bar(axes: Axes, place: float, low: float, high: float, colour: str, width: float, label: str) -> None:
    axes.plot([within_reach(low), within_reach(high)], [place, place], color=colour, linewidth=width, label=label)


def _draw_after(axes: Axes, confirmation: Confirmation, leaders: list[Leader]) -> None:
    places = [row + APART for row in range(len(leaders))]
    dots = [
        (within_reach(value), place) for leader, place in zip(leaders, places, strict=True) for value in leader.values
    ]
    axes.plot(*zip(*dots, strict=True), "|", color=GREY, markersize=9, label="rerun")
    known = [(confirmation.interval(leader), leader, place) for leader, place in zip(leaders, places, strict=True)]
    means = [(within_reach(leader.mean or 0.0), place) for ends, leader, place in known if ends]
    bars = [(*ends, place) for ends, _, place in known if ends]
    for index, (low, high, place) in enumerate(bars):
        _bar(axes, place, low, high, BLUE, 2.4, "believed now" if index == 0 else "")
    if means:
        axes.plot(*zip(*means, strict=True), "o", color=INK, markersize=4, label="their mean")


def _told(confirmation: Confirmation, leader: Leader) -> str:
    words = f"{trial_label(leader.number)} was seen at {number_text(leader.trial.value)}"
    if not leader.values:
        return f"{words}, and no rerun has a value"
    mean = number_text(leader.mean)
    ends = confirmation.interval(leader)
    between = f", 90 % interval {number_text(ends[0], 4)} to {number_text(ends[1], 4)}" if ends else ""
    return f"{words}, {len(leader.values)} reruns have the mean {mean}{between}"
