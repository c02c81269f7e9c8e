"""Tables: on a terminal, in Markdown, for a spreadsheet."""

import csv
import io

from rich.console import Console

from mlflow_tune.text import columns_csv, markdown_table, table_of


def drawn(table, width=60):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(table)
    return console.file.getvalue()


def test_a_table_sets_words_left_and_numbers_right():
    lines = drawn(table_of(("name", "value"), [("a", "1"), ("long name", "22")], ("name",), ())).splitlines()
    assert [line.strip() for line in lines if line.strip() and "─" not in line] == [
        "name        value",
        "a               1",
        "long name      22",
    ]


def test_cells_cannot_break_a_line_colour_the_terminal_or_be_markup():
    text = drawn(table_of(("a\x1b[31m", "b"), [("x\ny", "[red]\x1b]0;title\x07")], ("a",), (), title="t\x1b[2J"))
    assert "x y" in text
    assert "[red]\ufffd]0;title\ufffd" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_only_columns_of_words_are_wrapped_and_lose_nothing():
    rows = [("abc", "word " * 20, "z" * 50)]
    text = drawn(table_of(("id", "words", "solid"), rows, ("id",), ("words", "solid")), 40)
    assert text.count("word") == 1 + 20
    assert text.count("z") == 50
    assert all(len(line) <= 40 for line in text.splitlines())


def test_a_cell_keeps_the_blanks_that_indent_it():
    assert "\n    member" in drawn(table_of(("a",), [("group",), ("  member",)], ("a",), ()))


def test_a_row_may_stand_out():
    table = table_of(("a",), [("x",), ("y",)], (), (), bold=[1])
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=20)
    console.print(table)
    assert "\x1b[1my\x1b[0m" in console.file.getvalue()
    assert "\x1b[1mx" not in console.file.getvalue()


def test_markdown_tables_have_a_rule_below_the_heading():
    assert markdown_table(("a", "b"), [("1", "2")]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
    assert markdown_table(("a",), []) == ["| a |", "| --- |"]


def test_csv_is_read_back_and_holds_no_formula():
    texts = ["=1+1", "  @x", "plain", 'a,"b"\nc']
    columns = {"=name": texts, "value": [-1, 0.1, None, True], "s": ["\ud800", "", "", ""]}
    rows = list(csv.reader(io.StringIO(columns_csv(columns), newline="")))
    assert rows == [
        ["'=name", "value", "s"],
        ["'=1+1", "-1", "?"],
        ["'  @x", "0.1", ""],
        ["plain", "", ""],
        ['a,"b"\nc', "True", ""],
    ]
