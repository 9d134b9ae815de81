"""The parts of the Alignment page below its controls: tokens, the chosen chunk, counts, files to take along."""

import json

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import figures, inputs, link, tables
from ui.messages import plain, show_warning
from ui.token_view import View, payload, standalone_page, token_view
from xtoken_core import export, llama
from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import SHAPES, Alignment, Chunk, Shape
from xtoken_core.surface import align_surface, collapse
from xtoken_core.tokenizer import Spelling, Tokenizer, spelling

MAX_DRAWN = 40_000  # tokens a side
MAX_TABLE = 20_000  # tokens a side in the table twin


def introduction() -> None:
    """What the reader sees, and what to try."""
    if st.session_state.presenter:
        return
    sample = inputs.sample_in_use()
    st.title("Alignment")
    st.caption(
        "How a student and a teacher cut the same text: what stands together spells the same bytes. "
        + (sample.look if sample else "Point at a token to see its partner; press n for the next chunk that isn't 1-1.")
    )


def link_warnings(student: Tokenizer, teacher: Tokenizer) -> None:
    """What a link promised and this session can't keep."""
    if st.session_state.text_left_out:
        st.warning("The link's text was too long for an address, so a sample stands here. Ask for the text itself.")
    for role, tokenizer in (("student", student), ("teacher", teacher)):
        name, promised = st.session_state.promised[role]
        if name == st.session_state[role] and not tokenizer.sha256.startswith(promised):
            show_warning(
                f"The link was made with another {role} of the name {name}: its hash began with {promised}, "
                f"this one's begins with {tokenizer.sha256[: link.HASH_DIGITS]}. The chunks may differ."
            )


_SPELLINGS = {
    Spelling.COMPOSED: "composes the text first (NFC), so its tokens spell other bytes where accents stand apart.",
    Spelling.OTHER: "doesn't spell this text byte for byte: "
    "it reads a special token in it, or changes or drops characters.",
}


def spelling_warnings(text: str, *sides: tuple[Tokenizer, TokenSequence]) -> None:
    """Which tokenizer's tokens spell other bytes than the text, and why."""
    for tokenizer, sequence in sides:
        told = _SPELLINGS.get(spelling(text, sequence))
        if told:
            st.caption(plain(f"{tokenizer.name} {told}"))


@st.fragment
def tokens_and_card(student: Tokenizer, teacher: Tokenizer, aligned: Alignment, gold: Alignment | None) -> None:
    """The token view and the card of the chosen chunk; a choice runs only this part again."""
    drawn = aligned.head(MAX_DRAWN)
    if len(drawn) < len(aligned):
        st.info(f"The first {len(drawn):,} of {len(aligned):,} chunks are drawn; counts, JSON and CSV hold all.")
    sent = _drawn(student, teacher, aligned, gold, _view(), _chosen(aligned))
    token_view(sent, key="tokens", on_choose=_choose, on_look=_look)
    if gold:
        _gold_sentence(gold, aligned)
    _card(student, teacher, aligned)
    link.write(link.current().with_hashes(student.sha256, teacher.sha256))


def _view() -> View:
    return View.from_state({name: st.session_state[name] for name in ("form", "layout", "presenter")})


def _drawn(
    student: Tokenizer, teacher: Tokenizer, aligned: Alignment, gold: Alignment | None, view: View, chosen: int
) -> dict[str, object]:
    """What the token view is sent: the whole alignment, or its head where that is all that is drawn."""
    head = aligned.head(MAX_DRAWN)
    if head is not aligned and gold:
        gold = align_surface(head.student, head.teacher)
    totals = len(aligned.student), len(aligned.teacher)
    return payload(student, teacher, head, surface=gold, view=view, chosen=chosen, totals=totals)


def _choose(chunk: int | None) -> None:
    st.session_state.chunk = chunk


def _look(view: View) -> None:
    st.session_state.form, st.session_state.layout = view.form, view.layout


def _gold_sentence(gold: Alignment, aligned: Alignment) -> None:
    """Whether GOLD as published has collapsed, and where."""
    group = collapse(gold)
    if group is None:
        st.caption(f"GOLD as published has {_counted(len(gold), 'group')} here and has not collapsed.")
        return
    st.warning(
        f"GOLD as published has collapsed: from student token {group.student.start:,} and teacher token "
        f"{group.teacher.start:,} on, {len(group.student):,} and {len(group.teacher):,} tokens are one group. "
        f"In the whole text it has {_counted(len(gold), 'group')}, ours {_counted(len(aligned), 'chunk')}."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _card(student: Tokenizer, teacher: Tokenizer, aligned: Alignment) -> None:
    """The chosen chunk: its shape and, for either side, ids, bytes, text and vocabulary forms."""
    if not len(aligned):
        return
    number = _chosen(aligned)
    chunk = aligned.chunk(number)
    st.subheader(f"Chunk {number + 1:,} of {len(aligned):,}: {_said(aligned, chunk)}")
    left, right = st.columns(2)
    for column, tokenizer, sequence, span in (
        (left, student, aligned.student, chunk.student),
        (right, teacher, aligned.teacher, chunk.teacher),
    ):
        with column:
            st.text(f"{tokenizer.name}: {_counted(len(span), 'token')}")
            with st.container(height=216, border=False):
                st.dataframe(tables.token_table(tokenizer, sequence, span), hide_index=True)


def _chosen(aligned: Alignment) -> int:
    """The chunk that the reader chose, else the first of several tokens, else the first that isn't 1-1, else 0."""
    number = st.session_state.chunk
    if number is not None and number < len(aligned):
        return int(number)
    if not len(aligned):
        return 0
    shapes = aligned.shapes()
    several = np.isin(shapes, [SHAPES.index(shape) for shape in (Shape.ONE_MANY, Shape.MANY_ONE, Shape.MANY_MANY)])
    other = shapes != SHAPES.index(Shape.ONE_ONE)
    return int(np.argmax(several if several.any() else other))


def _said(aligned: Alignment, chunk: Chunk) -> str:
    words = figures.SHAPE_WORDS[chunk.shape]
    if chunk.shape is Shape.MISMATCH:
        same = aligned.same_after_nfc(chunk)
        words += ", the text is the same after Unicode normalisation (NFC)" if same else ", and so does the text"
    return f"{chunk.shape.value.replace('_', ' ')}, {words}"


@st.fragment
def counts(aligned: Alignment) -> None:
    """Chunks by shape, as bars and as a table; every chunk as a table, which is made once it's opened."""
    counted = aligned.counts()
    finding = figures.shape_finding(counted)
    st.plotly_chart(figures.shape_bars(counted), config=figures.STATIC, alt=f"Bars of chunks by shape. {finding}.")
    with st.expander("The same as a table"):
        st.dataframe(tables.counts_table(counted, figures.SHAPE_WORDS), hide_index=True)
    every = st.expander("Every chunk as a table", key="every_chunk", on_change="rerun")
    if every.open:
        shown = aligned.head(MAX_TABLE)
        every.dataframe(tables.chunk_table(shown), hide_index=True)
        if len(shown) < len(aligned):
            every.caption(f"The first {len(shown):,} of {len(aligned):,} chunks; the CSV holds all.")


def downloads(
    place: DeltaGenerator, student: Tokenizer, teacher: Tokenizer, aligned: Alignment, gold: Alignment | None
) -> None:
    """Files to take along, made when they're asked for."""
    # a file is made in a thread without a session, so what it needs of the session is read here
    scoring, view, chosen = st.session_state.scoring, _view(), _chosen(aligned)
    name = f"{_file_safe(student.name)}-{_file_safe(teacher.name)}"
    title = f"{student.name} and {teacher.name}: {_counted(len(aligned), 'chunk')}"
    files = (
        (
            "Page (HTML, one file)",
            "html",
            "text/html",
            lambda: standalone_page(_drawn(student, teacher, aligned, gold, view, chosen), title),
        ),
        (
            "Alignment (JSON)",
            "json",
            "application/json",
            lambda: json.dumps(export.as_json(student, teacher, aligned, scoring=scoring)),
        ),
        ("Chunks (CSV)", "csv", "text/csv", lambda: export.as_csv(aligned)),
    )
    with place.popover("Save"):
        for label, ending, kind, content in files:
            st.download_button(label, content, f"{name}.{ending}", kind, on_click="ignore", width="stretch")
        st.caption("The address of this page is a link to what you see.")
        if not link.current().carries_text():
            st.caption("This text is too long for an address: the link carries everything else.")


def _file_safe(name: str) -> str:
    return "".join(character if character.isalnum() or character in ".-_" else "_" for character in name)


def provenance(student: Tokenizer, teacher: Tokenizer) -> None:
    """Which tokenizers these are: source, licence, hash."""
    if st.session_state.presenter:
        return
    for role, tokenizer in (("Student", student), ("Teacher", teacher)):
        origin = tokenizer.provenance
        padding = tokenizer.vocabulary.head_size - len(tokenizer.vocabulary)
        ids = f"{len(tokenizer.vocabulary):,} ids" + (f" and {padding:,} padded logits" if padding else "")
        st.caption(plain(f"{role}: {tokenizer.name}, {ids}, {origin.source}, {origin.licence}, sha256 {origin.sha256}"))
    if llama.NAME in (student.name, teacher.name):
        st.caption(plain(llama.NOTICE))
