"""The lesson's pictures: recall and box error over alpha, and what P-Net is trained on."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlflow_tune import Study, Trial

RINGS = {"s": 130, "facecolors": "none", "edgecolors": "tab:blue", "zorder": 3}


def alpha(trial: Trial) -> float:
    """Return the trial's alpha."""
    return float(trial.params["alpha"])


def curve(grid: Study, boundary: Study, answer: Trial | None, fresh: Study | None) -> Figure:
    """Return the whole curve that the grid saw, what bisection saw of it, its answer, and that with fresh seeds."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    networks = grid.spec.run.parameters.get("networks", 1)
    by_grid, by_bisection = f"grid, {len(grid.trials)} trials", f"bisection, {len(boundary.trials)} trials, by number"
    draw(above, grid, boundary, "recall", f"{by_grid}: mean of {networks}, bar: deviation of one", by_bisection)
    draw(below, grid, boundary, "box_error", "", "")
    rule = boundary.spec.strategy
    bound, floor = rule.requirement.bound, rule.requirement.bound - rule.margin
    above.axhline(bound, color="tab:red", ls=":", label=f"the floor and the margin, {bound:.2f}")
    above.axhline(floor, color="tab:red", label=f"the floor, {floor:.2f}")
    if answer is not None:
        for axes in (above, below):
            axes.axvline(alpha(answer), color="tab:blue", lw=0.8)
    if answer is not None and fresh is not None:
        again = [trial.metrics["recall"] for trial in fresh.trials]
        words = f"the answer again: {len(again)} fresh seeds, one network each"
        above.scatter([alpha(answer)] * len(again), again, marker="x", color="tab:green", zorder=4, label=words)
    above.set(xscale="log", ylabel="recall at 1 % false alarms")
    below.set(xlabel="alpha in L = L_cls + alpha L_box", ylabel="box error, share of the window's side")
    above.legend(fontsize=8, loc="lower left")
    return figure


def draw(axes: Axes, grid: Study, boundary: Study, metric: str, by_grid: str, by_bisection: str) -> None:
    """Draw a metric of the grid's trials as a line, with the seeds' spread where it is known, and rings on it."""
    trials, seen = sorted(grid.trials, key=alpha), boundary.trials
    spread = [trial.metrics.get(f"{metric}_std", 0.0) for trial in trials]
    line = {"color": "0.6", "fmt": "o-", "markersize": 4, "capsize": 2, "label": by_grid}
    axes.errorbar([alpha(trial) for trial in trials], [trial.metrics[metric] for trial in trials], spread, **line)
    places = [(alpha(trial), trial.metrics[metric]) for trial in seen]
    axes.scatter(*zip(*places, strict=True), label=by_bisection, **RINGS)
    for trial, place in zip(seen, places, strict=True):
        axes.annotate(str(trial.number), place, (7, 5), textcoords="offset points", color="tab:blue")


def windows() -> Figure:
    """Return a few windows to validate with, and the face's box in those that have one."""
    from faces import BACKGROUND, IS_FACE, PART, load_windows

    _, shown = load_windows(1, 0)
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    rows = figure.subplots(3, 12)
    for row, (kind, title) in zip(rows, {IS_FACE: "face", PART: "part", BACKGROUND: "background"}.items(), strict=True):
        of_kind = (shown.kind == kind).nonzero().flatten()
        for axes, index in zip(row, of_kind[:: len(of_kind) // 12], strict=False):
            axes.imshow(shown.pixels[index, 0], cmap="gray", extent=(0, 1, 1, 0), vmin=-1, vmax=1)
            if kind != BACKGROUND:
                left, top, right, bottom = (shown.box[index] + shown.box.new_tensor([0, 0, 1, 1])).tolist()
                axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="tab:green")
            axes.set(xlim=(-0.6, 1.6), ylim=(1.6, -0.6), xticks=[], yticks=[])
        row[0].set_ylabel(title)
    return figure
