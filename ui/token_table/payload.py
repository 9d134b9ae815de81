"""
What the token table is sent: one window of a long order, and where in the order it lies.

    order    0 ······ first ▒▒▒▒▒ first + 400 ·························· total
    scroller |        rows in hand            the browser draws those in sight |

The order itself, its sorting and its filter stay on the server; a row is known by its token id, never by its place.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

VERSION = 1
WINDOW = 400  # rows: some twenty screens, about 30 kB


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str  # the key that a click on the header reports
    title: str  # the header, plain text
    kind: Literal["text", "number", "quiet"] = "text"  # monospace; figures on the right; muted words
    width: int = 120  # px, the least
    grow: int = 0  # the share of the width that is left over
    sortable: bool = True


def payload(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    ids: Sequence[int],
    *,
    first: int,
    total: int,
    order: str,
    sort: tuple[str, bool] | None,
    chosen: int | None,
    chosen_at: int | None,
    noun: str,
    empty: str,
) -> dict[str, object]:
    """JSON-ready. `rows` hold what `xtoken_core.display` made visible, a string a column; `ids` are their token ids.

    first: the place of rows[0] among the `total` of the order, 0-based; chosen: a token id, chosen_at: its place,
    None where the filter leaves it out. order: a name that changes with the sorting, the filter or what is listed.
    sort: a column's name and whether it descends. noun: what the rows are ("tokens"); empty: the sentence for none.
    Raises ValueError where these contradict each other.
    """
    _check_columns(columns, sort)
    _check_window(len(columns), rows, ids, first, total)
    _check_choice(chosen, chosen_at, total)
    return {
        "version": VERSION,
        "columns": [asdict(column) for column in columns],
        "rows": [list(row) for row in rows],
        "ids": [int(token) for token in ids],
        "first": int(first),
        "total": int(total),
        "order": order,
        "sort": None if sort is None else list(sort),
        "chosen": None if chosen is None else int(chosen),
        "chosen_at": None if chosen_at is None else int(chosen_at),
        "noun": noun,
        "empty": empty,
    }


def window_around(position: int | None, total: int, size: int = WINDOW) -> int:
    """The first row of a window that shows a position, in its middle where both ends allow; 0 for no position.

    >>> window_around(100_000, 200_000), window_around(199_999, 200_000), window_around(None, 200_000)
    (99800, 199600, 0)
    """
    if position is None:
        return 0
    return max(0, min(position - size // 2, total - size))


def _check_columns(columns: Sequence[Column], sort: tuple[str, bool] | None) -> None:
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"The columns are named {names}. Give each a name of its own.")
    if sort is not None and sort[0] not in names:
        raise ValueError(f"The rows are sorted by {sort[0]!r}, but the columns are {names}. Sort by one of these.")


def _check_window(width: int, rows: Sequence[Sequence[str]], ids: Sequence[int], first: int, total: int) -> None:
    if len(rows) != len(ids):
        raise ValueError(f"There are {len(rows)} rows and {len(ids)} ids. Give each row its token id.")
    if odd := {len(row) for row in rows} - {width}:
        raise ValueError(f"A row has {min(odd)} cells, but there are {width} columns. Give each column a cell.")
    if not 0 <= first <= total - len(rows):
        raise ValueError(
            f"Rows {first} to {first + len(rows)} are no part of a table of {total}. "
            f"Cut them out as order[first : first + {WINDOW}]."
        )


def _check_choice(chosen: int | None, chosen_at: int | None, total: int) -> None:
    if chosen_at is not None and (chosen is None or not 0 <= chosen_at < total):
        raise ValueError(
            f"Token {chosen} is said to stand at {chosen_at} of {total}. "
            f"Give chosen_at=None where no token is chosen, or where the filter leaves it out."
        )
