"""The command that opens a study in MLflow's UI, on a server of its own where the store has none: ui."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator

import click
import requests

from mlflow_tune.cli.common import INTERRUPTED, Common, common_options, print_json, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.errors import InputError, TrackingError
from mlflow_tune.tracking import Client, Studies, near_words, noted, public_uri, study_links
from mlflow_tune.tracking.served import LOOPBACK

START_SECONDS = 120.0
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # a look at the runs needs no more processes


@click.command()
@study_argument(required=False)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="The port to serve on, 0 for any."
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@common_options
def ui(study: str | None, common: Common, port: int, no_browser: bool) -> None:
    """Open the comparison of STUDY, or of the newest study, in MLflow's UI.

    For a local store, MLflow's own server is started on it, for this machine alone, until Ctrl-C; one that another
    `mlflow-tune ui` runs on it already is used.
    """
    loaded = find_study(study or _newest(common), common)
    uri = loaded.client.uri
    if links := loaded.links:
        _show(links["charts"], common, no_browser)
        return
    free = _free(port)
    print_line(f"Starting MLflow's server on {public_uri(uri)} ...", err=True)
    with _server(uri, free) as (base, process), noted(uri, free):
        _show(study_links(base, loaded.record)["charts"], common, no_browser)
        print_line("Ctrl-C stops the server.", err=True)
        try:
            raise SystemExit(1 if process.wait() else 0)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None


def _newest(common: Common) -> str:
    client = Client(common.tracking_uri, only_read=True)
    records = Studies(client).all(common.experiment)
    if not records:
        where = f"at {public_uri(client.uri)}{near_words(client.uri)}"
        raise InputError(f"there is no study {where}; `mlflow-tune run study.yaml` starts one")
    return records[-1].run_id


def _show(link: str, common: Common, no_browser: bool) -> None:
    if common.as_json:
        print_json({"link": link})
    else:
        print_line(link)
    if not no_browser:
        webbrowser.open(link)


def _free(port: int) -> int:
    """Return the port, or a free one for 0. Raises InputError when something serves on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise InputError(f"the port {port} is taken ({error.strerror}): give another, or 0", "--port") from None
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _server(uri: str, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run MLflow's server on a local store; yield its URL and process. Raises TrackingError when it does not start."""
    words = ["server", "--backend-store-uri", uri, "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **ENVIRONMENT},
    )
    for number in (signal.SIGTERM, signal.SIGHUP):  # the server has a session of its own, and would stay
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        base = f"http://{LOOPBACK}:{port}"
        _wait_for(base, process)
        yield base, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            requests.get(f"{base}/health", timeout=5).raise_for_status()
            return
        time.sleep(0.2)
    raise TrackingError("MLflow's server did not start; see what it says: mlflow server --backend-store-uri ...")
