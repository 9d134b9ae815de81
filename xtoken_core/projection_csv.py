"""
W's rows and columns as CSV: a line a token, with its category and its place in the common sets.

Texts are escaped as on the page: a space is ·, a line end ↵.
"""

from collections.abc import Sequence

from xtoken_core.categories import Category
from xtoken_core.common_set import CommonSet
from xtoken_core.display import visible, visible_form
from xtoken_core.matrix import Columns, Entry, Projection, Row
from xtoken_core.sequence import Ints
from xtoken_core.spreadsheet import csv_text
from xtoken_core.tokenizer import Tokenizer
from xtoken_core.vocab import Vocabulary

_TOKEN_COLUMNS = ("id", "text_escaped", "bytes_hex", "form", "category")
ROW_COLUMNS = (
    *_TOKEN_COLUMNS,
    "rule",
    "pieces",
    "trimmed",
    "teacher_ids",
    "weights",
    "teacher_texts_escaped",
    "teacher_bytes_hex",
    "strict",
    "relaxed",
)
COLUMN_COLUMNS = (*_TOKEN_COLUMNS, "students", "student_ids", "weights")
MOST_OF_A_COLUMN = 1_000  # student tokens in a cell: a spreadsheet's cell holds 32,767 characters


def rows_csv(
    projection: Projection,
    tokens: Ints,
    student: Tokenizer,
    teacher: Tokenizer,
    *,
    categories: Ints,
    strict: CommonSet,
    relaxed: CommonSet,
) -> str:
    """A line a row of W, for these student tokens in this order; a row's teacher tokens stand in one cell.

    categories [V_s] are the student tokens' `Category` values.
    """
    sides = student.vocabulary, teacher.vocabulary
    inside = strict.contains(len(projection)), relaxed.contains(len(projection))
    return csv_text(
        ROW_COLUMNS,
        (
            [
                *_token_cells(sides[0], token, categories),
                *_row_cells(projection.row(token), sides[1]),
                *(_yes_no(bool(members[token])) for members in inside),
            ]
            for token in tokens.tolist()
        ),
    )


def columns_csv(columns: Columns, tokens: Ints, teacher: Tokenizer, *, categories: Ints) -> str:
    """A line a column of W, for these teacher tokens in this order. categories [V_t] are `Category` values.

    Of more than `MOST_OF_A_COLUMN` student tokens the heaviest are listed.
    """
    lines = ((token, columns.column(token)) for token in tokens.tolist())
    return csv_text(
        COLUMN_COLUMNS,
        (
            [
                *_token_cells(teacher.vocabulary, token, categories),
                len(entries),
                *_entry_cells(entries[:MOST_OF_A_COLUMN]),
            ]
            for token, entries in lines
        ),
    )


def _token_cells(vocabulary: Vocabulary, token: int, categories: Ints) -> list[str | int]:
    data = vocabulary.token_bytes(token)
    form = visible_form(vocabulary.forms[token])
    return [token, visible(data), data.hex(), form, Category(int(categories[token])).label]


def _row_cells(row: Row, teacher: Vocabulary) -> list[str | int]:
    targets = [teacher.token_bytes(entry.id) for entry in row.entries]
    shown = [
        visible(data) or visible_form(teacher.forms[entry.id]) for data, entry in zip(targets, row.entries, strict=True)
    ]
    return [
        row.rule.label,
        row.pieces,
        f"{row.trimmed:.6f}",
        *_entry_cells(row.entries),
        " | ".join(shown),
        " ".join(target.hex() for target in targets),
    ]


def _entry_cells(entries: Sequence[Entry]) -> list[str | int]:
    """Their ids, their weights."""
    return [
        " ".join(str(entry.id) for entry in entries),
        " ".join(f"{entry.weight:.6f}" for entry in entries),
    ]


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
