"""
Sentences that hold words of a user or of a file, shown so that no markup in them comes alive.

Streamlit reads messages as markdown: an image in a file's name would be fetched, a `:red[…]` coloured.
"""

import string

import streamlit as st

from xtoken_core.errors import XTokenError

_ESCAPED = str.maketrans({character: f"\\{character}" for character in string.punctuation})


def plain(text: str) -> str:
    """Text that markdown shows as it is, in one line.

    >>> plain("![x](y) *z*")
    '\\\\!\\\\[x\\\\]\\\\(y\\\\) \\\\*z\\\\*'
    """
    return " ".join(text.split()).translate(_ESCAPED)


def show_error(error: XTokenError) -> None:
    """The error's sentence; what the user typed stays where it is."""
    st.error(plain(str(error)))


def show_warning(sentence: str) -> None:
    """A sentence to heed."""
    st.warning(plain(sentence))
