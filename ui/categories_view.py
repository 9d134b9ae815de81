"""The Coverage page's categories: a teacher's as bars, the tokens of the chosen one, and what each holds."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from ui import coverage_figures, journey
from ui import projection_tables as tables
from ui.cached import Prepared
from ui.coverage_inputs import CATEGORIES
from ui.coverage_view import Audit, Teacher, write_link
from ui.layout import side_by_side
from ui.projection_view import table
from ui.token_table import Column
from xtoken_core.audit import Coverage
from xtoken_core.categories import RULES, Category, CategoryRule
from xtoken_core.display import visible
from xtoken_core.sequence import Ints

TOKEN_COLUMNS = (
    Column("text", "student token", "text", 130, grow=2, sortable=False),
    Column("id", "id", "number", 72, sortable=False),
    Column("occurrences", "occurrences", "number", 100, sortable=False),
    Column("place", "common set", "quiet", 112, sortable=False),
    Column("targets", "teacher tokens", "text", 130, grow=3, sortable=False),
    Column("weight", "weights", "number", 150, grow=1, sortable=False),
)


@st.fragment
def categories(found: Audit) -> None:
    """The categories of one teacher as bars, and the tokens of the chosen one."""
    one = shown_teacher(found)
    left, right = side_by_side("bars_and_tokens")
    with left:
        _bars(found, one)
    with right:
        _tokens(found, one)
    with st.expander("The categories as a table"):
        st.dataframe(coverage_figures.category_table(one.shown), hide_index=True)
    _rules()
    write_link(found)


def _bars(found: Audit, one: Teacher) -> None:
    finding = coverage_figures.finding(one.shown, found.unit)
    st.markdown(f"**{finding}**")
    st.caption("● critical. Click on a bar to see its tokens.")
    st.plotly_chart(
        coverage_figures.by_category(one.shown, found.critical),
        key="category_bars",
        on_select=lambda: _take_bar(one.shown),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Bars of categories by their place in the common sets. {finding}.",
    )


def shown_teacher(found: Audit) -> Teacher:
    """The teacher whose categories are shown: the pair's, or the one that the reader looks at."""
    if len(found.teachers) == 1:
        return found.teachers[0]
    places = range(len(found.teachers))
    place = st.selectbox(
        "Taught by",
        places,
        format_func=lambda k: found.teachers[k].name,
        key="looked_at",
        width=320,
        persist_state="session",
    )
    return found.teachers[place if place in places else 0]


def _take_bar(coverage: Coverage) -> None:
    """The category of the bar that was clicked."""
    points = st.session_state.category_bars.selection.points
    place = points[0].get("point_index") if points else None
    if isinstance(place, int) and 0 <= place < len(coverage.categories):
        st.session_state.category = coverage.categories[place].category.label


def _tokens(found: Audit, one: Teacher) -> None:
    """The tokens of the chosen category, the most frequent first where a text weighs."""
    owned = [category.category.label for category in one.vocabulary.categories]
    if st.session_state.category not in owned:
        st.session_state.category = _first_look(found, one)
    st.selectbox(
        "Tokens of",
        owned,
        key="category",
        format_func=lambda label: CATEGORIES[label].title,
        width=320,
        persist_state="session",
    )
    category = CATEGORIES[st.session_state.category]
    tokens = np.flatnonzero(one.prepared.student_listing.categories == category)
    occurrences = found.occurrences
    if occurrences is not None:
        tokens = tokens[np.argsort(-occurrences[tokens], kind="stable")]
    columns = [column for column in TOKEN_COLUMNS if occurrences is not None or column.name != "occurrences"]
    table("coverage", tokens, st.session_state.row, tuple(columns), lambda ids: _cells(found, one, ids), _choose)
    if not st.session_state.presenter:
        with st.container(horizontal=True):
            _steps(one, category, tokens)


def _first_look(found: Audit, one: Teacher) -> str:
    """The critical category that stands outside most."""
    critical = [number for number in one.shown.categories if number.category in found.critical]
    worst = max(critical or one.shown.categories, key=lambda number: number.share_outside)
    return worst.category.label


def _choose(token: int) -> None:
    st.session_state.row = token


def _cells(found: Audit, one: Teacher, tokens: Ints) -> list[list[str]]:
    occurrences = found.occurrences
    return [
        [
            tables.token_text(found.student, token),
            str(token),
            *([] if occurrences is None else [f"{occurrences[token]:,}"]),
            _place(one.prepared, token),
            *tables.entry_cells(one.prepared.teacher, one.prepared.projection, token),
        ]
        for token in tokens.tolist()
    ]


def _place(prepared: Prepared, token: int) -> str:
    if prepared.strict.teacher_of(token) is not None:
        return "strict"
    return "relaxed" if prepared.relaxed.teacher_of(token) is not None else "outside"


def _steps(one: Teacher, category: Category, tokens: Ints) -> None:
    """To W: the rows of the category, or that of the chosen token."""
    state = st.session_state
    taught = partial(st.button, on_click=_be_taught_by, args=(one.name,))
    if taught("Its rows of W", help="All rows of this category on the Projection page"):
        journey.to_category(category.label)
    if state.row is not None and state.row in tokens and taught("The chosen token's row"):
        journey.to_rows([state.row])


def _be_taught_by(teacher: str) -> None:
    """The teacher that the reader looks at becomes the pair's, which takes its place. A callback: the widgets stand."""
    state = st.session_state
    state.beside = [state.teacher if name == teacher else name for name in state.beside]
    state.teacher = teacher


def _rules() -> None:
    """What each category holds."""
    with st.expander("What the categories hold: each token is in one, the first that fits"):
        rows = [
            (rule.title, rule.rule, "  ".join(_example(rule, example) for example in rule.examples)) for rule in RULES
        ]
        st.dataframe(pd.DataFrame(rows, columns=["category", "rule", "examples"]), hide_index=True)


def _example(rule: CategoryRule, example: str) -> str:
    """A token as the page draws it; where bytes or a role decide, the example is drawn already."""
    return visible(example.encode()) if rule.pattern else example
