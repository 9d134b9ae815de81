"""Two W for one pair: the one built here against one from a file, which rows differ and why."""

import numpy as np
import streamlit as st

from ui import cached, pair, projection_figures
from ui import projection_tables as tables
from ui.cached import Prepared
from ui.figures import show
from ui.messages import show_error, show_lines, show_plain
from ui.projection_view import table, write_link
from ui.token_table import Column
from xtoken_core.compare import Difference
from xtoken_core.errors import XTokenError
from xtoken_core.matrix import Projection
from xtoken_core.sequence import Ints

MAX_FILE_BYTES = 256 * pair.MIB
COLUMNS = (
    Column("text", "student token", "text", 120, grow=2),
    Column("id", "id", "number", 72),
    Column("reason", "why they differ", "quiet", 180, grow=2, sortable=False),
    Column("ours", "ours", "text", 130, grow=2, sortable=False),
    Column("our_weights", "weights", "number", 130, sortable=False),
    Column("theirs", "theirs", "text", 130, grow=2, sortable=False),
    Column("their_weights", "weights", "number", 130, sortable=False),
)


@st.fragment
def compare(prepared: Prepared) -> None:
    """The file's W beside ours: how many rows differ, why, and which."""
    st.file_uploader(
        f"A W for this pair: ours (.safetensors) or NeMo-RL's (.pt), up to {MAX_FILE_BYTES // pair.MIB} MiB",
        type=["safetensors", "pt"],
        key="their_file",
        max_upload_size=MAX_FILE_BYTES // pair.MIB,
        on_change=_keep_file,
    )
    write_link(prepared)
    file = st.session_state.get("theirs")  # stays while the reader looks at other views
    if file is None:
        st.caption(
            "Open a W that another tool made for the same two tokenizers, and see which rows differ from the one "
            "built here and why. Save gives you files to try it with."
        )
        return
    name, content = file
    show_plain(f"Compared with {name}, {len(content):,} bytes.")
    try:
        theirs, reasons = _read(prepared, name, content)
    except XTokenError as error:
        show_error(str(error))
        return
    _differences(prepared, theirs, reasons)


def _keep_file() -> None:
    file = st.session_state.their_file
    if file is not None:
        st.session_state.theirs = file.name, file.getvalue()


def _read(prepared: Prepared, name: str, content: bytes) -> tuple[Projection, Ints]:
    theirs = cached.read_projection(name, content, prepared.student, prepared.teacher)
    return theirs, cached.differences(prepared.projection, theirs, prepared.student, prepared.teacher)


def _differences(prepared: Prepared, theirs: Projection, reasons: Ints) -> None:
    counted = np.bincount(reasons, minlength=len(Difference))
    found = [reason for reason in Difference if counted[reason] and reason is not Difference.SAME]
    chart = projection_figures.by_reason(found, [int(counted[reason]) for reason in found], len(reasons))
    if not found:
        st.markdown(f"**{chart.finding}**")
        return
    show(chart.figure, "Bars of rows by the reason why they differ", chart.finding)
    if 2 * sum(counted[reason] for reason in found) > len(reasons):
        st.caption("Most rows differ. A .pt doesn't say for which tokenizers it was made: this one may be for others.")
    shown = st.multiselect(
        "Show",
        found,
        format_func=lambda reason: reason.title,
        key="reasons",
        placeholder="all reasons",
        persist_state="session",
    )
    tokens = np.flatnonzero(np.isin(reasons, [reason.value for reason in shown or found]))
    chosen = st.session_state.row
    table("compare", tokens, chosen, COLUMNS, lambda ids: _cells(prepared, theirs, reasons, ids), _choose)
    if chosen is not None and chosen < len(reasons) and reasons[chosen] != Difference.SAME:
        _both(prepared, theirs, chosen, Difference(int(reasons[chosen])))


def _choose(token: int) -> None:
    st.session_state.row = token


def _cells(prepared: Prepared, theirs: Projection, reasons: Ints, tokens: Ints) -> list[list[str]]:
    return [
        [
            tables.token_text(prepared.student, token),
            str(token),
            Difference(int(reasons[token])).label.replace("_", " "),
            *tables.entry_cells(prepared.teacher, prepared.projection, token),
            *tables.entry_cells(prepared.teacher, theirs, token),
        ]
        for token in tokens.tolist()
    ]


def _both(prepared: Prepared, theirs: Projection, token: int, reason: Difference) -> None:
    """The chosen row on both sides."""
    st.subheader(f"Row {token:,}: {reason.title}")
    show_lines(tables.told(prepared.student, prepared.student_listing, token))
    sides = zip(st.columns(2), (("ours", prepared.projection), ("from the file", theirs)), strict=True)
    for place, (name, projection) in sides:
        with place:
            st.caption(f"{name}, weights sum to {projection.weights[token].sum():.4f}")
            st.dataframe(tables.entry_table(prepared.teacher, projection.row(token).entries), hide_index=True)
