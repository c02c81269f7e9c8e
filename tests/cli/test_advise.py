"""`mlflow-tune advise` on a study file, and the one sentence that `run` says at its start."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mlflow_tune.cli import main
from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import study_file

DIGITS = str(ROOT / "examples" / "digits.yaml")


def tune(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def test_a_sentence_a_topic_and_what_the_figures_are():
    done = tune("advise", DIGITS, "--minutes-per-trial", "3")
    assert done.exit_code == 0, done.output
    *said, last = done.stdout.splitlines()
    assert all(line.startswith("- ") and line.endswith(".") for line in said)
    assert said[1] == "- 20 trials, 2 at once, take about 30 min (as --minutes-per-trial says)."
    assert last.startswith("The figures are shares of the way ")


def test_budget_and_workers_may_be_others():
    done = tune("advise", DIGITS, "--trials", "100", "--workers", "5", "--minutes-per-trial", "3")
    assert (
        "- 50 trials, 5 at once, take about 30 min (as --minutes-per-trial says); stop.time ends it then."
        in done.stdout
    )


def test_json_has_the_rows_behind_each_sentence():
    found = json.loads(tune("advise", DIGITS, "--json").stdout)
    assert found["study"] == "digits-random"
    assert {"topic", "says", "evidence"} == set(found["advice"][0])
    (figures,) = [each["evidence"] for each in found["advice"] if each["topic"] == "strategies"]
    assert {each["strategy"] for each in figures} == {"by hand", "grid", "random", "bayesian"}


def test_nothing_is_made_where_there_is_no_store(tmp_path):
    done = tune("advise", DIGITS)
    assert "What a trial costs is not known" in done.stdout
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_an_earlier_study_tells_the_cost_and_run_says_one_sentence_once(sqlite_store, tmp_path):
    file = study_file(tmp_path / "code", strategy="random", stop={"trials": 2})
    name = json.loads(tune("advise", file, "--json").stdout)["study"]
    begun = tune("run", file, "--tracking-uri", sqlite_store)
    assert begun.exit_code == 0, begun.output
    (line,) = [line for line in begun.output.splitlines() if line.startswith("advice: ")]
    assert line.endswith("`mlflow-tune advise` says more.")
    assert "advice: " not in tune("resume", name, "--trials", "+1", "--tracking-uri", sqlite_store).output
    said = tune("advise", file, "--tracking-uri", sqlite_store).stdout
    assert f"(the median of 3 trials of the study {name!r})" in said
    other = tune("advise", file.with_name("other.yaml"), "--tracking-uri", sqlite_store)
    assert other.exit_code == 2
    text = file.read_text()
    file.with_name("other.yaml").write_text(text.replace(name, "another"))
    same_code = tune("advise", file.with_name("other.yaml"), "--tracking-uri", sqlite_store).stdout
    assert f"(the median of 3 trials of the study {name!r})" in same_code
    file.with_name("other.yaml").write_text(text.replace(name, "another").replace("total", "other"))
    assert "is not known" in tune("advise", file.with_name("other.yaml"), "--tracking-uri", sqlite_store).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["advise", "absent.yaml"], 2, "absent.yaml: the study file cannot be read: No such file"),
        (["advise", DIGITS, "--minutes-per-trial", "0"], 2, "--minutes-per-trial"),
        (["advise", str(ROOT / "tests/fixtures/malformed_studies/grid_empty.yaml")], 2, "grid"),
    ],
)
def test_what_cannot_be_read_is_told_as_by_run(words, code, said):
    done = tune(*words)
    assert done.exit_code == code
    assert said in done.output
