"""The project launcher: parameters against their declarations, git, environments, and MLflow's internals."""

import inspect
import subprocess
import sys

import pytest

from mlflow_tune.errors import InputError
from mlflow_tune.launchers import ProjectLauncher
from mlflow_tune.space import Categorical, Float, Int, Space
from tests.fixtures.launcher_project.helpers import HERE, job

LR = Space({"lr": Float(0, 1)})


@pytest.fixture
def project(request):
    """Make a project launcher that is closed after the test."""

    def make(entry_point="typed", parameters=None, uri=HERE.name, folder=HERE.parent, **options):
        launcher = ProjectLauncher(uri, entry_point, parameters, folder=folder, **options)
        request.addfinalizer(launcher.close)
        return launcher

    return make


def test_defaults_come_as_what_they_are_declared(project):
    assert project(parameters={"seed": 3}).check(LR) == {
        "lr": 0.1,
        "depth": 3,
        "data": "behave.py",
        "source": "https://example.org/data",
        "note": "none",
    }
    assert project("main").check(LR) == {"do": "ok", "lr": 0.01}  # 1e-2 is text in YAML


@pytest.mark.parametrize(
    ("fixed", "space", "words"),
    [
        ({"seed": 3}, {"lrr": Float(0, 1)}, r"^space\.lrr: .*'typed' does not declare it; .* did you mean 'lr'\?"),
        ({"seed": 3, "dept": 3}, {}, r"^parameters\.dept: .*did you mean 'depth'\?"),
        ({}, {}, "^parameters: the entry point 'typed' needs 'seed', a int"),
        ({"seed": 3}, {"depth": Float(1, 3)}, r"^space\.depth: .* an int, but the space has a Float: use an Int"),
        ({"seed": 3}, {"depth": Categorical([1, 2.5])}, r"^space\.depth: .* an int, but got 2\.5"),
        ({"seed": "three"}, {}, r"^parameters\.seed: .* an int, but got 'three'"),
        ({"seed": True}, {}, r"^parameters\.seed: .* an int, but got True"),
        ({"seed": 3}, {"lr": Categorical([0.1, "banana"])}, r"^space\.lr: .* a float, but got 'banana'"),
        ({"seed": 3, "data": "none.csv"}, {}, r"^parameters\.data: there is no '.*none.csv'"),
        ({"seed": 3, "source": "none.csv"}, {}, r"^parameters\.source: .* a uri, but got 'none.csv'"),
        ({"seed": 3}, {"data": Int(1, 2)}, r"^space\.data: .* a path, but the space has numbers"),
    ],
)
def test_parameters_are_checked_against_their_declarations(project, fixed, space, words):
    space = space if "lr" in space or "lrr" in space else {**space, "note": Categorical(["a", 1])}
    with pytest.raises(InputError, match=words):
        project(parameters=fixed).check(Space(space))


def test_values_of_each_type_pass(project):
    fixed = {"data": "__init__.py", "source": "s3://bucket/data", "seed": "7"}
    space = {
        "lr": Categorical([1, 0.5, "1e-3"]),
        "depth": Categorical([1, "2"]),
        "note": Categorical(["a", True, 3]),
    }
    launcher = project(parameters=fixed)
    launcher.check(Space(space))
    outcome = launcher(job(lr=0.5, depth=2, note="it's; $(id) {lr}"))
    data = HERE.parent / "__init__.py"
    assert outcome.output.decode() == f"0.5 2 {data} s3://bucket/data it's; $(id) {{lr}} 7\n"


def test_a_parameter_that_is_null_is_left_out_so_that_its_default_holds(project):
    space = {"lr": Categorical([None, 0.5]), "depth": Categorical([None, 4]), "note": Categorical([None, [1, 2]])}
    launcher = project(parameters={"seed": 7})
    launcher.check(Space(space))
    source = "https://example.org/data"
    data = HERE / "behave.py"
    assert launcher(job(lr=None, depth=None, note=None)).output.decode() == f"0.1 3 {data} {source} none 7\n"
    assert launcher(job(lr=0.5, depth=4, note=[1, 2])).output.decode() == f"0.5 4 {data} {source} [1, 2] 7\n"


def test_a_parameter_without_a_default_cannot_be_left_out(project):
    with pytest.raises(InputError, match=r"^space\.seed: the entry point needs it, for it declares no default"):
        project().check(Space({"seed": Categorical([None, 3])}))


def test_a_script_takes_no_argument_for_null(project):
    launcher = project("behave.py", {"do": "ok"})
    launcher.check(Space({"lr": Categorical([None, 0.5])}))
    assert "with lr=None" in launcher(job(lr=None)).output.decode()


def test_a_path_by_default_is_the_project_s(project):
    outcome = project(parameters={"seed": 3})(job(lr=0.5))
    assert f" {HERE / 'behave.py'} ".encode() in outcome.output


@pytest.mark.parametrize(
    ("entry_point", "words"),
    [
        ("mian", "^entry_point: unknown entry point 'mian'; did you mean 'main'"),
        ("behav.py", "^entry_point: unknown entry point 'behav.py'; did you mean 'behave.py'"),
        ("braces", "^space.lr: the entry point 'braces' does not declare it; it declares none"),
    ],
)
def test_an_entry_point_is_checked(project, entry_point, words):
    with pytest.raises(InputError, match=words):
        project(entry_point).check(LR)


def make(folder, mlproject):
    (folder / "MLproject").write_text(mlproject)
    (folder / "train.py").write_text("import sys; print(*sys.argv[1:])")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("entry_points: [1", "^project: cannot read the MLproject file"),
        ("entry_points: 3", "^project: cannot read the MLproject file"),
        ("docker_env: {image: x}\nentry_points: {main: {command: x}}", "^project: projects that run in Docker"),
        (
            "entry_points: {main: {parameters: {lr: float}, command: 'echo {} {lr}'}}",
            "^entry_point: the command of 'main' cannot be made",
        ),
        ("entry_points: {main: {parameters: {lr: float}}}", "^entry_point: the command of 'main' cannot be made"),
    ],
)
def test_a_broken_mlproject_is_refused(project, tmp_path, text, words):
    make(tmp_path, text)
    with pytest.raises(InputError, match=words):
        project("main", uri=str(tmp_path)).check(LR)


def test_a_folder_without_anything_to_run_is_refused(project, tmp_path):
    with pytest.raises(InputError, match=r"^project: .*neither an MLproject"):
        project("main", uri=str(tmp_path)).check(LR)
    with pytest.raises(InputError, match=r"^project: there is no folder .*nowhere"):
        project("main", uri="nowhere").check(LR)


def test_a_parameter_of_type_path_is_downloaded_and_removed_afterwards(project, tmp_path):
    make(tmp_path, "entry_points: {main: {parameters: {data: path, lr: float}, command: 'cat {data} && echo {data}'}}")
    (tmp_path / "data.csv").write_text("1,2\n")
    launcher = project("main", {"data": f"file://{tmp_path}/data.csv"}, uri=str(tmp_path))
    launcher.check(LR)
    text, path = launcher(job(lr=0.5)).output.decode().splitlines()
    assert text == "1,2"
    assert path


# Git


@pytest.fixture
def repository(tmp_path):
    """A git repository with the project in a subfolder; its first commit is tagged v1."""
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for version in ("v1", "v2"):
        make(folder / "sub", f"entry_points: {{main: {{parameters: {{lr: float}}, command: 'echo {version} {{lr}}'}}}}")
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", version], ["tag", version]):
            subprocess.run([*git, *words], check=True)
    return f"file://{folder}"


@pytest.mark.parametrize(("version", "output"), [(None, b"v2 0.5\n"), ("v1", b"v1 0.5\n")])
def test_a_git_project_is_fetched_once_and_removed(project, repository, tmp_path, monkeypatch, version, output):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    launcher = project("main", uri=f"{repository}#sub", version=version)
    launcher.check(LR)
    launcher.prepare()
    assert [launcher(job(lr=0.5)).output for _ in range(2)] == [output, output]
    launcher.close()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_git_errors_are_told(project, repository):
    with pytest.raises(InputError, match=r"^project: cannot fetch"):
        project("main", uri="file:///no/such/repository").check(LR)
    with pytest.raises(InputError, match=r"^project: cannot fetch .*version 'v9'"):
        project("main", uri=repository, version="v9").check(LR)
    with pytest.raises(InputError, match="has no folder 'nowhere'"):
        project("main", uri=f"{repository}#nowhere").check(LR)
    with pytest.raises(InputError, match=r"^version: only a project of a git URI has versions"):
        project("main", version="v1").check(LR)


# Environments


@pytest.mark.slow
def test_uv_builds_the_environment_once(project, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = "entry_points: {main: {parameters: {lr: float}, command: 'python train.py {lr}'}}"
    make(tmp_path, f"python_env: python_env.yaml\n{command}")
    (tmp_path / "python_env.yaml").write_text(f'python: "{python}"\ndependencies: [iniconfig]\n')
    (tmp_path / "train.py").write_text("import iniconfig, sys; print(sys.prefix, *sys.argv[1:])")
    launcher = project("main", uri=str(tmp_path), env_manager="uv")
    launcher.check(LR)
    launcher.prepare()
    (environment,) = (tmp_path / "environments").iterdir()
    assert launcher(job(lr=0.5)).output.decode() == f"{environment} 0.5\n"


@pytest.mark.slow
def test_an_environment_that_cannot_be_built_is_told_and_removed(project, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    make(tmp_path, "python_env: python_env.yaml\nentry_points: {main: {command: 'true'}}")
    (tmp_path / "python_env.yaml").write_text("dependencies: ['./no-such-package']\n")
    with pytest.raises(
        InputError, match=r"(?s)^env_manager: the project's environment cannot be built: .*no-such-package"
    ):
        project("main", uri=str(tmp_path), env_manager="uv").prepare()
    assert list((tmp_path / "environments").glob("*")) == []


def test_uv_must_be_there(project, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"^env_manager: uv is not found"):
        project(env_manager="uv").prepare()


# MLflow's internals


def test_the_internals_of_mlflow_are_as_they_were():
    from mlflow.projects import _project_spec, env_type, utils
    from mlflow.utils import data_utils, environment, virtualenv

    def parameters(function):
        return list(inspect.signature(function).parameters)

    assert parameters(utils.load_project) == ["work_dir"]
    assert parameters(utils._fetch_git_repo) == ["uri", "version", "dst_dir"]
    assert utils._parse_subdirectory("uri#a/b") == ("uri", "a/b")
    assert parameters(_project_spec.EntryPoint.compute_command) == ["self", "user_parameters", "storage_dir"]
    project = utils.load_project(str(HERE))
    assert list(project._entry_points) == ["main", "typed", "braces"]
    assert (project.docker_env, project.databricks_spark_job_spec, project.env_config_path) == (None, None, None)
    declared = project.get_entry_point("typed").parameters["depth"]
    assert (declared.name, declared.type, declared.default) == ("depth", "int", "3")
    assert project.get_entry_point("x y.py").compute_command({"a b": "c d"}, None) == "python 'x y.py' --'a b' 'c d'"
    assert parameters(virtualenv._create_virtualenv)[:3] == ["local_model_path", "python_env", "env_dir"]
    assert {"env_manager", "capture_output"} <= set(parameters(virtualenv._create_virtualenv))
    assert parameters(virtualenv._get_virtualenv_name)[:2] == ["python_env", "work_dir_path"]
    assert virtualenv._get_mlflow_virtualenv_root()
    assert environment._PythonEnv().python.startswith("3.")
    assert (env_type.CONDA, data_utils.is_uri("s3://a/b")) == ("conda_env", True)
