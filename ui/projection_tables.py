"""W's rows, columns and entries as cells: every token escaped, every number with the same digits."""

from collections.abc import Sequence

import pandas as pd

from ui.cached import Prepared
from xtoken_core import projection_csv
from xtoken_core.browse import Listing
from xtoken_core.categories import Category
from xtoken_core.display import spaced_hex, visible, visible_form
from xtoken_core.matrix import Entry, Projection, Rule
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer

MOST_OF_A_TOKEN = 60  # characters of a token in a cell; some hold a hundred spaces
MOST_BYTES = 256  # of a token that are drawn; a stranger's may hold millions


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """A token as a cell: its text, or its form in brackets where it stands for no bytes."""
    data = tokenizer.vocabulary.token_bytes(token)
    return shortened(visible(data[:MOST_BYTES])) if data else f"[{token_form(tokenizer, token) or 'unused'}]"


def shortened(text: str) -> str:
    """A text that fits a cell."""
    return text if len(text) <= MOST_OF_A_TOKEN else f"{text[:MOST_OF_A_TOKEN]}…"


def token_label(tokenizer: Tokenizer, token: int) -> str:
    """A token with its id, for where two of the same text could meet."""
    return f"{token_text(tokenizer, token)} ({token})"


def token_form(tokenizer: Tokenizer, token: int) -> str:
    """The vocabulary's own string, escaped."""
    return shortened(visible_form(tokenizer.vocabulary.forms[token][:MOST_BYTES]))


def told(tokenizer: Tokenizer, listing: Listing, token: int) -> list[str]:
    """A token in four lines: text, bytes, the vocabulary's form, category."""
    data = tokenizer.vocabulary.token_bytes(token)
    return [
        f"text: {token_text(tokenizer, token) if data else 'none, a special token'}",
        f"bytes: {_bytes(data) or 'none'}",
        f"vocabulary form: {token_form(tokenizer, token)}",
        f"category: {category_of(listing, token)}",
    ]


def _bytes(data: bytes) -> str:
    more = f" … {len(data):,} in all" if len(data) > MOST_BYTES else ""
    return spaced_hex(data[:MOST_BYTES]) + more


def category_of(listing: Listing, token: int) -> str:
    """What kind of token it is."""
    return Category(int(listing.categories[token])).title


def whole_text(tokenizer: Tokenizer, token: int) -> str | None:
    """A token's text where its bytes are whole characters."""
    try:
        return tokenizer.vocabulary.token_bytes(token).decode() or None
    except UnicodeDecodeError:
        return None


def row_cells(prepared: Prepared, tokens: Ints) -> list[list[str]]:
    """Rows of W as the table shows them: token, id, rule, pieces, teacher tokens, weights."""
    projection = prepared.projection
    return [
        [
            token_text(prepared.student, token),
            str(token),
            Rule(int(projection.rules[token])).label,
            str(projection.pieces[token]),
            *entry_cells(prepared.teacher, projection, token),
        ]
        for token in tokens.tolist()
    ]


def entry_cells(teacher: Tokenizer, projection: Projection, token: int) -> tuple[str, str]:
    """A row's teacher tokens, divided by bars, and their weights."""
    entries = projection.row(token).entries
    texts = " | ".join(token_text(teacher, entry.id) for entry in entries)
    return texts or _lacking(projection, token), " ".join(weight_cell(entry.weight) for entry in entries) or "-"


def _lacking(projection: Projection, token: int) -> str:
    """Why a row is empty, in a cell."""
    pieces = int(projection.pieces[token])
    return f"∅ {pieces} pieces" if pieces else "∅ no counterpart"


def weight_cell(weight: float) -> str:
    """
    >>> weight_cell(1.0), weight_cell(0.90909), weight_cell(0.00001)
    ('1', '.9091', '.0000')
    """
    return "1" if weight == 1 else f"{weight:.4f}".lstrip("0")


def column_cells(prepared: Prepared, tokens: Ints) -> list[list[str]]:
    """Columns of W as the table shows them: token, id, how many student tokens, their weights' sum, the heaviest."""
    starts, students = prepared.columns.starts, prepared.columns.students
    lengths, sums = prepared.columns.lengths(), prepared.columns.sums()
    return [
        [
            token_text(prepared.teacher, token),
            str(token),
            f"{lengths[token]:,}",
            f"{sums[token]:.4f}" if lengths[token] else "-",
            token_text(prepared.student, int(students[starts[token]])) if lengths[token] else "∅",
        ]
        for token in tokens.tolist()
    ]


def entry_table(tokenizer: Tokenizer, entries: Sequence[Entry]) -> pd.DataFrame:
    """The twin of the bars: id, text, bytes, weight."""
    spelled = [_bytes(tokenizer.vocabulary.token_bytes(entry.id)) for entry in entries]
    rows = [
        (entry.id, token_text(tokenizer, entry.id), data, entry.weight)
        for entry, data in zip(entries, spelled, strict=True)
    ]
    return pd.DataFrame(rows, columns=["id", "text", "bytes", "weight"]).round({"weight": 6})


def block_table(prepared: Prepared, tokens: Sequence[int]) -> pd.DataFrame:
    """The twin of the heatmap: a row a student token."""
    rows = [
        (token, token_text(prepared.student, token), *entry_cells(prepared.teacher, prepared.projection, token))
        for token in tokens
    ]
    return pd.DataFrame(rows, columns=["id", "student token", "teacher tokens", "weights"])


def rows_csv(prepared: Prepared, tokens: Ints) -> str:
    """The rows of these student tokens as a file, with their categories and common sets."""
    return projection_csv.rows_csv(
        prepared.projection,
        tokens,
        prepared.student,
        prepared.teacher,
        categories=prepared.student_listing.categories,
        strict=prepared.strict,
        relaxed=prepared.relaxed,
    )


def columns_csv(prepared: Prepared, tokens: Ints) -> str:
    """These teacher tokens as a file, with what reaches them."""
    return projection_csv.columns_csv(
        prepared.columns, tokens, prepared.teacher, categories=prepared.teacher_listing.categories
    )
