"""The whole W in four charts, and a block of it for tokens that the reader names."""

import numpy as np
import streamlit as st

from ui import projection_figures, projection_tables
from ui.cached import Prepared
from ui.figures import show
from ui.messages import show_error
from ui.projection_figures import Chart
from ui.projection_view import write_link
from xtoken_core.errors import XTokenError
from xtoken_core.matrix import Row

MOST_ROWS, MOST_COLUMNS = 40, 80
MOST_CHARACTERS = 2_000


def summary(prepared: Prepared) -> None:
    """Rows by rule, pieces a row, student tokens a column, and which teacher tokens nothing reaches."""
    charts = (
        projection_figures.by_rule(prepared.projection),
        projection_figures.by_pieces(prepared.projection),
        projection_figures.by_students(prepared.columns),
        projection_figures.unreached(prepared.columns, prepared.teacher_listing.categories),
    )
    for pair in (charts[:2], charts[2:]):
        for place, chart in zip(st.columns(2, gap="medium"), pair, strict=True):
            with place:
                _show(chart)
    write_link(prepared)


def _show(chart: Chart) -> None:
    show(chart.figure, "Bars", chart.finding)
    with st.expander("The same as a table"):
        st.dataframe(chart.table, hide_index=True)


@st.fragment
def block(prepared: Prepared) -> None:
    """A block of W: the student's tokens of the lines that the reader wrote, and where they go."""
    if not st.session_state.presenter:
        st.text_area(
            "Tokens for the block: each line is cut by the student",
            key="block",
            height=124,
            max_chars=MOST_CHARACTERS,
            persist_state="session",
            help="Write a space in front where the token has one.",
        )
    try:
        tokens = _tokens(prepared, st.session_state.block or "")
    except XTokenError as error:
        show_error(str(error))
        return
    write_link(prepared)
    if not tokens:
        st.caption("Write a word or a number, a line each, to see its rows.")
        return
    _heatmap(prepared, tokens[:MOST_ROWS])
    if len(tokens) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(tokens):,} different tokens are drawn.")


def _tokens(prepared: Prepared, lines: str) -> list[int]:
    """The different student tokens of the lines, in order."""
    cut = [prepared.student.encode(line, special=False).ids.tolist() for line in lines.splitlines() if line]
    return list(dict.fromkeys(token for ids in cut for token in ids))


def _heatmap(prepared: Prepared, tokens: list[int]) -> None:
    rows = [prepared.projection.row(token) for token in tokens]
    targets = list(dict.fromkeys(entry.id for row in rows for entry in row.entries))
    shown = targets[:MOST_COLUMNS]
    weights = np.zeros((len(rows), max(len(shown), 1)))
    for place, row in enumerate(rows):
        for entry in row.entries:
            if entry.id in shown:
                weights[place, shown.index(entry.id)] = entry.weight
    several = sum(len(row.entries) > 1 for row in rows)
    lost = sum(not row.entries for row in rows)
    figure = projection_figures.block(
        [_row_label(prepared, row) for row in rows],
        [projection_tables.token_label(prepared.teacher, token) for token in shown],
        weights,
    )
    finding = f"Student tokens that go to several teacher tokens: {several} of {len(rows)}; to none: {lost}"
    show(figure, "Heatmap of weights, student tokens down, teacher tokens across", finding)
    if len(targets) > len(shown):
        st.caption(f"The first {len(shown)} of {len(targets)} teacher tokens are drawn; the table has all.")
    with st.expander("The same as a table"):
        st.dataframe(projection_tables.block_table(prepared, tokens), hide_index=True)


def _row_label(prepared: Prepared, row: Row) -> str:
    label = projection_tables.token_label(prepared.student, row.token)
    return label if row.entries else f"{label} ∅"
