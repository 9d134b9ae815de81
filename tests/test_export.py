"""An alignment for other programs: JSON as its schema says, and CSV that a spreadsheet can't run."""

import csv
import io
import json
import re
import unicodedata
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog, export
from xtoken_core.alignment import Scoring, align
from xtoken_core.sequence import sequence_of
from xtoken_core.spans import Alignment, Shape

STUDENT, TEACHER = "mistral-v0.3", "qwen3"


def aligned(text: str, scoring: Scoring = "exact") -> Alignment:
    return align(load(STUDENT).encode(text), load(TEACHER).encode(text), scoring=scoring)


def exported(text: str, scoring: Scoring = "exact") -> dict[str, Any]:
    """As a program reads it back."""
    alignment = aligned(text, scoring)
    plain = export.as_json(load(STUDENT), load(TEACHER), alignment, scoring=scoring, text=text)
    back: dict[str, Any] = json.loads(json.dumps(plain, allow_nan=False))
    assert back == plain
    return back


def test_the_json_has_these_keys() -> None:
    plain = exported("The 201 naïve cafe\u0301s")
    assert list(plain) == ["schema", "text", "scoring", "student", "teacher", "chunks", "counts"]
    assert plain["schema"] == "xtoken-explorer/alignment/1"
    assert plain["scoring"] == "exact"
    for side, name in (("student", STUDENT), ("teacher", TEACHER)):
        assert plain[side].keys() == {"name", "sha256", "ids"}
        assert (plain[side]["name"], plain[side]["sha256"]) == (name, catalog.ENTRIES[name].sha256)
    for chunk in plain["chunks"]:
        mismatch = {"same_after_nfc"} if chunk["kind"] == "mismatch" else set()
        assert chunk.keys() == {"kind", "shape", "student", "teacher", "bytes_hex"} | mismatch
        assert chunk["kind"] in {"exact", "mismatch", "student_gap", "teacher_gap"}
    assert plain["counts"].keys() == {shape.value for shape in Shape}


def test_a_mismatch_says_whether_it_is_only_normalisation() -> None:
    mismatches = [chunk for chunk in exported("cafe\u0301")["chunks"] if chunk["kind"] == "mismatch"]
    assert [chunk["same_after_nfc"] for chunk in mismatches] == [True]


@pytest.mark.parametrize("scoring", get_args(Scoring))
@pytest.mark.parametrize("text", HURTING)
def test_the_spans_of_the_json_tile_both_sides_and_its_hex_is_the_text(text: str, scoring: Scoring) -> None:
    plain, alignment = exported(HURTING[text], scoring), aligned(HURTING[text], scoring)
    for side, sequence in (("student", alignment.student), ("teacher", alignment.teacher)):
        stops = [chunk[side][1] for chunk in plain["chunks"]]
        assert [chunk[side][0] for chunk in plain["chunks"]] == [0, *stops][:-1]
        assert stops[-1:] == [len(sequence)][: len(stops)]
        assert plain[side]["ids"] == sequence.ids.tolist()
        assert bytes.fromhex("".join(chunk["bytes_hex"][side] for chunk in plain["chunks"])) == sequence.data
    if text not in {"special strings", "literal pieces"}:  # specials are no bytes; Mistral's ▁ is a space
        assert alignment.student.data.decode() == HURTING[text]
        assert alignment.teacher.data.decode() == unicodedata.normalize("NFC", HURTING[text])
    assert sum(plain["counts"].values()) == len(plain["chunks"])


def test_no_text_is_an_export_of_bos_alone() -> None:
    assert [chunk["kind"] for chunk in exported("")["chunks"]] == ["student_gap"]
    assert len(rows(aligned(""))) == 1


def test_an_entry_is_plain_values() -> None:
    for entry in catalog.ENTRIES.values():
        plain = export.entry_json(entry)
        assert json.loads(json.dumps(plain)) == plain
        assert list(plain) == ["name", "title", "ids", "head_size", "sha256", "source", "licence"]


# ── CSV ──


def rows(alignment: Alignment) -> list[dict[str, str]]:
    """As Python's own reader reads it back."""
    table = list(csv.DictReader(io.StringIO(export.as_csv(alignment)), strict=True))
    assert all(None not in row and None not in row.values() for row in table)
    return table


def test_the_csv_is_one_row_a_chunk() -> None:
    table = rows(aligned("The 201"))
    assert list(table[0]) == list(export.CSV_COLUMNS)
    assert table[0] | {"student_ids": ""} == {
        "chunk": "1",
        "kind": "student_gap",
        "shape": "student_gap",
        "student_start": "0",
        "student_stop": "1",
        "teacher_start": "0",
        "teacher_stop": "0",
        "student_ids": "",
        "teacher_ids": "",
        "student_text": "",
        "teacher_text": "",
        "student_bytes_hex": "",
        "teacher_bytes_hex": "",
        "same_after_nfc": "",
    }
    assert (table[1]["student_text"], table[1]["teacher_text"], table[1]["shape"]) == ("The", "The", "1-1")
    assert table[1]["student_bytes_hex"] == "546865"
    assert [row["chunk"] for row in table] == [str(k) for k in range(1, len(table) + 1)]


def test_the_csv_of_a_text_that_hurts_is_the_alignment(hurting_text: str) -> None:
    alignment = aligned(hurting_text)
    table = rows(alignment)
    assert len(table) == len(alignment)
    for side, sequence in (("student", alignment.student), ("teacher", alignment.teacher)):
        assert [int(token) for row in table for token in row[f"{side}_ids"].split()] == sequence.ids.tolist()
        assert bytes.fromhex("".join(row[f"{side}_bytes_hex"] for row in table)) == sequence.data
    check_cells(alignment)


RUN_BY_A_SPREADSHEET = re.compile("[=+@\uff1d\uff0b\uff20\uff0d\t\r\n-]")


def check_cells(alignment: Alignment) -> None:
    """No cell runs, moves the cursor, or reverses a line."""
    table = export.as_csv(alignment)
    for row in csv.reader(io.StringIO(table)):
        for cell in row:
            assert not RUN_BY_A_SPREADSHEET.match(cell)
            assert all(unicodedata.category(character)[0] not in "CZ" or character == " " for character in cell)
    assert table.count("\n") == len(alignment) + 1  # so a program that reads line by line is right too


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "-"]
)
def test_a_token_that_looks_like_a_formula_is_no_formula(text: str) -> None:
    alone = sequence_of([text.encode()])
    check_cells(align(alone, alone))
    [row] = rows(align(alone, alone))
    assert row["student_text"].startswith(("'", "→", "␍", "↵"))
    assert bytes.fromhex(row["student_bytes_hex"]) == text.encode()


@pytest.mark.parametrize("text", ['say "hi", twice', "a,b;c", "'=1", "·=1", '"'])
def test_quotes_and_commas_come_back_as_they_are(text: str) -> None:
    alone = sequence_of([text.encode()])
    assert rows(align(alone, alone))[0]["teacher_text"] == text.replace(" ", "·")


FORMULA = st.text("=+-@\t\r\n\",;' 1a\u202e\x1b\u2028＝", min_size=1, max_size=6).map(str.encode)
TOKENS = st.lists(st.one_of(FORMULA, st.binary(min_size=1, max_size=4)), max_size=6)


@given(TOKENS, TOKENS)
def test_whatever_the_tokens_the_csv_reads_back_and_runs_nothing(student: list[bytes], teacher: list[bytes]) -> None:
    alignment = align(sequence_of(student), sequence_of(teacher))
    check_cells(alignment)
    assert bytes.fromhex("".join(row["student_bytes_hex"] for row in rows(alignment))) == b"".join(student)
    assert bytes.fromhex("".join(row["teacher_bytes_hex"] for row in rows(alignment))) == b"".join(teacher)
