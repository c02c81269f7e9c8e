"""The table of trials and the HTML report, parsed as a browser and a spreadsheet would."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import pytest

from mlflow_tune.report.figures.interactive import interactive_charts
from mlflow_tune.report.figures.parameters import parallel_figure
from mlflow_tune.report.figures.progress import best_so_far_figure
from mlflow_tune.report.html import in_columns
from mlflow_tune.report.note import Standing
from mlflow_tune.report.page import Page, report_html
from mlflow_tune.report.subject import Subject
from mlflow_tune.report.table import trials_csv, trials_table
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.strategies.constraint import parse_constraint
from mlflow_tune.text import iso_time
from mlflow_tune.trial import Trial
from tests.support.drawn import SUBJECT
from tests.support.drawn import made as random_trials

SPACE = Space({"lr": Float(1e-4, 1e-1, log=True), "units": Int(8, 64, step=8), "act": Categorical(["relu", "tanh"])})
STANDING = Standing(
    "finished", "trials: the budget of 3 is used", "val_loss", "minimize",
    {"charts": "https://mlflow.example.org/#/experiments/1/runs?a=b&c=d", "run": "#/experiments/1/runs/x"},
    "mlflow-tune resume 0123456789abcdef --tracking-uri https://mlflow.example.org",
)  # fmt: skip
PAGE = Page(
    "digits", STANDING, SPACE, {"name": "random", "seed": 0}, {"trials": 3, "time": None}, {"commit": "0123abc"},
    made=1_700_000_000_000,
)  # fmt: skip
HOSTILE = (
    "<script>alert('x')</script></td></table>\n</pre></style><img src=x onerror=alert(1)> `id` \" ' $(touch x)"
    " {{ 7*7 }} {% raw %} {lr} javascript:alert(1) &lt;b&gt; | \x00 \u202e"
)
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Parsed(HTMLParser):
    """The elements of a page with their attributes, its text, and whether its tags are balanced."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.words, self.open, self.errors = [], [], [], []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert not self.errors
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def made(count=3, failed=()):
    return [
        Trial(
            number, {"lr": 0.1 / number, "units": 8, "act": "relu"}, "failed" if number in failed else "ok",
            None if number in failed else 1.0 / number, reason="exit code 1" if number in failed else "",
            why=f"point {number}", strategy="random", run_id=f"{number:032x}",
            start_time=1_700_000_000_000, end_time=1_700_000_001_500,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def figures(trials, metric="val_loss"):
    drawn = best_so_far_figure(Subject(metric, "minimize", SPACE), trials)
    return {} if drawn is None else {"best_so_far": drawn}


def report(page=PAGE, trials=None, drawn=None):
    return Parsed(report_html(page, made() if trials is None else trials, drawn or {}))


# --- page ------------------------------------------------------------------------------------------------------------


def test_the_page_says_what_was_found_and_how():
    page = report(trials=[*made(failed=[2]), Trial(4, {"lr": 0.01, "units": 16, "act": "tanh"})])
    for words in (
        "Best val_loss (lower is better) 0.333333 in trial 3, with lr 0.0333333 units 8 act relu",
        "finished : trials: the budget of 3 is used",
        "4 trials: 1 failed, 2 ok, 1 running",
        "lr real number 0.0001 to 0.1, log scale",
        "units whole number 8 to 64, in steps of 8",
        "act one of relu, tanh",
        "name random seed 0",
        "commit 0123abc",
        "once failed: exit code 1",
        STANDING.resume,
        "2023-11-14T22:13:20+00:00",
    ):
        assert words in page.text
    assert ["2", "failed", "", "0.05", "8", "relu", "1.5", "exit code 1"] in page.rows
    assert ["4", "running", "", "0.01", "16", "tanh", "", ""] in page.rows


def test_the_leaderboard_has_the_best_ten():
    page = report(trials=made(30))
    heads = [index for index, row in enumerate(page.rows) if row[0] == "trial"]
    board = page.rows[heads[0] + 1 : heads[1]]
    assert [row[0] for row in board] == [str(number) for number in range(30, 20, -1)]
    assert len(page.rows[heads[1] + 1 :]) == 30
    assert {len(row) for row in page.rows[heads[0] :]} == {8}


def test_trials_that_break_the_constraint_are_marked_and_do_not_lead():
    standing = dataclasses.replace(STANDING, answer=["bisection has come to lr=0.05 at trial 2", "bracket 0.05 to 0.1"])
    floor = parse_constraint("recall >= 0.9")
    trials = [dataclasses.replace(each, metrics={"recall": 1 - each.number / 20}) for each in made(3, failed=[1])]
    asked = dataclasses.replace(PAGE, standing=standing, unmet=frozenset([3]), constraint=floor)
    html = report_html(asked, trials, {})
    page = Parsed(html)
    assert "0.5 in trial 2, with" in page.text
    assert "bisection has come to lr=0.05 at trial 2 bracket 0.05 to 0.1" in page.text
    assert [row[:4] for row in page.rows if row[0] in ("trial", "1", "2", "3")] == [
        ["trial", "outcome", "val_loss", "recall >= 0.9"],
        ["2", "ok", "0.5", "0.9"],
        ["trial", "outcome", "val_loss", "recall >= 0.9"],
        ["1", "failed", "", ""],
        ["2", "ok", "0.5", "0.9"],
        ["3", "ok", "0.333333", "0.85 (not met)"],
    ]
    assert html.count('<tr class="unmet">') == 1


def test_what_a_rule_stopped_is_no_failure():
    trials = [*made(2, failed=[2]), *(Trial(n, {"lr": 0.1}, "pruned", reason=f"median, {n}") for n in (3, 4))]
    html = report_html(PAGE, trials, {})
    page = Parsed(html)
    assert [html.count(f'<tr class="{mark}">') for mark in ("failed", "stopped")] == [1, 2]
    assert page.text.count("once failed: exit code 1") == 1
    assert "pruned:" not in page.text
    assert "Stopped by a rule Trials 3, 4: hopeless" in page.text
    assert ["3", "pruned", "", "0.1", "", "", "", "median, 3"] in page.rows
    assert "Stopped by a rule" not in report().text


def test_the_page_is_self_contained():
    trials = made(failed=[2])
    html = report_html(PAGE, trials, figures(trials))
    page = Parsed(html)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base", "video", "audio", "svg"}
    for tag, attrs in page.elements:
        assert not [key for key in attrs if key.startswith("on")], tag
        assert attrs.get("src", "data:").startswith("data:")
        assert "srcset" not in attrs
    assert "url(" not in html
    assert "@import" not in html
    assert [attrs["href"] for attrs in page.all("a")] == [STANDING.links["charts"]]
    policy = [attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0].startswith("default-src 'none'; img-src data:")
    assert "script-src" not in policy[0]


def test_every_picture_is_inline_and_has_its_alternative_in_words():
    trials = made(failed=[2])
    page = report(trials=trials, drawn=figures(trials))
    (image,) = page.all("img")
    kind, _, code = image["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert b"<svg" in base64.b64decode(code)
    assert "The best goes from 1 (trial 1) to 0.333333 (trial 3)" in image["alt"]
    assert "Without a value ended trial 2" in image["alt"]
    assert int(image["width"]) > int(image["height"]) > 0


def test_pictures_of_uneven_height_leave_no_hole_in_two_columns():
    def shown(*heights):
        pictures = [{"width": 500, "height": abs(height), "wide": height < 0} for height in heights]
        return [-each["height"] if each["wide"] else each["height"] for each in in_columns(pictures)]

    assert shown(380, 600, 300) == [380, 300, 600]
    assert shown(380, 380, 380, 380) == [380] * 4
    assert shown(380, 600) == [380, 600]
    assert shown(380, 600, 310, -400, 300, 900, 610) == [380, 310, 600, -400, 300, 610, 900]
    assert shown() == []


def test_a_study_without_trials_and_one_whose_trials_all_failed():
    page = report(trials=[])
    assert "No trial has a value of val_loss yet." in page.text
    assert "No trial has run yet." in page.text
    page = report(trials=made(failed=[1, 2, 3]))
    assert "yet: see the failures below" in page.text
    assert "3 times failed: exit code 1" in page.text


def test_of_thousands_of_trials_the_last_thousand_are_shown_and_the_page_says_so():
    page = report(trials=made(2500))
    assert "The last 1000 of 2500 trials: the first 1500 are left out here and stand in trials.csv." in page.text
    assert [row[0] for row in page.rows][-1000:] == [str(number) for number in range(1501, 2501)]
    assert "left out" not in report(trials=made(1000)).text


def test_of_very_many_parameters_the_first_are_shown():
    space = Space({f"p{index}": Float(0, 1) for index in range(25)})
    page = report(dataclasses.replace(PAGE, space=space))
    assert "5 more parameters are left out here and stand in trials.csv." in page.text
    assert {len(row) for row in page.rows if row[0] in ("1", "2", "3")} == {25}


def test_hostile_text_is_inert_everywhere():
    space = Space({"p": Categorical([HOSTILE, "b"]), "lr": Float(1e-4, 1)})
    standing = Standing(HOSTILE, HOSTILE, HOSTILE, "minimize", {HOSTILE: "https://x/'\"><script>"}, HOSTILE)
    facts = {HOSTILE: HOSTILE}
    page = Page(HOSTILE, standing, space, facts, facts, facts)
    trials = [
        Trial(1, {"p": HOSTILE, "lr": 0.1}, "ok", 0.5, why=HOSTILE, run_id=HOSTILE, strategy=HOSTILE),
        Trial(2, {"p": "b", "lr": HOSTILE}, "failed", reason=HOSTILE),
        Trial(3, {"p": "\ud800", "x": HOSTILE}, "ok", 0.7),
    ]
    html = report_html(page, trials, figures(trials, HOSTILE))
    html.encode()
    parsed = Parsed(html)
    plain = Parsed(report_html(PAGE, made(failed=[2]), figures(made())))
    assert {tag for tag, _ in parsed.elements} == {tag for tag, _ in plain.elements}
    assert len(parsed.all("img")) == 1
    assert all(not key.startswith("on") for _, attrs in parsed.elements for key in attrs)
    assert "<script>alert('x')</script></td></table> </pre></style><img src=x" in parsed.text
    assert "{{ 7*7 }}" in parsed.text
    assert "$(touch x)" in parsed.text
    assert "\x00" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "#/experiments/1", "file:///etc/passwd", ""]
)
def test_a_link_that_leads_nowhere_is_left_out(link):
    page = report(dataclasses.replace(PAGE, standing=dataclasses.replace(STANDING, links={"charts": link})))
    assert not page.all("a")
    assert "In MLflow" not in page.text


def test_tables_scroll_in_their_own_box_and_dark_mode_is_there():
    html = report_html(PAGE, made(), {})
    page = Parsed(html)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert len(page.all("table")) == len([each for each in page.all("div") if each.get("class") == "scroll"]) == 3
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert page.all("html") == [{"lang": "en"}]


def test_a_page_without_figures_loads_no_matplotlib():
    code = "import sys; from mlflow_tune.report import page, table; print({'matplotlib', 'bokeh'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- charts ----------------------------------------------------------------------------------------------------------


def inflated(text):
    return zlib.decompress(base64.b64decode(text)).decode()


@pytest.mark.slow
def test_charts_of_a_thousand_trials_are_packed_into_a_small_page_and_nothing_else_may_run():
    trials = random_trials(1000)
    drawn = {"parallel_coordinates": parallel_figure(SUBJECT, trials)}
    html = report_html(PAGE, trials, drawn, interactive_charts(SUBJECT, trials))
    assert len(html.encode()) < 4_000_000
    packed = dict(re.findall(r'<script type="text/plain" id="(\w+)">([\w+/=]+)</script>', html))
    (run,) = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    allowed = re.search(r"script-src ([^;]*);", html)[1].split()
    digests = [hashlib.sha256(text.encode()).digest() for text in (run, inflated(packed["library"]))]
    assert allowed == [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert json.loads(inflated(packed["charts"]))["root_id"]
    assert html.count("<script") == 3 and ' src="http' not in html


def test_a_page_without_charts_allows_no_script():
    trials = made(3)
    for figures, charts in (({}, {"root_id": "x"}), ({"parallel_coordinates": parallel_figure(SUBJECT, trials)}, None)):
        html = report_html(PAGE, trials, figures, charts)
        assert "<script" not in html and "script-src" not in html


@pytest.mark.slow
def test_charts_need_two_parameters_and_two_trials():
    alone, trials = Subject("loss", "minimize", Space({"x": Float(0, 1)})), [Trial(1, {"x": 0.5}, "ok", 1.0)] * 2
    assert interactive_charts(alone, trials) is None
    assert interactive_charts(SUBJECT, random_trials(1)) is None
    assert interactive_charts(SUBJECT, random_trials(2))


def test_words_of_other_scripts_come_through():
    html = report_html(dataclasses.replace(PAGE, name="漢字 ü"), made(), {})
    assert Parsed(html).all("meta")[0] == {"charset": "utf-8"}
    assert "<title>漢字 ü: report of a study</title>" in html


# --- table -----------------------------------------------------------------------------------------------------------


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_csv_has_a_row_a_trial_with_its_numbers_in_full():
    rows = read(trials_csv(list(reversed(made(failed=[2]))), SPACE))
    assert rows[2] == {
        "number": "3", "attempt": "1", "outcome": "ok", "value": repr(1 / 3), "lr": repr(0.1 / 3), "units": "8",
        "act": "relu", "why": "point 3", "reason": "", "strategy": "random", "run_id": f"{3:032x}",
        "start": "2023-11-14T22:13:20+00:00", "end": "2023-11-14T22:13:21+00:00", "seconds": "1.5",
    }  # fmt: skip
    assert (rows[1]["outcome"], rows[1]["value"], rows[1]["reason"]) == ("failed", "", "exit code 1")


def test_a_running_trial_has_no_end():
    (row,) = read(trials_csv([Trial(1, {"lr": 0.1}, start_time=1_700_000_000_000)], SPACE))
    assert (row["outcome"], row["end"], row["seconds"], row["units"]) == ("running", "", "", "")


def test_no_trials_are_a_heading():
    assert trials_csv([], SPACE) == (
        "number,attempt,outcome,value,lr,units,act,why,reason,strategy,run_id,start,end,seconds\r\n"
    )


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "=cmd|' /C calc'!A0", "\uff1d1"]
)
def test_text_is_no_formula(text):
    space = Space({"act": Categorical([text, "x"]), "-x": Float(-5, 5)})
    raw = trials_csv([Trial(1, {"act": text, "-x": -2.5}, "ok", -1.5, why=text, reason=text)], space)
    ((row),) = read(raw)
    assert row["act"] == row["why"] == row["reason"] == f"'{text}"
    assert (row["value"], row["'-x"]) == ("-1.5", "-2.5")


def test_hostile_text_stays_in_its_cell():
    trial = Trial(1, {"act": HOSTILE, "lr": 'a,b\r\n"c"'}, "failed", reason=HOSTILE)
    rows = read(trials_csv([trial, *made(2)[1:]], SPACE))
    assert len(rows) == 2
    assert rows[0]["reason"] == rows[0]["act"] == HOSTILE
    assert rows[0]["lr"] == 'a,b\r\n"c"'
    trials_csv([Trial(1, {"act": "\ud800"})], SPACE).encode()


def test_a_parameter_named_like_a_column_keeps_its_own():
    space = Space({"value": Float(0, 9), "seconds": Float(0, 9)})
    table = trials_table([Trial(1, {"value": 5.0, "seconds": 6.0}, "ok", 0.5)], space)
    assert table["value"] == [0.5]
    assert (table["params.value"], table["params.seconds"]) == ([5.0], [6.0])


def test_the_table_is_what_log_table_takes():
    table = trials_table(made(failed=[2]), SPACE)
    assert {len(column) for column in table.values()} == {3}
    assert table["number"] == [1, 2, 3]
    assert table["value"] == [1.0, None, 1 / 3]
    assert json.loads(json.dumps(table)) == table


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(None, None), (0, None), (1, "1970-01-01T00:00:00+00:00"), (10**20, None)]
)
def test_times_are_utc(milliseconds, text):
    assert iso_time(milliseconds) == text


def test_one_reason_for_many_trials_is_told_once():
    trials = [Trial(number, {}, "ok", float(number), why="drawn at random") for number in range(1, 21)]
    page = report_html(PAGE, [*trials, Trial(21, {}, "ok", 0.5, why="a person's guess")], {})
    assert page.count("drawn at random") == 2  # above the best, and above all
    assert page.count("a person&#39;s guess") == 2
