"""Where trials run: this process, worker processes, Dask, or any concurrent.futures.Executor."""
