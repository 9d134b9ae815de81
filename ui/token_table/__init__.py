"""
The token table as a Streamlit component: registered once, when this module is imported.

    asked_in, asked = st.session_state.window
    first = asked if asked_in == name else window_around(place, len(order))
    shown = order[first : first + WINDOW]
    token_table(payload(COLUMNS, cells(shown), shown, first=first, order=name, …), on_window=partial(keep, name), …)

What the reader does is kept as state, each with the moment it was done: so the same row can be chosen twice, a rerun
for another reason calls nobody, and of two windows asked for in one breath the later one counts.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import streamlit as st

from ui.token_table.payload import WINDOW, Column, payload, window_around

__all__ = ["WINDOW", "Column", "payload", "token_table", "window_around"]

_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "token_table",
    js=(_FOLDER / "table.js").read_text(encoding="utf-8"),
    css=(_FOLDER / "table.css").read_text(encoding="utf-8"),
)


def token_table(
    payload: Mapping[str, object],
    *,
    key: str,
    height: int,
    on_choose: Callable[[int], None],
    on_window: Callable[[int], None],
    on_sort: Callable[[str, bool], None],
) -> None:
    """Mounts the table, `height` px high. `key` stays the same from run to run, so that it is updated in place.

    on_choose gets a whole number that should be a token id; on_window the place where the wanted window starts, in the
    order of this payload (keep the order's name beside it: the filter may change in the same run, and then it is no
    place); on_sort the name of a sortable column and whether it should descend.
    """

    def chosen() -> None:
        match _news(key, "choose"):
            case [token, _] if _is_whole(token):
                on_choose(token)

    def scrolled() -> None:
        match _news(key, "window"):
            # a place in another order than the one on the screen is no place
            case [first, order, _] if _is_whole(first) and first < cast(int, payload["total"]):
                if order == payload["order"]:
                    on_window(first)

    def sorted_by() -> None:
        match _news(key, "sort"):
            case [name, bool(descending), _] if name in _sortable(payload):
                on_sort(name, descending)

    _mount(
        data={**payload, "height": height},
        key=key,
        on_choose_change=chosen,
        on_window_change=scrolled,
        on_sort_change=sorted_by,
    )


def _news(key: str, event: str) -> Any:
    """What the reader did, as [words…, moment]; None for what was heard before.

    A table that leaves the page and is soon back brings its old state along, and Streamlit takes that for a change.
    """
    report = getattr(st.session_state[key], event)
    heard = st.session_state.setdefault(f"{key} heard", {})
    if heard.get(event) == report:
        return None
    heard[event] = report
    return report


def _is_whole(value: object) -> bool:
    """The browser's word is a stranger's: only a whole number is a token or a place."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _sortable(payload: Mapping[str, object]) -> list[object]:
    columns = cast(list[dict[str, object]], payload["columns"])
    return [column["name"] for column in columns if column["sortable"]]
