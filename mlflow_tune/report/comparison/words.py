"""A comparison in words: what can be told, what cannot and why, and what else a reader must know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlflow_tune.report.comparison.comparison import NAME, Comparison, Entrant, Group
from mlflow_tune.report.comparison.statistics import Interval, Sample, difference, told_apart
from mlflow_tune.text import count_text, number_text, plural, short, some_of

MOST_NAMES = 8
MOST_PARTS = 8
DEFINITIONS = (
    "Trials are those that ended by themselves, failures too; time is that during which at least one attempt at "
    "a trial ran, idle time between sessions left out; steps are the epochs or batches of all attempts, one a value of "
    "the metric. A group are studies that differ in seed alone: "
    "budget and workers may differ. In brackets is the interval of the mean over its studies at 95 % (Student's t), of "
    "a difference at 95 % for all pairs of groups together (Welch's t, Bonferroni)."
)
_IN_WORDS = {"space": "search spaces", "run": "code that is run", "value": "step of the metric that counts"}
_CODE = ("project", "command", "function", "objective", "entry_point", "version")  # of `run`, what names the code
_FIXES = {
    "space": "the difficulty may come from the space, not from the strategy",
    "run": "the values may differ for that reason alone",
    "value": "the values may differ for that reason alone",
}


def sentences(comparison: Comparison) -> list[str]:
    """Return what the comparison tells: trials to the target, best values after equally many trials, what it rests on.

    A difference is told only where the intervals of the means do not overlap and that of the difference excludes zero.
    """
    told = [_reached_sentence(comparison), _best_sentence(comparison)]
    if len(comparison.groups) == 1:
        told.append("All studies differ in seed alone: there is one group, and nothing to tell apart.")
    elif all(len(group.members) == 1 for group in comparison.groups):
        told.append("One study each is no evidence about strategies, only about these runs.")
    return [sentence for sentence in told if sentence]


def target_text(comparison: Comparison) -> str:
    """Return the target as `val_loss <= 0.12`, empty when there is none."""
    if comparison.target is None:
        return ""
    sign = "<=" if comparison.goal == "minimize" else ">="
    return f"{short(comparison.metric, NAME)} {sign} {comparison.target:.10g}"


def target_reason(comparison: Comparison) -> str:
    """Return in words where the target comes from."""
    if comparison.target is None:
        return "No study has a value, so that there is no target."
    if comparison.given:
        return f"The target is {target_text(comparison)}, as asked for."
    worst = "the worst of the studies' best values, which every study with a value reaches"
    return f"The target is {target_text(comparison)}: {worst}."


def findings(comparison: Comparison) -> list[str]:
    """Return what a reader must know beside the numbers: studies that go on, and in what else the studies differ."""
    found = [line for entrant in comparison.entrants for line in _of_study(comparison, entrant)]
    found += [line for name in _IN_WORDS if (line := _differs(comparison, name))]
    return found + [line for group in comparison.groups for line in _of_group(group)]


def _reached_sentence(comparison: Comparison) -> str:
    if comparison.target is None:
        return f"No study has a value of {short(comparison.metric, NAME)}."
    ordered = sorted(comparison.groups, key=lambda group: _standing(comparison.to_target(group)))
    first, *others = ordered
    if not comparison.to_target(first).known:
        return f"No study reached {target_text(comparison)}."
    parts = [f"{_who(first)} reached {target_text(comparison)} {_in_trials(comparison, first)}"]
    parts += [f"{_who(group)} {_in_trials(comparison, group)}" for group in others]
    return f"{_joined(parts)}{_verdicts(comparison, ordered, comparison.to_target, count_text, 'reached it')}"


def _standing(sample: Sample) -> tuple[float, float]:
    """Return by what groups are ordered: the share that did not reach the target, then the mean."""
    return -len(sample.known) / len(sample.values), sample.mean or 0.0


def _in_trials(comparison: Comparison, group: Group) -> str:
    sample, count = comparison.to_target(group), len(group.members)
    if count == 1:
        trials = group.members[0].course.trials
        return f"in {_trials(sample.known[0])}" if sample.known else f"not within its {_trials(trials)}"
    if len(sample.known) < count:
        return f"in {len(sample.known) or 'none'} of {count} studies"
    mean, _, interval = mean_text(sample, count_text).partition(" ")
    return f"in {mean} trials {interval}{' ' if interval else ''}on average over {count} studies"


def _best_sentence(comparison: Comparison) -> str:
    def best(group: Group) -> Sample:
        return comparison.best(group, comparison.shared)

    sign = 1 if comparison.goal == "minimize" else -1
    known = [group for group in comparison.groups if best(group).known]
    if len(known) < len(comparison.groups):
        return ""
    ordered = sorted(known, key=lambda group: sign * (best(group).mean or 0.0))
    parts = [f"{_best_words(best(group))} with {_who(group)}" for group in ordered]
    after = f"After {_trials(comparison.shared)}{' each' if len(comparison.entrants) > 1 else ''}"
    told = _verdicts(comparison, ordered, best, value_text, "has a value")
    return f"{after} the best {short(comparison.metric, NAME)} is {_joined(parts)}{told}"


def _best_words(sample: Sample) -> str:
    missing = len(sample.values) - len(sample.known)
    without = f" (no value in {missing} of {len(sample.values)} studies)" if missing else ""
    return f"{mean_text(sample, value_text)}{' on average' if len(sample.values) > 1 else ''}{without}"


def _verdicts(
    comparison: Comparison,
    ordered: Sequence[Group],
    number: Callable[[Group], Sample],
    text: Callable[[float], str],
    whole: str,
) -> str:
    """Return how a sentence on groups ends: the first of them against each other one, where there is evidence.

    `whole` says what every study of a group must have done for its mean to be known.
    """
    first, *others = ordered
    if not others or all(len(group.members) == 1 for group in ordered):
        return "."
    told = [_verdict(number(first), number(other), comparison.pairs, text, whole) for other in others]
    if len(others) == 1:
        return f": {told[0]}."
    pairs = [f"between {_who(first)} and {_who(other)} {verdict}" for other, verdict in zip(others, told, strict=True)]
    return f"; {_joined(pairs, '; ')}."


def _verdict(first: Sample, second: Sample, pairs: int, text: Callable[[float], str], whole: str) -> str:
    apart = difference(first, second, pairs)
    if apart and told_apart(first, second, pairs):
        low, high = sorted(map(abs, apart))
        return f"a difference of {text((low + high) / 2)} [{text(low)}, {text(high)}]"
    return f"no difference can be told ({_why_not(first, second, apart, whole)})"


def _why_not(first: Sample, second: Sample, apart: Interval | None, whole: str) -> str:
    samples = (first, second)
    if any(len(sample.values) == 1 for sample in samples):
        return "one study is no evidence about a strategy"
    if any(len(sample.known) < len(sample.values) for sample in samples):
        return f"not every study {whole}"
    if not all(sample.independent for sample in samples):
        return "studies of one seed, or of none, are no independent evidence"
    if apart is None or first.interval is None or second.interval is None:
        return "the numbers are too large"
    apart_means = first.interval[1] < second.interval[0] or second.interval[1] < first.interval[0]
    return "the interval of the difference holds zero" if apart_means else "the intervals overlap"


def _of_study(comparison: Comparison, entrant: Entrant) -> list[str]:
    name, found = entrant.called, []
    if entrant.state == "running":
        found.append(f"{name} is still running: its numbers are those of the trials that have ended.")
    elif entrant.state != "finished":
        found.append(f"{name} is {short(entrant.state, NAME) or 'in no known state'}: it may not have used its budget.")
    if entrant.best is None:
        course = entrant.course
        found.append(
            f"{name} has no value of {short(comparison.metric, NAME)} ({_trials(course.trials)}, of which "
            f"{course.failures} failed{', the others break its constraint' if entrant.subject.unmet else ''})."
        )
    if constraint := entrant.options.get("constraint"):
        found.append(f"Of {name} only trials that meet {short(constraint, NAME)} count.")
    return found


def _differs(comparison: Comparison, name: str) -> str:
    kinds: list[tuple[object, list[str]]] = []
    for entrant in comparison.entrants:
        given = entrant.but_for_seed(name)
        known = next((names for kind, names in kinds if kind == given), None)
        if known is None:
            kinds.append((given, known := []))
        known.append(entrant.called)
    if len(kinds) < 2:
        return ""
    listed = " against ".join(_names(names) for _, names in kinds)
    if name == "run" and (settings := _settings([kind for kind, _ in kinds])):
        return f"What trials run with differs ({listed}): {settings}: {_FIXES[name]}."
    return f"The {_IN_WORDS[name]} differ{'s' if name != 'space' else ''} ({listed}): {_FIXES[name]}."


def _settings(kinds: Sequence[object]) -> str:
    """Return in what the same code was run differently, with the values; empty where the code differs."""
    runs = [_flat(kind) for kind in kinds]
    keys = list(dict.fromkeys(key for run in runs for key in run if len({repr(each.get(key)) for each in runs}) > 1))
    if not keys or any(key in _CODE for key in keys):
        return ""
    told = [" against ".join(short(run.get(key, "none"), NAME) for run in runs[:MOST_NAMES]) for key in keys]
    return _joined([f"run.{short(key, NAME)}: {values}" for key, values in zip(keys, told, strict=True)], "; ")


def _flat(run: object) -> dict[str, object]:
    """Return what a study file says under `run`, the fixed parameters as `parameters.NAME`."""
    given = dict(run) if isinstance(run, Mapping) else {}
    fixed = given.pop("parameters", None) or {}
    return {**given, **{f"parameters.{name}": value for name, value in fixed.items()}}


def _of_group(group: Group) -> list[str]:
    members, found = group.members, []
    label = f"The studies of {group.called}"
    if len(members) == 1:
        return []
    if not group.independent:
        seeds = [member.seed for member in members]
        repeated = [each.called for each in members if each.seed is not None and seeds.count(each.seed) > 1]
        why = f"have seeds that repeat ({_names(repeated)})" if repeated else "have no seed to differ in"
        found.append(f"{label} {why}: they are no independent evidence, and get no interval.")
    if len({member.definition.get("workers") for member in members}) > 1:
        found.append(f"{label} ran with different numbers of workers.")
    if len({member.commit for member in members}) > 1:
        found.append(f"{label} ran different commits of the code.")
    return found


def _joined(parts: Sequence[str], between: str = ", ") -> str:
    more = [f"and {len(parts) - MOST_PARTS} more in the table"] if len(parts) > MOST_PARTS else []
    return between.join([*parts[:MOST_PARTS], *more])


def _who(group: Group) -> str:
    return group.called if len(group.members) > 1 else f"{group.called} ({group.strategy})"


def _names(names: Sequence[str]) -> str:
    return some_of(names, MOST_NAMES)


def mean_text(sample: Sample, text: Callable[[float], str]) -> str:
    """Return a mean with its interval: `9.2 [7.1, 11.3]`; empty when there is none."""
    if sample.mean is None:
        return ""
    return text(sample.mean) + (f" [{text(sample.interval[0])}, {text(sample.interval[1])}]" if sample.interval else "")


def _trials(count: float) -> str:
    return f"{count_text(count)} {plural('trial', count)}"


def value_text(value: float) -> str:
    """Return a value of the metric in four significant digits."""
    return number_text(value, 4)
