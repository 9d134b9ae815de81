"""
Which pages there are, in the order of a user's journey.

Streamlit takes a folder `pages/` beside the script for its older kind of app, in which a page runs by itself, until
st.navigation is first called in the process. A link to a page can be the first request after a start.
"""

import streamlit as st

ALIGNMENT = "pages/alignment.py"
PROJECTION = "pages/projection.py"
COVERAGE = "pages/coverage.py"
TITLES = {ALIGNMENT: "Alignment", PROJECTION: "Projection", COVERAGE: "Coverage"}


def run() -> None:
    """The page that the address names, below the menu; the first where it names none."""
    st.session_state.routed = True
    _menu().run()


def require(page: str) -> None:
    """At the top of a page: where Streamlit ran it by itself, starts over through app.py, with the same address."""
    if "routed" not in st.session_state:
        _menu()
        st.switch_page(page, query_params=st.query_params.to_dict())


def _menu() -> "st.Page":
    pages = [st.Page(page, title=title, default=page == ALIGNMENT) for page, title in TITLES.items()]
    return st.navigation(pages, position="top")
