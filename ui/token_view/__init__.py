"""
The token view as a Streamlit component: registered once, when this module is imported.

    token_view(payload(student, teacher, alignment), key="tokens", on_choose=…, on_look=…)
"""

from collections.abc import Callable, Mapping

import streamlit as st

from ui.token_view.page import SCRIPT, STYLE, standalone_page
from ui.token_view.payload import View, payload

__all__ = ["View", "payload", "standalone_page", "token_view"]

_mount = st.components.v2.component("token_view", js=SCRIPT, css=STYLE)


def token_view(
    payload: Mapping[str, object],
    *,
    key: str,
    on_choose: Callable[[int | None], None],
    on_look: Callable[[View], None],
) -> None:
    """Mounts the view. `key` stays the same from run to run, so that the view is updated in place.

    on_choose gets the number of the chunk that the reader chose, 0-based; on_look gets how the reader wants to look.
    """
    _mount(
        data=dict(payload),
        key=key,
        on_chunk_change=lambda: on_choose(_whole(st.session_state[key].chunk)),
        on_view_change=lambda: on_look(View.from_state(st.session_state[key].view)),
    )


def _whole(value: object) -> int | None:
    """The browser's word is a stranger's: only a whole number is a chunk."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
