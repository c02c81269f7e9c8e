"""What people look at on the parent run: the note, rendered as Markdown, and the best-so-far curve."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mlflow_tune.report.curve import best_curve, count_curves
from mlflow_tune.report.note import Standing, inline, study_note
from mlflow_tune.text import markdown, printable
from mlflow_tune.trial import Trial

STANDING = Standing(
    "finished", "trials: the budget of 3 is used", "val_loss", "minimize",
    {"charts": "#/experiments/1/runs?a=b", "list": "#/experiments/1/runs"},
    "mlflow-tune resume 0123456789abcdef --tracking-uri sqlite:////tmp/my_own/db*1.db",
)  # fmt: skip
HOSTILE = (
    "<script>alert('x')</script> | `rm -rf` **bold** [link](javascript:alert(1)) $x$ ~~no~~\n"
    "# not a title\n\n---\n> &amp;"
)


def render(note):
    """Return the HTML of the note, with raw HTML let through, so that what is not escaped is seen."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(note)


def cells(html):
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)]


def trial(number, value=None, reason="", **params):
    outcome = "ok" if value is not None else "failed"
    return Trial(number, params, outcome, value, reason=reason, end_time=number)


# --- note ------------------------------------------------------------------------------------------------------------


def test_the_note_tells_the_best_the_state_and_how_to_go_on():
    trials = [
        trial(1, 0.5, lr=0.1),
        trial(2, 0.25, lr=0.0123456),
        trial(3, reason="exit code 1"),
        Trial(4, {"lr": 1.0}),
    ]
    note = study_note(STANDING, trials)
    assert note.splitlines() == [
        "Best val&#95;loss: **0.25** (trial 2: lr=0.012346)  ",
        "Compare the trials: [charts](#/experiments/1/runs?a=b) · [list](#/experiments/1/runs)  ",
        "**finished**: trials: the budget of 3 is used (4 trials: 1 failed, 2 ok, 1 running)",
        "",
        "| trial | val&#95;loss | lr |",
        "| --- | --- | --- |",
        "| 2 | 0.25 | 0.012346 |",
        "| 1 | 0.5 | 0.1 |",
        "",
        "- running: trial 4, lr=1",
        "- failed once: exit code 1",
        "",
        "Resume it from any machine with the tracking URI:",
        "",
        f"    {STANDING.resume}",
    ]


def test_the_note_of_a_study_without_a_trial():
    note = study_note(replace(STANDING, state="running", why=""), [])
    assert note.startswith("No trial has a value yet.")
    assert "**running** (0 trials: none)" in note
    assert "|" not in note


def test_the_leaderboard_has_the_best_ten_in_the_direction_of_the_goal():
    trials = [trial(number, float(number % 20), lr=number) for number in range(1, 41)]
    table = cells(render(study_note(replace(STANDING, goal="maximize"), trials)))
    assert [row[0] for row in table[1:]] == ["19", "39", "18", "38", "17", "37", "16", "36", "15", "35"]


def test_the_commonest_reasons_come_first():
    trials = [trial(1, reason="rare"), *(trial(number, reason="common") for number in range(2, 5))]
    note = study_note(STANDING, trials)
    assert note.index("- failed 3 times: common") < note.index("- failed once: rare")


def test_interrupted_and_running_trials_are_no_failures():
    note = study_note(STANDING, [Trial(1, {}, "interrupted", reason="stopped"), Trial(2, {})])
    assert "failed" not in note.split("|")[-1]


def test_the_note_calls_each_outcome_by_its_name_and_gives_the_answer_of_a_search_for_a_point():
    study = replace(STANDING, answer=["bisection has come to lr=0.1 at trial 1", "bracket 0.1 to 0.2"])
    ended = [Trial(number, {}, kind, reason="so") for number, kind in enumerate(("timeout", "not-finite", "pruned"), 2)]
    lines = study_note(study, [trial(1, 0.5, lr=0.1), *ended]).splitlines()
    assert lines[1] == "bisection has come to lr=0.1 at trial 1; bracket 0.1 to 0.2  "
    assert [line for line in lines if line.startswith("- ")] == [
        "- timeout once: so", "- not-finite once: so", "- stopped: trial 4, so",
    ]  # fmt: skip


def test_the_command_can_be_copied_from_the_rendered_note():
    html = render(study_note(STANDING, [trial(1, 0.5, lr=0.1)]))
    assert f"<pre><code>{STANDING.resume}\n</code></pre>" in html


def test_hostile_text_is_shown_as_it_is():
    study = replace(STANDING, why=HOSTILE, metric=HOSTILE)
    trials = [trial(1, 0.5, **{HOSTILE: HOSTILE, "lr": 0.1}), trial(2, reason=HOSTILE)]
    html = render(study_note(study, trials))
    assert set(re.findall(r"</?(\w+)", html)) <= {
        "p", "br", "a", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "code",
    }  # fmt: skip
    assert re.findall(r'href="(.*?)"', html) == list(STANDING.links.values())
    assert html.count("<code>") == 1
    assert html.count("<strong>") == 2
    assert [len(row) for row in cells(html)] == [4, 4]
    assert "&lt;script&gt;alert('x')&lt;/script&gt; | `rm -rf` **bold** [link](javascript:alert(1))" in html


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_escaped_text_renders_as_itself_on_one_line(text):
    html = MarkdownIt("commonmark", {"html": True}).renderInline(f"x{markdown(text)}x")
    plain = " ".join(text.split())
    shown = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert shown == f"x{printable(plain)}x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.000123456789, "0.00012346"),
        (64, "64"),
        (True, "True"),
        (None, "None"),
        ("x" * 100, "x" * 59 + "…"),
        ("a'b", "a&#39;b"),
        ("<b>", "&#60;b&#62;"),
    ],
)
def test_values_are_short(value, text):
    assert inline(value) == text


names = st.text(max_size=300)
points = st.dictionaries(names, st.one_of(st.floats(), st.integers(), st.booleans(), names), max_size=30)


@pytest.mark.slow
@given(
    why=names, metric=names, resume=st.text(max_size=3000), reason=st.text(max_size=9000), point=points,
    repeat=st.integers(1, 20),
)  # fmt: skip
def test_the_note_is_always_short_enough_and_whole(why, metric, resume, reason, point, repeat):
    links = {"charts": "#/" + "%F0" * len(metric)}
    study = Standing("aborted", why * repeat, metric, "minimize", links, resume)
    note = study_note(study, [trial(1, 0.5), trial(2, reason=reason), replace(trial(3, 0.1), params=point)])
    assert len(note) < 8000
    assert note.splitlines()[-1].startswith("    ") or not resume.split()
    assert "**aborted**" in note


@pytest.mark.parametrize("char", ["|", "&", "*", "x", "\u6f22", "\n"])
def test_thousands_of_trials_of_the_longest_text_fit(char):
    long = char * 6000
    study = Standing("finished", long, char * 240, "minimize", {str(n): "#/" + "%7C" * 800 for n in range(4)}, long)
    trials = [trial(n, float(n), **{f"{char * 200}{p}": long for p in range(50)}) for n in range(1, 2000)]
    trials += [trial(n, reason=f"{n} {long}") for n in range(2000, 3000)]
    note = study_note(study, trials)
    assert len(note) < 8000
    assert note.startswith("Best ")
    assert "Resume it from any machine" in note


def test_an_ordinary_study_of_thousands_of_trials_keeps_its_table():
    trials = [trial(n, 1.0 / n, lr=0.1 / n, units=n, activation="relu") for n in range(1, 5001)]
    assert len(cells(render(study_note(STANDING, trials)))) == 11


# --- curve -----------------------------------------------------------------------------------------------------------


def test_the_curve_is_the_best_value_up_to_each_trial():
    trials = [trial(1, 0.5), trial(2, 0.7), trial(3), trial(4, 0.2)]
    assert best_curve(trials, "minimize") == [(1, 0.5, 1), (2, 0.5, 2), (3, 0.5, 3), (4, 0.2, 4)]
    assert best_curve(trials, "maximize") == [(1, 0.5, 1), (2, 0.7, 2), (3, 0.7, 3), (4, 0.7, 4)]


def test_the_curve_begins_with_the_first_value():
    assert best_curve([], "minimize") == []
    assert best_curve([trial(1), trial(2, 0.5)], "minimize") == [(2, 0.5, 2)]


@pytest.mark.parametrize("outcome", [None, "interrupted"])
def test_a_trial_that_has_not_ended_holds_back_the_points_after_it(outcome):
    trials = [trial(1, 0.5), Trial(2, {}, outcome), trial(3, 0.1)]
    assert best_curve(trials, "minimize") == [(1, 0.5, 1)]


def test_the_times_of_the_curve_never_go_back():
    trials = [replace(trial(1, 0.5), end_time=90), replace(trial(2, 0.4), end_time=30)]
    assert best_curve(trials, "minimize") == [(1, 0.5, 90), (2, 0.4, 90)]


@pytest.mark.slow
@given(
    st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=12),
    st.randoms(),
    st.sampled_from(["minimize", "maximize"]),
)
def test_no_point_ever_changes_in_whatever_order_trials_end(values, random, goal):
    order = list(range(len(values)))
    random.shuffle(order)
    history = {number: Trial(number + 1, {}) for number in order}
    drawn = []
    for time, number in enumerate(order):
        value = values[number]
        ended = None if value is None else float(value)
        history[number] = Trial(number + 1, {}, "failed" if ended is None else "ok", ended, end_time=time)
        shuffled = list(history.values())
        random.shuffle(shuffled)
        curve = best_curve(shuffled, goal)
        assert curve[: len(drawn)] == drawn
        drawn = curve
    better = min if goal == "minimize" else max
    assert [(step, value) for step, value, _ in drawn] == [
        (step, better(found))
        for step in range(1, len(values) + 1)
        if (found := [value for value in values[:step] if value is not None])
    ]


def test_trials_that_were_stopped_are_no_failures():
    trials = [
        Trial(1, {"x": 1}, "ok", 0.5, end_time=1),
        Trial(2, {"x": 2}, "pruned", reason="median: too bad", end_time=2),
        Trial(3, {"x": 3}, "failed", reason="exit code 1", end_time=3),
    ]
    curves = count_curves(trials)
    assert [value for _, value, _ in curves["trials_failed"]] == [0, 0, 1]
    assert curves["trials_pruned"] == [(2, 1, 2), (3, 1, 3)]
    assert "trials_pruned" not in count_curves(trials[:1])
    note = study_note(STANDING, trials)
    assert "- failed once: exit code 1" in note and "- stopped: trial 2, median: too bad" in note
