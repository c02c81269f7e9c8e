"""`mlflow-tune diff` on real stores: what it prints, its page, its JSON, what it refuses, and hostile text."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric
from PIL import Image
from rich.console import Console

import mlflow_tune.tracking.client as connection
from mlflow_tune import Categorical, Float, Study
from mlflow_tune.cli import main
from mlflow_tune.cli.diff import difference_json, print_difference
from mlflow_tune.errors import InputError, TrackingError
from mlflow_tune.report.difference.difference import (
    LARGEST,
    LONGEST_LINE,
    MOST_LINES,
    Artifact,
    Content,
    Difference,
    Direction,
    image_size,
    kind_of,
    shown_lines,
    told,
    unified,
)
from mlflow_tune.report.difference.figures import curve_figures, curves_figure
from mlflow_tune.report.difference.page import diff_html
from mlflow_tune.tracking.artifacts import Artifacts, Entry, is_artifact_path, shown_name
from mlflow_tune.trial import Trial
from tests.report.test_report_page import Parsed
from tests.support.proxy import BUSY
from tests.support.server import copy_store

EVIL = "<script>alert(1)</script></td></pre> `id` $(touch pwned) {{ 7*7 }}\n\x1b[31mred\x1b]0;title\x07 \x9b31m \u202e"
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' width='20' height='10'><script>alert(1)</script></svg>"
POINTS = [
    {"lr": 0.1, "act": "relu"},
    {"lr": 0.01, "act": "relu"},
    {"lr": 0.01, "act": EVIL},
    {"lr": 0.5, "act": "relu"},
]


def log_files(lr, act):
    """Log a file of every kind, as training code does."""
    pixels = np.full((6, 8, 3), int(lr * 1000) % 256, dtype=np.uint8)
    mlflow.log_image(pixels, "activations.png")
    mlflow.log_image(pixels, key="maps", step=3)
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, lr])
    mlflow.log_figure(figure, "figures/loss.svg")
    mlflow.log_text(f"head\nlr={lr}\n{act}\ntail\n", "notes/summary.txt")
    files = {"same.txt": b"the same", "model.bin": b"x" * int(lr * 1000), "evil.svg": SCRIPT, "broken.png": b"no image"}
    files |= {"extra.txt": b"alone"} if lr == 0.1 else {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_bytes(text)
        mlflow.log_artifacts(folder)


def train(lr, act):
    """Log curves and files; the first learning rate has a file more, and one fails."""
    if lr == 0.5:
        raise ValueError(f"no data {EVIL}")
    if act == EVIL:
        return 1.0  # MLflow's fluent API takes seconds to end a run: the files of this one are logged afterwards
    for step in range(6):
        mlflow.log_metrics({"val_loss": lr * 10 / (step + 1), "val_accuracy": 1 - lr / (step + 1)}, step=step)
    log_files(lr, act)
    return {"odd": lr, "val_loss": lr * 10 / 6}


def study(uri, name, points, objective=train, **changes):
    """Run a study of these points, and return it."""
    given = {"space": {"lr": Float(1e-3, 1), "act": Categorical(["relu", EVIL])}, "metric": "val_loss"}
    made = Study(name=name, objective=objective, tracking_uri=uri, strategy="manual", **{**given, **changes}).create()
    for point in points:
        made.enqueue(point, f"because {EVIL}" if point.get("act") == EVIL else "by hand")
    return made.resume(only_queued=True)


@pytest.fixture(scope="module")
def made(store_template, tmp_path_factory):
    """A study of four trials on a store of its own."""
    folder = tmp_path_factory.mktemp("diffed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = study(copy_store(store_template, folder), "demo", POINTS)
    log_afterwards(found, 3, EVIL)
    return found


def log_afterwards(study, number, text):
    """Log a text, images and a drawing to a trial that has ended."""
    client, run_id = MlflowClient(study.client.uri), study.trials[number - 1].run_id
    pixels = np.full((6, 8, 3), number, dtype=np.uint8)
    client.log_text(run_id, f"head\n{text}\ntail\n", "notes/summary.txt")
    client.log_text(run_id, SCRIPT.decode(), "evil.svg")
    client.log_image(run_id, pixels, "activations.png")
    client.log_image(run_id, pixels, key="maps", step=3)
    points = [Metric("val_loss", number / (step + 1), 1_700_000_000_000 + step, step) for step in range(6)]
    client.log_batch(run_id, metrics=points)


@pytest.fixture
def diff(made):
    """Run `mlflow-tune diff demo ...` in this process."""
    return lambda *words: invoke(made.client.uri, made.record.name, *words)


def invoke(uri, *words):
    return CliRunner().invoke(main, ["diff", *map(str, words), "--tracking-uri", uri])


def parsed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rows(result):
    """Return the printed lines as words."""
    return [line.split() for line in result.stdout.splitlines()]


# --- on a terminal ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_trials_are_printed_side_by_side(diff):
    result = diff(1, 2)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("demo, from #001 to #002: lr 0.1 → 0.01 (0.1 times); val_loss 0.166667 → 0.0166667")
    assert ["lr", "0.1", "0.01", "0.1", "times"] in rows(result)
    assert ["act", "relu", "relu"] in rows(result)
    assert ["val_loss", "0.166667", "0.0166667", "-0.15", "#002"] in rows(result)
    assert ["val_accuracy", "0.983333", "0.998333", "+0.015", "#002"] in rows(result)
    assert ["odd", "0.1", "0.01", "-0.09"] in rows(result), "which way is better is not known"
    assert "  why: by hand" in result.stdout.splitlines()
    assert "diagnosis: " in result.stdout
    assert "#001 val_loss" in result.stdout
    assert "#002 val_loss" in result.stdout
    assert not [line for line in result.stdout.splitlines() if "objective" in line or "log10_" in line]
    assert not list(Path().iterdir()), "nothing is written unless it is asked for"


def test_the_files_are_listed_side_by_side(diff):
    listed = {words[0]: " ".join(words[1:]) for words in rows(diff(2, 1)) if len(words) > 2}
    assert listed["extra.txt"] == "none 5 bytes"
    assert listed["same.txt"] == "8 bytes 8 bytes"
    assert listed["model.bin"] == "10 bytes 100 bytes"
    assert {"notes/summary.txt", "figures/loss.svg", "activations.png"} <= set(listed)
    assert "none" not in listed["images/maps+step+3.png"], "the time in MLflow's name does not part two images"


@pytest.mark.slow
def test_artifacts_are_compared_on_a_terminal(diff):
    names = ("activations.png", "notes/summary.txt", "same.txt", "model.bin", "extra.txt", "broken.png")
    result = diff(1, 2, *(word for name in names for word in ("--artifact", name)))
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "#001 82 bytes, 8 x 6 pixels" in [re.sub(r"\d+ bytes", "82 bytes", line) for line in lines]
    assert "--html FILE writes a page that shows the images side by side." in lines
    at = lines.index("--- #001")
    assert lines[at : at + 5] == ["--- #001", "+++ #002", "@@ -1,4 +1,4 @@", "head", "-lr=0.1"]
    assert "same.txt: the same in both trials" in lines
    assert f"#001 100 bytes, SHA-256 {hashlib.sha256(b'x' * 100).hexdigest()}" in lines
    assert "model.bin: they differ" in lines
    assert "extra.txt: trial #002 has no such artifact" in lines
    assert "broken.png: the same in both trials; not an image that can be shown" in lines
    assert "artifact" not in [words[0] for words in rows(result) if words], "no list when files are named"


def test_a_trial_that_failed_has_a_reason_and_no_value(diff):
    result = diff(1, 4)
    assert result.exit_code == 0
    assert "trial 4 has no value to compare" in result.stdout
    assert "#004 failed" in result.stdout
    assert "reason: ValueError: no data" in result.stdout
    assert ["val_loss", "0.166667"] in rows(result)
    assert ["same.txt", "8", "bytes", "none"] in rows(result)


def test_a_long_diff_is_cut_on_a_terminal_and_says_so():
    difference = of([Artifact("log.txt", (content(b"a\n" * 400), content(b"b\n" * 400)))])
    shown = printed(difference)
    assert "… 603 more lines, which --html FILE shows" in shown


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_shows_all_of_it(diff):
    names = ("activations.png", "notes/summary.txt", "evil.svg", "figures/loss.svg", "extra.txt", "model.bin")
    words = [word for name in names for word in ("--artifact", name)]
    result = diff(1, 2, *words, "--artifact", "images/maps+step+3.png", "--html", "page.html")
    assert result.stdout.splitlines()[-1] == "The page: page.html"
    page = Parsed(Path("page.html").read_text(encoding="utf-8"))
    assert "From #001 to #002: lr 0.1 → 0.01 (0.1 times); val_loss 0.166667 → 0.0166667, better by 0.15" in page.text
    assert ["lr", "0.1", "0.01", "0.1 times"] in page.rows
    assert ["val_loss", "0.166667", "0.0166667", "-0.15", "#002"] in page.rows
    assert "-lr=0.1" in page.text
    assert "+lr=0.01" in page.text
    assert "#002 no such artifact" in page.text
    assert hashlib.sha256(b"x" * 100).hexdigest() in page.text
    images = page.all("img")
    assert [image["src"].partition(",")[0] for image in images] == [
        *["data:image/svg+xml;base64"] * 2, *["data:image/png;base64"] * 2, *["data:image/svg+xml;base64"] * 4,
        *["data:image/png;base64"] * 2,
    ]  # fmt: skip
    assert all(image["alt"] for image in images)
    assert images[0]["alt"].startswith("val_loss against the step. Trial #001: 6 points, from 1 (step 0) to 0.166667")
    assert images[2]["alt"] == "activations.png of #001, 8 x 6 pixels"
    assert not page.all("script")
    assert not [attrs for _, attrs in page.elements if {"href", "onerror", "onload", "srcset"} & set(attrs)]


@pytest.mark.slow
def test_the_page_lists_the_files(diff):
    assert diff(1, 2, "--html", "page.html").exit_code == 0
    page = Parsed(Path("page.html").read_text(encoding="utf-8"))
    assert ["extra.txt", "5 bytes", "none"] in page.rows


def test_curves_that_cannot_be_drawn_are_left_out():
    empty = of(curves={"loss": (((0, float("nan")), (1, float("inf"))), ())})
    assert curves_figure(empty, "loss") is None
    assert not curve_figures(empty)
    steep = of(curves={"loss": (tuple((step, 10.0**-step) for step in range(6)), ((0, 1.0),))})
    figure = curves_figure(steep, "loss")
    assert figure is not None
    assert figure.axes[0].get_yscale() == "log"
    assert figure.get_label().endswith("Trial #007: 1 at step 0.")


# --- for programs ----------------------------------------------------------------------------------------------------


def test_json_has_all_that_is_shown(diff):
    found = parsed(diff(1, 2, "--json"))
    assert list(found) == [
        "schema", "study", "run_id", "metric", "goal", "against", "trials", "params", "metrics", "curves", "files",
        "files_complete", "artifacts", "html",
    ]  # fmt: skip
    assert [trial["number"] for trial in found["trials"]] == [1, 2]
    assert all(trial["seconds"] >= 0 and trial["findings"] for trial in found["trials"])
    assert found["params"][0] == {"name": "lr", "values": [0.1, 0.01], "changed": True, "factor": pytest.approx(0.1)}
    assert found["metrics"][0]["better"] == 2
    assert found["curves"]["val_loss"][0] == [[step, pytest.approx(1 / (step + 1))] for step in range(6)]
    assert {"name": "extra.txt", "in": [True, False], "sizes": [5, None]} in found["files"]
    assert found["files_complete"] is True
    assert (found["artifacts"], found["html"]) == ([], None)


def test_json_has_the_digests_of_artifacts_and_not_their_content(diff):
    result = diff(1, 2, "--json", "--artifact", "same.txt", "--artifact", "extra.txt", "--artifact", "activations.png")
    found = parsed(result)
    assert "the same" not in result.stdout
    same, extra, image = found["artifacts"]
    digest = hashlib.sha256(b"the same").hexdigest()
    assert same == {
        "name": "same.txt", "kind": "text", "equal": True,
        "files": [{"size": 8, "sha256": digest, "pixels": None}] * 2,
    }  # fmt: skip
    assert (extra["equal"], extra["files"][1]) == (False, None)
    assert [file["pixels"] for file in image["files"]] == [[8, 6]] * 2
    assert found["files"] is None


@pytest.mark.slow
def test_infinity_is_told_as_it_was_logged(sqlite_store):
    made = study(sqlite_store, "blown", [{"lr": 0.1}, {"lr": 0.2}], lambda lr: lr, space={"lr": Float(0, 1)})
    log = MlflowClient(sqlite_store).log_metric
    log(made.trials[0].run_id, "train_loss", float("inf"), step=1)
    log(made.trials[1].run_id, "train_loss", float("nan"), step=1)
    found = parsed(invoke(sqlite_store, "blown", 1, 2, "--json"))
    assert found["metrics"][1] == {"name": "train_loss", "values": ["inf", "nan"], "difference": None, "better": None}
    assert found["curves"] == {"train_loss": [[[1, "inf"]], [[1, "nan"]]]}
    assert ["train_loss", "inf", "nan"] in rows(invoke(sqlite_store, "blown", 1, 2, "--html", "page.html"))


def test_json_keeps_to_json():
    shown = difference_json(of(metrics=({"loss": float("nan")}, {"loss": float("inf")})))
    text = json.dumps(shown, allow_nan=False)
    assert json.loads(text)["metrics"] == [
        {"name": "loss", "values": ["nan", "inf"], "difference": None, "better": None}
    ]


# --- on a server -----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_on_a_server(server, tmp_path):
    name = f"diff-{uuid4().hex[:8]}"
    made = study(server, name, [{"lr": 0.1}, {"lr": 0.2}], lambda lr: lr, experiment=name, space={"lr": Float(0, 1)})
    for number in (1, 2):
        log_afterwards(made, number, f"trial {number}")
    MlflowClient(server).log_text(made.trials[0].run_id, "alone", "extra.txt")
    words = ("--artifact", "activations.png", "--artifact", "images/maps+step+3.png", "--artifact", "notes/summary.txt")
    result = invoke(server, name, 1, 2, *words, "--html", "page.html")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    page = Parsed(Path("page.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 1 + 4
    assert "-trial 1" in page.text
    found = parsed(invoke(server, name, 1, 2, "--json"))
    assert {"name": "extra.txt", "in": [True, False], "sizes": [5, None]} in found["files"]
    assert invoke(server, name, 1, 2, "--artifact", "notes").exit_code == 2
    assert "neither trial has the artifact no/where" in invoke(server, name, 1, 2, "--artifact", "no/where").stderr


@pytest.mark.slow
def test_an_artifact_store_out_of_reach_is_told_in_words(server, proxy, monkeypatch):
    name = f"away-{uuid4().hex[:8]}"
    made = study(proxy.uri, name, [{"lr": 0.1}, {"lr": 0.2}], lambda lr: lr, experiment=name, space={"lr": Float(0, 1)})
    monkeypatch.setattr(connection, "ARTIFACT_PATIENCE", 0.5)
    proxy.spoil("alone.txt", BUSY, times=1000)
    MlflowClient(server).log_text(made.trials[0].run_id, "alone", "alone.txt")
    result = invoke(proxy.uri, name, 1, 2, "--artifact", "alone.txt")
    assert result.exit_code == 3
    assert "'alone.txt' of the run" in result.stderr
    assert "cannot be downloaded: the artifact store does not hand it out" in result.stderr
    proxy.spoil("mlflow-artifacts", BUSY, times=1000)
    result = invoke(proxy.uri, name, 1, 2)
    assert result.exit_code == 3
    assert re.search(r"^Error: the artifacts of the run \w+ cannot be listed: .*503", result.stderr, re.MULTILINE)
    assert invoke(proxy.uri, name, 1, 2, "--artifact", "a.txt", "--json").exit_code == 3


@pytest.mark.slow
def test_an_artifact_store_that_needs_what_is_not_there_is_told_in_words(sqlite_store):
    study(sqlite_store, "cloud", [{"lr": 0.1}, {"lr": 0.2}], lambda lr: lr, space={"lr": Float(0, 1)})
    with sqlite3.connect(sqlite_store.removeprefix("sqlite:///")) as store:
        store.execute("UPDATE runs SET artifact_uri = 'mlflow-artifacts:/0/x/artifacts'")
    store.close()
    result = invoke(sqlite_store, "cloud", 1, 2)
    assert result.exit_code == 3
    assert "Error: the artifacts of the run" in result.stderr
    assert "Traceback" not in result.output


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((1, 9), "the study has no trial 9; it has trials 1 to 4"),
        ((2, 2), "two different trials are held against each other, but got 2 twice"),
        ((1, 2, "--artifact", "activation.png"), "neither trial has the artifact activation.png; did you mean act"),
        ((1, 2, "--artifact", "zzz"), "neither trial has the artifact zzz; they have activations.png, broken.png,"),
        ((1, 2, "--artifact", "notes/"), "notes is a folder: name a file; it holds notes/summary.txt"),
        ((1, 2, "--artifact", "../../mlflow.db"), "without '..' and no '/' first, got '../../mlflow.db'"),
        ((1, 2, "--artifact", "/etc/passwd"), "without '..' and no '/' first, got '/etc/passwd'"),
        ((1, 2, "--artifact", ""), "without '..' and no '/' first, got ''"),
        ((1, 2, "--html", "nowhere/page.html"), "nowhere/page.html cannot be written: No such file or directory"),
    ],
)  # fmt: skip
def test_what_is_refused(diff, words, told):
    result = diff(*words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.slow
def test_an_unknown_study_and_one_without_trials(sqlite_store):
    assert "no study is named 'none'" in invoke(sqlite_store, "none", 1, 2).stderr
    study(sqlite_store, "empty", [])
    result = invoke(sqlite_store, "empty", 1, 2)
    assert (result.exit_code, result.stderr) == (2, "Error: TRIAL: the study has no trial 1; it has none yet\n")


@pytest.mark.slow
def test_trials_without_artifacts_and_curves(sqlite_store):
    study(sqlite_store, "bare", [{"lr": 0.1}, {"lr": 0.1}], lambda lr: lr, space={"lr": Float(0, 1)})
    result = invoke(sqlite_store, "bare", 1, 2, "--html", "page.html")
    assert result.exit_code == 0
    assert "nothing was changed; val_loss 0.1 → 0.1, the same" in result.stdout
    assert "Neither trial has an artifact." in result.stdout
    assert not Parsed(Path("page.html").read_text()).all("img")
    assert "they have none" in invoke(sqlite_store, "bare", 1, 2, "--artifact", "x").stderr


# --- hostile names and contents --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_hostile_text_does_nothing_on_a_terminal_or_a_page(diff):
    result = diff(1, 3, "--artifact", "notes/summary.txt", "--artifact", "evil.svg", "--html", "page.html")
    assert result.exit_code == 0
    for sign in "\x1b\x07\x9b\u202e":
        assert sign not in result.stdout
    html = Path("page.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "{{ 7*7 }}" in html
    assert "\x1b" not in html
    page = Parsed(html)
    assert "because <script>alert(1)</script>" in page.text
    assert all(len(row) in (3, 4, 5) for row in page.rows)


@pytest.mark.slow
def test_hostile_names_do_nothing_on_a_terminal_that_shows_colours():
    names = Artifact(f"{EVIL}.txt", (content(EVIL.encode()), content(b"plain")))
    trial = Trial(3, {EVIL: EVIL}, "failed", reason=EVIL, why=EVIL)
    difference = of([names], trials=(trial, Trial(7, {EVIL: 1})), metrics=({EVIL: 1.0}, {EVIL: 2.0}), study=EVIL)
    shown = printed(difference, colours=True)
    assert not re.sub(r"\x1b\[[0-9;]*m", "", shown).count("\x1b")
    assert "\x1b[31mred" not in shown
    page = Parsed(diff_html(difference, curve_figures(of(curves={EVIL: (((0, 1.0),), ((0, 2.0),))}))))
    assert not page.all("script")
    assert page.all("img")[0]["alt"].startswith("<script>")


def test_paths_that_lead_out_of_a_run_are_refused(made, tmp_path):
    for path in ("../x", "a/../../x", "/x", "", "a//b", "./x", "a\\b", "a\0b"):
        assert not is_artifact_path(path)
        with pytest.raises(InputError, match="relative and without"):
            Artifacts(made.client, made.trials[0].run_id).download(path, tmp_path)


def test_what_a_hostile_store_lists_outside_of_a_folder_is_left_out(tmp_path):
    paths = ["a/x.txt", "a", "a/", "a/../b", "b/x.txt", "../x", "/x", "a/b/c"]
    client = SimpleNamespace(send=lambda *_: [SimpleNamespace(path=path, is_dir=False, file_size=1) for path in paths])
    assert Artifacts(client, "run").entries("a") == [Entry("a/x.txt", 1)]
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    client = SimpleNamespace(once=lambda *_: str(outside))
    with pytest.raises(TrackingError, match="is no file"):
        Artifacts(client, "run").download("x.txt", inside)


# --- the artifacts of a run ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_list_is_cut_at_200_files(sqlite_store, tmp_path):
    files = tmp_path / "many"
    files.mkdir()
    for number in range(205):
        (files / f"{number:03d}.txt").write_text(str(number))

    def log(lr):
        mlflow.log_artifacts(str(files), "deep/down")
        mlflow.log_text("top", "top.txt")
        return lr

    made = study(sqlite_store, "many", [{"lr": 0.1}, {"lr": 0.2}], log, space={"lr": Float(0, 1)})
    result = invoke(sqlite_store, "many", 1, 2)
    assert "The list is not complete: there are more files." in result.stdout
    assert ["deep/down/198.txt", "3", "bytes", "3", "bytes"] in rows(result)
    assert "199.txt" not in result.stdout, "the upper folders come first"
    found = parsed(invoke(sqlite_store, "many", 1, 2, "--json"))
    assert (len(found["files"]), found["files_complete"]) == (200, False)
    store = Artifacts(made.client, made.trials[0].run_id)
    assert len(store.files(206)[0]) == 206
    assert [store.files(most)[1] for most in (205, 206)] == [False, True]
    assert invoke(sqlite_store, "many", 1, 2, "--artifact", "deep/down/204.txt").exit_code == 0


def test_names_of_images_with_steps():
    tail = "timestamp+1700000000000+0b8a1c52-3f0e-4f0e-9d3f-1f2e3d4c5b6a"
    assert shown_name(f"images/a~b+step+3+{tail}.png") == "images/a~b+step+3.png"
    assert shown_name(f"images/a%step%3%{tail.replace('+', '%')}%compressed.webp") == "images/a%step%3%compressed.webp"
    assert shown_name("timestamp.txt") == "timestamp.txt"


def test_kinds_and_sizes_of_images():
    assert [kind_of(name) for name in ("a.PNG", "b/c.md", "model.pkl", "png", "x.svg")] == [
        "image", "text", "other", "other", "image",
    ]  # fmt: skip
    file = io.BytesIO()
    Image.new("L", (30, 20)).save(file, "JPEG")
    assert image_size("a.png", file.getvalue()) == (30, 20)
    assert image_size("a.png", b"GIF89a") is None
    assert image_size("a.svg", SCRIPT) == (20, 10)
    assert image_size("a.svg", b"<svg viewBox='0 0 1 1'/>") is None
    assert image_size("a.svg", b"<svg width='99999' height='99999'>") is None


def test_text_is_fit_to_be_shown():
    assert shown_lines(b"a\tb\r\n\xff\x1b[1m") == (["a   b", "\N{REPLACEMENT CHARACTER}" * 2 + "[1m"], 0)
    lines, more = shown_lines(b"x\n" * (MOST_LINES + 5) + b"y" * 5000)
    assert (len(lines), more) == (MOST_LINES, 6)
    assert len(shown_lines(b"y" * 5000)[0][0]) == LONGEST_LINE


def test_what_is_told_of_artifacts():
    large = Content(LARGEST["text"] + 1, "0" * 64)
    unread = Content(10**12)
    cases = {
        "the same in both trials; more than 2,000,000 bytes are not shown": Artifact("a.log", (large, large)),
        "trial #003 has no such artifact; more than 2,000,000 bytes are not shown": Artifact("a.log", (None, large)),
        "too large to be compared": Artifact("model", (unread, unread)),
        "they differ": Artifact("model", (unread, large)),
    }
    for words, artifact in cases.items():
        assert told(of(), artifact) == words
        assert unified(of(), artifact) == []


def content(shown):
    return Content(len(shown), hashlib.sha256(shown).hexdigest(), shown=shown)


def of(artifacts=(), **changes):
    """Return the difference of two trials as if they had been read."""
    given = {
        "study": "demo", "run_id": "0" * 32, "trials": (Trial(3, {"lr": 0.1}), Trial(7, {"lr": 0.2})),
        "direction": Direction("loss", "minimize", lambda name: name == "loss" or None), "metrics": ({}, {}),
    }  # fmt: skip
    return Difference(**{**given, "artifacts": artifacts, **changes})


def printed(difference, colours=False):
    console = Console(file=io.StringIO(), force_terminal=colours, width=120, markup=False, highlight=False)
    print_difference(console, difference)
    return console.file.getvalue()
