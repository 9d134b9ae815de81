"""Coverage: which tokens a teacher can teach, and which loss to use."""

import streamlit as st

from ui import categories_view, coverage_inputs, coverage_view, link, pair, router, teachers_view
from ui.link import CoverageLink
from ui.messages import show_error
from xtoken_core.errors import XTokenError

VIEWS = {
    "advice": coverage_view.advise,
    "categories": categories_view.categories,
    "teachers": teachers_view.teachers,
    "text": teachers_view.text,
    "overlap": teachers_view.overlap,
}

router.require(router.COVERAGE)
link.restore(CoverageLink)
coverage_view.introduction()
coverage_inputs.controls()
try:
    student = pair.tokenizers()[0]
    audited = coverage_view.audited(student, coverage_inputs.teachers())
except XTokenError as error:
    show_error(str(error))
    pair.ask_to_read()
    link.write(link.current(CoverageLink))
    st.stop()

pair.link_warnings(student, audited.teachers[0].prepared.teacher, "The numbers")
coverage_view.verdicts(audited)
VIEWS[coverage_inputs.choose_view()](audited)
pair.provenance(student, *(one.prepared.teacher for one in audited.teachers))
