"""`mlflow-tune init`: a study file that runs as it stands, drafted from what an MLproject declares."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.cli import main
from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft import DraftRequest, Parameter, ProjectRun, draft
from mlflow_tune.spec.draft.guess import guess, role_of
from mlflow_tune.spec.draft.scripts.metrics import logged_metrics
from mlflow_tune.spec.goals import goal_of
from mlflow_tune.spec.study_file import StudySpec, parse_study, read_study_file
from mlflow_tune.text.yaml import load_yaml
from tests.fixtures import ROOT, TRAINING_CODE

MANNER = TRAINING_CODE
DIGITS = ROOT / "projects" / "digits"
PARAMETERS = {
    "x": {"type": "float", "default": 0.5},
    "epochs": {"type": "int", "default": 3},
    "words": {"type": "string", "default": 'it\'s "so"\n{x} <script> # $(y)'},
}


def make_project(folder: Path, parameters: Any, code: str = 'mlflow.log_metric("loss", 1)', **more: Any) -> Path:
    folder.mkdir(parents=True)
    command = "python train.py" + "".join(f" {{{name}}}" for name in parameters)
    main_ = {"parameters": parameters, "command": command}
    (folder / "MLproject").write_text(yaml.safe_dump({"name": "tiny", "entry_points": {"main": main_}, **more}))
    (folder / "train.py").write_text(code)
    return folder


def init(*words: object) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, words)])


def refusal(*words: object) -> str:
    result = init(*words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def drafted(*parameters: Parameter, project: str = "p") -> tuple[StudySpec, str]:
    """Return the study that is drafted for the parameters, and the text of its file."""
    text = draft(DraftRequest(ProjectRun(project, "main"), "n", parameters, ["loss"])).text
    return parse_study(load_yaml(text)), text


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_drafted_file_runs_as_it_stands(server, tmp_path):
    parameters = {**PARAMETERS, "x": {"type": "float", "default": 0.5}}
    folder = make_project(tmp_path / "code", {"x": parameters["x"], "words": parameters["words"]})
    shutil.copy(MANNER / "light.py", folder / "train.py")
    result = init("code", "--metric", "loss", "--tracking-uri", server, "--experiment", "of init")
    assert result.exit_code == 0, result.output
    first, *_, command = result.stdout.splitlines()
    assert first == "study.yaml is written: minimize loss over x."
    assert shlex.split(command) == ["mlflow-tune", "run", "study.yaml", "--tracking-uri", server]
    run = CliRunner().invoke(main, [*shlex.split(command)[1:], "--trials", "2", "--json"])
    assert run.exit_code == 0, run.output
    assert [trial["outcome"] for trial in json.loads(run.stdout)["trials"]] == ["ok", "ok"]


def test_the_digits_project():
    assert init(DIGITS).exit_code == 0
    spec = read_study_file(Path("study.yaml"))
    assert (spec.name, spec.metric, spec.goal) == ("digits", "val_loss", "minimize")
    assert (Path("study.yaml").resolve().parent / spec.run.project).resolve() == DIGITS
    assert {
        name: (dimension.low, dimension.high, dimension.log, dimension.role) for name, dimension in spec.space.items()
    } == {
        "lr": (1e-4, 1e-2, True, "learning_rate"),
        "units": (25, 400, True, "capacity"),
        "alpha": (1e-5, 1e-3, True, "regularization"),
        "batch_size": (50, 800, True, "batch_size"),
    }
    assert spec.run.parameters["activation"] == "relu"
    assert spec.run.parameters["epochs"] == 12


def test_every_line_is_explained_and_every_commented_line_is_right(tmp_path):
    make_project(tmp_path / "code", {**PARAMETERS, "flag": {"default": True}, "data": {"type": "path", "default": "a"}})
    text = init("code", "-o", "-").stdout
    assert all("# " in line for line in text.splitlines() if line)
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "# epochs: {type: int, low: 1, high: 6, role: epochs}" in text
    assert "# flag: {type: categorical, values: [true, false]}" in text
    for line in text.splitlines():
        code, _, why = line.strip().removeprefix("# ").partition("  # ")
        if line.strip().startswith("# ") and why:
            assert load_yaml(code)


def test_parameters_without_a_default_are_named(tmp_path):
    make_project(tmp_path / "code", {"data": "path", "lr": "float", "x": {"type": "float", "default": 0.5}})
    result = init("code")
    assert "Before it can run, give these a value under run.parameters: data, lr." in result.stdout
    text = Path("study.yaml").read_text()
    assert "  # parameters:" in text
    assert "#   data: VALUE" in text
    assert "a range under space" in text
    assert read_study_file(Path("study.yaml")).run.parameters == {}


def test_json(tmp_path):
    make_project(tmp_path / "code", {**PARAMETERS, "data": "path"})
    result = init("code", "-o", "new.yaml", "--json")
    assert json.loads(result.stdout) == {
        "schema": 1, "file": "new.yaml",
        "metric": "loss", "goal": "minimize", "searched": ["x"], "fixed": ["epochs", "words"],
        "missing": ["data"], "notes": [], "next": "mlflow-tune run new.yaml",
    }  # fmt: skip
    assert Path("new.yaml").is_file()


def test_what_is_printed_is_the_file_alone(tmp_path):
    make_project(tmp_path / "code", PARAMETERS, code="")
    result = init("code", "--metric", "outcome", "-o", "-")
    spec = parse_study(load_yaml(result.stdout))
    assert (spec.metric, spec.goal, spec.run.project) == ("outcome", "minimize", "code")
    assert spec.run.parameters["words"] == PARAMETERS["words"]["default"]
    assert "Check `goal`: the name outcome does not say which way is better." in result.stderr
    assert not Path("study.yaml").exists()


@pytest.mark.slow
def test_a_project_of_git_and_a_file_in_another_folder(tmp_path):
    folder = make_project(tmp_path / "code", PARAMETERS)
    (tmp_path / "files").mkdir()
    assert init("code", "-o", "files/study.yaml").exit_code == 0
    assert read_study_file(Path("files/study.yaml")).run.project == "../code"
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=folder, check=True)
    assert init(f"file://{folder}").exit_code == 0
    spec = read_study_file(Path("study.yaml"))
    assert (spec.run.project, list(spec.space)) == (f"file://{folder}", ["x"])


def test_what_is_refused(tmp_path):
    make_project(tmp_path / "code", PARAMETERS)
    make_project(tmp_path / "silent", PARAMETERS, code="import mlflow\nmlflow.autolog()\n")
    make_project(tmp_path / "text", {"epochs": {"type": "int", "default": 3}, "optimizer": {"default": "adam"}})
    make_project(tmp_path / "nothing", {})
    make_project(tmp_path / "odd", {"{lr}": "float", **PARAMETERS})
    make_project(tmp_path / "no", {False: "float", **PARAMETERS})
    Path("study.yaml").write_text("mine")
    assert refusal("code") == "--output: 'study.yaml' exists, and init overwrites nothing: give another -o FILE"
    assert Path("study.yaml").read_text() == "mine"
    for words, said in (
        (["code", "-o", "nowhere/a.yaml"], "--output: there is no folder 'nowhere'"),
        (["nowhere"], "project: there is no folder "),
        (["code", "-e", "mian"], "entry_point: unknown entry point 'mian'; did you mean 'main'?"),
        (["silent"], "no metric was found in the code"),
        (["code", "--metric", "trial"], "--metric: "),
        (["code", "--experiment", " x"], "--experiment: must be one line of text without blanks at its ends"),
        (["text"], "the entry point 'main' has no parameter to search, for none of 'epochs', 'optimizer' is a number"),
        (["nothing"], "the entry point 'main' has no parameter to search, for it declares nothing"),
        (["odd"], "this parameter needs a value, but a study cannot give it one: a name must be of letters"),
        (["no"], "entry_point: the MLproject file declares a parameter False that is no text"),
    ):
        assert refusal(*words, *([] if "-o" in words else ["-o", "new.yaml"])).startswith(said), words
    assert not Path("new.yaml").exists()
    both = init("code", "-o", "-", "--json")
    assert "the file and the JSON would both go to standard output" in json.loads(both.stdout)["error"]


# --- ranges ----------------------------------------------------------------------------------------------------------

RANGES = [
    ("lr", "float", 0.001, {"low": 1e-4, "high": 1e-2, "log": True}, ""),
    ("lr", "float", "1e-3", {"low": 1e-4, "high": 1e-2, "log": True}, ""),
    ("C", "float", 1.0, {"low": 0.25, "high": 4.0, "log": True}, ""),
    ("shift", "float", 0.0, {"low": 0.0, "high": 1.0}, ""),
    ("shift", "float", -2.0, {"low": -4.0, "high": 0.0}, ""),
    ("weight_decay", "float", 0.0, {"low": 1e-6, "high": 1e-2, "log": True}, ""),
    ("dropout", "float", 0.1, {"low": 0.0, "high": 0.35}, ""),
    ("momentum", "float", 0.9, {"low": 0.65, "high": 0.99}, ""),
    ("subsample", "float", 1.0, {"low": 0.75, "high": 1.0}, ""),
    ("units", "int", 64, {"low": 16, "high": 256, "log": True}, ""),
    ("max_depth", "int", 3, {"low": 1, "high": 6}, ""),
    ("maxDepth", "int", "3", {"low": 1, "high": 6}, ""),
    ("n", "string", 20, {"low": 5, "high": 80, "log": True}, ""),
    ("epochs", "int", 12, {"low": 3, "high": 48, "log": True}, "how long"),
    ("max_steps", "int", 1000, {"low": 250, "high": 4000, "log": True}, "how long"),
    ("random_state", "int", 42, {"low": 10, "high": 168, "log": True}, "chance"),
    ("numWorkers", "int", 4, {"low": 1, "high": 8}, "machine"),
    ("use_bias", "int", 1, {"low": 1, "high": 4}, "switch"),
    ("test_size", "float", 0.2, {"low": 0.02, "high": 1.0, "log": True}, "judged"),
    ("max_depth", "int", -1, {"low": -1, "high": 4}, "below 1"),
    ("max_leaf", "int", -1, {"low": -1, "high": 4}, "below 1"),
    ("log10_lr", "float", 0.1, {"low": 0.01, "high": 1.0, "log": True}, "MLflow"),
    ("big", "int", 10**15, {}, "no range"),
    ("rate", "string", "0.5", {"low": 0.05, "high": 1.0, "log": True}, ""),
    ("rate", "string", "1e-3", {"low": 1e-4, "high": 1e-2, "log": True}, ""),
    ("max_depth", "string", "6", {"low": 1, "high": 12}, ""),
    ("python_version", "string", "3.10", {"low": 0.775, "high": 12.4, "log": True}, "printed or kept"),
    ("code", "string", "007", {}, "only numbers"),
    ("when", "string", "12:30", {}, "only numbers"),
    ("bins", "string", "auto", {}, "only numbers"),
    ("flag", "string", True, {}, "only numbers"),
    ("lr", "float", "fast", {}, "no number"),
    ("lr", "float", float("inf"), {}, "no number"),
    ("max_depth", "int", "None", {}, "no number"),
    ("lr", "float", 0.3, {"low": 0.03, "high": 1.0, "log": True}, ""),
    ("keep", "float", 0.8, {"low": 0.0, "high": 0.98}, ""),
    ("beta2", "float", 0.999, {"low": 0.99, "high": 0.9999}, ""),
    ("discount", "float", 0.95, {"low": 0.5, "high": 0.995}, ""),
    ("lr", "float", 1e308, {}, "no range"),
    ("data", "path", "a.csv", {}, "only numbers"),
]


@pytest.mark.parametrize(("name", "kind", "default", "found", "fixed"), RANGES)
def test_ranges(name, kind, default, found, fixed):
    guessed = guess(Parameter(name, kind, default))
    assert {key: value for key, value in guessed.range.items() if key not in ("type", "role")} == found
    assert fixed in guessed.fixed
    assert bool(guessed.fixed) == bool(fixed)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("learning_rate", "lr learning_rate learningRate base_lr eta step_size learning_rate_init"),
        ("regularization", "alpha weight_decay wd l2 reg_lambda dropout dropout_rate"),
        ("capacity", "units hidden_size num_layers max_depth n_estimators numLeaves embedding_dim"),
        ("batch_size", "batch_size train_batch_size batch bs"),
        ("epochs", "epochs n_epochs maxEpochs"),
        (None, "lr_decay lr_step l1_ratio momentum C gamma temperature"),
    ],
)
def test_roles(role, names):
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


def test_at_most_six_are_searched_the_important_ones_first():
    names = ["a", "b", "c", "d", "e", "f", "g", "batch_size", "units", "lr"]
    spec, text = drafted(*(Parameter(name, "int", 16) for name in names))
    assert list(spec.space) == ["a", "b", "c", "batch_size", "units", "lr"]
    assert list(spec.run.parameters) == ["d", "e", "f", "g"]
    assert "6 parameters are searched already" in text


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@pytest.mark.slow
@given(
    names=st.lists(TEXTS | st.sampled_from(["lr", "no", "a b", "trial", "{lr}", "log10_lr"]), unique=True, max_size=4),
    defaults=st.lists(
        TEXTS | st.floats() | st.integers() | st.booleans() | st.dates() | st.just("\x00"), min_size=4, max_size=4
    ),
    kinds=st.lists(st.sampled_from(["string", "float", "int", "path", "uri"]), min_size=4, max_size=4),
    told=TEXTS.filter(str.strip),
)
def test_hostile_text_gives_a_valid_file(names, defaults, kinds, told):
    hostile = [Parameter(*each) for each in zip(names, kinds, defaults, strict=False) if each[0] != "ok"]
    place = f"p{told}".replace("\x00", "")
    spec, _ = drafted(Parameter("ok", "float", 0.5), *hostile, project=place)
    assert "ok" in spec.space
    assert spec.run.project == place
    given_ = {each.name: each.default for each in hostile}
    for name, value in spec.run.parameters.items():
        assert str(value) == str(given_[name]) or float(value) == float(given_[name])


# --- metrics ---------------------------------------------------------------------------------------------------------

CODE = [
    ('mlflow.log_metric("rmse", 1)', ["rmse"]),
    ("from mlflow import log_metric\nlog_metric(key='rmse', value=1)", ["rmse"]),
    ('mlflow.log_metrics({"acc": 1, "train_loss": 2, "val_acc": 3})', ["val_acc", "acc", "train_loss"]),
    ('found = {"acc": 1}\nfound["test_acc"] = 2\nmlflow.log_metrics(found)', ["test_acc", "acc"]),
    ("found: dict = dict(val_auc=1, val_loss=2)\nmlflow.log_metrics(metrics=found)", ["val_loss", "val_auc"]),
    ('yield_({"val_loss": 1, "colour": 2})\nmlflow.log_metrics(given)', ["val_loss"]),
    ('other = {"val_loss": 1}', []),
    ('mlflow.log_metric("trial", 1)\nmlflow.log_metric(f"{a}_loss", 1)\nmlflow.log_metric()', []),
    ("def broken(:", []),
    ('mlflow.log_metric("test_loss", 1)\nmlflow.log_metric("valid_loss", 1)', ["valid_loss", "test_loss"]),
    ('raise SystemExit("it was run")\nmlflow.log_metric("loss", 1)', ["loss"]),
]


@pytest.mark.parametrize(("code", "found"), CODE)
def test_metrics_are_read_from_the_code(tmp_path, code, found):
    (tmp_path / "train.py").write_text(code)
    assert logged_metrics(tmp_path, "python train.py") == found


def test_the_files_that_the_command_runs_come_first(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / "package" / "fit.py").write_text('log_metric("error", 1)')
    (tmp_path / "judge.py").write_text('log_metric("val_loss", 1)')
    (tmp_path / ".venv" / "other.py").write_text('log_metric("val_hidden", 1)')
    (tmp_path / "binary.py").write_bytes(b"\x00\xff")
    assert logged_metrics(tmp_path, "python -m package.fit {x}") == ["error"]
    assert logged_metrics(tmp_path, "python ./package/fit.py") == ["error"]
    assert logged_metrics(tmp_path, "bash run.sh") == ["val_loss", "error"]


def test_the_goal_is_read_from_the_name():
    for goal, names in (
        ("minimize", "loss val_loss valRMSE mean-absolute-error f1_loss perplexity"),
        ("maximize", "accuracy val_acc roc_auc F1 r2 test_recall"),
        (None, "outcome value speed"),
    ):
        assert {name: goal_of(name) for name in names.split()} == dict.fromkeys(names.split(), goal)


def test_nothing_to_search_is_an_error():
    with pytest.raises(InputError, match="no parameter to search"):
        drafted(Parameter("seed", "int", 3))


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_what_of_a_sweep_does_not_carry_over_is_told():
    Path("sweep.yaml").write_text(
        "program: t.py\nmethod: bayes\nmetric: {name: acc, goal: maximize}\n"
        "parameters: {lr: {min: 0.1, max: 0.5}}\nearly_terminate: {type: hyperband}\n"
    )
    told = init("sweep.yaml").stdout.splitlines()
    assert told == [
        "study.yaml is written: maximize acc over lr.",
        "Not carried over: early_terminate: every trial runs to its end.",
        "Read it, then start the study:",
        "mlflow-tune run study.yaml",
    ]
    assert json.loads(init("sweep.yaml", "-o", "b.yaml", "--json").stdout)["notes"] == [told[1].removesuffix(".")]
    assert read_study_file(Path("study.yaml")).strategy.name == "bayesian"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nspace: {}\n", "'a.yaml' is not a W&B sweep, which has a method and parameters; it is a study file"),
        ("[1]", "'a.yaml' is not a W&B sweep"),
        ("a: [1", "line 1: "),
        (
            "method: random\nprogram: t.py\nmetric: {name: loss}\nparameters: {trial: {min: 0, max: 1}}",
            "the sweep does not make a valid study: ",
        ),
    ],
)
def test_files_that_are_no_sweep(text, said):
    Path("a.yaml").write_text(text)
    assert refusal("a.yaml").startswith(said)
    assert refusal("b.yaml") == "'b.yaml' cannot be read: No such file or directory"
