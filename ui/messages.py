"""
Sentences that hold words of a user or of a file, shown so that no markup in them comes alive.

Streamlit reads its messages as markdown, and makes links and pictures of plain words even behind a backslash. So a
stranger's words are shown as text only, and what stands above them is ours.
"""

from collections.abc import Iterable

import streamlit as st


def show_plain(sentence: str) -> None:
    """A sentence as it is, in one line where there is room."""
    st.text(" ".join(sentence.split()))


def show_lines(sentences: Iterable[str]) -> None:
    """Sentences as they are, each on a line of its own."""
    st.text("\n".join(" ".join(sentence.split()) for sentence in sentences))


def show_error(sentence: str) -> None:
    """What can't be used, and what to do; what the user typed stays where it is."""
    with st.container(border=True):
        st.markdown(":red[**This can't be used**]")
        show_plain(sentence)


def show_warning(sentence: str) -> None:
    """A sentence to heed."""
    with st.container(border=True):
        st.markdown(":orange[**Take note**]")
        show_plain(sentence)
