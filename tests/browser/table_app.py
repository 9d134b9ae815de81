"""
A tiny app around the token table, for its browser tests: rows made on demand, sorted and filtered on the server.

The link's `rows` says how many there are. Token k has the number k * 7919 modulo their count; the first are hostile.
"""

from collections import Counter
from functools import partial

import numpy as np
import streamlit as st

from ui.token_table import WINDOW, Column, payload, token_table, window_around

HOSTILE = (
    '<img src=x onerror="window.pwned=1">',
    "\u202eright to left\u2067",
    "long " * 400,
    "</style><script>window.pwned=2</script> :red[no] $x$",
    "שלום עולם",
)
COLUMNS = (
    Column("token", "Token", width=200, grow=2),
    Column("id", "Id", kind="number", width=100),
    Column("number", "Number seen", kind="number", width=120),
    Column("bytes", "Bytes", width=160, grow=1),
    Column("kind", "Category", kind="quiet", width=140, grow=1, sortable=False),
)
KINDS = ("word", "word after a space", "digits", "punctuation", "part of a character")


def numbers(count: int) -> np.ndarray:
    return np.arange(count) * 7919 % count


def cells(token: int, number: int) -> list[str]:
    name = HOSTILE[token] if token < len(HOSTILE) else f"·token{token}"
    return [name, str(token), f"{number:,}", name[:12].encode().hex(" ").upper(), KINDS[token % len(KINDS)]]


def ordered(count: int, ends_with: str, sort: tuple[str, bool] | None) -> np.ndarray:
    """The ids whose decimal digits end so, in the asked order."""
    ids = np.arange(count)
    if ends_with.isdecimal():
        ids = ids[ids % 10 ** len(ends_with) == int(ends_with)]
    elif ends_with:
        ids = ids[:0]
    if sort is None:
        return ids
    name, descending = sort
    by = ids[np.argsort(numbers(count)[ids])] if name == "number" else ids
    return by[::-1] if descending else by


def choose(token: int) -> None:
    st.session_state.chosen = token
    st.session_state.calls["choose"] += 1


def show_window(order: str, first: int) -> None:
    st.session_state.window = order, first
    st.session_state.calls["window"] += 1


def sort_by(name: str, descending: bool) -> None:
    st.session_state.sort = name, descending
    st.session_state.calls["sort"] += 1


@st.fragment
def table(count: int) -> None:
    state = st.session_state
    ends_with = st.text_input("Id ends with")
    name = f"{count} {ends_with} {state.sort}"
    order = ordered(count, ends_with, state.sort)
    places = np.flatnonzero(order == state.chosen)
    place = int(places[0]) if len(places) else None
    asked_in, asked = state.window
    first = asked if asked_in == name else window_around(place, len(order))
    shown = order[first : first + WINDOW]
    sent = payload(
        COLUMNS,
        [cells(int(token), int(token) * 7919 % count) for token in shown],
        shown,
        first=first,
        total=len(order),
        order=name,
        sort=state.sort,
        chosen=state.chosen,
        chosen_at=place,
        noun="tokens",
        empty="No token's id ends like this. Try fewer digits.",
    )
    token_table(
        sent,
        key="table",
        height=480,
        on_choose=choose,
        on_window=partial(show_window, name),
        on_sort=sort_by,
    )
    st.text(f"chosen {state.chosen}")
    st.text(" ".join(f"{name} {state.calls[name]}" for name in ("choose", "window", "sort")))


def page() -> None:
    for name, value in {"chosen": None, "window": ("", 0), "sort": None, "calls": Counter()}.items():
        st.session_state.setdefault(name, value)
    st.set_page_config(layout="wide")
    st.header("A table of tokens")
    if st.toggle("Table", value=True):
        table(int(st.query_params.get("rows", 200_000)))
    st.button("Again")


if __name__ == "__main__":
    page()
