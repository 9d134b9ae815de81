"""Alignment: how student and teacher cut the same text, chunk by chunk."""

import streamlit as st

from ui import alignment_view, cached, inputs, link
from ui.messages import show_error
from xtoken_core.errors import XTokenError

link.restore()
alignment_view.introduction()
chosen = inputs.controls()
try:
    inputs.check_length(chosen.text)
    student, teacher = inputs.tokenizers(chosen)
    aligned = cached.aligned(student, teacher, chosen.text, *inputs.specials(), inputs.scoring())
    gold = cached.aligned(student, teacher, chosen.text, *inputs.specials(), "surface") if inputs.gold() else None
except XTokenError as error:
    show_error(str(error))
    inputs.nothing_to_save(chosen)
    link.write(link.current())
    st.stop()

alignment_view.link_warnings(student, teacher)
alignment_view.scoring_note()
alignment_view.spelling_notes(chosen.text, (student, aligned.student), (teacher, aligned.teacher))
alignment_view.tokens_and_card(student, teacher, aligned, gold)
alignment_view.counts(aligned)
alignment_view.provenance(student, teacher)
if chosen.save:
    alignment_view.downloads(chosen.save, student, teacher, aligned, gold)
