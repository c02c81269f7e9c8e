"""Other people's text, made fit to be shown."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mlflow_tune.text import apart, cut, cut_start, encodable, escaped, markdown, one_line, printable, short

ANSI = "\x1b[31mred\x1b[0m"
BIDI = "abc\u202edef"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字", "plain é 漢字"),
        (ANSI, "\ufffd[31mred\ufffd[0m"),
        (BIDI, "abc\ufffddef"),
        ("a\x00b\x07c\x7fd", "a\ufffdb\ufffdc\ufffdd"),
        ("\ud800", "\ufffd"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_has_no_shape_is_replaced_and_newlines_stay(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_short_text_is_one_printable_line_of_bounded_length(text):
    shown = short(text, 20)
    assert shown.isprintable()
    assert len(shown) <= 20
    assert short(shown, 20) == shown
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)


def test_texts_that_differ_are_not_cut_to_the_same():
    shared = "resnet50 with cosine learning rate and label smoothing, "
    texts = [f"{shared}{name}" for name in ("bayesian, seed 0", "bayesian, seed 1", "random")]
    assert apart(["a", *texts[:1]], 24) == {"a": "a", texts[0]: "resnet50 with cosine le…"}
    shown = apart(["a", *texts], 24)
    assert [shown[text] for text in texts] == [
        "…thing, bayesian, seed 0",
        "…thing, bayesian, seed 1",
        "…moothing, random",
    ]
    assert apart(["a b", "a  b"], 24) == {"a b": "a b", "a  b": "a b"}


@given(st.lists(st.text("ab", max_size=40), max_size=8), st.integers(5, 12))
@example(["ba", "baa", "baaaaaa"], 5)
def test_told_apart_at_any_length(texts, longest):
    shown = apart(texts, longest)
    assert shown.keys() == {*texts}
    assert len({*shown.values()}) == len({*texts})
    assert all(len(line) <= longest for line in shown.values())


def test_one_line_folds_white_space_before_anything_is_replaced():
    assert one_line("  a\r\n\tb\u2028c\x1b ") == "a b c\ufffd"
    assert one_line(7) == "7"


def test_long_text_is_cut_with_a_sign_at_the_side_that_lacks():
    assert (cut("x" * 10, 10), cut("abcdefghijk", 10)) == ("x" * 10, "abcdefghi…")
    assert (cut_start("x" * 10, 10), cut_start("abcdefghijk", 10)) == ("x" * 10, "…cdefghijk")
    assert (short("ab " * 9, 6), len(short("y" * 9999))) == ("ab ab…", 300)
    assert (cut("abc", 1), cut_start("abc", 1)) == ("…", "…")


def test_escapes_hide_nothing():
    assert escaped(ANSI) == r"\x1b[31mred\x1b[0m"
    assert escaped(f"{BIDI}\n\x00\ud800") == r"abc\u202edef\n\x00\ud800"
    assert escaped("a" * 500) == "a" * 500


def test_half_a_surrogate_pair_becomes_a_question_mark():
    assert encodable("a\ud800b漢") == "a?b漢"


@pytest.mark.parametrize(
    "text",
    ["a|b", "x\n| --- |\ny", "<script>alert(1)</script>", "**b** _i_ `c` [a](b) ~~s~~ #1 !", "\\|", "&lt;"],
)
def test_markdown_shows_the_text_as_it_is_in_a_cell(text):
    table = f"| a | b |\n| --- | --- |\n| {markdown(text)} | end |"
    tokens = MarkdownIt("commonmark").enable("table").parse(table)
    cells = [token.content for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    inline = [token for token in tokens if token.type == "inline"][2]
    assert "".join(child.content for child in inline.children) == " ".join(text.split())


def test_markdown_is_printable():
    assert markdown(ANSI) == "\ufffd&#91;31mred\ufffd&#91;0m"
    assert markdown(BIDI) == "abc\ufffddef"
