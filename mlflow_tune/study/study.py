"""The public Study: make one, run it, load it again from the tracking server, resume it."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlflow_tune.driver.driver import Driver
from mlflow_tune.driver.ending import Ending
from mlflow_tune.driver.signals import Signals
from mlflow_tune.errors import InputError, StudyFailed
from mlflow_tune.executors.factory import (
    checked_launcher,
    declared_defaults,
    found_launcher,
    prepare,
    refuse_devices,
    refuse_limits,
)
from mlflow_tune.executors.pool import WorkerPool, pool_of
from mlflow_tune.launchers.main_module import refuse_while_loading
from mlflow_tune.provenance import source_tags
from mlflow_tune.space import Space
from mlflow_tune.spec.confirm import TOP, ConfirmSpec, confirm_of, refuse_boundary
from mlflow_tune.spec.definition import (
    changed_spec,
    recorded_spec,
    run_options,
    tell_goal,
    tell_length,
    tell_order,
    with_budget,
)
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.spec.stop_trials import StopTrials
from mlflow_tune.spec.stopping import StopRules
from mlflow_tune.spec.study_file import ExecutorSpec, StudySpec, parse_study
from mlflow_tune.strategies import Strategy
from mlflow_tune.study.approvals import approve, refuse_unapproved
from mlflow_tune.study.ask_tell import LEFT, Asking, ManualPool
from mlflow_tune.study.display.default import shown
from mlflow_tune.study.display.summary import failure_words
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.study.lifecycle import Place, Resumption, keep_name, make_study, place_for, session
from mlflow_tune.study.training_on import asked_on
from mlflow_tune.study.view import StudyView
from mlflow_tune.tracking import Client, Studies, StudyRecord
from mlflow_tune.trial import Goal, Params, Trial


class Study(StudyView):
    """A hyperparameter study whose only state is in MLflow.

    `Study(name=..., objective=f, space=..., metric=...).run()` tunes a Python function. It is called with the
    parameters as keyword arguments, its MLflow calls go to the trial's run, and it returns a number (the metric), a
    dict of metrics, or None when it logged the metric itself. With one worker it runs in this process; with more, in
    worker processes that get it by cloudpickle. Instead of `objective`, `run` may name a project, a command or a
    function as a study file does. `Study.load(name_or_run_id)` gives a study back from the tracking server.
    """

    def __init__(
        self,
        *,
        name: str,
        space: Space | Mapping[str, Any],
        metric: str,
        objective: Callable[..., Any] | None = None,
        run: RunSpec | Mapping[str, Any] | None = None,
        goal: Goal = "minimize",
        value: str = "last",
        strategy: Strategy | Mapping[str, Any] | str = "random",
        stop: StopRules | Mapping[str, Any] | None = None,
        workers: int = 1,
        parameters: Params | None = None,
        timeout: str | None = None,
        retries: int | None = None,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        folder: str | Path = ".",
        reference: str | None = None,
        memory: str | None = None,
        batch: bool = False,
        executor: ExecutorSpec | Mapping[str, str] | None = None,
        gpus: str | int | Sequence[int | str] | None = None,
        gpus_per_trial: float | None = None,
        stop_trials: StopTrials | Mapping[str, Any] | str | None = None,
        confirm: ConfirmSpec | Mapping[str, Any] | None = None,
    ) -> None:
        """Check the arguments; nothing is created before `run`. Raises InputError."""
        more = {"parameters": parameters, "timeout": timeout, "memory": memory, "retries": retries}
        spec = parse_study(
            {
                "name": name,
                "experiment": experiment,
                "metric": metric,
                "goal": goal,
                "value": value,
                "run": run_options(objective, run, **more),
                "space": space,
                "strategy": strategy,
                "stop": stop or {},
                "workers": workers,
                "reference": reference,
                "batch": batch,
                "executor": executor,
                "gpus": gpus,
                "gpus_per_trial": gpus_per_trial,
                "stop_trials": stop_trials,
                "confirm": confirm,
            }
        )
        refuse_secrets(spec.model_dump(mode="json", exclude_none=True))
        self._take_up(spec, objective, folder, tracking_uri)

    def _take_up(
        self, spec: StudySpec, objective: Callable[..., Any] | None, folder: str | Path, tracking_uri: str | None
    ) -> None:
        refuse_limits(spec, objective)
        self._spec = spec
        self._objective = objective
        self._folder = Path(folder).resolve()
        self._uri = tracking_uri
        self._place = Place(None)
        self._handle: StudyHandle | None = None
        self._asking: Asking | None = None
        self._turn = threading.RLock()

    @classmethod
    def of(cls, spec: StudySpec, *, folder: str | Path = ".", tracking_uri: str | None = None) -> Study:
        """Return the study of a checked study file, whose code lies in `folder`. Raises InputError for a secret."""
        refuse_secrets(spec.model_dump(mode="json", exclude_none=True))
        study = cls.__new__(cls)  # the arguments of Study would be checked once more
        study._take_up(spec, None, folder, tracking_uri)
        return study

    @classmethod
    def load(
        cls,
        study: str,
        *,
        objective: Callable[..., Any] | None = None,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        folder: str | Path | None = None,
    ) -> Study:
        """Return the study with this run id, or the newest of this name, as the tracking server holds it.

        `folder` is where its code lies, when that is not where it was. Raises StudyNotFound, InputError, TrackingError.
        """
        refuse_while_loading()
        client = Client(tracking_uri, only_read=True)
        record = Studies(client).find(study, experiment)
        return cls.recorded(record, client, objective=objective, tracking_uri=tracking_uri, folder=folder)

    @classmethod
    def recorded(
        cls,
        record: StudyRecord,
        client: Client,
        *,
        objective: Callable[..., Any] | None = None,
        tracking_uri: str | None = None,
        folder: str | Path | None = None,
    ) -> Study:
        """Return the study that `client` has found. Raises InputError when its definition cannot be read."""
        loaded = cls.__new__(cls)
        loaded._take_up(recorded_spec(record, objective), objective, folder or record.folder, tracking_uri)
        loaded._handle = StudyHandle(client, record, loaded._spec, loaded._folder, moved=bool(folder))
        return loaded

    # --- what it is --------------------------------------------------------------------------------------------------

    # --- driving it --------------------------------------------------------------------------------------------------

    def create(self) -> Study:
        """Make the study in MLflow without running a trial; return itself. Raises as `run` does."""
        refuse_while_loading()
        defaults = declared_defaults(self.spec, self._objective, self._folder)
        self._find_place()
        study = self._created(defaults)
        study.keep_study_file()
        study.ending = Ending("interrupted", "made, and no trial run yet", as_asked=True)
        study.publisher.close([], study.ending.state, study.ending.why, as_asked=True)
        return self

    def run(self, *, quiet: bool = False, callbacks: Sequence[object] = (), executor: Executor | None = None) -> Study:
        """Create the study in MLflow and drive it to its end; return itself.

        In a process that `mlflow run` started, MLflow's run becomes the parent. Unless it is to be `quiet`, a line a
        trial is printed, or in a notebook a live table shown. `callbacks` are told of each step: see `Callback`. Trials
        run on `executor`, `workers` of them at once, where one is given. Raises StudyConflict when an unfinished study
        of this name exists in the experiment, InputError, TrackingError, StudyFailed when it was aborted or no trial
        has a value, and KeyboardInterrupt when a person pressed Ctrl-C (the study is then resumable).
        """
        refuse_while_loading()
        checked = checked_launcher(self.spec, self._objective, self._folder, executor is not None, to_run=True)
        with checked as (launcher, defaults):
            self._find_place()
            tell_length(self.spec)
            prepare(launcher)
            with (
                shown(lambda: self.handle, quiet, callbacks) as told,
                pool_of(self.spec, launcher, self._objective, self._folder, self.client.uri, executor) as pool,
            ):
                create = functools.partial(self._created, defaults)
                return self._drive(pool, session(create, pool, defaults, told))

    def resume(
        self,
        trials: int | str | None = None,
        *,
        retry_failed: bool = False,
        quiet: bool = False,
        callbacks: Sequence[object] = (),
        strategy: Strategy | Mapping[str, Any] | str | None = None,
        workers: int | None = None,
        executor: Executor | Mapping[str, str] | None = None,
        only_queued: bool = False,
        gpus: str | int | Sequence[int | str] | None = None,
        yes: bool = False,
        train_on: int | Sequence[int] = (),
        epochs: int | None = None,
    ) -> Study:
        """Go on with a loaded study, wherever it was left; return itself.

        What the tracking server names must be what this user has started, or approved, on this machine.

        Args:
            trials: The new budget, or with a plus sign ("+20") so many more than the budget, or than
                what has run where that is more.
            retry_failed: Whether failed trials run again, under their own numbers.
            quiet, callbacks: As for `run`.
            strategy: Who goes on from here, when that is another than before; it knows all earlier trials.
            workers: How many trials run at once from now on.
            executor: Where trials run this time, or, as a study file says it, from now on.
            only_queued: Whether to run the trials that wait in the queue, and nothing else.
            gpus: The devices for the trials from now on, as a study file says it; "none" gives out none any more.
            yes: Whether to approve of what the study runs, as `mlflow-tune resume --yes` does.
            train_on: The numbers of trials, finished or stopped ones, that are trained on before the study goes on:
                each runs again, longer, and MLFLOW_TUNE_RESUME_FROM names the run whose checkpoint it may load.
            epochs: For how many epochs these train, the ones before included; twice as many as they had unless given,
                and for a trial that was stopped those that it had.

        Raises:
            InputError: What would run is not approved, or not where it was; the strategy cannot search the space; a
                trial cannot be trained on.
            StudyFailed, TrackingError, KeyboardInterrupt: As for `run`.
        """
        refuse_while_loading()
        study = self.handle
        given = executor if isinstance(executor, Executor) else None
        named = None if isinstance(executor, Executor) else executor
        refuse_unapproved(study, yes)
        study.spec = changed_spec(study.spec, trials, strategy, workers, named, gpus)
        approve(study)
        resumption = Resumption(trials, retry_failed, only_queued, *asked_on(train_on, epochs))
        return self._resumed(resumption, quiet, callbacks, given)

    def confirm(
        self,
        top: int = TOP,
        seeds: int | None = None,
        until: float | None = None,
        *,
        quiet: bool = False,
        callbacks: Sequence[object] = (),
        workers: int | None = None,
        executor: Executor | None = None,
        yes: bool = False,
    ) -> Study:
        """Run the best trials of a loaded study again under fresh seeds, to tell luck from merit; return itself.

        The `top` best points (3) run again under the same `seeds` at the most (4; 20 where `until` is given alone), one
        after another where it tells most, until one is the best with the probability `until` (0.95). `recommended` is
        what they come to. The budget is raised by them: the search keeps what it had. Killed in the middle, it goes on
        where it was left, by the same call or by `resume`. The other arguments are as for `resume`. Raises InputError
        for a search for a boundary, and where no trial has a value; else as `resume` does.
        """
        refuse_while_loading()
        study = self.handle
        asked = confirm_of({"top": top, "seeds": seeds, "until": until})
        refuse_boundary(study.spec.strategy)
        refuse_unapproved(study, yes)
        study.spec = changed_spec(study.spec, None, workers=workers)
        approve(study)
        return self._resumed(Resumption(confirm=asked), quiet, callbacks, executor)

    def _resumed(
        self, resumption: Resumption, quiet: bool, callbacks: Sequence[object], given: Executor | None
    ) -> Study:
        study = self.handle
        with found_launcher(study.spec, self._objective, self._folder, study.record.commit, given is not None) as found:
            launcher, defaults = found
            prepare(launcher)
            with (
                shown(lambda: study, quiet, callbacks) as told,
                pool_of(study.spec, launcher, self._objective, self._folder, study.client.uri, given) as pool,
            ):
                return self._drive(pool, session(lambda: study, pool, defaults, told, resumption))

    # --- a loop of one's own -----------------------------------------------------------------------------------------

    def ask(self, trials: int | None = None) -> Trial | None:
        """Start the next trial and return it: a loop of one's own trains its `params`, and tells the value.

        The study is made by the first call, or gone on with where it was loaded, with the budget `trials` from then on
        if one is given. The trial is an MLflow run already (`mlflow.start_run(run_id=trial.run_id)` logs to it). None
        when the study has ended, or its strategy waits for trials that were asked for. Threads may take turns to ask
        and to tell. Raises as `run` and `resume` do.
        """
        with self._turn:
            if self._asking is None or self._asking.closed:
                if self._asking and self.ending not in (None, LEFT) and trials in (None, self.spec.stop.trials):
                    return None  # the loop that asks once more must not open again what has just ended
                self._asking = self._opened(trials)
            return self._asking.ask()

    def tell(self, trial: Trial, value: float | Mapping[str, float] | None = None, *, failed: str = "") -> None:
        """End a trial that was asked for, with the metric's value, a dict of metrics, or None when it logged them.

        `failed` says in words why it has no value. Raises InputError when the trial does not run.
        """
        with self._turn:
            if self._asking is None or self._asking.closed:
                raise InputError(f"the trial {trial.number} does not run: it was not asked for, or the study was left")
            self._asking.tell(trial, value, failed)

    def close(self) -> None:
        """Leave a study whose trials were asked for, before its end; it can be resumed. Python's end does it too."""
        with self._turn:
            if self._asking is not None and not self._asking.closed:
                self._asking.close()

    def _drive(self, pool: WorkerPool, opened: AbstractContextManager[Driver]) -> Study:
        self.client.abandoned.clear()
        with Signals(lambda: pool.busy, self.client.abandoned.set) as signals, opened as driver:
            driver.drive(signals)
        assert self.ending is not None
        if self.ending.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.ending.signal is not None:
            raise SystemExit(128 + self.ending.signal)
        if words := failure_words(self.handle, self.history):
            raise StudyFailed(words, self)
        return self

    def _opened(self, trials: int | None) -> Asking:
        """Open the study, which is made first where it does not exist, for a caller who asks and tells."""
        refuse_while_loading()
        pool, changed = ManualPool(), changed_spec(self.spec, trials)
        self.client.abandoned.clear()
        if self._handle is None:
            refuse_devices(self.spec, elsewhere=True)
            self._spec = with_budget(changed, trials, 0)
            self._find_place()
            opened = session(functools.partial(self._created, {}), pool, {})
        else:
            study = self._handle
            study.spec, study.ending = changed, None
            opened = session(lambda: study, pool, {}, resumption=Resumption(trials))
        return Asking(pool, opened, self.spec.metric)

    def _find_place(self) -> None:
        self._place = place_for(self.client, self.spec)

    def _created(self, defaults: Params) -> StudyHandle:
        """Make the study on the tracking server."""
        spec = self._place.true_to(self.spec)
        tell_order(spec)
        tell_goal(spec)
        spec = spec.model_copy(update={"space": spec.space.with_defaults(defaults)})
        source = source_tags(spec.run.source, spec.run.kind, self._folder)
        record = make_study(self.client, spec, source, self._folder, self._place)
        handle = StudyHandle(self.client, record, spec, self._folder, source)
        keep_name(self.client, spec, record)
        self._handle = handle
        return handle
