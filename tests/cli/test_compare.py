"""`mlflow-tune compare` on real stores: what it prints, what it logs, and what it refuses."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from mlflow import MlflowClient

from mlflow_tune import Float, Study
from mlflow_tune.cli import main
from tests.fixtures.small_studies.helpers import failing
from tests.report.test_report_page import Parsed
from tests.support.server import copy_store
from tests.support.terminal import plain

EVIL = "[red]<script>alert(1)</script></td> | `x` $(touch pwned) {{ 7*7 }} **b**"


def bowl(x):
    return {"loss": (x - 0.3) ** 2, "recall": x}


def broken(x):
    raise ValueError("no data")


def study(uri, name, strategy="random", seed=0, trials=3, objective=bowl, **changes):
    """Run a small study, and return it."""
    options = {"name": strategy, **({} if seed is None else {"seed": seed})} if isinstance(strategy, str) else strategy
    given = {"metric": "loss", "space": {"x": Float(0, 1, grid=4)}, "strategy": options, "stop": {"trials": trials}}
    made = Study(name=name, objective=objective, tracking_uri=uri, **{**given, **changes})
    return failing(made.run) if objective is broken else made.run()


def invoke(*words, uri):
    return CliRunner().invoke(main, ["compare", *map(str, words), "--tracking-uri", uri])


def parsed(result):
    assert result.exception is None or result.exit_code, result.exception
    return json.loads(result.stdout)


def comparisons(uri, experiments=("0",)):
    return list(MlflowClient(uri).search_runs([*experiments], "tags.`tune.kind` = 'comparison'"))


@pytest.fixture(scope="module")
def studies(store_template, tmp_path_factory):
    """The URI of a store with studies: two groups of two, and what may be compared with them or not."""
    uri = copy_store(store_template, tmp_path_factory.mktemp("compared"))
    for seed in (1, 2):
        study(uri, f"r{seed}", seed=seed)
        study(uri, f"s{seed}", strategy={"name": "random", "seed": seed, "sampling": "sobol"})
    study(uri, "grid", "grid", None)
    study(uri, "broken", objective=broken, seed=7, stop={"trials": 2})
    study(uri, EVIL, seed=5, trials=2)
    study(uri, "recall", metric="recall", trials=1)
    study(uri, "up", goal="maximize", trials=1)
    study(uri, "wide", seed=3, trials=1, space={"x": Float(0, 2)})
    study(uri, "elsewhere", seed=8, trials=1, experiment="elsewhere")
    return uri


@pytest.mark.slow
def test_a_comparison_is_printed_written_and_logged(studies, tmp_path):
    page = tmp_path / "compared.html"
    result = invoke("r1", "s1", "r2", "s2", "grid", "--html", page, uri=studies)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert not re.search(r"\x1b", result.stdout)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["random", "(sampling=uniform)", "random", "2", "3"] in [line[:5] for line in lines]
    assert ["grid", "grid", "1", "3"] in [line[:4] for line in lines]
    assert "r1" in [line[0] for line in lines if line]
    assert " reached loss <= " in result.stdout
    assert result.stdout.splitlines()[-1] == f"mlflow ui --backend-store-uri {studies}"
    assert "random (sampling=sobol)" in Parsed(page.read_text()).text


@pytest.mark.slow
def test_where_a_row_finds_no_room_on_a_terminal_it_is_told_in_lines(studies, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    lines = plain(invoke("r1", "s1", "r2", "--no-log", uri=studies).stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.strip() in ("r1", "r2", "s1")] == ["  r1", "  r2", "s1"]
    assert "  strategy random, studies 1, trials 3, best " in lines[lines.index("s1") + 1]
    monkeypatch.setenv("COLUMNS", "200")
    wide = plain(invoke("r1", "s1", "r2", "--no-log", uri=studies).stdout)
    assert "trials to target" in wide.splitlines()[1], "there is room for the table"


@pytest.mark.slow
def test_the_run_of_a_comparison(store, tmp_path):
    """On both kinds of store: the run, its tags, its note, its artifacts, the shared view, and what the view finds."""
    name, client = f"e-{uuid4().hex[:8]}", MlflowClient(store)
    made = [study(store, f"{name}-{seed}", seed=seed, experiment=name) for seed in (1, 2)]
    written = tmp_path / "written.html"
    result = parsed(invoke(*(each.run_id for each in made), "--html", written, "--json", uri=store))
    run = client.get_run(result["run_id"])
    assert (run.info.status, run.info.run_name) == ("FINISHED", f"compare: {name}-1, {name}-2")
    assert run.info.experiment_id == made[0].record.experiment_id == result["experiment_id"]
    tags = run.data.tags
    assert (tags["tune.kind"], json.loads(tags["tune.compared"])) == ("comparison", [each.run_id for each in made])
    assert tags["mlflow.source.name"] == "mlflow-tune compare"
    assert "tune.study" not in tags
    note = MarkdownIt().enable("table").render(tags["mlflow.note.content"])
    assert "All studies differ in seed alone" in note
    links = re.findall(r'href="(.*?)"', note)
    assert [link.startswith(f"#/experiments/{result['experiment_id']}/runs") for link in links] == [True] * 3
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"comparison.html", "comparison.csv", "figures"}
    figures = {file.path for file in client.list_artifacts(run.info.run_id, "figures")}
    names = ("best_by_trials", "best_by_hours", "trials_to_target")
    assert figures == {f"figures/{each}.{form}" for each in names for form in ("png", "svg")}
    page = client.download_artifacts(run.info.run_id, "comparison.html", str(tmp_path))
    assert result["sentences"][0] in Parsed(Path(page).read_text(encoding="utf-8")).text
    view = shared_view(client, result)
    found = client.search_runs([result["experiment_id"]], view["searchFilter"])
    assert {each.info.run_id for each in found} == {each.run_id for each in made}
    assert [(chart["type"], chart["metricKey"]) for chart in view["compareRunCharts"]] == [
        ("LINE", "best_loss"), ("BAR", "best_loss"),
    ]  # fmt: skip
    assert bool(result["links"]) == store.startswith("http")
    assert [link["href"] for link in Parsed(written.read_text()).all("a")] == [*result["links"].values()]


def shared_view(client, result):
    tags = client.get_experiment(result["experiment_id"]).tags
    packed = tags[f"mlflow.sharedViewState.{result['run_id']}"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


@pytest.mark.slow
def test_a_comparison_is_neither_a_study_nor_a_trial(studies):
    assert parsed(invoke("r1", "r2", "--json", uri=studies))["run_id"]
    listed = json.loads(CliRunner().invoke(main, ["list", "--json", "--tracking-uri", studies]).stdout)
    assert not [each for each in listed["studies"] if "compare" in each["name"]]
    assert (
        CliRunner().invoke(main, ["show", comparisons(studies)[0].info.run_id, "--tracking-uri", studies]).exit_code
        == 2
    )


@pytest.mark.slow
def test_the_json_holds_all_that_is_shown(studies, tmp_path):
    page = tmp_path / "c.html"
    shown = parsed(invoke("r1", "r2", "grid", "--target", 0.5, "--html", page, "--no-log", "--json", uri=studies))
    assert list(shown) == [
        "schema", "metric", "goal", "target", "target_given", "target_reason", "sentences", "findings", "groups",
        "studies", "html", "run_id", "experiment_id", "links",
    ]  # fmt: skip
    assert (shown["metric"], shown["goal"], shown["target"], shown["target_given"]) == ("loss", "minimize", 0.5, True)
    assert (shown["html"], shown["run_id"], shown["links"]) == (str(page), None, {})
    assert [group["label"] for group in shown["groups"]] == ["random", "grid"]
    assert [(each["study"], each["seed"], each["trials"]) for each in shown["studies"]] == [
        ("r1", 1, 3), ("r2", 2, 3), ("grid", None, 3),
    ]  # fmt: skip
    best = json.loads(CliRunner().invoke(main, ["best", "r1", "--json", "--tracking-uri", studies]).stdout)
    assert shown["studies"][0]["best"] == best["best"]["value"]
    assert 0 < shown["studies"][0]["hours"] < 0.1


def test_no_log_leaves_nothing_behind(studies, tmp_path, monkeypatch):
    before = len(comparisons(studies))
    tags = MlflowClient(studies).get_experiment("0").tags
    result = invoke("r1", "r2", "--no-log", uri=studies)
    assert result.exit_code == 0
    assert "Logged" not in result.stdout
    assert len(comparisons(studies)) == before
    assert MlflowClient(studies).get_experiment("0").tags == tags
    assert not list(tmp_path.iterdir())


WRONG = [
    (["r1"], "a comparison needs at least two studies, but got 1: 'r1'"),
    ([], "Missing argument 'STUDY STUDY...'"),
    (["r1", "nobody"], "no study is named 'nobody'"),
    (["r1", "f" * 32], "no run"),
    (["r1", "r2", "r1"], "the study 'r1' (run "),
    (["r1", "recall"], "'r1' is to minimize 'loss'"),
    (["r1", "up"], "'up' is to maximize 'loss'"),
    (["r1", "r2", "--target", "nan"], "--target: must be a finite number"),
    (["r1", "r2", "--target", "low"], "--target"),
    (["r1", "r2", "--html", "/dev/null/c.html"], "--html: /dev/null/c.html cannot be written: Not a directory"),
    (["r1", "r2", "--experiment", "elsewhere"], "no study is named 'r1' in the experiment 'elsewhere'"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_is_wrong_is_told_and_nothing_is_logged(studies, words, message):
    before = len(comparisons(studies))
    result = invoke(*words, uri=studies)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(comparisons(studies)) == before
    assert parsed(invoke(*words, "--json", uri=studies))["exit_code"] == 2


def test_a_study_is_named_once_also_by_its_run_id(studies):
    run_id = Study.load("r1", tracking_uri=studies).run_id
    assert f"the study 'r1' (run {run_id}) is named twice" in invoke("r1", run_id, uri=studies).stderr


def test_what_else_differs_is_said(studies):
    told = " ".join(parsed(invoke("r1", "wide", "broken", "grid", "--no-log", "--json", uri=studies))["findings"])
    assert "The search spaces differ (r1, broken, grid against wide)" in told
    assert "The code that is run differs" in told
    assert re.search(r"broken has no value of loss \(2 trials, of which 2 failed\)", told)


@pytest.mark.slow
def test_a_study_that_still_runs_is_told(sqlite_store):
    study(sqlite_store, "done")
    seen = []

    def watched(x):
        if not seen:
            seen.append(parsed(invoke("done", "going", "--no-log", "--json", uri=sqlite_store)))
        return x

    study(sqlite_store, "going", objective=watched, strategy="random", seed=4)
    (shown,) = seen
    assert "going is still running" in " ".join(shown["findings"])
    assert [each["trials"] for each in shown["studies"]] == [3, 0]
    assert shown["groups"][1]["best"]["mean"] is None


@pytest.mark.slow
def test_only_trials_that_meet_a_constraint_count(sqlite_store):
    strategy = {
        "name": "bisection",
        "find": "boundary",
        "constraint": "recall >= 0.5",
        "keep": "smallest",
        "tolerance": 0.1,
    }
    found = study(sqlite_store, "bounded", strategy=strategy, stop={}, space={"x": Float(0, 1)})
    study(sqlite_store, "free", seed=1)
    shown = parsed(invoke("bounded", "free", "--no-log", "--json", uri=sqlite_store))
    assert shown["studies"][0]["best"] == found.best.value
    assert found.best.value > min(trial.value for trial in found.trials)
    assert "Of bounded only trials that meet recall >= 0.5 count." in shown["findings"]


@pytest.mark.slow
def test_of_studies_without_a_value_nothing_was_found(sqlite_store):
    """They are shown and logged all the same; where one study has a value, something was."""
    for name, objective in (("none", broken), ("neither", broken), ("some", bowl)):
        study(sqlite_store, name, objective=objective, trials=1)
    for form in ([], ["--json"]):
        result = invoke("none", "neither", *form, uri=sqlite_store)
        assert result.exit_code == 1
        assert "none" in result.stdout
    assert len(comparisons(sqlite_store)) == 2
    assert invoke("none", "some", "--no-log", uri=sqlite_store).exit_code == 0


@pytest.mark.slow
def test_hostile_names_do_nothing(studies, tmp_path):
    page = tmp_path / "c.html"
    result = invoke(EVIL, "r1", "grid", "--html", page, uri=studies)
    assert result.exit_code == 0, result.output
    assert EVIL[:40] in result.stdout
    assert "[red]" in result.stdout
    html = page.read_text()
    assert "<script" not in html
    assert "7*7" in Parsed(html).text
    run = comparisons(studies)[0]
    assert run.info.run_name.startswith("compare: [red]<script>")
    note = MarkdownIt("commonmark", {"html": True}).enable("table").render(run.data.tags["mlflow.note.content"])
    assert {*re.findall(r"</?(\w+)", note)} <= {"p", "br", "a", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert [path.name for path in tmp_path.iterdir()] == ["c.html"]


@pytest.mark.slow
def test_studies_of_several_experiments(studies, tmp_path):
    page = tmp_path / "c.html"
    shown = parsed(invoke("r1", "elsewhere", "--html", page, "--json", uri=studies))
    note = MlflowClient(studies).get_run(shown["run_id"]).data.tags["mlflow.note.content"]
    link = re.findall(r"\((#/compare-experiments.*?)\)", note)[0]
    query = parse_qs(urlsplit(link[1:]).query)
    experiments = [each["experiment_id"] for each in shown["studies"]]
    assert json.loads(query["experiments"][0]) == experiments
    found = MlflowClient(studies).search_runs(experiments, query["searchFilter"][0])
    assert {run.info.run_id for run in found} == {each["run_id"] for each in shown["studies"]}
    assert f"mlflow.sharedViewState.{shown['run_id']}" not in MlflowClient(studies).get_experiment("0").tags


@pytest.mark.slow
def test_artifacts_that_cannot_be_kept_are_told(sqlite_store, tmp_path):
    names = [study(sqlite_store, f"a{seed}", seed=seed).record.name for seed in (1, 2)]
    shutil.rmtree(tmp_path / "mlruns", ignore_errors=True)
    (tmp_path / "mlruns").write_text("in the way")
    result = invoke(*names, uri=sqlite_store)
    assert result.exit_code == 0
    assert "the files of the comparison could not be written" in result.stderr
    (run,) = comparisons(sqlite_store)
    assert run.info.status == "FINISHED"
