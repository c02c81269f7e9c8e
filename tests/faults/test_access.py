"""A tracking server that knows its users, and says no: one clear line and exit code 3, before any trial starts."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from mlflow_tune.cli import main
from tests.faults.servers import RealServer
from tests.fixtures.small_studies.helpers import runs_of, study_file

pytest.importorskip("flask_wtf", reason="`mlflow server --app-name basic-auth` needs Flask-WTF")

ADMIN, PASSWORD = "admin", "correct-horse-battery"
ONE_POINT = {"x": {"type": "int", "low": 1, "high": 4, "grid": [1]}}
READER, STRANGER, WRITER = "reader", "stranger", "writer"


@pytest.fixture(scope="module")
def guarded(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with basic-auth whose users may read everything, and write what they are told they may."""
    folder = tmp_path_factory.mktemp("guarded")
    config = folder / "auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'auth.db'}\n"
        f"admin_username = {ADMIN}\nadmin_password = {PASSWORD}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 60\n"  # else every request hashes the password anew, which takes a while
    )
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": uuid.uuid4().hex}
    options = ["--app-name", "basic-auth", "--artifacts-destination", str(folder / "artifacts")]
    with RealServer(store_template, folder, options, environment) as server:
        for user in (READER, STRANGER, WRITER):
            ask(server, "users/create", username=user, password=PASSWORD)
        yield server


def ask(server: RealServer, call: str, version: str = "2.0", **fields: str) -> dict:
    """Ask the server as its admin."""
    token = base64.b64encode(f"{ADMIN}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    request = Request(f"{server.uri}/api/{version}/mlflow/{call}", json.dumps(fields).encode(), headers)
    with urlopen(request) as answer:
        return json.loads(answer.read() or b"{}")


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch):
    def as_user(user: str, password: str = PASSWORD) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return as_user


@pytest.fixture
def experiment(guarded: RealServer, login) -> str:
    """An experiment of the admin's, in which the stranger may do nothing and the writer may write."""
    name = f"guarded-{uuid.uuid4().hex}"
    experiment_id = ask(guarded, "experiments/create", name=name)["experiment_id"]
    for user, permission in ((STRANGER, "DENY"), (WRITER, "EDIT")):
        fields = {"username": user, "resource_type": "experiment", "resource_id": experiment_id}
        ask(guarded, "users/permissions/grant", "3.0", **fields, permission=permission)
    return name


def cli(server: RealServer, *words: object) -> Result:
    """Run `mlflow-tune` in this process."""
    return CliRunner().invoke(main, [*map(str, words), "--tracking-uri", server.uri])


def study(folder: Path, experiment: str) -> Path:
    return study_file(folder, experiment=experiment, name=f"of-{experiment}", space=ONE_POINT)


def refused_in_one_line(result: Result, words: str) -> None:
    assert result.exit_code == 3, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: the tracking server ")
    assert words in line
    assert PASSWORD not in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        (WRITER, "a-wrong-password", "not authenticated"),
        ("nobody", PASSWORD, "not authenticated"),
        (READER, PASSWORD, "Permission denied"),
        (STRANGER, PASSWORD, "Permission denied"),
    ],
    ids=["wrong password", "unknown user", "read-only", "no permission"],
)
def test_who_may_not_write_is_told_so_before_any_trial(guarded, experiment, login, tmp_path, user, password, words):
    login(user, password)
    refused_in_one_line(cli(guarded, "run", study(tmp_path, experiment)), words)
    assert runs_of(guarded.store, f"of-{experiment}") == (None, [])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", "try", "stop", "enqueue"])
def test_a_reader_sees_a_study_and_cannot_change_it(guarded, experiment, login, tmp_path, command):
    login(WRITER)
    path = study(tmp_path, experiment)
    assert cli(guarded, "run", path).exit_code == 0
    parent, children = runs_of(guarded.store, f"of-{experiment}")
    MlflowClient(guarded.store).set_tag(parent.info.run_id, "tune.state", "running")  # so that there is what to stop
    before = MlflowClient(guarded.store).get_run(parent.info.run_id)

    login(READER)
    assert cli(guarded, "show", parent.info.run_id).exit_code == 0
    words = {"resume": ["--yes"], "try": ["-P", "x=1", "--yes"], "enqueue": ["-P", "x=1"], "stop": []}[command]
    refused_in_one_line(cli(guarded, command, parent.info.run_id, *words), "Permission denied")
    after = MlflowClient(guarded.store).get_run(parent.info.run_id)
    assert (after.data.tags, after.data.params) == (before.data.tags, before.data.params)
    assert len(runs_of(guarded.store, f"of-{experiment}")[1]) == len(children) == 1


@pytest.mark.long
def test_a_host_name_that_the_server_does_not_know_gets_the_hint(store_template, tmp_path):
    with RealServer(store_template, tmp_path / "server", ["--allowed-hosts", "tracking.example"]) as server:
        result = cli(server, "run", study(tmp_path, "any"))
    refused_in_one_line(result, f"refuses the host name; start it with --allowed-hosts 127.0.0.1:{server.port}")
