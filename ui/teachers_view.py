"""The Coverage page's teachers beside each other, how each tokenizer cuts the text, and vocabularies in common."""

import numpy as np
import pandas as pd
import streamlit as st

from ui import cached, coverage_figures, coverage_inputs
from ui import projection_tables as tables
from ui.categories_view import shown_teacher
from ui.coverage_view import Audit, Teacher, write_link
from ui.figures import shape_bars, shape_finding, show
from ui.messages import show_lines
from xtoken_core import advice, audit
from xtoken_core.audit import Coverage, Overlap
from xtoken_core.categories import Category

MOST_WORST = 50


def teachers(found: Audit) -> None:
    """Teachers × categories, and what each adds."""
    names = [one.name for one in found.teachers]
    coverages = [one.shown for one in found.teachers]
    wanted = [number.category for number in found.teachers[0].shown.categories]
    show(
        coverage_figures.teachers(names, coverages, wanted, found.critical),
        "Heatmap of teachers and categories",
        coverage_figures.teachers_finding(coverages, wanted),
    )
    st.caption("The share of each category in the relaxed common set. ● critical.")
    if len(names) > 1:
        _adds(found, coverages)
    with st.expander("The same as a table"):
        st.dataframe(_teacher_table(found, wanted), hide_index=True)
    write_link(found)


def _adds(found: Audit, coverages: list[Coverage]) -> None:
    st.markdown("**What each teacher adds: categories mostly in the common set with it and with no other**")
    added = advice.adds(coverages)
    show_lines(
        f"{one.name}: {', '.join(category.title for category in own) or 'nothing'}"
        for one, own in zip(found.teachers, added, strict=True)
    )


def _teacher_table(found: Audit, wanted: list[Category]) -> pd.DataFrame:
    shares = {one.name: [one.shown.of(category) for category in wanted] for one in found.teachers}
    return pd.DataFrame(
        {"category": [category.title for category in wanted]}
        | {
            f"{name}, in the relaxed set, %": [
                None if one is None else round(100 * (1 - one.share_outside), 1) for one in column
            ]
            for name, column in shares.items()
        }
    )


def text(found: Audit) -> None:
    """What the text shows: bytes a token, the shapes of its chunks, the worst tokens."""
    write_link(found)
    if not found.text or not found.counted:
        st.caption("Choose a text under Weighed by, or open your own, to see how each tokenizer cuts it.")
        return
    names = [found.student.name, *(one.name for one in found.teachers)]
    chart = coverage_figures.fertility(names, found.counted)
    show(chart.figure, "Bars of bytes per token by tokenizer", chart.finding)
    with st.expander("The same as a table"):
        st.dataframe(chart.table, hide_index=True)
    one = shown_teacher(found)
    counts = coverage_inputs.shapes(found.text, found.student, one.prepared.teacher)
    if found.text.size > coverage_inputs.MOST_ALIGNED:
        st.caption(f"Chunks of the first {coverage_inputs.MOST_ALIGNED // 2**20} MiB of the text.")
    show(shape_bars(counts), "Bars of chunks by shape", shape_finding(counts))
    _worst(found, one)


def _worst(found: Audit, one: Teacher) -> None:
    occurrences = found.counted[0].counts
    tokens = audit.worst(one.prepared.projection, one.prepared.relaxed, occurrences, count=MOST_WORST)
    outside = one.shown.share_outside
    st.markdown(f"**{100 * outside:.1f} % of the student's tokens in this text are outside the common set**")
    rows = [
        (
            tables.token_text(found.student, token),
            token,
            int(occurrences[token]),
            tables.category_of(one.prepared.student_listing, token),
            *tables.entry_cells(one.prepared.teacher, one.prepared.projection, token),
        )
        for token in tokens.tolist()
    ]
    columns = ["student token", "id", "occurrences", "category", "teacher tokens", "weights"]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True)


def overlap(found: Audit) -> None:
    """Vocabularies in common, each with each."""
    sides = [found.student, *(one.prepared.teacher for one in found.teachers)]
    names = [side.name for side in sides]
    with st.spinner("Comparing vocabularies …"):
        pairs = [[cached.overlap(first, second) for second in sides] for first in sides]
    shares = np.array([[100 * one.of_smaller for one in row] for row in pairs])
    show(
        coverage_figures.matrix(names, names, shares),
        "Heatmap of vocabularies in common",
        f"{pairs[0][1].shared:,} tokens are the same bytes in the student's and the first teacher's vocabulary, "
        f"{100 * pairs[0][1].of_smaller:.1f} % of the smaller",
    )
    st.caption(
        "Distinct byte strings that tokens of both stand for, over those of the smaller vocabulary; special tokens are "
        "left out. For Llama-3.2 and Qwen3 that is 0.856; NeMo-RL publishes 0.848, on token forms that take a tab for "
        "a line end and an underscore for a space."
    )
    with st.expander("The same as a table"):
        st.dataframe(_overlap_table(names, pairs), hide_index=True)
    write_link(found)


def _overlap_table(names: list[str], pairs: list[list[Overlap]]) -> pd.DataFrame:
    rows = [
        (names[i], names[j], one.shared, one.student, one.teacher, round(one.of_smaller, 4), round(one.jaccard, 4))
        for i, row in enumerate(pairs)
        for j, one in enumerate(row)
        if i < j
    ]
    counts = ["shared", "of the first", "of the second", "shared of the smaller", "shared of either"]
    return pd.DataFrame(rows, columns=["first", "second", *counts])
