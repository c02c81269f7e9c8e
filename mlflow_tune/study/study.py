"""The public Study: make one, run it, load it again from the tracking server, resume it."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_tune.driver.callbacks import Listener
from mlflow_tune.driver.driver import Driver
from mlflow_tune.driver.ending import Ending
from mlflow_tune.driver.publisher import Keeper, Publisher
from mlflow_tune.driver.reporter import Reporter
from mlflow_tune.driver.signals import Interruptions
from mlflow_tune.errors import InputError
from mlflow_tune.executors.factory import checked_launcher, declared_defaults, found_launcher, prepare, refuse_limits
from mlflow_tune.executors.pool import Crew, crew_of
from mlflow_tune.provenance import source_tags
from mlflow_tune.space import Space, whole_point
from mlflow_tune.spec.definition import changed_spec, recorded_spec, run_options, tell_length
from mlflow_tune.spec.stopping import StopRules
from mlflow_tune.spec.study_file import ExecutorSpec, RunSpec, StudySpec, parse_study
from mlflow_tune.strategies import Strategy
from mlflow_tune.study.creation import Place, create_study, log_study_file, place_for, resume_command
from mlflow_tune.study.lifecycle import LEFT, Asking, HandCrew, Resumption, session
from mlflow_tune.tracking import (
    Artifacts,
    Client,
    Queue,
    Studies,
    StudyRecord,
    Trials,
    has_server,
    public_uri,
    study_links,
)
from mlflow_tune.trial import Goal, Params, Trial


class Study:
    """A hyperparameter study whose only state is in MLflow.

    `Study(name=..., objective=f, space=..., metric=...).run()` tunes a Python function. It is called with the
    parameters as keyword arguments, its MLflow calls go to the trial's run, and it returns a number (the metric), a
    dict of metrics, or None when it logged the metric itself. With one worker it runs in this process; with more, in
    worker processes that get it by cloudpickle. Instead of `objective`, `run` may name a project, a command or a
    function as a study file does. `Study.load(name_or_run_id)` gives a study back from the tracking server.
    """

    def __init__(
        self, *, name: str, space: Space | Mapping[str, Any], metric: str, objective: Callable[..., Any] | None = None,
        run: RunSpec | Mapping[str, Any] | None = None, goal: Goal = "minimize", value: str = "last",
        strategy: Strategy | Mapping[str, Any] | str = "random", stop: StopRules | Mapping[str, Any] | None = None,
        workers: int = 1, parameters: Params | None = None, timeout: str | None = None, retries: int | None = None,
        experiment: str | None = None, tracking_uri: str | None = None, folder: str | Path = ".",
        reference: str | None = None, memory: str | None = None, batch: bool = False,
        executor: ExecutorSpec | Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Check the arguments; nothing is created before `run`. Raises InputError."""
        more = {"parameters": parameters, "timeout": timeout, "memory": memory, "retries": retries}
        spec = parse_study(
            {
                "name": name, "experiment": experiment, "metric": metric, "goal": goal, "value": value,
                "run": run_options(objective, run, **more),
                "space": space, "strategy": strategy, "stop": stop or {}, "workers": workers, "reference": reference,
                "batch": batch, "executor": executor,
            }
        )  # fmt: skip
        self._take_up(spec, objective, folder, tracking_uri)

    def _take_up(
        self, spec: StudySpec, objective: Callable[..., Any] | None, folder: str | Path, tracking_uri: str | None
    ) -> None:
        refuse_limits(spec, objective)
        self.spec = spec
        self._objective, self._folder, self._uri = objective, Path(folder).resolve(), tracking_uri
        self._place = Place(None)
        self._record: StudyRecord | None = None
        self._connection: Client | None = None
        self._keep = Keeper()
        self._asking: Asking | None = None
        self._turn = threading.RLock()
        self.ending: Ending | None = None
        self.history: Sequence[Trial] = ()  # the trials as the last session left them, but for deleted runs

    @classmethod
    def of(cls, spec: StudySpec, *, folder: str | Path = ".", tracking_uri: str | None = None) -> Study:
        """Return the study of a checked study file, whose code lies in `folder`."""
        study = cls.__new__(cls)  # the arguments of Study would be checked once more
        study._take_up(spec, None, folder, tracking_uri)
        return study

    @classmethod
    def load(
        cls, study: str, *, objective: Callable[..., Any] | None = None, experiment: str | None = None,
        tracking_uri: str | None = None, folder: str | Path | None = None,
    ) -> Study:  # fmt: skip
        """Return the study with this run id, or the newest of this name, as the tracking server holds it.

        `folder` is where its code lies, when that is not where it was. Raises StudyNotFound, InputError, TrackingError.
        """
        client = Client(tracking_uri)
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
        loaded._record, loaded._connection = record, client
        return loaded

    @property
    def record(self) -> StudyRecord:
        """The study as the tracking server held it when it was last read. Raises InputError before it is run."""
        if self._record is None:
            raise InputError("this study has not been run yet: call run() first, or Study.load() one that has")
        ending = self.ending
        return replace(self._record, state=ending.state, why_stopped=ending.why) if ending else self._record

    @property
    def client(self) -> Client:
        """The connection to the study's tracking store, made when it is first needed."""
        if self._connection is None:
            self._connection = Client(self._uri)
        return self._connection

    @property
    def started(self) -> bool:
        """Whether the study is on the tracking server."""
        return self._record is not None

    @property
    def earlier(self) -> StudyRecord | None:
        """The newest study of this name that had finished when this one was made here, if any."""
        return self._place.finished[-1] if self._place.finished else None

    @property
    def run_id(self) -> str:
        """The MLflow run id of the parent. Raises InputError before the study is run."""
        return self.record.run_id

    @property
    def trials(self) -> list[Trial]:
        """The trials as the tracking server holds them now: the latest attempt of each, by number."""
        return self.trial_store.all()

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, None when none has one."""
        return self.spec.best(self.trials)

    def create(self) -> Study:
        """Make the study in MLflow without running a trial; return itself. Raises as `run` does."""
        defaults = declared_defaults(self.spec, self._objective, self._folder)
        self._find_place()
        self._create(defaults)
        self._keep("study.yaml", self.log_study_file)
        self.ending = Ending("interrupted", "made, and no trial run yet")
        self.publisher.close([], self.ending.state, self.ending.why)
        return self

    def run(self, listener: Listener | None = None, executor: Executor | None = None) -> Study:
        """Create the study in MLflow and drive it to its end; return itself.

        In a process that `mlflow run` started, MLflow's run becomes the parent. Trials run on `executor`, `workers` of
        them at once, where one is given. Raises StudyConflict when an unfinished study of this name exists in the
        experiment, InputError, TrackingError, and KeyboardInterrupt when a person pressed Ctrl-C (the study is then
        resumable).
        """
        with checked_launcher(self.spec, self._objective, self._folder, executor is not None) as (launcher, defaults):
            self._find_place()
            tell_length(self.spec)
            prepare(launcher)
            with crew_of(self.spec, launcher, self._objective, self._folder, self.client.uri, executor) as crew:
                create = functools.partial(self._create, defaults)
                return self._drive(crew, session(self, crew, defaults, listener, create=create))

    def resume(
        self, trials: int | str | None = None, retry_failed: bool = False, listener: Listener | None = None,
        strategy: Strategy | Mapping[str, Any] | str | None = None, workers: int | None = None,
        executor: Executor | Mapping[str, str] | None = None, only_queued: bool = False,
    ) -> Study:  # fmt: skip
        """Go on with a loaded study, wherever it was left; return itself.

        It runs what the tracking server names, whoever wrote it there, and asks nobody: that its caller must decide.

        Args:
            trials: The new budget, or with a plus sign ("+20") so many more than it holds now.
            retry_failed: Whether failed trials run again, under their own numbers.
            listener: Shown the progress.
            strategy: Who goes on from here, when that is another than before; it knows all earlier trials.
            workers: How many trials run at once from now on.
            executor: Where trials run this time, or, as a study file says it, from now on.
            only_queued: Whether to run the trials that wait in the queue, and nothing else.

        Raises:
            InputError: The code is not where the study says, or the strategy cannot search the space.
            TrackingError: The server is out of reach.
            KeyboardInterrupt: A person pressed Ctrl-C.
        """
        given, named = (executor, None) if isinstance(executor, Executor) else (None, executor)
        self.spec = changed_spec(self.spec, trials, strategy, workers, named)
        resumption = Resumption(trials, retry_failed, only_queued)
        with found_launcher(self.spec, self._objective, self._folder, self.record.commit, given is not None) as found:
            launcher, defaults = found
            prepare(launcher)
            with crew_of(self.spec, launcher, self._objective, self._folder, self.client.uri, given) as crew:
                return self._drive(crew, session(self, crew, defaults, listener, resumption))

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

    def enqueue(self, params: Params, why: str = "chosen by a person") -> str:
        """Put a point before whatever the strategy would ask next; return the id of its MLflow run.

        Whoever drives the study, now or later, on any machine, numbers the run and runs it next. The point may lie
        outside the space. Raises InputError unless it has a value, a text, a number or a boolean, for each parameter.
        """
        return Queue(self.client, self.record).put(whole_point(self.spec.space, params), why, self.source)

    def report(self) -> Study:
        """Draw the study's pictures, table and HTML report from what the tracking server holds; return itself."""
        self.publisher.report(self.trials, self.record.state, self.record.why_stopped)
        return self

    def log_study_file(self) -> None:
        """Log the study's definition as its file study.yaml."""
        log_study_file(self.client, self.run_id, self.spec)

    @property
    def resume_command(self) -> str:
        """The command line that goes on with this study."""
        return resume_command(self.record, self.spec, self._given_uri, self._folder)

    @property
    def links(self) -> dict[str, str]:
        """The links to the study's charts, table, parent run and plain list of trials, none without a server."""
        return study_links(public_uri(self.client.uri), self.record) if has_server(self.client.uri) else {}

    @functools.cached_property
    def source(self) -> dict[str, str]:
        """The tags that tell where the study's code comes from."""
        # Asked of git and of MLflow's plugins: only a study that is driven needs it.
        return source_tags(self.spec.run.source, self.spec.run.kind, self._folder)

    @property
    def trial_store(self) -> Trials:
        """The trials on the tracking server."""
        return Trials(self.client, self.record, space=self.spec.space)

    @property
    def publisher(self) -> Publisher:
        """Who brings the parent run up to date."""
        reporter = Reporter(Artifacts(self.client, self.run_id), self.trial_store, self.record, self.spec)
        return Publisher(Studies(self.client), self.spec, reporter, self.resume_command, self._keep)

    def _drive(self, crew: Crew, opened: AbstractContextManager[Driver]) -> Study:
        with Interruptions(lambda: crew.busy, self.client.abandoned.set) as signals, opened as driver:
            driver.drive(signals)
        assert self.ending is not None
        if self.ending.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.ending.signal is not None:
            raise SystemExit(128 + self.ending.signal)
        return self

    def _opened(self, trials: int | None) -> Asking:
        """Open the study, which is made first where it does not exist, for a caller who asks and tells."""
        self.spec = changed_spec(self.spec, trials)
        create = None if self.started else functools.partial(self._create, {})
        if create is not None:
            self._find_place()
        crew, self.ending = HandCrew(), None
        return Asking(crew, session(self, crew, {}, resumption=Resumption(trials), create=create), self.spec.metric)

    def _find_place(self) -> None:
        self._place = place_for(self.client, self.spec, self._given_uri)

    def _create(self, defaults: Params) -> None:
        self.spec = self.spec.model_copy(update={"space": self.spec.space.with_defaults(defaults)})
        self._record = create_study(self.client, self.spec, self.source, self._folder, self._place, self._given_uri)

    @property
    def _given_uri(self) -> str | None:
        return self.client.uri if self._uri else None
