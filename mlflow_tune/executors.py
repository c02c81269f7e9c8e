"""Where trials run: any `concurrent.futures.Executor` will do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


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


def local_executor(workers: int, in_process: bool) -> Executor:
    """Return the executor of a study on this machine: its threads wait for processes, they do no work themselves."""
    return SerialExecutor() if in_process else ThreadPoolExecutor(workers, thread_name_prefix="mlflow-tune-worker")
