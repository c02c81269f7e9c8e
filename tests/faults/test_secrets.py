"""Secrets are planted, and then looked for: in everything that the tracking store holds, and in all that is printed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from mlflow_tune import Categorical, Float, Study
from mlflow_tune.cli import main
from mlflow_tune.errors import InputError
from mlflow_tune.text.redaction import holds_credentials, masked, without_credentials
from mlflow_tune.tracking import Studies, public_uri
from tests.fixtures.small_studies.helpers import Tune, runs_of, start, study_file, tune
from tests.support.proxy import BUSY, refusal

USER, PASSWORD = "planted-user", "planted-pw-in-uri"
VARIABLES = {
    "MLFLOW_TRACKING_PASSWORD": "planted-tracking-password",
    "MLFLOW_TRACKING_TOKEN": "planted-tracking-token",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret-key",
    "DEPLOY_TOKEN": "planted-deploy-token",
    "DB_PASSWORD": "planted-db-password",
    "APP_SECRET": "planted-app-secret",
    "API_KEY_2": "planted-api-key",
    "DB_PASS": "planted/db+pass=\"'",
    "MYSQL_PWD": "planted-mysql-pwd",
    "GITHUB_PAT": "planted-github-pat",
    "SECRET_KEY_BASE": "planted-key-base",
    "AWS_CREDENTIALS": "/planted/aws/credentials",
    "REDIS_AUTH": "planted-redis-auth",
    "SIGNING_KEY": "planted-line-one\nplanted-line-two\n",
    "DATABASE_URL": "postgresql://me:planted-database-pw@db/x",
    "BLOBS_CONNECTION_STRING": "AccountName=me;AccountKey=planted-account-key==;",
}
IN_GIT = "planted-git-password"
PARTS = {"SIGNING_KEY": VARIABLES["SIGNING_KEY"].split(), "DATABASE_URL": ["planted-database-pw"]}
PARTS["BLOBS_CONNECTION_STRING"] = ["planted-account-key=="]
PLANTED = (USER, PASSWORD, IN_GIT, *(text for name in VARIABLES for text in PARTS.get(name, [VARIABLES[name]])))
# What no secret is, though its variable is called so: a study may hold it, and it stays as it is.
HARMLESS = {
    "SORT_KEY": "loss",
    "BATCH_TOKENS": "20000000",
    "AUTHOR": "indiscreet",
    "TOKENIZERS_PARALLELISM": "indiscreet",
}
RUNS = {
    "function": {"function": "misbehaving:indiscreet"},
    "command": {"command": [sys.executable, "misbehaving.py", "indiscreet", "{do}"]},
}


def with_credentials(uri: str) -> str:
    return uri.replace("://", f"://{USER}:{PASSWORD}@")


def found_in(content: str | bytes) -> list[str]:
    """Return the planted secrets that stand in the content."""
    data = content if isinstance(content, bytes) else content.encode()
    return [secret for secret in PLANTED if secret.encode() in data]


def printed(process: Tune) -> str:
    return process.out.read_text() + process.err.read_text()


def git_folder(folder: Path) -> None:
    """Make the folder a git repository whose remote has a password in its URL, as careless people clone."""
    remote = f"https://{USER}:{IN_GIT}@example.invalid/repo.git"
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", remote],
        [*name, "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)


def everything(uri: str, experiment: str, folder: Path) -> dict[str, bytes]:
    """Return all that the store holds of an experiment, by where it is: tags, params, metrics, runs, artifacts."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    held: dict[str, Any] = {f"experiment tag {key}": unpacked(value) for key, value in found.tags.items()}
    for run in client.search_runs([found.experiment_id], run_view_type=ViewType.ALL):
        run_id = run.info.run_id
        held |= {f"run {run_id}: {part}": json.dumps(content) for part, content in run.to_dictionary().items()}
        path = folder / run_id
        path.mkdir()
        client.download_artifacts(run_id, "", str(path))
        held |= {f"artifact {file.name} of {run_id}": file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {where: what if isinstance(what, bytes) else what.encode() for where, what in held.items()}


def unpacked(tag: str) -> bytes:
    return (
        zlib.decompress(base64.b64decode(tag.removeprefix("deflate;"))) if tag.startswith("deflate;") else tag.encode()
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", RUNS)
def test_no_secret_reaches_the_store_or_what_is_printed(server, tmp_path, kind):
    code, uri, name = tmp_path / "code", with_credentials(server), f"indiscreet-{tmp_path.name}"
    path = study_file(
        code,
        name=name,
        experiment=name,
        run=RUNS[kind],
        space={"do": {"type": "categorical", "values": ["ok", "raises"]}},
    )
    shutil.copy(Path(__file__).with_name("misbehaving.py"), code)
    git_folder(code)
    own = {"OWN_KEY": str(code)}  # a path that exists: it is masked, and no reason to refuse
    study = tune(["run", path, "-v"], tmp_path, uri, MLFLOW_TUNE_REPORT="true", **VARIABLES, **HARMLESS, **own)
    assert study.code == 0, study.err.read_text()
    for words in (
        ["show", name],
        ["show", name, "--json"],
        ["list"],
        ["best", name],
        ["open", name],
        ["resume", name, "-v"],
    ):
        process = tune(words, tmp_path, uri, **VARIABLES)
        assert process.code == 0, (words, process.err.read_text())
        assert not found_in(printed(process)), words
    assert not found_in(printed(study))

    held = everything(server, name, tmp_path)
    assert {where: found for where, content in held.items() if (found := found_in(content))} == {}
    # The search sees what is there: what the code printed, with the secrets masked, and the report of it.
    assert sum(b"marker-printed" in content and b"***" in content for content in held.values()) >= 2
    assert any(where.startswith("artifact report.html") and b"RuntimeError" in held[where] for where in held)
    assert any(where.startswith("artifact study.yaml") for where in held)


DEAD = f"http://{USER}:{PASSWORD}@127.0.0.1:1"
UNUSABLE = [
    DEAD,
    f"http://{USER}:{PASSWORD}@127.0.0.1:port",
    f"http://{USER}:{PASSWORD}/and-more@127.0.0.1:1",
    f"postgresql://{USER}:{PASSWORD}@127.0.0.1:1/mlflow",
    f"mysql+nodriver://{USER}:{PASSWORD}@127.0.0.1:1/mlflow",
    f"nosuchscheme://{USER}:{PASSWORD}@127.0.0.1:1",
]


@pytest.mark.slow
@pytest.mark.parametrize("uri", UNUSABLE, ids=public_uri)
def test_a_tracking_uri_that_cannot_be_used_is_told_without_its_credentials(tmp_path, uri):
    process = tune(["list", "-v", "--tracking-uri", uri], tmp_path, **VARIABLES)
    assert process.code in (2, 3), printed(process)
    assert process.err.read_text().splitlines()[-1].startswith("Error: ")
    assert not found_in(printed(process)), printed(process)
    assert "Traceback" not in printed(process)


FAULTS = {
    "away": (BUSY, "no answer from the tracking server http://127.0.0.1"),
    "refused login": (refusal(401, "UNAUTHENTICATED", "who are you?"), "refuses access"),
    "refused": (refusal(403, "PERMISSION_DENIED", "Permission denied"), "refuses access"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_in_mid_study_is_told_without_credentials(proxy, tmp_path, fault):
    spoilt, words = FAULTS[fault]
    path = study_file(tmp_path, name=f"spoilt-{tmp_path.name}")
    proxy.spoil("runs/update", spoilt, times=10**9)
    process = start(["run", path, "-v"], tmp_path, with_credentials(proxy.uri), MLFLOW_TUNE_PATIENCE="2s", **VARIABLES)
    assert process.wait() == 3, process.err.read_text()
    assert words in process.err.read_text()
    assert not found_in(printed(process)), printed(process)
    assert (
        f"--tracking-uri {public_uri(proxy.uri)}" in printed(process) or "resume" in printed(process) or fault != "away"
    )


# --- credentials in the study file ----------------------------------------------------------------------------------

REPOSITORY = f"https://{USER}:{IN_GIT}@127.0.0.1:1/repo.git"


@pytest.mark.slow
def test_a_project_whose_uri_holds_credentials_is_refused(tmp_path):
    path = study_file(tmp_path, run={"project": REPOSITORY})
    for words in (["run", path], ["init", REPOSITORY, "-o", "new.yaml"]):
        process = tune(words, tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
        assert process.code == 2, printed(process)
        assert "must hold no user name and no password, because MLflow stores it" in process.err.read_text()
        assert "'https://127.0.0.1:1/repo.git'" in process.err.read_text()
        assert not found_in(printed(process))
    assert not (tmp_path / "mlflow.db").exists()
    assert sorted(tmp_path.glob("*.yaml")) == [path]


@pytest.mark.parametrize(
    "run",
    [
        {"project": f"https://{IN_GIT}@example.invalid/repo.git"},
        {"project": f"ssh://{USER}:{IN_GIT}@example.invalid/repo.git#sub"},
        {"command": ["train", "{lr}", f"--db=postgresql://{USER}:{IN_GIT}@db/x"]},
        {"command": ["train", "{lr}"], "parameters": {"db": f"see redis://:{IN_GIT}@db"}},
        {"command": f"train mysql://{USER}:{IN_GIT}@db/x"},
    ],
)
def test_no_part_of_a_study_may_hold_a_password(run):
    with pytest.raises(InputError) as caught:
        Study(name="x", space={"lr": Float(0, 1)}, metric="loss", run=run, stop={"trials": 1})
    assert not found_in(str(caught.value)), caught.value
    assert str(caught.value).startswith("run.")


# --- what a secret variable holds is refused where a person writes it -----------------------------------------------

SECRET = "planted-api-key"
DEFINITION = {"name": "s", "space": {"lr": Float(0, 1)}, "metric": "loss", "stop": {"trials": 1}}
COMMAND = {"command": ["train", "{lr}"]}
ENTRIES = {
    "name": {"name": f"with {SECRET}"},
    "experiment": {"experiment": SECRET},
    "metric": {"metric": SECRET},
    "run.command.2": {"run": {"command": ["train", "{lr}", f"--key={SECRET}"]}},
    "run.parameters.key": {"run": {"command": ["train", "{lr}", "{key}"], "parameters": {"key": SECRET}}},
    "run.parameters": {"run": {"function": "a:b", "parameters": {SECRET: 1}}},
    "space.kind.values.1": {"space": {"lr": Float(0, 1), "kind": Categorical(["a", SECRET])}},
    "space": {"space": {SECRET: Float(0, 1)}},
    "strategy.constraint": {"strategy": {"name": "bisection", "find": "boundary", "constraint": f"{SECRET} >= 1"}},
}


@pytest.mark.parametrize("key", ENTRIES)
def test_a_study_that_holds_a_secret_is_refused(monkeypatch, key):
    monkeypatch.setenv("API_KEY", SECRET)
    with pytest.raises(InputError, match="must not hold what the variable API_KEY holds") as caught:
        Study(**{**DEFINITION, "run": COMMAND, **ENTRIES[key]})
    assert str(caught.value).startswith(f"{key}: ")
    assert SECRET not in str(caught.value)


@pytest.mark.slow
def test_every_way_in_refuses_a_secret(sqlite_store, tmp_path, monkeypatch):
    """Nothing is made of it: no study, no point, no note; and what is refused is not shown either."""
    made = Study(**DEFINITION, objective=lambda lr: lr, tracking_uri=sqlite_store).run()
    path = study_file(tmp_path, name=f"of {SECRET}")
    good = study_file(tmp_path / "good", name="good")
    monkeypatch.setenv("API_KEY", SECRET)
    manual = f"{{name: manual, points: [{{lr: 0.5, why: {SECRET}}}]}}"
    note = ["--note", f"see {SECRET}"]
    for words in (
        ["run", path],
        ["run", good, "--name", SECRET],
        ["run", good, "--experiment", SECRET],
        ["try", path, "-P", "x=1"],
        ["try", good, "-P", "x=1", *note],
        ["try", good, "-P", f"x={SECRET}", "--outside"],
        ["enqueue", good, "-P", "x=1", "--note", f"see {with_credentials('http://db/x')}"],
        ["enqueue", made.run_id, "-P", "lr=0.5", *note],
        ["resume", made.run_id, "--strategy", manual],
        ["resume", made.run_id, "--dask", f"tcp://{SECRET}:1"],
        ["mlproject", "grid", f"study={good}", f"name={SECRET}"],
        ["list", "--experiment", SECRET],
    ):
        result = CliRunner().invoke(main, [*map(str, words), "--tracking-uri", sqlite_store])
        assert result.exit_code == 2 or words[0] == "list", (words, result.output)
        assert SECRET not in result.output.replace(str(path), ""), words
    for point, why in (({"lr": 0.5}, SECRET), ({"lr": SECRET}, "")):
        with pytest.raises(InputError, match="must not hold"):
            made.enqueue(point, why)
    assert len(Studies(made.client).all()) == 1
    assert len(runs_of(sqlite_store, "s")[1]) == 1
    again = Study.load("s", objective=lambda lr: lr, tracking_uri=sqlite_store)
    told = again.ask(2)
    again.tell(told, failed=f"wrong {SECRET}")
    assert again.trials[-1].reason == "wrong ***"


def test_what_a_study_holds_already_may_be_equal_to_a_variable(sqlite_store, monkeypatch):
    """Else nobody with such a variable could look at it."""
    made = Study(**{**DEFINITION, "name": SECRET}, objective=lambda lr: lr, tracking_uri=sqlite_store).run()
    monkeypatch.setenv("API_KEY", SECRET)
    assert CliRunner().invoke(main, ["show", made.run_id, "--tracking-uri", sqlite_store]).exit_code == 0


@pytest.mark.parametrize("project", ["ssh://git@example.invalid/repo.git", "git@example.invalid:repo.git"])
def test_a_user_name_of_ssh_is_no_secret(project):
    assert Study(name="x", space={"lr": Float(0, 1)}, metric="loss", run={"project": project}, stop={"trials": 1})


def test_what_git_tells_of_its_own_configuration_is_told_without_credentials(tmp_path, monkeypatch):
    from mlflow_tune.launchers import mlproject

    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{REPOSITORY}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://example.invalid/")
    with pytest.raises(InputError, match="cannot fetch") as caught:
        mlproject.fetch("https://example.invalid/", None, tmp_path, tmp_path / "into")
    assert "127.0.0.1" in str(caught.value)
    assert not found_in(str(caught.value)), caught.value


# --- the rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("http://u:p@h:5000/x", "http://h:5000/x"),
        ("see 'https://token@h/x', or http://a:b@c", "see 'https://h/x', or http://c"),
        ("postgresql+psycopg2://u:p@ss@h/d", "postgresql+psycopg2://h/d"),
        ("redis://:p@h", "redis://h"),
        ("ssh://git@h/x git@h:x a@b.c http://h/a@b", None),
        ("sqlite:////home/a@b/mlflow.db", None),
        ("", None),
    ],
)
def test_credentials_are_taken_out_of_any_text(text, public):
    assert without_credentials(text) == (public or text)
    assert holds_credentials(text) == (public is not None)


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("http://u:p@h:5000/x", "http://h:5000/x"),
        ("http://u:p/w@h/x", "http://h/x"),
        ("http://[::1]:5000/a@b", "http://[::1]:5000/a@b"),
        ("http://h:5000/a@b", "http://h:5000/a@b"),
        ("sqlite:////a@b/mlflow.db", "sqlite:////a@b/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_a_tracking_uri_is_shown_without_credentials(uri, public):
    assert public_uri(uri) == public
    assert not urlsplit(public_uri(uri)).password


def test_what_secret_variables_hold_is_masked(monkeypatch):
    for name, value in {
        **VARIABLES,
        **HARMLESS,
        "PLAIN": "planted-plain",
    }.items():
        monkeypatch.setenv(name, value)
    plain = " ".join([*HARMLESS.values(), "planted-plain"])
    assert masked(plain) == plain
    assert not found_in(masked(" ".join(VARIABLES.values())))
