"""
What a user chooses on the Projection page beside the pair. Every value lives in the session under its name in the link.
"""

import math
from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import journey, pair
from ui.layout import presenter_size
from ui.projection_figures import RULE_WORDS
from xtoken_core.browse import Asked, Order
from xtoken_core.categories import Category
from xtoken_core.common_set import THRESHOLD
from xtoken_core.errors import ProjectionError, SearchError
from xtoken_core.matrix import MAX_PIECES, MAX_TOP_K, Long, Options
from xtoken_core.search import Kind

VIEWS = {
    "rows": "Rows",
    "columns": "Teacher tokens",
    "summary": "Summary",
    "block": "Block",
    "compare": "Compare",
}
KINDS = {"text": "Text", "bytes": "Bytes, hex", "id": "Id", "regex": "Regular expression"}
HINTS = {
    "text": "part of a token, such as ·the or 201",
    "bytes": "part of a token in hex, such as E2 80",
    "id": "679, or several: 679 220 100-200",
    "regex": r"RE2, such as ^\d{3}$ or \p{Han}",
}
LONG = {"drop": "no row (drop)", "truncate": "a row of its first pieces (truncate)"}
DEFAULTS = {
    "top_k": Options().top_k,
    "max_pieces": Options().max_pieces,
    "gamma": Options().gamma,
    "long": Options().long,
    "threshold": THRESHOLD,
}
RULES = {rule.label: rule for rule in RULE_WORDS}
CATEGORIES = {category.label: category for category in Category}


def controls() -> DeltaGenerator | None:
    """All controls in one place, while presenting only the way back. Returns the place of the downloads, if any."""
    _make_legal()
    if st.session_state.presenter:
        st.toggle("Presenter", key="presenter", persist_state="session")
        presenter_size()
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pair.choose_pair()
        _options()
        with st.popover("Open"):
            pair.open_tokenizer()
        save = st.empty()
    pair.show_file_errors()
    return save


def _make_legal() -> None:
    """A link may ask for what isn't there; a widget would break on it."""
    state = st.session_state
    make_options_legal()
    for name, legal in (("view", VIEWS), ("kind", KINDS)):
        if state[name] not in legal:
            state[name] = next(iter(legal))
    state.rules = [rule for rule in state.rules if rule in RULES]
    state.categories = [category for category in state.categories if category in CATEGORIES]
    for name, default in (("least_weight", 0.0), ("most_weight", 1.0)):
        if not 0 <= (state[name] or 0) <= 1:
            state[name] = default


def make_options_legal() -> None:
    """The options of W and of its common sets, which more than one page has: an impossible one becomes the default."""
    state = st.session_state
    if state.long not in LONG:
        state.long = Options().long
    for name, most in (("top_k", MAX_TOP_K), ("max_pieces", MAX_PIECES)):
        if not 1 <= (state[name] or 1) <= most:
            state[name] = getattr(Options(), name)
    if not 0 < (state.gamma or 1) <= 1:
        state.gamma = Options().gamma
    if not 0 <= (state.threshold or 0) <= 1:
        state.threshold = THRESHOLD


def _options() -> None:
    """How W is built."""
    with st.popover(_counted("Options", sum(st.session_state[name] != value for name, value in DEFAULTS.items()))):
        left, right = st.columns(2)
        left.number_input(
            "Teacher tokens kept a row (K)",
            1,
            MAX_TOP_K,
            None,
            key="top_k",
            persist_state="session",
            help="The heaviest stay.",
        )
        right.number_input(
            "Most pieces of a token",
            1,
            MAX_PIECES,
            None,
            key="max_pieces",
            persist_state="session",
            help="A student token that the teacher spells with more pieces is long.",
        )
        left.number_input(
            "Weight of the next piece (γ)",
            0.001,
            1.0,
            None,
            step=0.05,
            format="%.3f",
            key="gamma",
            persist_state="session",
            help="As a multiple of the piece before. The first weight, β, cancels: each row is made to sum to 1.",
        )
        right.radio(
            "A long token gets",
            get_args(Long),
            key="long",
            format_func=lambda long: LONG[long],
            persist_state="session",
            help="The paper's text drops it.",
        )
        st.slider(
            "Threshold of the relaxed common set",
            0.0,
            1.0,
            step=0.05,
            key="threshold",
            persist_state="session",
            help="It takes the rows whose heaviest entry weighs at least this. The paper states no value; 0.6 is the "
            "reference implementation's.",
        )
        st.button("Back to the defaults", on_click=_reset)
        st.toggle("Presenter: larger type, no controls", key="presenter", persist_state="session")


def _reset() -> None:
    st.session_state.update(DEFAULTS)


def options() -> Options:
    """How W is built, as the controls say. Raises ProjectionError for values that make no matrix."""
    state = st.session_state
    if state.top_k is None or state.max_pieces is None or state.gamma is None:
        raise ProjectionError("A number under Options is empty. Fill it in: K and the most pieces are 4, γ is 0.1.")
    return Options(top_k=state.top_k, max_pieces=state.max_pieces, gamma=state.gamma, long=state.long)


def choose_view() -> str:
    """Which of the page's views is open."""
    if not st.session_state.presenter:
        st.segmented_control(
            "View",
            list(VIEWS),
            key="view",
            format_func=lambda view: VIEWS[view],
            label_visibility="collapsed",
            required=True,
            on_change=pair.forget_ids,
            persist_state="session",
        )
    return str(st.session_state.view)


def search_rows() -> None:
    """What to look for among the rows."""
    if st.session_state.presenter:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _query("Find a student token")
        with st.popover(_counted("Filters", _row_filters())):
            st.multiselect(
                "Rule",
                list(RULES),
                key="rules",
                format_func=lambda rule: f"{rule} · {RULE_WORDS[RULES[rule]]}",
                persist_state="session",
            )
            _category()
            left, right = st.columns(2)
            left.number_input("Pieces, at least", 0, None, None, key="least_pieces", persist_state="session")
            right.number_input("Pieces, at most (0: any)", 0, None, None, key="most_pieces", persist_state="session")
            left.number_input(
                "Top weight, at least", 0.0, 1.0, None, step=0.05, key="least_weight", persist_state="session"
            )
            right.number_input(
                "Top weight, at most", 0.0, 1.0, None, step=0.05, key="most_weight", persist_state="session"
            )
        st.button("Show all", on_click=_clear, disabled=not (st.session_state.query or _row_filters()))


def search_columns() -> None:
    """What to look for among the teacher's tokens."""
    if st.session_state.presenter:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _query("Find a teacher token")
        filters = len(st.session_state.categories) + st.session_state.unreached
        with st.popover(_counted("Filters", filters)):
            _category()
            st.toggle("Only tokens that no student token reaches", key="unreached", persist_state="session")
        st.button("Show all", on_click=_clear, disabled=not (st.session_state.query or filters))


def _query(label: str) -> None:
    st.selectbox(
        "Find by", list(KINDS), key="kind", format_func=lambda kind: KINDS[kind], width=180, persist_state="session"
    )
    st.text_input(
        label,
        key="query",
        placeholder=HINTS[st.session_state.kind],
        max_chars=2000,
        persist_state="session",
        help="Text is found as it is, capitals too, or as the table draws it: · is a space, ↵ a line end, → a tab.",
    )


def _category() -> None:
    st.multiselect(
        "Category",
        list(CATEGORIES),
        key="categories",
        format_func=lambda category: CATEGORIES[category].title,
        persist_state="session",
    )


def _counted(name: str, count: int) -> str:
    return f"{name} ({count})" if count else name


def _row_filters() -> int:
    """How many filters narrow the rows, the query aside."""
    state = st.session_state
    bounds = bool(state.least_pieces), bool(state.most_pieces), bool(state.least_weight), state.most_weight != 1
    return sum((len(state.rules), len(state.categories), *bounds))


def _clear() -> None:
    journey.show_all()
    st.session_state.query = ""


def asked() -> Asked:
    """What the reader wants to see; an emptied number is no bound. Raises SearchError where the bounds exclude all."""
    state = st.session_state
    _check_bounds("pieces", state.least_pieces or 0, state.most_pieces or math.inf)
    _check_bounds("top weight", state.least_weight or 0.0, 1.0 if state.most_weight is None else state.most_weight)
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return Asked(
        kind=kinds[state.kind],
        query=state.query or "",
        categories=frozenset(CATEGORIES[category] for category in state.categories),
        rules=frozenset(RULES[rule] for rule in state.rules),
        least_pieces=state.least_pieces or 0,
        most_pieces=state.most_pieces or 0,
        least_weight=state.least_weight or 0.0,
        most_weight=1.0 if state.most_weight is None else state.most_weight,
        unreached=state.unreached,
    )


def _check_bounds(name: str, least: float, most: float) -> None:
    if least > most:
        raise SearchError(f"No {name} is at least {least:g} and at most {most:g}. Change a bound under Filters.")


def order() -> Order:
    """By which column the table is sorted: its name, with a minus in front for the way down."""
    sort = st.session_state.sort
    return Order(sort.removeprefix("-") or "id", sort.startswith("-"))


def sort_by(column: str, descending: bool) -> None:
    """The reader chose a column to sort by."""
    st.session_state.sort = f"-{column}" if descending else column
