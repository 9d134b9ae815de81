"""
An alignment for other programs: JSON with a schema version, and CSV that a spreadsheet can't run.
"""

import csv
import io
from dataclasses import asdict
from typing import Any

from xtoken_core.catalog import Entry
from xtoken_core.display import visible
from xtoken_core.sequence import TokenSequence
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


def as_csv(alignment: Alignment) -> str:
    """A row a chunk, from 1. Texts are escaped; a cell that a spreadsheet would run starts with an apostrophe."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for number, chunk in enumerate(alignment, 1):
        writer.writerow([_formula_safe(cell) for cell in _row(alignment, number, chunk)])
    return table.getvalue()


def _row(alignment: Alignment, number: int, chunk: Chunk) -> list[str | int]:
    student, teacher = alignment.bytes_of(chunk)
    spans = [chunk.student.start, chunk.student.stop, chunk.teacher.start, chunk.teacher.stop]
    ids = [_ids(alignment.student, chunk.student), _ids(alignment.teacher, chunk.teacher)]
    texts = [visible(student), visible(teacher), student.hex(), teacher.hex()]
    same = str(alignment.same_after_nfc(chunk)).lower() if chunk.kind is ChunkKind.MISMATCH else ""
    return [number, chunk.kind.label, chunk.shape.value, *spans, *ids, *texts, same]


def _ids(sequence: TokenSequence, span: Span) -> str:
    return " ".join(map(str, sequence.ids[span.start : span.stop].tolist()))


def _formula_safe(cell: str | int) -> str | int:
    """
    >>> _formula_safe("=1+1"), _formula_safe("·=1"), _formula_safe(7)
    ("'=1+1", '·=1', 7)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
