"""The public Study: make one, run it, load it again from the tracking server, resume it."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_tune.creation import create_study, refuse_second, resume_command
from mlflow_tune.definition import changed_spec, recorded_spec, run_options, tell_length
from mlflow_tune.driver import Driver, Ending, Listener, Silence
from mlflow_tune.errors import InputError, StudyConflict, StudyNotFound, TrackingError
from mlflow_tune.executors import local_executor
from mlflow_tune.interruptions import Interruptions
from mlflow_tune.launchers import Launcher
from mlflow_tune.launching import checked_launcher, prepare, reference_values, refuse_limits, runs_in_process
from mlflow_tune.origin import source_tags, tell_difference
from mlflow_tune.points import whole_point
from mlflow_tune.publisher import Keeper, Publisher
from mlflow_tune.reporting import Reporter
from mlflow_tune.space import Space
from mlflow_tune.spec import RunSpec, StudySpec, parse_study
from mlflow_tune.stopping import StopRules
from mlflow_tune.strategies import Strategy
from mlflow_tune.tracking import (
    Artifacts,
    Client,
    Queue,
    Studies,
    StudyRecord,
    Trials,
    claimed,
    has_server,
    public_uri,
    study_links,
    told_when_deleted,
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
        reference: str | None = None, memory: str | None = None,
    ) -> None:  # fmt: skip
        """Check the arguments; nothing is created before `run`. Raises InputError."""
        more = {"parameters": parameters, "timeout": timeout, "memory": memory, "retries": retries}
        self.spec = parse_study(
            {
                "name": name, "experiment": experiment, "metric": metric, "goal": goal, "value": value,
                "run": run_options(objective, run, **more),
                "space": space, "strategy": strategy, "stop": stop or {}, "workers": workers, "reference": reference,
            }
        )  # fmt: skip
        if runs_in_process(self.spec, objective):
            refuse_limits(self.spec)
        self._objective, self._folder, self._uri = objective, Path(folder).resolve(), tracking_uri
        self._record: StudyRecord | None = None
        self._connection: Client | None = None
        self._keep = Keeper()
        self.ending: Ending | None = None

    @classmethod
    def of(cls, spec: StudySpec, **more: Any) -> Study:
        """Return the study of a checked study file; `more` are further arguments of Study."""
        return cls(**{name: getattr(spec, name) for name in StudySpec.model_fields}, **more)

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
        loaded = cls.of(
            recorded_spec(record), objective=objective, tracking_uri=tracking_uri, folder=folder or record.folder
        )
        loaded._record, loaded._connection = record, client
        return loaded

    @property
    def record(self) -> StudyRecord:
        """The study as the tracking server held it when it was last read. Raises InputError before it is run."""
        if self._record is None:
            raise InputError("this study has not been run yet: call run() first, or Study.load() one that has")
        return self._record

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
    def run_id(self) -> str:
        """The MLflow run id of the parent. Raises InputError before the study is run."""
        return self.record.run_id

    @property
    def trials(self) -> list[Trial]:
        """The trials as the tracking server holds them now: the latest attempt of each, by number."""
        return self._trials().all()

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, None when none has one."""
        return self.spec.best(self.trials)

    def create(self) -> Study:
        """Make the study in MLflow without running a trial; return itself. Raises as `run` does."""
        with checked_launcher(self.spec, self._objective, self._folder) as (_, defaults):
            refuse_second(self.client, self.spec, self._given_uri)
            self._create(defaults)
            self._close([], Ending("interrupted", "made, and no trial run yet"))
        return self

    def run(self, listener: Listener | None = None) -> Study:
        """Create the study in MLflow and drive it to its end; return itself.

        In a process that `mlflow run` started, MLflow's run becomes the parent. Raises StudyConflict when an unfinished
        study of this name exists in the experiment, InputError, TrackingError, and KeyboardInterrupt when a person
        pressed Ctrl-C (the study is then resumable).
        """
        with checked_launcher(self.spec, self._objective, self._folder) as (launcher, defaults):
            refuse_second(self.client, self.spec, self._given_uri)
            tell_length(self.spec)
            reference = reference_values(self.spec, self._folder)
            prepare(launcher)
            return self._drive(launcher, defaults, listener, create=lambda: self._create(defaults, reference))

    def resume(
        self, trials: int | str | None = None, retry_failed: bool = False, listener: Listener | None = None,
        strategy: Strategy | Mapping[str, Any] | str | None = None, workers: int | None = None,
    ) -> Study:  # fmt: skip
        """Go on with a loaded study, wherever it was left; return itself.

        It runs what the tracking server names, whoever wrote it there, and asks nobody: that its caller must decide.

        Args:
            trials: The new budget, or with a plus sign ("+20") so many more than it holds now.
            retry_failed: Whether failed trials run again, under their own numbers.
            listener: Shown the progress.
            strategy: Who goes on from here, when that is another than before; it knows all earlier trials.
            workers: How many trials run at once from now on.

        Raises:
            InputError: The code is not where the study says, or the strategy cannot search the space.
            TrackingError: The server is out of reach.
            KeyboardInterrupt: A person pressed Ctrl-C.
        """
        held = len(self._trials().all(deleted=True)) if trials is not None else 0
        self.spec = changed_spec(self.spec, held, trials, strategy, workers)
        with self._code() as (launcher, defaults):
            tell_length(self.spec)
            prepare(launcher)
            return self._drive(launcher, defaults, listener, retry_failed)

    def enqueue(self, params: Params, why: str = "chosen by a person") -> str:
        """Put a point before whatever the strategy would ask next; return the id of its MLflow run.

        Whoever drives the study, now or later, on any machine, numbers the run and runs it next. The point may lie
        outside the space. Raises InputError unless it has a value, a text, a number or a boolean, for each parameter.
        """
        return Queue(self.client, self.record).put(whole_point(self.spec.space, params), why, self._source)

    def run_queued(self, listener: Listener | None = None) -> Study:
        """Run the trials that wait in the queue, and nothing else; return itself. Raises as `resume` does."""
        strategy, over = self.spec.strategy, self.record.state == "finished"
        if strategy.name == "manual":
            over = not strategy.suggest(self.spec.space, self.trials, 1)
        ending = Ending("finished" if over else "interrupted", "the trials that were asked for have ended")
        with self._code() as (launcher, defaults):
            prepare(launcher)
            return self._drive(launcher, defaults, listener, by_hand=ending)

    def publish(self) -> Study:
        """Bring the parent run up to date with its trials, when something else than a driver changed them."""
        self._publisher().refresh(self.trials, self.record.state, self.record.why_stopped)
        return self

    def report(self) -> Study:
        """Draw the study's pictures, table and HTML report from what the tracking server holds; return itself."""
        self._publisher().report(self.trials, self.record.state, self.record.why_stopped)
        return self

    @property
    def resume_command(self) -> str:
        """The command line that goes on with this study."""
        return resume_command(self.record, self.spec, self._given_uri, self._folder)

    def links(self, server: str | None = None) -> dict[str, str]:
        """Return the links to the study's charts, table, parent run and plain list of trials in MLflow's UI.

        `server` is the URL of a server on a local store, which has none by itself: then the links are none without it.
        """
        uri = server or self.client.uri
        return study_links(public_uri(uri), self.record) if has_server(uri) else {}

    def _drive(
        self, launcher: Launcher, defaults: Params, listener: Listener | None, retry_failed: bool = False,
        by_hand: Ending | None = None, create: Callable[[], None] | None = None,
    ) -> Study:  # fmt: skip
        executor = local_executor(self.spec.workers, runs_in_process(self.spec, self._objective))
        self.client.abandoned.clear()
        with Interruptions(lambda: getattr(executor, "busy", False), self.client.abandoned.set) as signals:
            if create is not None:
                create()
            with told_when_deleted(self.client, self.record), claimed(self.client, self.run_id):
                if create is None:
                    definition = self.spec.model_dump(mode="json", exclude_none=True)
                    Studies(self.client).reopen(self.run_id, definition)
                listener = listener or Silence()
                listener.began(self.spec, self.links())
                publisher = self._publisher()
                trials = replace(self._trials(), source=self._source, fixed={**defaults, **self.spec.run.parameters})
                driver = Driver(self.spec, publisher, trials, launcher, executor, listener, by_hand)
                self._driven(driver, publisher, executor, signals, retry_failed)
        assert self.ending is not None
        if self.ending.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.ending.signal is not None:
            raise SystemExit(128 + self.ending.signal)
        return self

    def _driven(
        self, driver: Driver, publisher: Publisher, executor: Executor, signals: Interruptions, retry_failed: bool
    ) -> None:
        try:
            ending = driver.drive(signals, retry_failed)
        except (StudyConflict, StudyNotFound, TrackingError):
            raise
        except BaseException as error:
            publisher.close(driver.history, "aborted", f"{type(error).__name__}: {error}")
            raise
        finally:
            executor.shutdown()
        self._close(driver.history, ending, publisher)

    def _create(self, defaults: Params, reference: Sequence[float] = ()) -> None:
        self.spec = self.spec.model_copy(update={"space": self.spec.space.with_defaults(defaults)})
        self._record = create_study(self.client, self.spec, self._source, self._folder, reference, self._keep)

    def _close(self, history: Sequence[Trial], ending: Ending, publisher: Publisher | None = None) -> None:
        (publisher or self._publisher()).close(history, ending.state, ending.why)
        self.ending = ending
        self._record = replace(self.record, state=ending.state, why_stopped=ending.why)

    @contextmanager
    def _code(self) -> Iterator[tuple[Launcher, Params]]:
        """Give the launcher of a study that exists, where its code lies now."""
        if not self._folder.is_dir():
            raise InputError(f"the study's code was in {self._folder}, which is not here: name its folder", "folder")
        tell_difference(self.record.commit, self._folder)
        with checked_launcher(self.spec, self._objective, self._folder) as found:
            yield found

    @functools.cached_property
    def _source(self) -> dict[str, str]:
        # Asked of git and of MLflow's plugins: only a study that is driven needs it.
        return source_tags(self.spec.run.source, self.spec.run.kind, self._folder)

    def _trials(self) -> Trials:
        return Trials(self.client, self.record, space=self.spec.space)

    def _publisher(self) -> Publisher:
        reporter = Reporter(Artifacts(self.client, self.run_id), self._trials(), self.record, self.spec)
        return Publisher(Studies(self.client), self.spec, reporter, self.resume_command, self._keep)

    @property
    def _given_uri(self) -> str | None:
        return self.client.uri if self._uri else None
