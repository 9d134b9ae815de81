"""
The token view as a Streamlit component: registered once, when this module is imported.

    state = token_view(payload(student, teacher, alignment), key="tokens")
    state.chunk     the chunk that the reader chose, or None
"""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from ui.token_view.page import SCRIPT, STYLE, standalone_page
from ui.token_view.payload import View, payload

__all__ = ["TokenViewState", "View", "payload", "standalone_page", "token_view"]

_mount = st.components.v2.component("token_view", js=SCRIPT, css=STYLE)


@dataclass(frozen=True, slots=True)
class TokenViewState:
    """What the reader did: the chosen chunk's number, 0-based, and how the tokens are shown; None until then."""

    chunk: int | None
    view: View | None


def token_view(payload: Mapping[str, object], *, key: str) -> TokenViewState:
    """Mounts the view. `key` stays the same from run to run, so that the view is updated in place."""
    state = _mount(data=dict(payload), key=key, on_chunk_change=_rerun, on_view_change=_rerun)
    return TokenViewState(
        chunk=state.chunk if isinstance(state.chunk, int) else None,
        view=None if state.view is None else View.from_state(state.view),
    )


def _rerun() -> None:
    """A change of state runs the page again; there is nothing else to do."""
