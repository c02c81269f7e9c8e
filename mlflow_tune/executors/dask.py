"""Dask as an executor: a cluster to run trials on, and what guards an attempt in one of its tasks."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.study_file import LOCAL

GPU = "GPU"  # the resource by which workers say how many devices they have
CONNECT_SECONDS = 10.0
LOOK_SECONDS = 1.0
# What each worker of a local cluster runs first: the driver decides what Ctrl-C ends, and nobody needs its web server.
_PRELOAD = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
def dask_setup(worker):
    worker.http_server.stop()
"""
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


class WorkerLost(Exception):
    """The worker that ran an attempt died in it."""


class DaskExecutor(Executor):
    """A Dask cluster: `address` is its scheduler's, or "local" for `workers` processes on this machine.

    A local one takes tasks from this process alone: its keys are made for it, and never leave these processes. With
    another one Dask's own settings hold, those for TLS among them. Raises InputError, key `executor.dask`, when no
    scheduler answers or Dask is not installed.
    """

    def __init__(self, address: str, workers: int) -> None:
        try:
            from distributed import Client
        except ImportError:
            message = "Dask is not installed here: pip install 'mlflow-tune[dask]'"
            raise InputError(message, "executor.dask") from None
        self._cluster = _local_cluster(workers) if address == LOCAL else None
        try:
            self._client = Client(self._cluster or address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError, RuntimeError) as error:  # TypeError: TLS without certificates
            if self._cluster is not None:
                self._cluster.close()
            hint = "; for TLS, Dask's settings distributed.comm.tls name the certificates" if "tls" in address else ""
            message = f"no Dask scheduler answers at {address!r} ({type(error).__name__}){hint}"
            raise InputError(message, "executor.dask") from None
        self._futures = self._client.get_executor(pure=False, retries=0)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call on a worker; a future that is cancelled ends it there (`within_dask`).

        Raises RuntimeError when the scheduler is gone for good.
        """
        try:
            return self._futures.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]
        except Exception as error:  # Dask has kinds of its own
            raise RuntimeError(f"the Dask cluster is gone: {error}") from error

    def refuse_without(self, resource: str, share: float) -> None:
        """Raise InputError, key `gpus`, when there are workers and none has so much of the resource for a trial."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        most = max((worker.get("resources", {}).get(resource, 0) for worker in workers), default=share)
        if most < share:
            message = f"no worker of the cluster has {share} of the resource {resource} (at most {most})"
            raise InputError(f"{message}: start them by `dask worker ADDRESS --resources {resource}=N`", "gpus")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Leave the cluster; end it when it is this machine's own."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _local_cluster(workers: int) -> Any:
    """Return a cluster of processes of this machine that talk over TLS, each with a certificate, and serve no page.

    Without that any user of the machine could run code here: a scheduler runs what it is sent.
    """
    import dask
    from distributed import LocalCluster, Security

    with dask.config.set(_NO_PAGES):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",  # None would take the port 8787
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            preload=[_PRELOAD],
        )

    async def stop_pages() -> None:
        cluster.scheduler.http_server.stop()

    cluster.sync(stop_pages)
    return cluster


@contextmanager
def within_dask(stop: Callable[[], object]) -> Iterator[None]:
    """Guard an attempt in a task of a Dask worker; anywhere else do nothing.

    Dask runs the task of a worker that died again: raises WorkerLost then, for an attempt is made once. `stop` is
    called when the task is cancelled, as all are when the driver stops them or is gone: Dask itself lets them run on.
    """
    worker = _dask_worker()
    if worker is None:
        yield
        return
    key = worker.get_current_task()
    over = threading.Event()
    client = worker._get_client()
    if client.get_metadata(key, False):
        raise WorkerLost("its worker died")
    client.set_metadata(key, True)  # Dask forgets it with the task
    threading.Thread(target=_watch, args=(worker, key, stop, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _dask_worker() -> Any:
    """Return the Dask worker in whose task this thread is, None elsewhere."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def _watch(worker: Any, key: Any, stop: Callable[[], object], over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        task = worker.state.tasks.get(key)
        if task is None or task.state != "executing":
            stop()
            return
