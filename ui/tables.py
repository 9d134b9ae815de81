"""Tables: escaped text in every cell, one row a thing, never a position that a filter could shift."""

import pandas as pd

from ui.figures import shape_name
from xtoken_core.display import spaced_hex, told, visible, visible_form
from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import Alignment, Shape, Span
from xtoken_core.tokenizer import Tokenizer


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def counts_table(counts: dict[Shape, int], words: dict[Shape, str]) -> pd.DataFrame:
    """Chunks by shape: what each shape means, how many, and their share in per cent."""
    total = max(sum(counts.values()), 1)
    return pd.DataFrame(
        [(shape_name(shape), words[shape], count, round(100 * count / total, 1)) for shape, count in counts.items()],
        columns=["shape", "meaning", "chunks", "share, %"],
    )


def chunk_table(alignment: Alignment) -> pd.DataFrame:
    """Every chunk, the twin of the token view."""
    rows = []
    for number, chunk in enumerate(alignment, 1):
        texts = told(alignment.student, chunk.student), told(alignment.teacher, chunk.teacher)
        same = _yes_no(alignment.same_after_nfc(chunk)) if chunk.shape is Shape.MISMATCH else ""
        rows.append((number, shape_name(chunk.shape), *texts, len(chunk.student), len(chunk.teacher), same))
    columns = ["chunk", "shape", "student", "teacher", "student tokens", "teacher tokens", "same after NFC"]
    return pd.DataFrame(rows, columns=columns)


def token_table(tokenizer: Tokenizer, sequence: TokenSequence, span: Span) -> pd.DataFrame:
    """The tokens of one span: position, id, bytes, text, the vocabulary's form, the role of a special token."""
    roles = {mark.position: mark.role for mark in sequence.marks_between(span.start, span.stop)}
    rows = []
    for position in range(span.start, span.stop):
        token = int(sequence.ids[position])
        data = sequence.bytes_between(position, position + 1)
        form = visible_form(tokenizer.vocabulary.forms[token])
        rows.append((position, token, spaced_hex(data), visible(data), form, visible(roles.get(position, "").encode())))
    return pd.DataFrame(rows, columns=["position, from 0", "id", "bytes", "text", "vocabulary form", "special"])
