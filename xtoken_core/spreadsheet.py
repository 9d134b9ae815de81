"""CSV that a spreadsheet can't run."""

import csv
import io
from collections.abc import Iterable, Sequence

# a spreadsheet takes the full-width forms for the same signs
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Texts come escaped; a cell that a spreadsheet would run starts with an apostrophe."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([formula_safe(cell) for cell in row] for row in rows)
    return table.getvalue()


def formula_safe(cell: str | int) -> str | int:
    """
    >>> formula_safe("=1+1"), formula_safe("·=1"), formula_safe(7)
    ("'=1+1", '·=1', 7)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
