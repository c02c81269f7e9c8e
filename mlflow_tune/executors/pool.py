"""The worker pool of a study: what runs its trials, on this machine or by an executor elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from pickle import PickleError
from typing import Any, Protocol

from mlflow_tune.errors import InputError, TuneError
from mlflow_tune.executors.dask import GPU, DaskExecutor
from mlflow_tune.executors.factory import runs_in_process
from mlflow_tune.executors.remote import Shipment, shipment_of
from mlflow_tune.executors.slots import placed
from mlflow_tune.launchers import Launcher, ObjectiveLauncher
from mlflow_tune.launchers.output import result_of, without_secrets
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.spec.study_file import LOCAL, StudySpec
from mlflow_tune.tracking import is_local, public_uri
from mlflow_tune.trial import Devices, Job, Outcome

_NOT_RUNNABLE = (ImportError, AttributeError, PickleError, TuneError)  # as where mlflow_tune is not installed


class WorkerPool(Protocol):
    """Runs trials for a driver, several at once."""

    @property
    def busy(self) -> bool:
        """Whether training code runs in the very thread of the driver."""
        ...

    def begin(self, study: str) -> None:
        """Make ready for the trials of the study of this run id, which this process holds."""
        ...

    def devices(self, slot: int) -> Devices | None:
        """Return the devices of the trials in a slot, None where they are given none, or by whoever runs them."""
        ...

    def submit(self, job: Job) -> Future[Outcome]:
        """Run a trial; the future ends with it."""
        ...

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return how a trial ended whose future is done."""
        ...

    def on_ask(self, look: Callable[[], None]) -> None:
        """Call `look` whenever training code in the driver's thread asks whether its trial should stop."""
        ...

    def prune(self, future: Future[Outcome] | None, run_id: str, grace: float) -> bool:
        """End one trial that runs, within `grace` seconds if that can be had; False when it cannot be ended."""
        ...

    def stop(self) -> None:
        """End all trials that run, as far as that can be done: they are interrupted, and so are later ones."""
        ...


class SerialExecutor(Executor):
    """Runs each call at once, in the calling thread, so that Python code sees its own process and main thread."""

    def __init__(self) -> None:
        self.busy = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call and return its finished future; an interruption is kept in it like any exception."""
        future: Future[Any] = Future()
        try:
            try:
                self.busy = True  # from here on a signal may raise KeyboardInterrupt
                result = fn(*args, **kwargs)
            finally:
                self.busy = False
        except BaseException as error:  # the future raises it again
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


class LocalPool:
    """Runs trials on this machine, by the study's launcher."""

    def __init__(self, launcher: Launcher, executor: Executor) -> None:
        self._launcher = launcher
        self._executor = executor

    @property
    def busy(self) -> bool:
        """Whether a trial runs in the driver's thread."""
        return bool(getattr(self._executor, "busy", False))

    def begin(self, study: str) -> None:
        """Wait for trials that an earlier driver has left on their devices; raises StudyConflict when they stay."""
        self._launcher.slots.begin(study)

    def devices(self, slot: int) -> Devices | None:
        """Return the devices of a slot."""
        return self._launcher.slots.of(slot)

    def submit(self, job: Job) -> Future[Outcome]:
        """Run a trial by the launcher."""
        return self._executor.submit(self._launcher, job)

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what the launcher saw."""
        return result_of(future)

    def on_ask(self, look: Callable[[], None]) -> None:
        """Look when an objective of this process asks."""
        if isinstance(self._launcher, ObjectiveLauncher):
            self._launcher.look = look

    def prune(self, future: Future[Outcome] | None, run_id: str, grace: float) -> bool:  # noqa: ARG002
        """Have the launcher end the trial."""
        return self._launcher.prune(run_id, grace)

    def stop(self) -> None:
        """Kill the trials that run."""
        self._launcher.stop()


class RemotePool:
    """Runs trials by an executor that may be on other machines.

    A shipment has an answer to whatever training code does: so what its future raises, but for what says that the
    code cannot be unpacked there, is the loss of a worker. `where` is how the executor is told on which worker a job
    may run, `slots` have the devices where the driver gives them out.
    """

    busy = False

    def __init__(
        self,
        shipment: Shipment,
        executor: Executor,
        where: Callable[[Job], Mapping[str, Any]] = lambda job: {},  # noqa: ARG005
        slots: Slots | None = None,
    ) -> None:
        self._shipment = shipment
        self._executor = executor
        self._where = where
        self._slots = slots or Slots()
        self._futures: set[Future[Outcome]] = set()
        self._stopped = False

    def begin(self, study: str) -> None:
        """Nothing has to be waited for: workers end what a driver has left by themselves."""

    def devices(self, slot: int) -> Devices | None:
        """Return the devices of a slot on this machine's own cluster."""
        return self._slots.of(slot)

    def submit(self, job: Job) -> Future[Outcome]:
        """Send a trial to a worker."""
        future = self._executor.submit(self._shipment, job, **self._where(job))
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a launcher saw elsewhere, or that the attempt was lost, or was cancelled by `stop`."""
        if future.cancelled() or isinstance(error := future.exception(), CancelledError):
            reason = "the study was stopped" if self._stopped else "its executor cancelled it"
            return Outcome("interrupted", reason=reason, lost=not self._stopped)
        if error is None or isinstance(error, _NOT_RUNNABLE):
            return result_of(future)
        reason = f"its worker was lost: {type(error).__name__}: {error}"
        return without_secrets(Outcome("interrupted", reason=reason, lost=True))

    def on_ask(self, look: Callable[[], None]) -> None:
        """Do nothing: no training code runs in this thread."""

    def prune(self, future: Future[Outcome] | None, run_id: str, grace: float) -> bool:  # noqa: ARG002
        """Cancel the trial: a Dask worker then ends it. What another executor has begun goes on to its end."""
        return future is not None and future.cancel()

    def stop(self) -> None:
        """Cancel all trials; what an executor other than Dask's has begun goes on to its end."""
        self._stopped = True
        for future in list(self._futures):
            future.cancel()


@contextlib.contextmanager
def pool_of(
    spec: StudySpec,
    launcher: Launcher,
    objective: Callable[..., Any] | None,
    folder: Path,
    uri: str,
    executor: Executor | None,
) -> Iterator[WorkerPool]:
    """Give the worker pool of a study: by the executor that is given or that the study names, else on this machine.

    Raises InputError when the code cannot be sent to workers, or they could not reach the tracking store at `uri`.
    """
    if executor is None and spec.executor is None:
        with _local_executor(spec.workers, runs_in_process(spec, objective)) as threads:
            yield LocalPool(launcher, threads)
        return
    if executor is not None:
        yield RemotePool(shipment_of(spec, objective, folder, launcher), executor)
        return
    assert spec.executor is not None
    refuse_local_store(spec.executor.dask, uri)
    shipment = shipment_of(spec, objective, folder, launcher)
    local = spec.executor.dask == LOCAL
    slots = Slots(placed(spec)) if spec.placed and local else None
    with DaskExecutor(spec.executor.dask, spec.workers) as cluster:
        if slots is not None:
            # a worker of this machine's cluster bears its slot's number: its processes keep their devices
            yield RemotePool(shipment, cluster, lambda job: {"workers": [job.slot]}, slots)
        elif spec.placed:
            cluster.refuse_without(GPU, spec.share)
            yield RemotePool(replace(shipment, share=spec.share), cluster, lambda _: {"resources": {GPU: spec.share}})
        else:
            yield RemotePool(shipment, cluster)


def _local_executor(workers: int, in_process: bool) -> Executor:
    """Return the executor of a study on this machine: its threads wait for processes, they do no work themselves."""
    return SerialExecutor() if in_process else ThreadPoolExecutor(workers, thread_name_prefix="mlflow-tune-worker")


def refuse_local_store(address: str, uri: str) -> None:
    """Raise InputError when workers of a cluster would have to write into a file of this machine."""
    if address != LOCAL and is_local(uri):
        raise InputError(
            f"the cluster's workers log to the tracking server by themselves, but {public_uri(uri)} is a file of this "
            "machine: start `mlflow server` and name it by --tracking-uri, or use the cluster `local`",
            "executor.dask",
        )
