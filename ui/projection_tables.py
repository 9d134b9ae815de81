"""W's rows, columns and entries as cells: every token escaped, every number with the same digits."""

from collections.abc import Sequence

import pandas as pd

from ui.cached import Prepared
from xtoken_core.display import spaced_hex, visible, visible_form
from xtoken_core.matrix import Entry, Projection, Rule
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer

MOST_OF_A_TOKEN = 60  # characters of a token in a cell; some hold a hundred spaces


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """A token as a cell: its text, or its form in brackets where it stands for no bytes."""
    data = tokenizer.vocabulary.token_bytes(token)
    text = visible(data) if data else f"[{visible_form(tokenizer.vocabulary.forms[token]) or 'unused'}]"
    return text if len(text) <= MOST_OF_A_TOKEN else f"{text[:MOST_OF_A_TOKEN]}…"


def token_label(tokenizer: Tokenizer, token: int) -> str:
    """A token with its id, for where two of the same text could meet."""
    return f"{token_text(tokenizer, token)} ({token})"


def token_form(tokenizer: Tokenizer, token: int) -> str:
    """The vocabulary's own string, escaped."""
    return visible_form(tokenizer.vocabulary.forms[token])


def told(tokenizer: Tokenizer, token: int) -> list[str]:
    """A token in three lines: text, bytes, the vocabulary's form."""
    data = tokenizer.vocabulary.token_bytes(token)
    text = token_text(tokenizer, token) if data else "none, a special token"
    return [f"text: {text}", f"bytes: {spaced_hex(data) or 'none'}", f"vocabulary form: {token_form(tokenizer, token)}"]


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
    return texts or "∅", " ".join(weight_cell(entry.weight) for entry in entries) or "-"


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
    spelled = [spaced_hex(tokenizer.vocabulary.token_bytes(entry.id)) for entry in entries]
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
