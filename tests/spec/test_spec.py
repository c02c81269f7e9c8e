"""The study file: what is refused and how, what is accepted, and what comes of it.

`fixtures/malformed_studies/` holds study files with one fault each. Their first three lines say where the fault is,
what the error must say, and how the file is mended. Those of `fixtures/sound_studies/` have none.
"""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient

from mlflow_tune.cli import main
from mlflow_tune.diagnosis.stopping import Asha, Terms
from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float
from mlflow_tune.spec.fields import as_duration, duration_text
from mlflow_tune.spec.study_file import parse_study, read_study_file
from mlflow_tune.text.sizes import as_size, size_text, size_words
from mlflow_tune.text.yaml import dump_yaml, load_yaml
from tests.fixtures import MALFORMED_STUDIES, SOUND_STUDIES

MALFORMED = MALFORMED_STUDIES
FILES = sorted(MALFORMED.glob("*.yaml"))
SOUND = sorted(SOUND_STUDIES.glob("*.yaml"))
GOOD = """\
name: tiny
run:
  function: train:objective
metric: loss
space:
  lr: {type: float, low: 1e-4, high: 1e-1, log: true}
strategy: {name: random, seed: 0}
stop: {trials: 1}
"""


@cache
def fault_of(path):
    """Return where the fault of a malformed file is, what must be said of it, and the mended text."""
    where, says, mend, body = path.read_text().split("\n", 3)
    old, new = mend.removeprefix("# mend: ").replace("⏎", "\n").split(" => ")
    assert body.count(old) == 1
    return where.removeprefix("# fault: "), says.removeprefix("# says: "), body.replace(old, new)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder where the malformed files and the code that they name lie."""
    made = tmp_path_factory.mktemp("malformed") / "studies"
    shutil.copytree(MALFORMED / "code", made)
    (made / "unfinished.py").write_text("def objective(lr:\n")
    for file in FILES:
        shutil.copy(file, made)
    return made


@pytest.fixture
def place(folder, monkeypatch):
    """Work in that folder."""
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def write(tmp_path):
    """Write a study file and return its path."""

    def written(text):
        path = tmp_path / "study.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def run(path, store, *options):
    return CliRunner().invoke(main, ["run", str(path), "--tracking-uri", f"sqlite:///{store}", *options])


def refusal(text, write):
    with pytest.raises(InputError) as caught:
        read_study_file(write(text))
    return str(caught.value)


# --- malformed files -----------------------------------------------------------------------------------------------


def test_the_corpus_is_not_lost():
    assert len(FILES) >= 150


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_malformed_file_gets_one_clear_line_and_makes_nothing(file, place, tmp_path):
    where, says, _ = fault_of(file)
    result = run(file.name, tmp_path / "mlflow.db")
    line, *more = result.stderr.splitlines()
    assert (result.exit_code, more, result.stdout) == (2, [], "")
    words = line.removeprefix("Error: ").removeprefix(f"{file.name}: ")
    assert words.startswith((f"{where}: ", f"{where} "))
    assert says in words
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="session")
def finished(folder, store_template, tmp_path_factory):
    """Run a study for real, once for each text, and return the outcomes of its trials."""
    store = tmp_path_factory.mktemp("finished") / "mlflow.db"
    shutil.copy(store_template, store)

    @cache
    def outcomes(text):
        file = folder / "mended.yaml"
        file.write_text(text)
        result = run(file, store)
        assert result.exit_code == 0, result.output
        client = MlflowClient(f"sqlite:///{store}")
        spec = read_study_file(file)
        experiment = client.get_experiment_by_name(spec.experiment or "Default")
        newest = "attributes.start_time DESC"
        parent, *_ = client.search_runs([experiment.experiment_id], "tags.`tune.kind` = 'study'", order_by=[newest])
        children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
        return [child.data.tags["tune.outcome"] for child in children]

    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_runs_once_its_one_fault_is_mended(file, place, finished):
    outcomes = finished(fault_of(file)[2])
    assert outcomes
    assert set(outcomes) == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("file", SOUND, ids=lambda file: file.stem)
def test_a_sound_file_runs(file, place, finished):
    outcomes = finished(file.read_text())
    assert outcomes
    assert set(outcomes) == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["yaml_tab", "float_low_above_high", "command_program_missing"])
def test_the_installed_command_refuses_too(stem, place):
    command = [Path(sys.executable).with_name("mlflow-tune"), "run", f"{stem}.yaml"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert not (place / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a study is a mapping of keys such as name, run, metric and space, but got nothing"),
        (b"# only a comment\n", "but got nothing"),
        (b"just words", "but got 'just words'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it is not UTF-8 text"),
        (GOOD.encode("utf-16"), "it is not UTF-8 text"),
        (b"name: a\x00b", "this is not YAML: unacceptable character"),
        pytest.param(b"[" * 20_000, "it is nested too deeply", id="nested"),
        (b"name: !!float x", "this is not YAML: could not convert string to float: 'x'"),
    ],
)  # fmt: skip
def test_what_is_no_study_at_all_is_told_in_one_line(content, says, write):
    message = refusal(content, write)
    assert message.startswith(f"{write(content)}: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(("name", "says"), [("none.yaml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_told(name, says, tmp_path):
    result = run(name, tmp_path / "mlflow.db")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {name}: the study file cannot be read: {says}\n"
    assert list(tmp_path.iterdir()) == []


def test_each_of_several_faults_has_its_line(write):
    text = (
        GOOD.replace("metric: loss", "metric: 7\ngoal: less\nworkers: 0")
        .replace("tiny", "''")
        .replace("trials: 1", "trials: x")
    )
    path = write(text)
    assert refusal(text, write).splitlines() == [
        f"{path}: name: must not be blank, but got ''",
        f"{path}: metric: must be text, but got 7; write it in quotes",
        f"{path}: goal: must be 'minimize' or 'maximize', but got 'less'",
        f"{path}: stop.trials: must be a finite number, but got 'x'",
        f"{path}: workers: must be at least 1, but got 0",
    ]


FAULTY = """\
name: tiny
run:
  command: [python, {lr}, [--amp, true], []]
  parameters: {epochs: [1], trial: 2}
metric: loss
space:
  lr: {type: float, low: x, high: .nan, log: 3, role: rate}
  units: {type: int, low: 9, hihg: 64, stpe: 2}
  width: {type: float, low: 0, high: 1, step: 0.3, grid: [0.1, 7]}
  act: {type: categorical, values: [{}, 1, "1"], default: gelu}
  size: {type: ordinal, values: [1, 3, 2]}
  objective: {type: flaot}
strategy: {name: bayesian, initial: 0, kappa: -1, sede: 1, surrogate: NN}
stop: {trials: 1}
"""


def test_the_faults_of_all_parameters_are_told_at_once(write):
    keys = [line.partition(".yaml: ")[2].partition(": ")[0] for line in refusal(FAULTY, write).splitlines()]
    assert keys == [
        "run.command.1", "run.command.2.1", "run.command.3", "run.parameters.epochs", "run.parameters.trial",
        "space.lr.low", "space.lr.high", "space.lr.log", "space.lr.role",
        "space.units.hihg", "space.units.stpe", "space.width.high", "space.act.values.0", "space.size.values",
        "space.objective", "space.objective.type",
        "strategy.sede", "strategy.surrogate", "strategy.initial", "strategy.kappa",
    ]  # fmt: skip


def test_what_does_not_fit_together_is_told_at_once(write):
    text = """\
name: tiny
run: {function: "train:objective", parameters: {lr: 1, units: 2, epochs: 3}}
metric: loss
space:
  lr: {type: float, low: 0, high: 1}
  units: {type: int, low: 1, high: 9}
  host: {type: categorical, values: ["http://me:secret@here", [a, "ftp://me:secret@there"]]}
strategy: {name: grid}
reference: train:objective
stop: {expected_improvement: 0.1}
"""
    keys = [line.partition(".yaml: ")[2].partition(": ")[0] for line in refusal(text, write).splitlines()]
    assert keys == [
        "run.parameters.lr", "run.parameters.units", "space.host.values.0", "space.host.values.1",
        "space.lr.grid", "space.units.grid", "reference",
    ]  # fmt: skip


def test_a_key_cannot_forge_lines_or_colours(write):
    message = refusal(GOOD + '"\\e[2Jx\\nError: study.yaml: all is well": 1\n', write)
    assert "\n" not in message
    assert "\x1b" not in message


def test_a_file_that_unfolds_without_end_is_refused_at_once(write):
    layers = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    message = refusal(f"a0: &a0 [x]\n{layers}{GOOD.replace('name: tiny', 'name: *a11')}", write)
    assert max(map(len, message.splitlines())) < 500


def test_a_file_that_holds_itself_is_refused(write):
    assert "space.lr: must be a mapping with a 'type'" in refusal(GOOD.replace("{type: float", "&a {x: *a"), write)


# --- what is accepted ----------------------------------------------------------------------------------------------


def test_a_whole_study_is_read(write):
    spec = read_study_file(
        write("""\
name: digits-random
experiment: digits
run:
  project: ../projects/digits
  entry_point: main
  parameters: {epochs: 12}
  env_manager: uv
  timeout: 10m
  retries: 2
metric: val_loss
goal: maximize
value: best
space:
  lr: {type: float, low: 1e-4, high: 1e-1, log: true}
  activation: {type: categorical, values: [relu, tanh]}
strategy: {name: random, seed: 3}
stop: {trials: 20, time: 1h30m, target: 0.05, patience: 10, failures: 4}
workers: 2
""")
    )
    assert (spec.name, spec.experiment, spec.metric) == ("digits-random", "digits", "val_loss")
    assert (spec.goal, spec.value, spec.workers) == ("maximize", "best", 2)
    assert spec.run.kind == "project"
    assert (spec.run.parameters, spec.run.timeout, spec.run.retries) == ({"epochs": 12}, 600.0, 2)
    assert spec.space["lr"] == Float(1e-4, 1e-1, log=True)
    assert (spec.strategy.name, spec.strategy.seed) == ("random", 3)
    stop = {"trials": 20, "time": "90m", "target": 0.05, "patience": 10, "failures": 4}
    assert spec.stop.model_dump(exclude_none=True) == stop


def test_what_is_left_out_has_its_default(write):
    spec = read_study_file(write(GOOD))
    assert (spec.goal, spec.value, spec.workers, spec.experiment) == ("minimize", "last", 1, None)
    assert (spec.run.timeout, spec.run.retries, spec.stop.failures) == (None, 0, 5)


def test_numbers_may_be_written_as_text(write):
    text = """\
name: tiny
run: {function: "train:objective", retries: "2"}
metric: loss
space: {lr: {type: float, low: "1e-4", high: "0.1"}, units: {type: int, low: "16", high: "64", step: "16"}}
strategy: {name: random, seed: "7"}
stop: {trials: "1e1", target: "0.5", patience: "3", failures: "2"}
workers: "2"
"""
    spec = read_study_file(write(text))
    assert spec.space["lr"] == Float(1e-4, 0.1)
    assert (spec.run.retries, spec.strategy.seed, spec.workers) == (2, 7, 2)
    assert (spec.stop.trials, spec.stop.target, spec.stop.patience, spec.stop.failures) == (10, 0.5, 3, 2)


def test_anchors_and_merge_keys_work(write):
    text = GOOD.replace(
        "  lr: {type: float, low: 1e-4, high: 1e-1, log: true}",
        "  lr: &rate {type: float, low: 1e-4, high: 1e-1, log: true}\n  alpha: {<<: *rate, high: 1.0}\n  beta: *rate",
    )
    space = read_study_file(write(text)).space
    assert space["alpha"] == Float(1e-4, 1.0, log=True)
    assert space["beta"] == space["lr"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4), ("1E5", 1e5), ("-1.5e+3", -1500.0), (".5", 0.5), ("1.", 1.0), ("7", 7), ("-7", -7),
        ("0x1F", 31), (".inf", float("inf")), ("true", True), ("FALSE", False), ("off", "off"),
        ("No", "No"), ("null", None), ("~", None), ("", None),
        ("010", "010"), ("12:30", "12:30"), ("2024-01-31", "2024-01-31"), ("1_000", "1_000"), ("e5", "e5"),
        ("1e", "1e"), ("v1", "v1"), ("=", "="), ('"1e-4"', "1e-4"),
    ],
)  # fmt: skip
def test_numbers_and_booleans_are_those_of_yaml_1_2(written, value):
    found = load_yaml(f"key: {written}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_categories_and_fixed_values_that_are_numbers_reach_the_code_as_numbers(write):
    text = GOOD.replace("objective\n", "objective\n  parameters: {decay: 1e-3, note: 010}\n")
    spec = read_study_file(
        write(
            text.replace("{type: float, low: 1e-4, high: 1e-1, log: true}", "{type: categorical, values: [1e-4, 1e-3]}")
        )
    )
    assert spec.space["lr"] == Categorical([1e-4, 1e-3])
    assert spec.run.parameters == {"decay": 1e-3, "note": "010"}


@pytest.mark.parametrize("strategy", ["random", "{name: random}"])
def test_options_of_the_command_line_go_over_the_file(strategy, write):
    path = write(GOOD.replace("{name: random, seed: 0}", strategy).replace("stop: {trials: 1}\n", ""))
    spec = read_study_file(path, {"name": "other", "stop.trials": 7, "workers": 3, "strategy.seed": 5})
    assert (spec.name, spec.stop.trials, spec.workers, spec.strategy.seed) == ("other", 7, 3, 5)


def test_an_option_does_not_hide_a_fault_beside_it(write):
    with pytest.raises(InputError, match="stop: must be a mapping with keys such as trials"):
        read_study_file(write(GOOD.replace("{trials: 1}", "5")), {"stop.trials": 7})


@pytest.mark.parametrize("file", [*FILES, *SOUND], ids=lambda file: file.stem)
def test_a_study_comes_back_from_its_json_and_its_yaml(file):
    spec = parse_study(load_yaml(file.read_text() if file in SOUND else fault_of(file)[2]))
    form = spec.model_dump(mode="json", exclude_none=True)
    assert parse_study(form).model_dump(mode="json", exclude_none=True) == form
    assert load_yaml(dump_yaml(form)) == form


@pytest.mark.parametrize("text", ["1e-4", "1.5e3", "7", "010", "12:30", "2024-01-31", "off", "null", "", "é", "a\nb"])
def test_text_comes_back_from_yaml_as_text(text):
    assert load_yaml(dump_yaml([text])) == [text]
    assert yaml.safe_load(dump_yaml([text])) == [text]


@given(st.floats(allow_nan=False) | st.integers())
def test_numbers_come_back_from_yaml(number):
    found = load_yaml(dump_yaml([number]))[0]
    assert (found, type(found)) == (number, type(number))


# --- durations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), ("5 m", 300), ("0.5s", 0.5)],
)
def test_durations(text, seconds):
    assert as_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "m", "5", "5d", "1e3s", "5m!", "h5", "5M", "9" * 400 + "h", "0.0001s", None, 5, True, [5]],
)
def test_what_is_no_duration(text):
    with pytest.raises(InputError, match="must be"):
        as_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10, "10s"), (90, "90s"), (600, "10m"), (5400, "90m"), (7200, "2h"), (0.5, "0.5s"), (1e-3, "0.001s")],
)
def test_a_duration_is_written_as_people_write_it(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2**31),
        ("512 MiB", 2**29),
        ("1.5gb", 1_500_000_000),
        ("1TiB", 2**40),
        ("2048KiB", 2**21),
        ("1048577B", 1048577),
    ],
)
def test_sizes(text, size):
    assert as_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "2", "2G", "GiB", "1e3MB", "2 Gi B!", "0GiB", "1KB", "9" * 400 + "GB", None, 2, True, ["2GiB"]]
)
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="must be"):
        as_size(text)


@pytest.mark.parametrize(
    ("size", "text", "words"),
    [(2**31, "2GiB", "2 GiB"), (1_500_000_000, "1500MB", "1.4 GiB"), (2**20 + 1, "1048577B", "1.01 MiB")],
)
def test_a_size_is_written_as_people_write_it(size, text, words):
    assert (size_text(size), size_words(size)) == (text, words)
    assert size_text(size, " ").replace(" ", "") == text


@given(st.integers(min_value=2**20, max_value=2**63 - 1))
def test_a_size_comes_back_from_its_text(size):
    assert as_size(size_text(size)) == size


@given(st.floats(min_value=0.001, max_value=1e9))
def test_a_duration_comes_back_from_its_text(seconds):
    assert as_duration(duration_text(seconds)) == pytest.approx(seconds, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("written", "rule", "terms"),
    [
        ("auto", None, Terms()),
        ("asha", Asha(), Terms()),
        ("'asha(eta=2, first=4)'", Asha(2, 4), Terms()),
        ("{rule: {name: asha, eta: 2}, after: 3, every: 2, protect: 1}", Asha(2), Terms(3, 2, 1)),
        ("{metric: val_loss, grace: 5s}", None, Terms()),
        ("{rule: auto}", None, Terms()),
    ],
)
def test_which_trials_are_stopped(written, rule, terms):
    spec = parse_study(yaml.safe_load(GOOD + f"stop_trials: {written}\n"))
    assert (spec.stop_trials.rule, spec.stop_trials.terms) == (rule, terms)
    assert parse_study(spec.model_dump(mode="json", exclude_none=True)) == spec
    assert parse_study(yaml.safe_load(GOOD)).stop_trials is None
