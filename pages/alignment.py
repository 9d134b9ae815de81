"""Alignment: how student and teacher cut the same text, chunk by chunk."""

import streamlit as st

from ui import alignment_view, cached, inputs, link, pair, router
from ui.link import AlignmentLink
from ui.messages import show_error
from xtoken_core.errors import XTokenError

router.require(router.ALIGNMENT)
link.restore(AlignmentLink)
alignment_view.introduction()
save = inputs.controls()
try:
    inputs.check_length(inputs.text())
    student, teacher = pair.tokenizers()
    aligned = cached.aligned(student, teacher, inputs.text(), *inputs.specials(), inputs.scoring())
    gold = cached.aligned(student, teacher, inputs.text(), *inputs.specials(), "surface") if inputs.gold() else None
except XTokenError as error:
    show_error(str(error))
    pair.ask_to_read()
    pair.nothing_to_save(save)
    link.write(link.current(AlignmentLink))
    st.stop()

alignment_view.link_warnings(student, teacher)
alignment_view.scoring_note()
alignment_view.spelling_notes(inputs.text(), (student, aligned.student), (teacher, aligned.teacher))
alignment_view.tokens_and_card(student, teacher, aligned, gold)
alignment_view.counts(aligned)
pair.provenance(student, teacher)
if save:
    alignment_view.downloads(save, student, teacher, aligned, gold)
