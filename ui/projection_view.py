"""The Projection page below its controls: rows with the chosen row's card, and the same for the teacher's tokens."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from ui import journey, link, pair, projection_inputs
from ui import projection_tables as tables
from ui.cached import Prepared
from ui.figures import PLAIN, show
from ui.layout import side_by_side
from ui.link import ProjectionLink
from ui.messages import show_error, show_lines, show_plain
from ui.projection_figures import RULE_COLOURS, RULE_WORDS, entries, share
from ui.token_table import Column, payload, token_table, window_around
from xtoken_core import browse
from xtoken_core.errors import XTokenError
from xtoken_core.matrix import Entry, Row, Rule
from xtoken_core.projection import ids_by_bytes
from xtoken_core.sequence import Ints

WINDOW = 400  # rows that the browser has at a time
HEIGHT = 560
MOST_LISTED = 500  # student tokens of a column
MOST_BARS = 12
FIRST_LOOK = b"201"

ROW_COLUMNS = (
    Column("text", "student token", "text", 120, grow=2),
    Column("id", "id", "number", 72),
    Column("rule", "rule", "quiet", 72),
    Column("pieces", "pieces", "number", 84),
    Column("targets", "teacher tokens", "text", 130, grow=3, sortable=False),
    Column("weight", "weights", "number", 150, grow=1),
)
COLUMN_COLUMNS = (
    Column("text", "teacher token", "text", 130, grow=2),
    Column("id", "id", "number", 72),
    Column("students", "student tokens", "number", 120),
    Column("sum", "total weight", "number", 110),
    Column("heaviest", "heaviest", "text", 130, grow=2, sortable=False),
)


def introduction() -> None:
    """What the reader sees, and what to try."""
    if not st.session_state.presenter:
        st.title("Projection")
    st.caption(
        "W says where the probability of each student token goes among the teacher's tokens. "
        "Find a token, choose its row, and see which teacher tokens share it."
    )


def way_back() -> None:
    """Back to the chunk that the reader came from."""
    chunk = st.session_state.get("from_chunk")
    if chunk is not None and not st.session_state.presenter and st.button(f"← Back to chunk {chunk + 1:,} of the text"):
        journey.back_to_chunk()


def summary_line(prepared: Prepared) -> None:
    """The whole W in a sentence."""
    projection = prepared.projection
    counts = projection.counts()
    told = ", ".join(f"{count:,} {rule.label}" for rule, count in counts.items())
    show_plain(
        f"{projection.student.name} → {projection.teacher.name}: {len(projection):,} rows, {told}. "
        f"The strict common set has {len(prepared.strict):,} pairs, the relaxed {len(prepared.relaxed):,}."
    )


def write_link(prepared: Prepared) -> None:
    """The address says what the page shows."""
    link.write(link.current(ProjectionLink).with_hashes(prepared.student.sha256, prepared.teacher.sha256))


@st.fragment
def rows(prepared: Prepared) -> None:
    """The rows that are asked for, as a table, and the card of the chosen one. A choice runs only this part again."""
    projection_inputs.search_rows()
    found = _found(
        lambda: browse.rows(
            prepared.projection, prepared.student_listing, projection_inputs.asked(), projection_inputs.order()
        )
    )
    chosen = _chosen_row(prepared, found)
    left, right = side_by_side("rows_and_card")
    with left:
        table("rows", found, chosen, ROW_COLUMNS, lambda tokens: tables.row_cells(prepared, tokens), _choose_row)
        _save_rows(prepared, found)
    with right:
        _note_unlisted(chosen, found)
        _row_card(prepared, chosen)
    write_link(prepared)


def _note_unlisted(chosen: int, found: Ints) -> None:
    """The choice stays when the search changes, so it may stand in no list."""
    if chosen not in found:
        st.caption("Not in the list: this is the token that was chosen before.")


def _found(find: Callable[[], Ints]) -> Ints:
    """The tokens that are asked for; none, with a sentence, where the query can't be used."""
    try:
        return find()
    except XTokenError as error:
        show_error(str(error))
        return np.zeros(0, np.int64)


def _choose_row(token: int) -> None:
    st.session_state.row = token


def _choose_column(token: int) -> None:
    st.session_state.column = token


def _chosen_row(prepared: Prepared, found: Ints) -> int:
    """The row that the reader chose; else that of 201 where it's listed; else the first that is listed."""
    token = st.session_state.row
    if token is not None and token < len(prepared.projection):
        return int(token)
    known = ids_by_bytes(prepared.student).get(FIRST_LOOK, -1)
    return known if known in found else int(next(iter(found), 0))


def table(
    name: str,
    found: Ints,
    chosen: int | None,
    columns: tuple[Column, ...],
    cells: Callable[[Ints], list[list[str]]],
    choose: Callable[[int], None],
) -> None:
    """A window of the found tokens; the browser asks for another when the reader leaves it."""
    at = np.flatnonzero(found == chosen)
    chosen_at = int(at[0]) if len(at) else None
    order, sort = _order_of(name, found), projection_inputs.order()
    known, first, sorted_by = st.session_state.get(f"{name}_window", ("", 0, sort))
    if known != order:
        if sorted_by != sort:  # who sorts wants to see what comes first
            chosen_at = None
        first = window_around(chosen_at, len(found), WINDOW)
        st.session_state[f"{name}_window"] = order, first, sort
    shown = found[first : first + WINDOW]
    token_table(
        payload(
            columns,
            cells(shown),
            shown.tolist(),
            first=first,
            total=len(found),
            order=order,
            sort=(sort.column, sort.descending) if sort.column in {column.name for column in columns} else None,
            chosen=chosen,
            chosen_at=chosen_at,
            noun="tokens",
            empty="No token matches. Change the search or the filters, or show all.",
        ),
        key=f"{name}_table",
        height=HEIGHT,
        on_choose=choose,
        on_window=lambda wanted: st.session_state.update({f"{name}_window": (order, wanted, sort)}),
        on_sort=projection_inputs.sort_by,
    )


def _order_of(name: str, found: Ints) -> str:
    """What is listed in which order, in a word."""
    state = st.session_state
    return f"{name} {state.student} {state.teacher} {hash(found.tobytes())}"


def _save_rows(prepared: Prepared, found: Ints) -> None:
    """The rows that are listed, as a file."""
    if st.session_state.presenter or not len(found):
        return
    st.download_button(
        f"Save the listed rows (CSV, {len(found):,})",
        lambda: tables.rows_csv(prepared, found),
        pair.file_name(prepared.student, prepared.teacher, "rows.csv"),
        "text/csv",
        on_click="ignore",
    )


def _save_columns(prepared: Prepared, found: Ints) -> None:
    """The teacher tokens that are listed, as a file."""
    if st.session_state.presenter or not len(found):
        return
    st.download_button(
        f"Save the listed tokens (CSV, {len(found):,})",
        lambda: tables.columns_csv(prepared, found),
        pair.file_name(prepared.student, prepared.teacher, "columns.csv"),
        "text/csv",
        on_click="ignore",
    )


def _row_card(prepared: Prepared, token: int) -> None:
    """The chosen row: its token, its teacher tokens by weight, its rule, what was cut, its place in the common sets."""
    row = prepared.projection.row(token)
    st.subheader(f"Row {token:,}: {row.rule.label}")
    show_lines(tables.told(prepared.student, prepared.student_listing, token))
    if row.entries:
        labels = [tables.token_label(prepared.teacher, entry.id) for entry in row.entries]
        weights = [entry.weight for entry in row.entries]
        bars = entries(labels, weights, colour=RULE_COLOURS[row.rule])
        show(bars, f"Bars of the teacher tokens of row {token} by weight", _row_finding(row))
    show_lines(_row_facts(prepared, row))
    _row_steps(prepared, row)
    if row.entries:
        st.dataframe(tables.entry_table(prepared.teacher, row.entries), hide_index=True)


def _row_finding(row: Row) -> str:
    top = row.entries[0].weight
    if len(row.entries) == 1:
        return "All of it goes to one teacher token"
    return f"{share(top, 1)} goes to the first of {len(row.entries)} teacher tokens"


def _row_facts(prepared: Prepared, row: Row) -> list[str]:
    """What the bars don't say."""
    facts = [f"Rule {row.rule.label}: {_why(prepared, row)}."]
    if len(row.entries) < row.pieces and row.rule is Rule.MULTI and not row.trimmed:
        facts.append("A teacher token that comes again counts once, with the sum of its weights.")
    if row.trimmed:
        facts.append(f"Trimmed: {share(row.trimmed, 1)} of the weights was cut, the rest made to sum to 1.")
    if not prepared.projection.canonical[row.token]:
        facts.append("The student's tokenizer never emits this id: it has another one for the same bytes.")
    return [*facts, _in_strict(prepared, row), _in_relaxed(prepared, row)]


def _why(prepared: Prepared, row: Row) -> str:
    if row.rule is Rule.MULTI:
        return f"the teacher spells it with {row.pieces} tokens"
    if row.rule is Rule.EMPTY and row.pieces:
        allowed = prepared.projection.options.max_pieces if prepared.projection.options else 0
        return f"the teacher needs {row.pieces} tokens and Options allow {allowed}, so its probability is lost"
    if row.rule is Rule.EMPTY:
        return "no teacher token stands for it, so its probability is lost"
    return RULE_WORDS[row.rule]


def _in_strict(prepared: Prepared, row: Row) -> str:
    if prepared.strict.teacher_of(row.token) is not None:
        return "Strict common set: in, since a teacher token has the same bytes."
    if row.rule is Rule.EXACT:
        return f"Strict common set: out, {_taker(prepared, prepared.strict.students_of(row.entries[0].id))}."
    if not prepared.student.vocabulary.token_bytes(row.token):
        return "Strict common set: out, a special token has no bytes to compare."
    return "Strict common set: out, no teacher token has the same bytes."


def _in_relaxed(prepared: Prepared, row: Row) -> str:
    name = "Relaxed common set"
    if prepared.relaxed.teacher_of(row.token) is not None:
        return f"{name}: in, paired with {tables.token_label(prepared.teacher, row.entries[0].id)}."
    if not row.entries:
        return f"{name}: out, the row is empty."
    if row.entries[0].weight < st.session_state.threshold:
        return f"{name}: out, the top weight {row.entries[0].weight:.4f} is below {st.session_state.threshold:g}."
    taken = prepared.relaxed.students_of(row.entries[0].id)
    return f"{name}: out, {_taker(prepared, taken)}."


def _taker(prepared: Prepared, students: list[int]) -> str:
    takers = ", ".join(tables.token_label(prepared.student, student) for student in students)
    return f"its teacher token went to the student token {takers}"


def _row_steps(prepared: Prepared, row: Row) -> None:
    """From the row to its columns, and to a text that holds the token."""
    if st.session_state.presenter:
        return
    with st.container(horizontal=True):
        for entry in row.entries[:4]:
            if st.button(f"Column {entry.id}", key=f"to column {entry.id}", on_click=_show_column, args=(entry.id,)):
                st.rerun()
        text = tables.whole_text(prepared.student, row.token)
        if text and st.button("Align this token's text"):
            journey.to_text(text, prepared.student, prepared.teacher)


def _show_column(token: int) -> None:
    """The teacher's tokens with this one chosen, whatever was looked for."""
    journey.show_all()
    st.session_state.query = ""
    st.session_state.view, st.session_state.column = "columns", token


def _show_row(token: int) -> None:
    journey.show_all()
    st.session_state.query = ""
    st.session_state.view, st.session_state.row = "rows", token


@st.fragment
def columns(prepared: Prepared) -> None:
    """The teacher's tokens, how much reaches each, and all that maps to the chosen one."""
    projection_inputs.search_columns()
    found = _found(
        lambda: browse.columns(
            prepared.columns, prepared.teacher_listing, projection_inputs.asked(), projection_inputs.order()
        )
    )
    chosen = _chosen_column(prepared, found)
    left, right = side_by_side("columns_and_card")
    with left:
        table("columns", found, chosen, COLUMN_COLUMNS, lambda ids: tables.column_cells(prepared, ids), _choose_column)
        _save_columns(prepared, found)
    with right:
        _note_unlisted(chosen, found)
        _column_card(prepared, chosen)
    write_link(prepared)


def _chosen_column(prepared: Prepared, found: Ints) -> int:
    """The column that the reader chose; else the one that the row reaches first where it's listed, else the first."""
    token = st.session_state.column
    if token is not None and token < len(prepared.columns):
        return int(token)
    row = prepared.projection.row(_chosen_row(prepared, np.zeros(0, np.int32)))
    reached = row.entries[0].id if row.entries else -1
    return reached if reached in found else int(next(iter(found), 0))


def _column_card(prepared: Prepared, token: int) -> None:
    """The chosen teacher token and the student tokens that map to it."""
    reaching = prepared.columns.column(token)
    st.subheader(f"Column {token:,}: {_counted(len(reaching))}")
    show_lines(tables.told(prepared.teacher, prepared.teacher_listing, token))
    if not reaching:
        st.caption("Nothing the student says can reach this token: P-KL leaves its probability out and reports it.")
        return
    heaviest = reaching[:MOST_BARS]
    labels = [tables.token_label(prepared.student, entry.id) for entry in heaviest]
    bars = entries(labels, [entry.weight for entry in heaviest], colour=PLAIN)
    show(bars, f"Bars of the student tokens of column {token} by weight", _column_finding(reaching))
    with st.container(height=240, border=False):
        st.dataframe(tables.entry_table(prepared.student, reaching[:MOST_LISTED]), hide_index=True)
    if len(reaching) > MOST_LISTED:
        st.caption(f"The first {MOST_LISTED:,} of {len(reaching):,} student tokens.")
    _column_steps(heaviest)


def _counted(count: int) -> str:
    return f"{count:,} student token" + ("" if count == 1 else "s")


def _column_finding(reaching: tuple[Entry, ...]) -> str:
    if len(reaching) == 1:
        return "One student token maps to it"
    shown = f", the heaviest {MOST_BARS} below" if len(reaching) > MOST_BARS else ""
    return f"{len(reaching):,} student tokens map to it{shown}"


def _column_steps(heaviest: tuple[Entry, ...]) -> None:
    if st.session_state.presenter:
        return
    with st.container(horizontal=True):
        for entry in heaviest[:4]:
            if st.button(f"Row {entry.id}", key=f"to row {entry.id}", on_click=_show_row, args=(entry.id,)):
                st.rerun()
