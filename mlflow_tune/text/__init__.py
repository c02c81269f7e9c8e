"""What people write and read: numbers, counts, times, text safe to show, tables; reading what was written."""

from __future__ import annotations

from mlflow_tune.text.numbers import (
    bytes_text,
    count_text,
    factor_text,
    is_number,
    json_number,
    number_text,
    param_of,
    param_text,
    point_text,
    rounded,
    tick_text,
)
from mlflow_tune.text.reading import as_integer, as_number, as_value, at, listed, nearest, shown, unknown
from mlflow_tune.text.safe import apart, cut, cut_start, encodable, escaped, markdown, one_line, printable, short
from mlflow_tune.text.tables import Cell, columns_csv, markdown_table, table_of
from mlflow_tune.text.times import hours_text, iso_time, local_time, seconds_text
from mlflow_tune.text.values import Scalar, Value, copied, is_same, plain, plain_value, spellings, value_text
from mlflow_tune.text.words import counted, plural, some_of, tally, trial_label, words_of

__all__ = [
    "Cell",
    "Scalar",
    "Value",
    "apart",
    "as_integer",
    "as_number",
    "as_value",
    "at",
    "bytes_text",
    "columns_csv",
    "copied",
    "count_text",
    "counted",
    "cut",
    "cut_start",
    "encodable",
    "escaped",
    "factor_text",
    "hours_text",
    "is_number",
    "is_same",
    "iso_time",
    "json_number",
    "listed",
    "local_time",
    "markdown",
    "markdown_table",
    "nearest",
    "number_text",
    "one_line",
    "param_of",
    "param_text",
    "plain",
    "plain_value",
    "plural",
    "point_text",
    "printable",
    "rounded",
    "seconds_text",
    "short",
    "shown",
    "some_of",
    "spellings",
    "table_of",
    "tally",
    "tick_text",
    "trial_label",
    "unknown",
    "value_text",
    "words_of",
]
