"""Projection: where W sends the probability of each student token."""

import streamlit as st

from ui import (
    cached,
    compare_view,
    link,
    pair,
    projection_inputs,
    projection_save,
    projection_view,
    router,
    summary_view,
)
from ui.link import ProjectionLink
from ui.messages import show_error
from xtoken_core.errors import XTokenError

VIEWS = {
    "rows": projection_view.rows,
    "columns": projection_view.columns,
    "summary": summary_view.summary,
    "block": summary_view.block,
    "compare": compare_view.compare,
}

router.require(router.PROJECTION)
link.restore(ProjectionLink)
projection_view.introduction()
save = projection_inputs.controls()
try:
    student, teacher = pair.tokenizers()
    prepared = cached.prepared(student, teacher, projection_inputs.options(), st.session_state.threshold)
except XTokenError as error:
    show_error(str(error))
    pair.ask_to_read()
    pair.nothing_to_save(save)
    link.write(link.current(ProjectionLink))
    st.stop()

pair.link_warnings(student, teacher, "The rows")
projection_view.way_back()
projection_view.summary_line(prepared)
VIEWS[projection_inputs.choose_view()](prepared)
pair.provenance(student, teacher)
if save:
    projection_save.downloads(save, prepared)
