"""The JSON Schema of the study file, held against the parsers: what is sound passes, a wrong shape does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from mlflow_tune.cli import main
from mlflow_tune.diagnosis.stopping import RULES
from mlflow_tune.errors import InputError
from mlflow_tune.spec.schema import study_schema
from mlflow_tune.spec.study_file import StudySpec, parse_study
from mlflow_tune.strategies import STRATEGIES
from mlflow_tune.text.yaml import load_yaml
from tests.fixtures import MALFORMED_STUDIES, ROOT, SOUND_STUDIES

SCHEMA = study_schema()
TRAIN = """\
import argparse, mlflow
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
mlflow.log_metric("loss", parser.parse_args().lr)
"""
CHECK = jsonschema.Draft7Validator(SCHEMA)


def faults(study: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in CHECK.iter_errors(study)]


def study_files() -> list[Path]:
    """Return every study file of the repository that is not malformed on purpose."""
    found = [path for folder in ("examples", "projects", "tests") for path in sorted((ROOT / folder).rglob("*.yaml"))]
    return [path for path in found if not {MALFORMED_STUDIES.name, "mlruns"} & {*path.parts} and _is_study(path)]


def _is_study(path: Path) -> bool:
    form = load_yaml(path.read_text())
    return isinstance(form, dict) and {"run", "space"} <= form.keys()


@pytest.mark.parametrize("path", study_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sound_study_file_is_valid(path):
    assert faults(load_yaml(path.read_text())) == []


def test_no_sound_file_is_left_out():
    assert set(SOUND_STUDIES.glob("*.yaml")) < set(study_files())
    assert {path.parts[len(ROOT.parts)] for path in study_files()} == {"examples", "tests"}, (
        "of projects/ no file describes a study"
    )


# Malformed files whose fault is not of structure, so that the schema takes them: what the commands alone look at.
LEFT = {
    "one value beside another": """
        categories_default_unknown categories_equal_as_text categories_false_twice command_parameter_unused
        command_placeholder_unknown float_default_outside float_log_zero float_low_above_high grid_missing grid_outside
        grid_twice grid_with_dots int_default_off_step int_step_uneven int_step_with_log run_parameters_searched
        stop_missing confirm_budget
    """,
    "the code, the folder, the program": """
        command_not_executable command_program_missing function_import_exits function_import_raises function_missing
        function_module_missing function_not_callable function_signature function_syntax_error
        project_entry_point_unknown project_fixed_type project_fixed_undeclared project_is_file project_missing
        project_required_missing project_searched_type project_searched_undeclared project_unreadable
        run_version_of_folder
    """,
    "how large a number is, which may stand as text as well": """
        grid_one_point int_step_zero run_memory_huge run_memory_tiny run_timeout_zero stop_trials_rule_option
        strategy_seed_negative
    """,
    "what YAML has and JSON has not": """
        categories_nan float_high_infinite float_low_nan run_parameters_infinite space_name_boolean stop_target_nan
    """,
    "what a text says": """
        categories_too_much_text category_password command_password executor_password metric_path project_password
        run_parameters_password space_name_path space_too_much_text
    """,
}


@pytest.mark.slow
def test_malformed_files_are_refused_but_for_these():
    passed = set()
    for path in sorted(MALFORMED_STUDIES.glob("*.yaml")):
        try:
            study = load_yaml(path.read_text())
        except InputError:
            continue  # an editor says by itself that this is no YAML
        if not faults(study):
            passed.add(path.stem)
    assert passed == set(" ".join(LEFT.values()).split())


GOOD = {
    "name": "s",
    "run": {"function": "train:objective"},
    "metric": "loss",
    "space": {"x": {"type": "float", "low": 0, "high": 1}},
    "strategy": "random",
    "stop": {"trials": 1},
}


@pytest.mark.parametrize(
    "change",
    [
        *({"stop": {"trials": count}} for count in (3, 3.0, "3", "1e3", " 16 ", "1_000")),
        *({"stop": {"time": time}} for time in ("90s", "1h30m", "1.5h", "1 h 30 m")),
        *({"run": {"function": "a.b:c.d", "memory": size}} for size in ("512MiB", "2 GiB", "1.5gb", "2097152B")),
        {"run": {"command": ["python", "train.py", "--n", 3, ["--amp", "{x}"]], "timeout": "10m", "retries": "2"}},
        {"run": {"project": "https://example.org/p.git#sub", "version": "v1", "function": None}},
        {"run": {"function": "train:objective", "parameters": {"a": 1, "b": True, "c": "x", "d": 0.5}}},
        {"metric": "précision/validation"},
        {"name": "ünï ☃ 研究", "experiment": None},
        *({"gpus": gpus} for gpus in ("auto", "none", 2, "2", [0, 1], ["GPU-8932f937"], "0,1", None)),
        {"gpus": 1, "gpus_per_trial": 0.5},
        {"gpus": 2, "gpus_per_trial": "2"},
        *({"stop_trials": rule} for rule in ("auto", "median", "asha(eta=2, first=3)", None, {"rule": None})),
        *(
            {"stop_trials": {"rule": rule, "after": "3"}}
            for rule in ("auto", {"name": "auto"}, {"name": "asha", "eta": "3"})
        ),
        *({"strategy": name} for name in ("random", {"name": "random", "seed": "7", "sampling": "sobol"})),
        {"strategy": {"name": "bayesian", "initial": "4", "acquisition": "LCB", "kappa": "1.96"}},
        {"strategy": {"name": "bisection", "find": "boundary", "constraint": "recall >= 0.95", "margin": "1e-3"}},
        {"strategy": {"name": "manual", "points": []}},
        {"strategy": {"name": "manual", "points": [{"x": "0.5"}]}},
        {"space": {"x": {"type": "float", "low": "1e-4", "high": "1", "log": True, "grid": "5", "default": None}}},
        {"space": {"x": {"type": "int", "low": "1", "high": 9.0, "step": "2", "grid": [1, "3"], "role": "epochs"}}},
        {"space": {"x": {"type": "categorical", "values": [None, True, 1, "a", [64, 32], []], "default": "a"}}},
        {"space": {"a/b c.d-e:f": {"type": "ordinal", "values": [1, 2, 3], "grid": None}}},
        {"executor": {"dask": "local"}, "batch": True, "reference": "m:f", "value": "best"},
    ],
    ids=str,
)
def test_whatever_the_parsers_take_is_valid(change):
    study = {**GOOD, **change}
    parse_study(study)
    assert faults(study) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"colour": "red"}, "$"),
        ({"goal": "minimise"}, "$.goal"),
        ({"run": {"function": "m:f", "project": "p"}}, "$.run"),
        ({"run": {"function": "m:f", "objective": "m:f"}}, "$.run"),
        ({"stop": {"trails": 3}}, "$.stop"),
        ({"strategy": "randon"}, "$.strategy"),
        ({"space": {"x": {"type": "float", "low": 0}}}, "$.space.x"),
        ({"space": {"x": {"type": "float", "low": 0, "high": 1, "role": "lr"}}}, "$.space.x"),
    ],
    ids=str,
)
def test_a_fault_is_shown_where_it_stands(change, place):
    found = faults({**GOOD, **change})
    assert found
    assert all(each.startswith(f"{place}: ") for each in found)
    with pytest.raises(InputError):
        parse_study({**GOOD, **change})


def test_it_is_a_schema_that_explains_every_key():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert "$ref" not in str(SCHEMA)
    assert set(SCHEMA["properties"]) == set(StudySpec.model_fields)
    assert not undescribed(SCHEMA, "")
    assert {*STRATEGIES, *RULES} <= {*re.findall(r"'const': '(\w+)'", str(SCHEMA))}


def undescribed(form: Any, path: str) -> list[str]:
    """Return the keys without a word on them, but for those whose value is one word that says all."""
    if isinstance(form, list):
        return [key for each in form for key in undescribed(each, path)]
    if not isinstance(form, dict):
        return []
    inner = {name: each for name, each in form.items() if (path, name) != (".properties.run", "oneOf")}  # only forbids
    found = [key for name, each in inner.items() for key in undescribed(each, f"{path}.{name}")]
    properties = form.get("properties", {})
    return found + [f"{path}.{name}" for name, each in properties.items() if not {"description", "const"} & set(each)]


@pytest.mark.slow
def test_the_command_prints_it_and_init_puts_it_beside_its_file():
    printed = CliRunner().invoke(main, ["schema"]).stdout
    assert json.loads(printed) == SCHEMA
    Path("train.py").write_text(TRAIN)
    first, second = (CliRunner().invoke(main, ["init", "train.py", "-o", f"{name}.yaml"]) for name in "ab")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    line = Path("a.yaml").read_text().splitlines()[0]
    beside = line.removeprefix("# yaml-language-server: $schema=")
    assert Path(beside).read_text() == printed
    assert faults(load_yaml(Path("b.yaml").read_text())) == []
    to_output = CliRunner().invoke(main, ["init", "train.py", "-o", "-"])
    assert "$schema" not in to_output.stdout, "nothing lies beside it"
