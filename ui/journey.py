"""
From one page to the next with what is being looked at: a chunk, its rows of W, and back.

Each step writes what the next page shall show into the session, under the names of that page's link, and goes there.
"""

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from ui.router import ALIGNMENT, PROJECTION
from xtoken_core.alignment import align
from xtoken_core.tokenizer import Tokenizer

MOST_CARRIED = 200  # token ids that one step takes along


def to_rows(tokens: Sequence[int], *, from_chunk: int | None = None) -> NoReturn:
    """To these student tokens' rows of W."""
    _show_tokens("rows", "row", tokens)
    st.session_state.from_chunk = from_chunk
    st.switch_page(PROJECTION)


def to_columns(tokens: Sequence[int], *, from_chunk: int | None = None) -> NoReturn:
    """To these teacher tokens' columns of W."""
    _show_tokens("columns", "column", tokens)
    st.session_state.from_chunk = from_chunk
    st.switch_page(PROJECTION)


def _show_tokens(view: str, choice: str, tokens: Sequence[int]) -> None:
    distinct = list(dict.fromkeys(tokens))[:MOST_CARRIED]
    state = st.session_state
    state.view, state.kind, state.query = view, "id", " ".join(map(str, distinct))
    show_all()
    state[choice] = distinct[0]


def to_category(label: str) -> NoReturn:
    """To the rows of all student tokens of a category."""
    show_all()
    state = st.session_state
    state.view, state.query, state.categories, state.row, state.from_chunk = "rows", "", [label], None, None
    st.switch_page(PROJECTION)


def show_all() -> None:
    """No filter on the Projection page."""
    state = st.session_state
    state.rules, state.categories, state.unreached = [], [], False
    state.least_pieces, state.most_pieces, state.least_weight, state.most_weight = 0, 0, 0.0, 1.0


def to_text(text: str, student: Tokenizer, teacher: Tokenizer) -> NoReturn:
    """To the alignment of a text, the first chunk that spells some of it chosen."""
    state = st.session_state
    sides = student.encode(text, special=state.student_special), teacher.encode(text, special=state.teacher_special)
    aligned = align(*sides)
    spelling = (k for k, chunk in enumerate(aligned) if aligned.bytes_of(chunk)[0])
    state.text, state.chunk, state.sample = text, next(spelling, None), None
    st.switch_page(ALIGNMENT)


def back_to_chunk() -> NoReturn:
    """To the chunk that the reader came from; the text still stands there."""
    st.session_state.chunk = st.session_state.from_chunk
    st.switch_page(ALIGNMENT)
