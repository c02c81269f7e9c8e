"""Who looks at the trials that run, paced in time, and says which of them are hopeless."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import pairwise

from mlflow_tune.diagnosis import curves_of_interest
from mlflow_tune.diagnosis.stopping import Course, Diverged, Terms, Verdict, Watch, course_of
from mlflow_tune.diagnosis.stopping.auto import EVIDENCE, is_spared
from mlflow_tune.diagnosis.stopping.base import curve_words
from mlflow_tune.diagnosis.stopping.blind import why_blind
from mlflow_tune.diagnosis.stopping.extrapolate import forecast
from mlflow_tune.diagnosis.stopping.recorded import course_from_json, course_to_json, is_control
from mlflow_tune.driver.choosing import Choosing
from mlflow_tune.executors.pool import WorkerPool
from mlflow_tune.spec.stop_trials import StopTrials
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import reserved_names
from mlflow_tune.text import escaped
from mlflow_tune.tracking import Trials
from mlflow_tune.tracking.latest import Latest
from mlflow_tune.tracking.records import all_experiments, learning_curve
from mlflow_tune.trial import EXPECTED, EXPECTED_STD, Curve, Outcome, Trial

logger = logging.getLogger(__name__)
SHORTEST, LONGEST = 1.0, 30.0  # seconds from one look to the next
WAITING = 0.1  # of the time for which a trial has logged nothing: nobody knows yet how long its steps take


@dataclass
class _Seen:
    """What was seen of a running trial: its curve so far, in the metric's own steps, and how fast they come."""

    values: list[float] = field(default_factory=list)
    step: int | None = None  # as it was logged
    spacing: int = 1  # between two logged steps
    first: tuple[int, int] = (0, 0)  # own steps and time (ms) when the curve was first read
    last: tuple[int, int] = (0, 0)
    beside: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def read(self, curve: Curve, at: int) -> None:
        """Take over the whole curve."""
        points = dict(curve)
        self.values = list(points.values())
        self.step = max(points)
        gaps = Counter(after - before for before, after in pairwise(sorted(points)))
        self.spacing = gaps.most_common(1)[0][0] if gaps else 1
        self.last = (len(self.values), at)
        self.first = self.first if self.first[1] else self.last

    def add(self, step: int, value: float, at: int) -> None:
        """Take over the latest point; steps that nobody saw are taken to have been like the one before."""
        assert self.step is not None
        missed = max(0, round((step - self.step) / self.spacing) - 1)
        self.values += [self.values[-1]] * missed + [value]
        self.step = step
        self.last = (len(self.values), at)

    @property
    def pace(self) -> float | None:
        """The seconds that a step takes, None before two were seen."""
        steps, spent = self.last[0] - self.first[0], self.last[1] - self.first[1]
        return spent / 1000 / steps if steps > 0 else None


class Pruner:
    """Judges the running trials of one study by its key `stop_trials`; without that key it does nothing at all.

    One search a look tells the latest value and step of all that run; a whole curve is read when a trial is first seen,
    and before it is stopped.
    """

    def __init__(self, spec: StudySpec, trials: Trials) -> None:
        self._spec = spec
        self._trials = trials
        self._asked = spec.stop_trials
        self._metric, self._goal = (self._asked or StopTrials()).watched(spec.metric, spec.goal)
        self._next = 0.0
        self._seen: dict[str, _Seen] = {}
        self._verdicts: dict[str, tuple[Verdict, Course]] = {}
        self._unended: set[str] = set()  # the runs that have a verdict, and that nobody can end
        self._controls: set[int] = set()
        self._experiments: Sequence[str] = ()
        self._blind: str | None = None  # "" once a trial has shown that rules can see
        self._choosing: Choosing | None = None
        if self._asked:
            rules = [Diverged(), *([self._asked.rule] if self._asked.rule else [])]
            self._watch = Watch(rules, self._asked.terms)
            self._watch_on = Watch([Diverged()], Terms())
            if self._asked.rule is None:
                self._choosing = Choosing(self._asked.terms, spec.workers)

    def know(self, history: Sequence[Trial]) -> None:
        """Take in the trials that ended before: what a resumed study knows is what it would have known."""
        for trial in history if self._asked else ():
            if trial.done:
                self._finish(trial.before if trial.raised and trial.before else trial, self._fetched)

    def findings(self) -> list[str]:
        """Return what people should know: why nothing can be stopped, what `auto` has chosen, and why."""
        return [*([self._blind] if self._blind else []), *(self._choosing.words if self._choosing else [])]

    def opinion(self, trial: Trial) -> str:
        """Return in words what the rule would do with a trial now, which is left to run; "" where none looks."""
        curve = self._trials.history(trial, self._metric) if self._asked else ()
        course = course_of(trial.number, curve, self._metric, self._goal)
        if not course:
            return ""
        self._heed_choice()
        if verdict := self._watch.verdict(course):
            return f"would be stopped by {verdict.reason}"
        if self._choosing and len(self._watch.rules) == 1:
            return f"would go on; {self._choosing.why}"
        lows, step = self._watch.peers.lows(len(course)), len(course)
        place = bisect_left(lows, course.lows[-1]) + 1
        words = f"{self._watch.rules[-1].label}: {curve_words(course, step, course.lows[-1])}"
        return f"would go on by {words}; rank {place} of {len(lows) + 1}"

    # --- while trials run --------------------------------------------------------------------------------------------

    def end_hopeless(self, running: Mapping[Future[Outcome], Trial], starting: Trial | None, pool: WorkerPool) -> None:
        """Look, and have the pool end what is hopeless; `starting` runs in this very thread, if any does."""
        if not self._asked:
            return
        futures = {trial.run_id: future for future, trial in running.items() if not future.done()}
        trials = [trial for trial in running.values() if trial.run_id in futures]
        for trial, verdict in self.look([*trials, *([starting] if starting else [])]):
            if pool.prune(futures.get(trial.run_id), trial.run_id, self._asked.grace):
                logger.info("trial %d is stopped: %s", trial.number, escaped(verdict.reason))
            else:
                self._unended.add(trial.run_id)

    def look(self, running: Sequence[Trial]) -> list[tuple[Trial, Verdict]]:
        """Look at the running trials, if it is time; return those that are to stop, each once, with the reason."""
        if not self._asked or not running or time.monotonic() < self._next:
            return []
        self._heed_choice()
        latest = self._trials.latest(self._elsewhere())
        if not all(self._metric in latest.get(trial.run_id, {}) for trial in running):
            self._experiments = ()  # the training code may make one yet
        found = []
        for trial in running:
            if trial.run_id not in self._verdicts and (verdict := self._judge(trial, latest.get(trial.run_id, {}))):
                found.append((trial, verdict))
        self._next = time.monotonic() + self._pause(running)
        return found

    def _pause(self, running: Sequence[Trial]) -> float:
        paces = [seen.pace for trial in running if (seen := self._seen.get(trial.run_id))]
        known = [pace for pace in paces if pace is not None]
        youngest = min(time.time() - trial.start_time / 1000 for trial in running)
        return min(max(min(known) if known else WAITING * youngest, SHORTEST), LONGEST)

    def _judge(self, trial: Trial, latest: Mapping[str, Latest]) -> Verdict | None:
        seen = self._seen.setdefault(trial.run_id, _Seen())
        for name, point in latest.items():
            curve = seen.beside.setdefault(name, [])
            if not curve or curve[-1][0] != point.step:
                curve.append((point.step, point.value))
        if self._metric not in latest or latest[self._metric].step == seen.step:
            return None
        step, value, at, run_id = latest[self._metric]
        whole = len(seen.values) < 2  # from two points on it is known how far apart the logged steps are
        if whole:
            seen.read(learning_curve(self._trials.client, run_id, self._metric), at)
        else:
            seen.add(step, value, at)
        course = self._course(trial, seen)
        if self._may_end(trial, self._watch_of(trial).verdict(course)):
            if not whole:
                seen.read(learning_curve(self._trials.client, run_id, self._metric), at)
            course = replace(self._course(trial, seen), beside=self._beside(latest))
        return self._decided(trial, course)

    def _may_end(self, trial: Trial, verdict: Verdict | None) -> bool:
        """Whether the trial is so near its end that the whole of its curves is read: not that of a control."""
        return verdict is not None and (trial.number not in self._controls or verdict.rule == Diverged.name)

    def _decided(self, trial: Trial, course: Course) -> Verdict | None:
        verdict = self._watch_of(trial).follow(course)
        if verdict is None:
            return None
        if self._choosing and verdict.rule != Diverged.name and is_spared(trial.number):
            if trial.number not in self._controls:
                logger.info("trial %d runs on as a control: %s", trial.number, verdict.reason)
            self._controls.add(trial.number)
            return None
        self._verdicts[trial.run_id] = verdict, course
        return verdict

    def _watch_of(self, trial: Trial) -> Watch:
        """Return who judges the trial: one that a person trains on is stopped where it has diverged, and is no peer."""
        return self._watch_on if trial.raised else self._watch

    def _course(self, trial: Trial, seen: _Seen) -> Course:
        beside = {name: curve for name, curve in seen.beside.items() if name != self._metric}
        return Course(trial.number, self._metric, self._goal, tuple(seen.values), beside=beside)

    def _beside(self, latest: Mapping[str, Latest]) -> dict[str, Curve]:
        stepped = [name for name, point in latest.items() if point.step > 0]
        wanted = [name for name in curves_of_interest(stepped, self._metric) if name != self._metric]
        return {name: learning_curve(self._trials.client, latest[name].run_id, name) for name in wanted}

    def _elsewhere(self) -> Sequence[str]:
        """Return the experiments in which the training code may open runs of its own, none where it does not."""
        if self._spec.run.mlflow != "follow":
            return ()
        if not self._experiments:
            self._experiments = all_experiments(self._trials.client)
        return self._experiments

    # --- when they end -----------------------------------------------------------------------------------------------

    def outcome(self, trial: Trial, result: Outcome) -> Outcome:
        """Return how an attempt ended that was told to stop: pruned, with the reason and a forecast of its end."""
        told = trial.run_id in self._verdicts and trial.run_id not in self._unended
        if not told or result.kind not in ("pruned", "interrupted"):
            return result
        verdict, course = self._verdicts[trial.run_id]
        expected = forecast(course, verdict.step, self._watch.peers)
        last = course.costs[verdict.step - 1]
        numbers = {}
        if course.metric == self._spec.metric and verdict.rule != Diverged.name:
            numbers[EXPECTED] = course.as_value(max(last, expected.mean) if expected else last)
            numbers[EXPECTED_STD] = expected.std if expected else 0.0
        return replace(result, kind="pruned", reason=verdict.reason, metrics=numbers, logged=True, lost=False)

    def curve(self, trial: Trial, curves: Mapping[str, Curve]) -> str:
        """Return what is kept of the curve of a trial that ended, empty where nothing is to be kept."""
        if not self._asked or trial.raised or not (curve := curves.get(self._metric)):
            return ""
        course = course_of(trial.number, curve, self._metric, self._goal)
        verdict, _ = self._verdicts.get(trial.run_id, (None, None))
        return course_to_json(course, trial.number in self._controls, verdict)

    def ended(self, trial: Trial) -> None:
        """Take in a trial that has ended; the others are compared with it from now on."""
        self._seen.pop(trial.run_id, None)
        self._verdicts.pop(trial.run_id, None)
        self._unended.discard(trial.run_id)
        if not self._asked:
            return
        if trial.done and not trial.raised:  # else its curve may begin where that of the attempt before ended
            self._finish(trial)
        self._watch_of(trial).forget(trial.number)
        if self._blind is None and trial.outcome == "ok" and not trial.raised:
            self._blind = self._why_blind(trial)

    def _why_blind(self, trial: Trial) -> str:
        """Return why no rule can stop anything, as far as one trial that trained to its end tells."""
        assert self._asked is not None
        course = course_from_json(trial.curve, trial.number, self._metric, self._goal, None)
        curve: Curve = list(enumerate(course.values)) if course else self._trials.history(trial, self._metric)
        logged = trial.metrics.keys() - set(reserved_names())
        return why_blind(self._metric, curve, logged, trial.number, self._asked.terms)

    def _finish(self, trial: Trial, fetched: Callable[[Trial], Course | None] = lambda _: None) -> None:
        if trial.outcome not in ("ok", "pruned", "not-finite"):
            return
        course = course_from_json(trial.curve, trial.number, self._metric, self._goal, None)
        if course is None and trial.outcome == "ok" and not trial.curve:
            course = fetched(trial)
        if course is None:
            return
        if trial.outcome == "ok":
            course = replace(course, value=trial.value if self._metric == self._spec.metric else course.values[-1])
        self._watch.finish(course)
        if course.complete and self._choosing:
            self._choosing.add(course, is_control(trial.curve))

    def _fetched(self, trial: Trial) -> Course | None:
        """Return the course of a trial that came without one: adopted, or from before the study stopped trials."""
        curve = self._trials.history(trial, self._metric)
        return course_of(trial.number, curve, self._metric, self._goal) if len(dict(curve)) > 1 else None

    def _heed_choice(self) -> None:
        if self._choosing and (chosen := self._choosing.news()):
            rule, terms = chosen
            self._watch.rules = [Diverged(), *([rule] if rule else [])]
            self._watch.terms = replace(terms, evidence=EVIDENCE)

    def close(self) -> None:
        """Leave what is still being chosen."""
        if self._choosing:
            self._choosing.close()
