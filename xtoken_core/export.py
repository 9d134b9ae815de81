"""
For other programs: an alignment and the rows of a projection, as JSON and as CSV that a spreadsheet can't run.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from xtoken_core.catalog import Entry
from xtoken_core.common_set import CommonSet
from xtoken_core.display import visible
from xtoken_core.matrix import Projection, Row, Side
from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.spans import Alignment, Chunk, ChunkKind, Span
from xtoken_core.tokenizer import Tokenizer

SCHEMA = "xtoken-explorer/alignment/1"
CSV_COLUMNS = (
    "chunk",
    "kind",
    "shape",
    "student_start",
    "student_stop",
    "teacher_start",
    "teacher_stop",
    "student_ids",
    "teacher_ids",
    "student_text",
    "teacher_text",
    "student_bytes_hex",
    "teacher_bytes_hex",
    "same_after_nfc",
)
ROW_COLUMNS = (
    "student_id",
    "student_text",
    "student_bytes_hex",
    "rule",
    "pieces",
    "trimmed",
    "teacher_ids",
    "weights",
    "teacher_texts",
    "teacher_bytes_hex",
)
# a spreadsheet takes the full-width forms for the same signs
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")


def entry_json(entry: Entry) -> dict[str, Any]:
    """A name of the catalogue as plain values."""
    return asdict(entry)


def as_json(student: Tokenizer, teacher: Tokenizer, alignment: Alignment, *, scoring: str, text: str) -> dict[str, Any]:
    """The alignment as plain values, with the text that was aligned; spans are [start, stop] in tokens, from 0."""
    return {
        "schema": SCHEMA,
        "text": text,
        "scoring": scoring,
        "student": _side(student, alignment.student),
        "teacher": _side(teacher, alignment.teacher),
        "chunks": [_chunk(alignment, chunk) for chunk in alignment],
        "counts": {shape.value: count for shape, count in alignment.counts().items()},
    }


def _side(tokenizer: Tokenizer, sequence: TokenSequence) -> dict[str, Any]:
    return {"name": tokenizer.name, "sha256": tokenizer.sha256, "ids": sequence.ids.tolist()}


def _chunk(alignment: Alignment, chunk: Chunk) -> dict[str, Any]:
    student, teacher = alignment.bytes_of(chunk)
    plain = {
        "kind": chunk.kind.label,
        "shape": chunk.shape.value,
        "student": [chunk.student.start, chunk.student.stop],
        "teacher": [chunk.teacher.start, chunk.teacher.stop],
        "bytes_hex": {"student": student.hex(), "teacher": teacher.hex()},
    }
    same = {"same_after_nfc": alignment.same_after_nfc(chunk)} if chunk.kind is ChunkKind.MISMATCH else {}
    return plain | same


def projection_json(projection: Projection, *, seconds: float, peak_mb: float, out: str) -> dict[str, Any]:
    """A W that was built and saved at `out`: how many rows each rule made, and what building cost."""
    return {
        "student": _side_of_w(projection.student),
        "teacher": _side_of_w(projection.teacher),
        "rows": {rule.label: count for rule, count in projection.counts().items()},
        "build_seconds": seconds,
        "peak_mb": peak_mb,
        "out": out,
    }


def _side_of_w(side: Side) -> dict[str, str]:
    return {"name": side.name, "sha256": side.sha256}


def row_json(row: Row, student: Tokenizer, teacher: Tokenizer, strict: CommonSet, relaxed: CommonSet) -> dict[str, Any]:
    """A row of W, whether its token is in the common sets, and who has the teacher token that it wants where not."""
    return {
        "token": {"id": row.token, "bytes_hex": student.vocabulary.token_bytes(row.token).hex()},
        "rule": row.rule.label,
        "pieces": row.pieces,
        "trimmed": row.trimmed,
        "entries": [
            {"id": entry.id, "weight": entry.weight, "bytes_hex": teacher.vocabulary.token_bytes(entry.id).hex()}
            for entry in row.entries
        ],
        "strict": strict.teacher_of(row.token) is not None,
        "relaxed": relaxed.teacher_of(row.token) is not None,
        "taken_by": taken_by(row, relaxed),
    }


def taken_by(row: Row, relaxed: CommonSet) -> int | None:
    """The other student token that has this row's heaviest teacher token in `relaxed`; None where none has."""
    holders = relaxed.students_of(row.entries[0].id) if row.entries else []
    return next((holder for holder in holders if holder != row.token), None)


def as_csv(alignment: Alignment) -> str:
    """A row a chunk, from 1."""
    return _csv(CSV_COLUMNS, (_chunk_cells(alignment, number, chunk) for number, chunk in enumerate(alignment, 1)))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Texts come escaped; a cell that a spreadsheet would run starts with an apostrophe."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_formula_safe(cell) for cell in row] for row in rows)
    return table.getvalue()


def _chunk_cells(alignment: Alignment, number: int, chunk: Chunk) -> list[str | int]:
    student, teacher = alignment.bytes_of(chunk)
    spans = [chunk.student.start, chunk.student.stop, chunk.teacher.start, chunk.teacher.stop]
    ids = [_ids(alignment.student, chunk.student), _ids(alignment.teacher, chunk.teacher)]
    texts = [visible(student), visible(teacher), student.hex(), teacher.hex()]
    same = str(alignment.same_after_nfc(chunk)).lower() if chunk.kind is ChunkKind.MISMATCH else ""
    return [number, chunk.kind.label, chunk.shape.value, *spans, *ids, *texts, same]


def _ids(sequence: TokenSequence, span: Span) -> str:
    return " ".join(map(str, sequence.ids[span.start : span.stop].tolist()))


def rows_csv(projection: Projection, tokens: Ints, student: Tokenizer, teacher: Tokenizer) -> str:
    """A line a row of W, for these student tokens in this order; a row's teacher tokens stand in one cell."""
    student_tokens, teacher_tokens = student.vocabulary.tokens(), teacher.vocabulary.tokens()
    rows = (projection.row(token) for token in tokens.tolist())
    return _csv(ROW_COLUMNS, (_row_cells(row, student_tokens[row.token], teacher_tokens) for row in rows))


def _row_cells(row: Row, data: bytes, teacher_tokens: Sequence[bytes]) -> list[str | int]:
    targets = [teacher_tokens[entry.id] for entry in row.entries]
    return [
        row.token,
        visible(data),
        data.hex(),
        row.rule.label,
        row.pieces,
        f"{row.trimmed:.6f}",
        " ".join(str(entry.id) for entry in row.entries),
        " ".join(f"{entry.weight:.6f}" for entry in row.entries),
        " | ".join(map(visible, targets)),
        " ".join(target.hex() or "-" for target in targets),
    ]


def _formula_safe(cell: str | int) -> str | int:
    """
    >>> _formula_safe("=1+1"), _formula_safe("·=1"), _formula_safe(7)
    ("'=1+1", '·=1', 7)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
