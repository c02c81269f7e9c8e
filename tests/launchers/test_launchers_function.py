"""The function launcher: workers are reused and replaced, results are read, and MLflow calls reach the trial's run."""

import os
import time

import pytest

from mlflow_tune.errors import InputError
from mlflow_tune.launchers import FunctionLauncher, ObjectiveLauncher
from mlflow_tune.launchers.call import metrics_of
from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Job
from tests.fixtures.launcher_project import objectives
from tests.fixtures.launcher_project.helpers import HERE, job

MIB = 2**20
LR = Space({"lr": Float(0, 1)})
# MLflow's own tables under SQLAlchemy 2.1
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture
def launch(request):
    """Make a function launcher that is closed after the test."""

    def make(function, parameters=None, timeout=None, memory=None):
        name = f"objectives:{function}" if isinstance(function, str) and ":" not in function else function
        launcher = FunctionLauncher(name, "loss", parameters, timeout, HERE, memory)
        request.addfinalizer(launcher.close)
        return launcher

    return make


# Workers


def test_the_worker_that_checked_runs_all_trials(launch):
    launcher = launch("pid")
    launcher.check(LR)
    found = [launcher(job(number, lr=0.1)).metrics for number in range(1, 4)]
    assert [metrics["calls"] for metrics in found] == [1, 2, 3]
    assert len({metrics["pid"] for metrics in found}) == 1
    assert found[0]["pid"] != os.getpid()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("do", "kind", "reason"),
    [
        ("hang", "timeout", "took longer than 3s"),
        ("segfault", "failed", "the function ended its process: killed by SIGSEGV; last output: about to crash"),
        ("os._exit", "failed", "the function ended its process: exit code 0; it printed nothing"),
        ("sys.exit", "failed", "the function called sys.exit('enough')"),
        ("raise", "failed", "RuntimeError: raise (objectives.py:44)"),
    ],
)
def test_a_worker_that_fails_is_replaced(launch, do, kind, reason, tmp_path):
    launcher = launch("marked", {"do": do, "marker": str(tmp_path / "marker")}, timeout=3)
    outcome = launcher(job())
    assert (outcome.kind, outcome.reason) == (kind, reason)
    assert launcher(job()).kind == "ok"


def test_an_idle_worker_that_died_is_replaced(launch):
    launcher = launch("pid")
    first = launcher(job(lr=0.1)).metrics["pid"]
    os.kill(int(first), 9)
    time.sleep(0.2)
    assert launcher(job(lr=0.1)).metrics["pid"] != first


def test_a_crash_is_seen_while_a_fork_of_the_worker_lives(launch):
    began = time.monotonic()
    assert "killed by SIGKILL" in launch("fork_and_crash", timeout=30)(job(lr=0.1)).reason
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_worker_that_keeps_half_of_its_limit_makes_room_for_a_fresh_one(launch):
    """Else a later trial would be blamed for what an earlier one has left behind."""
    launcher = launch("grows", memory=200 * MIB)
    outcomes = [launcher(job(number, lr=0.1)) for number in range(1, 4)]
    assert [outcome.kind for outcome in outcomes] == ["ok"] * 3
    assert len({outcome.metrics["pid"] for outcome in outcomes}) == 3
    small = launch("pid", memory=200 * MIB)
    assert len({small(job(number, lr=0.1)).metrics["pid"] for number in range(1, 4)}) == 1


@pytest.mark.slow
def test_an_import_that_takes_too_much_memory_is_told(launch):
    launcher = launch("hoards:objective", memory=100 * MIB)
    with pytest.raises(InputError, match=r"^function: the function cannot be imported: used .* its limit of 100 MiB"):
        launcher.check(LR)
    outcome = launcher(job(lr=0.1))
    assert outcome.kind == "failed"
    assert outcome.reason.startswith("used ")


@pytest.mark.slow
def test_a_worker_that_closed_its_connection_is_given_up(launch):
    outcome = launch("closes_everything")(job(lr=0.1))
    assert (outcome.kind, outcome.reason) == (
        "failed",
        "the function ended its process: killed by SIGTERM; it printed nothing",
    )


@pytest.mark.slow
def test_what_is_printed_between_trials_belongs_to_none(launch):
    launcher = launch("thread_prints_later")
    assert launcher(job(lr=0.1)).output == b""
    time.sleep(0.6)
    assert launcher(job(lr=0.1)).output == b""


def test_closing_lets_exit_handlers_run(tmp_path):
    def objective(marker):
        import atexit
        from pathlib import Path

        atexit.register(Path(marker).touch)

    launcher = FunctionLauncher(objective, "loss", {"marker": str(tmp_path / "marker")})
    launcher(job())
    launcher.close()
    assert (tmp_path / "marker").exists()


# What is wrong before the first trial


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("nowhere:f", r"there is no module 'nowhere' in '.*/launcher_project' or elsewhere on sys.path"),
        ("objectives.deeper:f", r"there is no module 'objectives.deeper'"),
        (
            "needs_what_is_missing:f",
            r"importing module 'needs_what_is_missing' failed: ModuleNotFoundError: "
            r"No module named 'there_is_no_such_package' \(needs_what_is_missing.py:3\)",
        ),
        (
            "objectives:pidd",
            r"in module 'objectives' \(.*objectives.py\): unknown function 'pidd'; did you mean 'pid'\?",
        ),
        ("objectives:not_callable", r"must be a function, but it is 3 \(int\)"),
        ("objectives:returns", r"unexpected keyword argument 'lr'; the function takes \(what\), the study gives it lr"),
        ("objectives:marked", r"missing a required argument"),
        ("exits:f", r"the function cannot be imported: exit code 5; last output: bye"),
    ],
)
def test_a_function_is_checked(launch, function, words):
    space = Space({"do": Float(0, 1)}) if function.endswith("marked") else LR
    with pytest.raises(InputError, match=f"^function: .*{words}"):
        launch(function).check(space)


def test_a_syntax_error_is_told_with_its_line(tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\ny = (\n")
    launcher = FunctionLauncher("broken:f", "loss", folder=tmp_path)
    with pytest.raises(InputError, match=r"SyntaxError: .* \(broken.py:2\)"):
        launcher.check(LR)


def test_without_a_check_the_trial_says_what_is_wrong(launch):
    launcher = launch("nowhere:f")
    assert launcher(job(lr=0.1)).reason.startswith("there is no module 'nowhere'")


@pytest.mark.parametrize("name", ["objectives", "objectives:", "a b:c", "objectives:f()"])
def test_a_malformed_name_is_refused(launch, name):
    with pytest.raises(InputError, match=r"^function: must be of the form package.module:function"):
        FunctionLauncher(name, "loss")


def test_a_callable_that_cannot_be_sent_is_refused():
    lock = __import__("threading").Lock()
    with pytest.raises(InputError, match=r"^function: the function cannot be sent to worker processes: TypeError"):
        FunctionLauncher(lambda lr: lock, "loss")


def test_an_attribute_of_an_attribute_will_do(launch):
    assert launch("Namespace.objective")(job(lr=0.5)).metrics == {"loss": 0.5}


# Results


@pytest.mark.parametrize(
    ("what", "metrics"),
    [
        ("int", {"loss": 3.0}),
        ("numpy", {"loss": 0.5}),
        ("array", {"loss": 0.25}),
        ("nan", {"loss": pytest.approx(float("nan"), nan_ok=True)}),
        ("inf", {"loss": -float("inf")}),
        ("dict", {"loss": 2.0, "accuracy": 0.5}),
        ("none", {}),
    ],
)
def test_a_result_is_read(what, metrics):
    found = metrics_of(objectives.returns(what), "loss")
    assert found == metrics
    assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("text", "the function returned '0.5' (str); it must be a number, a dict of metrics"),
        ("vector", "the function returned array([1.]) (ndarray); "),
        ("tuple", "the function returned (1.0, {}) (tuple); "),
        ("bad dict", "the function returned a dict with 'loss': 'low' (str); "),
        ("bad key", "the function returned a dict with the key 1, but metrics have names"),
        ("bad name", "the function returned a metric that MLflow does not take: a name must be of letters"),
    ],
)
def test_any_other_result_is_a_failure(launch, what, words):
    outcome = launch("returns")(job(what=what))
    assert outcome.kind == "failed"
    assert outcome.reason.startswith(words)


def test_none_means_that_the_run_must_be_read(launch):
    launcher = launch("returns")
    assert launcher(job(what="none")).logged
    assert not launcher(job(what="int")).logged


# MLflow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An experiment in a store of its own, in which trials' runs are made as a driver makes them."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("tests")

    class Store:
        def job(self, **params):
            run = client.create_run(experiment)
            return Job(1, params, run.info.run_id, experiment, uri)

        def metrics(self, job):
            return client.get_run(job.run_id).data.metrics

        def count(self):
            return len(client.search_runs([experiment]))

    return Store()


@pytest.fixture(params=[pytest.param("workers", marks=pytest.mark.long), "this process"])
def either(request, launch):
    """Make a launcher for a function of `objectives`, of either kind."""
    if request.param == "workers":
        return launch
    return lambda name: ObjectiveLauncher(getattr(objectives, name), "loss")


@pytest.mark.parametrize("function", ["start_run", "log_only"])
def test_each_trial_binds_its_own_run(either, store, function):
    launcher, before = either(function), store.count()
    jobs = [store.job(lr=lr) for lr in (0.25, 0.5)]
    assert [launcher(each).logged for each in jobs] == [True, True]
    assert [store.metrics(each) for each in jobs] == [{"loss": 0.25}, {"loss": 0.5}]
    assert store.count() == before + 2


def test_a_failure_frees_the_run_too(either, store):
    launcher = either("log_and_raise")
    for lr in (0.25, 0.5):
        each = store.job(lr=lr)
        outcome = launcher(each)
        assert (outcome.kind, outcome.logged) == ("failed", True)
        assert store.metrics(each) == {"loss": lr}


def test_importing_mlflow_alone_binds_nothing(either, store):
    assert not either("import_only")(store.job(lr=0.25)).logged


def test_a_run_that_is_active_already_is_refused(store, monkeypatch):
    import mlflow

    each = store.job(lr=0.25)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", each.tracking_uri)
    launcher = ObjectiveLauncher(objectives.log_only, "loss")
    with mlflow.start_run(run_id=store.job().run_id) as outer:
        with pytest.raises(InputError, match=outer.info.run_id):
            launcher.check(LR)
        outcome = launcher(each)
        assert outcome.kind == "failed"
        assert outer.info.run_id in outcome.reason
        assert mlflow.active_run() is not None


def test_ctrl_c_passes_through_this_process(monkeypatch):
    def interrupted(lr):
        raise KeyboardInterrupt

    monkeypatch.setenv("MLFLOW_RUN_ID", "parent")
    with pytest.raises(KeyboardInterrupt):
        ObjectiveLauncher(interrupted, "loss")(job(lr=0.1))
    assert os.environ["MLFLOW_RUN_ID"] == "parent"


def test_an_objective_is_checked():
    with pytest.raises(InputError, match=r"^objective: .*unexpected keyword argument 'lr'"):
        ObjectiveLauncher(lambda rate: rate, "loss").check(LR)
    with pytest.raises(InputError, match=r"^objective: must be a function"):
        ObjectiveLauncher(3, "loss").check(LR)
