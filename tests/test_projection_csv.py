"""W's rows and columns as CSV: what a spreadsheet or pandas reads back."""

import csv
import io

import numpy as np

from tests.real import load
from xtoken_core import common_set
from xtoken_core.categories import categories
from xtoken_core.projection import build
from xtoken_core.projection_csv import COLUMN_COLUMNS, ROW_COLUMNS, columns_csv, rows_csv

STUDENT, TEACHER = load("gpt2"), load("smollm2")
W = build(STUDENT, TEACHER)


def rows(*tokens: int) -> list[dict[str, str]]:
    strict, relaxed = common_set.strict(W), common_set.relaxed(W)
    kinds = categories(STUDENT.vocabulary)
    text = rows_csv(W, np.array(tokens), STUDENT, TEACHER, categories=kinds, strict=strict, relaxed=relaxed)
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_has_its_teacher_tokens_in_one_cell() -> None:
    [line] = rows(1264)
    assert list(line) == list(ROW_COLUMNS)
    assert line["text_escaped"] == "201"
    assert (line["rule"], line["pieces"], line["category"]) == ("multi", "3", "three_digits")
    assert line["teacher_ids"] == "34 32 33"
    assert line["weights"] == "0.900901 0.090090 0.009009"
    assert line["teacher_texts_escaped"] == "2 | 0 | 1"
    assert line["teacher_bytes_hex"] == "32 30 31"
    assert (line["strict"], line["relaxed"]) == ("no", "no")


def test_a_special_token_is_known_by_its_form() -> None:
    [line] = rows(50256)
    assert (line["text_escaped"], line["bytes_hex"], line["form"]) == ("", "", "<|endoftext|>")
    assert line["teacher_texts_escaped"] == "<|endoftext|>"
    assert line["teacher_bytes_hex"] == ""


def test_a_token_that_a_spreadsheet_would_run_is_neutralised() -> None:
    plus = STUDENT.vocabulary.forms.index("+")
    [line] = rows(plus)
    assert (line["text_escaped"], line["bytes_hex"]) == ("'+", "2b")


def test_the_order_of_the_lines_is_that_of_the_tokens() -> None:
    assert [line["id"] for line in rows(5, 3, 4)] == ["5", "3", "4"]


def test_a_column_counts_all_its_student_tokens() -> None:
    text = columns_csv(W.reverse(), np.array([34, 0]), TEACHER, categories=categories(TEACHER.vocabulary))
    digit, unreached = csv.DictReader(io.StringIO(text))
    assert list(digit) == list(COLUMN_COLUMNS)
    assert digit["text_escaped"] == "2"
    assert int(digit["students"]) == len(digit["student_ids"].split()) == len(W.reverse().column(34))
    assert (unreached["form"], unreached["students"]) == ("<|endoftext|>", "1")
