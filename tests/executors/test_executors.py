"""Trials on workers elsewhere: a real Dask cluster whose processes share neither folder nor memory with the driver."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from git import Repo

from mlflow_tune import InputError, Study
from mlflow_tune.executors.dask import DaskExecutor
from mlflow_tune.executors.remote import LIMIT, packed, unpack
from tests.fixtures import ROOT, TRAINING_CODE
from tests.fixtures.small_studies.helpers import failing, outcomes, runs_of, wait_for
from tests.support.server import free_port

SPACE = {"x": {"type": "float", "low": 0, "high": 1}}
TRAIN = """
import os, pathlib, sys
import mlflow
assert not pathlib.Path("hidden").exists() and pathlib.Path("data/weights.txt").read_text() == "0.5"
mlflow.log_metric("loss", float(sys.argv[1]))
mlflow.log_param("place", os.getcwd())
"""
MLPROJECT = """
name: travels
entry_points:
  main:
    parameters: {x: float}
    command: python train.py {x}
"""


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


class Cluster:
    """A scheduler and its workers, each in a folder of its own, none of which knows the tests' folders."""

    def __init__(self, folder: Path, workers: int, certificates: tuple[str, ...] = ()) -> None:
        self.folder, self.certificates = folder, certificates
        self.address = f"{'tls' if certificates else 'tcp'}://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.processes = [
            self._start("scheduler", "--host", self.address.rpartition(":")[0], "--port", port, "--no-dashboard")
        ]
        wait_for(lambda: listens(int(port)))
        self.workers = [self.add() for _ in range(workers)]

    def _start(self, kind: str, *words: str) -> subprocess.Popen:
        place = self.folder / uuid.uuid4().hex
        place.mkdir()
        command = [sys.executable, "-m", "distributed.cli.dask_" + kind, *words, *self.certificates]
        with (place / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=place, stderr=log)

    def add(self, threads: int = 1, *more: str) -> subprocess.Popen:
        """Start a worker of one process, without a nanny: what is killed stays dead."""
        words = (self.address, "--no-nanny", "--nthreads", str(threads), "--no-dashboard", "--death-timeout", "60")
        self.processes.append(self._start("worker", *words, *more))
        return self.processes[-1]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"), workers=2)
    yield made
    made.close()


@pytest.fixture
def fragile(tmp_path):
    """A cluster of the test's own, to break."""
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster", workers=2)
    yield made
    made.close()


def study(uri, cluster=None, objective=None, name="", **more) -> Study:
    given = {
        "name": name or f"elsewhere-{uuid.uuid4().hex}", "space": SPACE, "metric": "loss", "stop": {"trials": 4},
        "workers": 2, "tracking_uri": uri, "executor": cluster and {"dask": cluster.address}, **more,
    }  # fmt: skip
    return Study(objective=objective, **given)


def write_project(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "weights.txt").write_text("0.5")
    (folder / "train.py").write_text(TRAIN)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "tuned.py").write_text("from pathlib import Path\n\ndef loss(x):\n    return x\n")
    return folder


@pytest.mark.slow
def test_a_function_travels_to_the_workers_and_the_driver_writes_the_life_of_its_trials(cluster, server):
    offset = 10.0

    def objective(x):
        import mlflow

        mlflow.log_metric("pid", os.getppid())
        return {"loss": x + offset}

    done = study(server, cluster, objective).run()
    parent, children = runs_of(server, done.spec.name)
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 5)]
    assert [trial.value for trial in done.trials] == [trial.params["x"] + offset for trial in done.trials]
    descendants = {child.pid for process in cluster.workers for child in psutil.Process(process.pid).children(True)}
    assert {trial.metrics["pid"] for trial in done.trials} <= descendants
    assert parent.data.tags["tune.executor"] == f'{{"dask":"{cluster.address}"}}'


LONG = pytest.mark.long
WHERE = [pytest.param("cluster", marks=LONG), pytest.param("local", marks=LONG)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "command",
        "function",
        pytest.param("folder", marks=pytest.mark.long),
        pytest.param("git", marks=pytest.mark.long),
    ],
)
def test_files_travel_to_the_workers_and_nothing_is_left_of_them(kind, cluster, server, tmp_path):
    folder = write_project(tmp_path / "work" / "travels")
    run, version = {"project": "travels"}, ""
    if kind == "git":
        repository = Repo.init(folder)
        repository.git.add(".")
        version = repository.index.commit("first").hexsha
        (folder / "train.py").write_text("raise SystemExit('this is not the commit that the driver saw')")
        run = {"project": f"file://{folder}"}
    elif kind != "folder":
        run = {"command": {"command": ["python", "train.py", "{x}"]}, "function": {"function": "tuned:loss"}}[kind]
    where = folder if kind in ("command", "function") else folder.parent
    done = study(server, cluster, run=run, folder=where, stop={"trials": 2}).run()
    assert [(trial.outcome, trial.reason) for trial in done.trials] == [("ok", "")] * 2
    assert [trial.value for trial in done.trials] == [trial.params["x"] for trial in done.trials]
    if kind != "function":
        places = {run.data.params["place"] for run in runs_of(server, done.spec.name)[1]}
        assert not any(Path(place).is_relative_to(tmp_path) for place in places)
    assert kind != "git" or len(version) == 40


@pytest.mark.slow
def test_what_the_training_code_does_wrong_is_told_as_on_this_machine(cluster, server):
    def objective(x):
        if x < 0.5:
            print("so long")
            os._exit(7)
        raise ValueError("no luck")

    done = failing(study(server, cluster, objective, stop={"trials": 6, "failures": 100}).run)
    reasons = {trial.params["x"] < 0.5: trial.reason for trial in done.trials}
    assert {trial.outcome for trial in done.trials} == {"failed"}
    assert "exit code 7" in reasons[True]
    assert "ValueError: no luck" in reasons[False]


@pytest.mark.long
def test_a_limit_of_time_holds_elsewhere_too(cluster, server):
    done = failing(study(server, cluster, lambda x: time.sleep(600), stop={"trials": 1}, timeout="8s").run)
    assert [trial.outcome for trial in done.trials] == ["timeout"]


@pytest.mark.long
def test_a_worker_that_dies_loses_its_attempt_and_not_the_study(fragile, server, tmp_path):
    def objective(x):
        (tmp_path / f"{os.getppid()}-{x}").touch()
        time.sleep(2.0)  # long beside the pauses between trials: the worker must die in one
        return x

    def kill_one() -> None:
        wait_for(lambda: len(list(tmp_path.glob("*-0.*"))) > 3, 60)
        fragile.workers[0].kill()

    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(kill_one)
        done = study(server, fragile, objective, stop={"trials": 8}).run()
        killed.result()
    _, children = runs_of(server, done.spec.name)
    found = outcomes(children)
    [lost] = [each for each in found if each[2] == "interrupted"]
    assert lost[3] == "KILLED"
    assert sorted(each[0] for each in found if each[2:] == ("ok", "FINISHED")) == list(range(1, 9))
    assert (lost[0], 2, "ok", "FINISHED") in found
    [run] = [run for run in children if run.data.tags["tune.outcome"] == "interrupted"]
    assert "its worker was lost: WorkerLost: its worker died" in run.data.tags["tune.reason"]
    assert len(list(tmp_path.glob("*-0.*"))) == 9, "Dask ran an attempt again by itself"


@pytest.mark.long
def test_a_trial_that_kills_its_workers_fails_in_the_end(fragile, server):
    def objective(x):
        worker = psutil.Process().parent().parent()
        worker.kill()
        time.sleep(60)

    for _ in range(4):
        fragile.add()
    done = failing(study(server, fragile, objective, stop={"trials": 1}, workers=1).run)
    assert [(trial.outcome, trial.attempt) for trial in done.trials] == [("failed", 4)]
    assert "4 workers died of it" in done.trials[0].reason
    assert done.ending.state == "finished"


def driver(uri, address, name, place) -> subprocess.Popen:
    """Start a driver in a process of its own, and wait until two trials run."""
    command = [sys.executable, str(TRAINING_CODE / "elsewhere.py"), uri, address, name, str(place)]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=place, stderr=log)
    wait_for(lambda: len(list(place.glob("pid-*"))) == 2, 60)
    return process


def ran(place: Path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in place.glob("pid-*")]


@pytest.mark.slow
@pytest.mark.parametrize("where", WHERE)
def test_a_driver_that_is_killed_leaves_no_trial_behind_and_its_study_resumes(where, cluster, server, tmp_path):
    name, address = f"killed-{uuid.uuid4().hex}", cluster.address if where == "cluster" else "local"
    process = driver(server, address, name, tmp_path)
    process.kill()
    process.wait()
    wait_for(lambda: not any(map(psutil.pid_exists, ran(tmp_path))), 30)
    again = Study.load(name, tracking_uri=server, objective=lambda x: x).resume(executor={"dask": cluster.address})
    assert outcomes(runs_of(server, name)[1]) == [
        (1, 1, "interrupted", "KILLED"), (1, 2, "ok", "FINISHED"),
        (2, 1, "interrupted", "KILLED"), (2, 2, "ok", "FINISHED"),
        (3, 1, "ok", "FINISHED"), (4, 1, "ok", "FINISHED"),
    ]  # fmt: skip
    assert again.record.definition["executor"] == {"dask": address}


@pytest.mark.long
@pytest.mark.parametrize("where", WHERE)
def test_the_second_ctrl_c_ends_the_trials_on_the_workers(where, cluster, server, tmp_path):
    name, address = f"stopped-{uuid.uuid4().hex}", cluster.address if where == "cluster" else "local"
    process = driver(server, address, name, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None
    assert all(map(psutil.pid_exists, ran(tmp_path)))
    process.send_signal(signal.SIGINT)
    process.wait(30)
    wait_for(lambda: not any(map(psutil.pid_exists, ran(tmp_path))), 30)
    parent, children = runs_of(server, name)
    assert outcomes(children) == [(1, 1, "interrupted", "KILLED"), (2, 1, "interrupted", "KILLED")]
    assert parent.data.tags["tune.state"] == "interrupted"


@pytest.mark.long
def test_the_command_line_names_a_cluster_too(cluster, server, tmp_path):
    folder, name = write_project(tmp_path / "travels"), f"typed-{uuid.uuid4().hex}"
    lines = [f"name: {name}", "run: {project: .}", "metric: loss", f"space: {json.dumps(SPACE)}", "strategy: random"]
    (folder / "study.yaml").write_text("\n".join([*lines, "stop: {trials: 1}"]))
    tune = [str(Path(sys.executable).with_name("mlflow-tune"))]
    where = ["--dask", cluster.address, "--tracking-uri", server]
    subprocess.run([*tune, "run", folder / "study.yaml", *where], check=True, capture_output=True)
    subprocess.run([*tune, "resume", name, "--trials", "+1", *where], check=True, capture_output=True)
    _, children = runs_of(server, name)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    assert not any(Path(run.data.params["place"]).is_relative_to(tmp_path) for run in children)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_will_do(kind, sqlite_store):
    with kind(2) as executor:
        done = study(sqlite_store, objective=lambda x: x, name="given").run(executor=executor)
        assert [trial.value for trial in done.trials] == [trial.params["x"] for trial in done.trials]
        assert executor.submit(abs, -1).result() == 1, "it stays its owner's"


@pytest.mark.slow
def test_an_executor_that_breaks_interrupts_the_study_which_goes_on_elsewhere(sqlite_store, tmp_path):
    def objective(x):
        if not (tmp_path / "broken").exists():
            (tmp_path / "broken").touch()
            psutil.Process().parent().parent().kill()
            time.sleep(60)
        return x

    with ProcessPoolExecutor(2) as executor:
        broken = study(sqlite_store, objective=objective, name="broken").run(executor=executor)
    assert broken.ending.state == "interrupted"
    assert "the executor takes no more trials: BrokenProcessPool" in broken.ending.why
    assert {trial.outcome for trial in broken.trials} in ({"interrupted"}, {"interrupted", "ok"})
    again = Study.load("broken", tracking_uri=sqlite_store, objective=objective).resume()
    assert [trial.outcome for trial in again.trials] == ["ok"] * 4


@pytest.mark.slow
def test_ray_by_the_adapter_of_its_document(sqlite_store):
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    import ray

    ray.init(num_cpus=2, include_dashboard=False)
    document = ROOT / "mlflow_tune" / "executors" / "README.md"
    source = document.read_text().partition("class RayExecutor")[2].partition("```")[0]
    names: dict = {}
    exec("import ray\nfrom concurrent.futures import Executor\nclass RayExecutor" + source, names)
    done = study(sqlite_store, objective=lambda x: x, name="ray").run(executor=names["RayExecutor"]())
    assert [trial.outcome for trial in done.trials] == ["ok"] * 4
    ray.shutdown()


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_no_scheduler_is_told_before_a_run_is_made(server):
    lonely = study(server, objective=lambda x: x, executor={"dask": f"tcp://127.0.0.1:{free_port()}"})
    with pytest.raises(InputError, match=r"executor\.dask: no Dask scheduler answers at 'tcp://127"):
        lonely.run()
    assert runs_of(server, lonely.spec.name) == (None, [])


def tls_settings(folder: Path) -> dict[str, str]:
    """Write certificates for one cluster; return Dask's settings that name them."""
    from distributed import Security

    made = Security.temporary()
    texts = {"ca-file": made.tls_ca_file, "client.cert": made.tls_client_cert, "client.key": made.tls_client_key}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {f"distributed.comm.tls.{name}": str(folder / name) for name in texts}


@pytest.mark.long
def test_a_named_scheduler_that_speaks_tls_is_reached_by_dasks_own_settings(server, tmp_path):
    import dask

    settings = tls_settings(tmp_path)
    ca, cert, key = settings.values()
    guarded = Cluster(tmp_path, workers=1, certificates=("--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key))
    try:
        stranger = study(server, guarded, lambda x: x, stop={"trials": 1})
        with pytest.raises(InputError, match=r"no Dask scheduler answers at 'tls:.*; for TLS, Dask's settings"):
            stranger.run()
        with dask.config.set(settings):
            done = study(server, guarded, lambda x: x, stop={"trials": 1}, workers=1).run()
        assert [trial.outcome for trial in done.trials] == ["ok"]
    finally:
        guarded.close()


@pytest.mark.slow
def test_a_local_cluster_takes_nothing_from_strangers_and_serves_no_page():
    from distributed import Client, Security

    local = DaskExecutor("local", 1)
    try:
        worker = psutil.Process(local.submit(os.getpid).result())
        address = local._cluster.scheduler_address
        for plain, security in ((True, None), (False, Security.temporary())):
            there = address.replace("tls:", "tcp:") if plain else address
            with pytest.raises(OSError):
                Client(there, timeout=2, security=security, set_as_default=False)
        listening = [
            each.laddr.port
            for process in (psutil.Process(), worker)
            for each in process.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 3, "the scheduler, the nanny and the worker"
        for port in listening:
            with pytest.raises(OSError):  # a server of TLS has no answer to that
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
    finally:
        local.shutdown()


@pytest.mark.slow
def test_a_store_in_a_file_is_no_place_for_workers_elsewhere(sqlite_store, cluster):
    with pytest.raises(InputError, match=r"executor\.dask: .* is a file of this machine: start `mlflow server`"):
        study(sqlite_store, cluster, lambda x: x, name="file").run()
    assert runs_of(sqlite_store, "file") == (None, [])


def test_an_executor_that_is_misspelt_is_told(server):
    with pytest.raises(InputError, match=r"executor\.dusk: unknown key; did you mean 'dask'"):
        Study(name="s", objective=abs, space=SPACE, metric="loss", executor={"dusk": "tcp://scheduler:8786"})


def test_a_folder_that_is_too_large_to_travel_is_told_with_its_largest_files(tmp_path):
    (tmp_path / "small.py").write_text("x = 1")
    (tmp_path / "data.bin").write_bytes(os.urandom(LIMIT + 1))
    with pytest.raises(
        InputError, match=r"run\.command: .* more than 8 MiB is too much; the largest files are data\.bin \("
    ):
        packed(tmp_path, "run.command")


def test_what_is_no_code_stays_at_home(tmp_path):
    folder = tmp_path / "work"
    for name in ("train.py", "pack/mod.py", ".env", ".venv/bin/python", "mlruns/0/meta.yaml", "mlflow.db",
                 "__pycache__/train.pyc", "env/pyvenv.cfg", "env/lib.py", "data.csv"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    (folder / "loop").symlink_to(folder)
    assert files_after(folder, tmp_path / "1") == ["data.csv", "pack/mod.py", "train.py"]
    Repo.init(folder)
    (folder / ".gitignore").write_text("data.csv\nenv/\n")
    assert files_after(folder, tmp_path / "2") == ["pack/mod.py", "train.py"]


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
def test_a_folder_travels_to_a_python_that_has_no_filters(tmp_path, monkeypatch):
    whole = tarfile.TarFile.extractall

    def extractall(archive, path):  # that of 3.11.2
        whole(archive, path)

    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "train.py").write_text("text")
    assert files_after(tmp_path / "work", tmp_path / "there") == ["train.py"]


@pytest.mark.parametrize("known", [False, True], ids=["plain", "git"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(known, tmp_path, caplog):
    folder = tmp_path / "work"
    (folder / "pack").mkdir(parents=True)
    (tmp_path / "key").write_text("private")
    (folder / "train.py").write_text("text")
    (folder / "id").symlink_to(tmp_path / "key")
    (folder / "pack" / "up").symlink_to("../../key")
    (folder / "pack" / "same").symlink_to("../train.py")
    (folder / "out").symlink_to(tmp_path)
    if known:
        Repo.init(folder).git.add(".")
    assert files_after(folder, tmp_path / "there") == ["pack/same", "train.py"]
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == f"not sent to the workers, for they are links that lead out of {folder}: id, pack/up"


def test_a_folder_that_the_repository_around_it_ignores_travels_whole(tmp_path):
    Repo.init(tmp_path)
    (tmp_path / ".gitignore").write_text("work/\n")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "train.py").write_text("text")
    assert files_after(tmp_path / "work", tmp_path / "there") == ["train.py"]


def test_a_path_that_workers_do_not_have_is_told_before_a_run_is_made(cluster, server, tmp_path):
    folder = write_project(tmp_path / "travels")
    (folder / "MLproject").write_text(MLPROJECT.replace("{x: float}", "{x: float, data: path}"))
    run = {"project": ".", "parameters": {"data": "data/weights.txt"}}
    with pytest.raises(InputError, match=r"run\.parameters\.data: the workers do not have this path"):
        study(server, cluster, run=run, folder=folder, name="paths").run()
    assert runs_of(server, "paths") == (None, [])


def files_after(folder: Path, there: Path) -> list[str]:
    unpack(packed(folder, ""), there)
    return sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file())
