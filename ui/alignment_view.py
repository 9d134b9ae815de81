"""The parts of the Alignment page below its controls: tokens, the chosen chunk, counts, files to take along."""

import json

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import figures, inputs, journey, link, pair, tables
from ui.link import AlignmentLink
from ui.messages import show_plain, show_warning
from ui.token_view import View, payload, standalone_page, token_view
from xtoken_core import export
from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import SHAPES, Alignment, Chunk, Shape, Span
from xtoken_core.surface import align_surface, collapse
from xtoken_core.tokenizer import Spelling, Tokenizer, spelling

MAX_DRAWN = 40_000  # tokens a side
MAX_CARD = 500  # tokens a side in the card
MAX_TABLE = 20_000  # tokens a side in the table twin


def introduction() -> None:
    """What the reader sees, and what to try."""
    if st.session_state.presenter:
        return
    sample = inputs.sample_in_use()
    st.title("Alignment")
    try_this = (
        "Point at a token to see its partner. Click in the tokens, then press n for the next chunk that isn't 1-1."
    )
    st.caption(f"How a student and a teacher cut the same text, chunk by chunk. {sample.look if sample else try_this}")


def link_warnings(student: Tokenizer, teacher: Tokenizer) -> None:
    """What a link promised and this session can't keep."""
    if st.session_state.text_left_out:
        show_warning("The link's text was too long for an address, so a sample stands here. Ask for the text itself.")
    if st.session_state.text_unreadable:
        show_warning("The link's packed text can't be read, so a sample stands here. Ask for the link again.")
    pair.link_warnings(student, teacher, "The chunks")


def spelling_notes(text: str, *sides: tuple[Tokenizer, TokenSequence]) -> None:
    """Which tokenizer's tokens spell other bytes than the text, and why."""
    for tokenizer, sequence in sides:
        note = _spelling_note(text, sequence)
        if note:
            show_plain(f"{tokenizer.name} {note}")


def _spelling_note(text: str, sequence: TokenSequence) -> str | None:
    told = spelling(text, sequence)
    if told is Spelling.TEXT:
        return None
    if told is Spelling.COMPOSED:
        return "composes the text first (NFC), so its tokens spell other bytes where accents stand apart."
    read = dict.fromkeys(mark.form for mark in sequence.marks if mark.form in text)
    if read:
        return f"reads special tokens in this text, which spell none of it: {', '.join(list(read)[:5])}."
    return "changes or drops characters of this text, so its tokens don't spell it byte for byte."


def scoring_note() -> None:
    """Whose alignment this is, where it isn't ours."""
    if inputs.scoring() == "paper":
        st.caption(
            "Aligned by the paper's program, not by ours: it maximises its score, and can't pair several with several."
        )


@st.fragment
def tokens_and_card(student: Tokenizer, teacher: Tokenizer, aligned: Alignment, gold: Alignment | None) -> None:
    """The token view and the card of the chosen chunk; a choice runs only this part again."""
    drawn = aligned.head(MAX_DRAWN)
    if not len(drawn) and len(aligned):
        st.info(
            f"The first chunk alone has more than {MAX_DRAWN:,} tokens, too many to draw. The CSV and the JSON hold it."
        )
    elif len(drawn) < len(aligned):
        st.info(
            f"The first {len(drawn):,} of {len(aligned):,} chunks are drawn. "
            f"Counts are of the whole text, and JSON and CSV hold all of it."
        )
    sent = _drawn(student, teacher, aligned, gold, _view(), _chosen(aligned))
    token_view(sent, key="tokens", on_choose=_choose, on_look=_look)
    if gold:
        _gold_sentence(gold, aligned)
    _card(student, teacher, aligned)
    link.write(link.current(AlignmentLink).with_hashes(student.sha256, teacher.sha256))


def _view() -> View:
    return View.from_state({name: st.session_state[name] for name in ("form", "layout", "presenter")})


def _drawn(
    student: Tokenizer, teacher: Tokenizer, aligned: Alignment, gold: Alignment | None, view: View, chosen: int
) -> dict[str, object]:
    """What the token view is sent: the whole alignment, or its head where that is all that is drawn."""
    head = aligned.head(MAX_DRAWN)
    if head is not aligned and gold:
        gold = align_surface(head.student, head.teacher)
    return payload(student, teacher, head, surface=gold, view=view, chosen=chosen, whole=aligned)


def _choose(chunk: int | None) -> None:
    st.session_state.chunk = chunk


def _look(view: View) -> None:
    st.session_state.form, st.session_state.layout = view.form, view.layout


def _gold_sentence(gold: Alignment, aligned: Alignment) -> None:
    """Whether GOLD as published has collapsed, and where."""
    (st.warning if collapse(gold) else st.caption)(_gold_finding(gold, aligned))


def _gold_finding(gold: Alignment, aligned: Alignment) -> str:
    group = collapse(gold)
    if group is None:
        return f"GOLD as published has {_counted(len(gold), 'group')} here and has not collapsed."
    beside = "the paper's program" if inputs.scoring() == "paper" else "our alignment"
    return (
        f"GOLD as published has collapsed: from position {group.student.start:,} of the student and "
        f"{group.teacher.start:,} of the teacher on, {len(group.student):,} and {len(group.teacher):,} tokens are one "
        f"group. In the whole text it has {_counted(len(gold), 'group')}, {beside} {_counted(len(aligned), 'chunk')}."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _card(student: Tokenizer, teacher: Tokenizer, aligned: Alignment) -> None:
    """The chosen chunk: its shape and, for either side, ids, bytes, text and vocabulary forms."""
    if not len(aligned):
        return
    number = _chosen(aligned)
    chunk = aligned.chunk(number)
    st.subheader(f"Chosen: chunk {number + 1:,} of {len(aligned):,}: {_said(aligned, chunk)}")
    left, right = st.columns(2)
    for column, tokenizer, sequence, span in (
        (left, student, aligned.student, chunk.student),
        (right, teacher, aligned.teacher, chunk.teacher),
    ):
        with column:
            st.text(f"{tokenizer.name}: {_counted(len(span), 'token')}")
            with st.container(height=216, border=False):
                shown = Span(span.start, min(span.stop, span.start + MAX_CARD))
                st.dataframe(tables.token_table(tokenizer, sequence, shown), hide_index=True)
                if len(shown) < len(span):
                    st.caption(f"The first {len(shown):,} of {len(span):,} tokens; the JSON and the CSV hold all.")
    _next_step(aligned, chunk, number)


def _next_step(aligned: Alignment, chunk: Chunk, number: int) -> None:
    """From the chunk to what W does with its tokens."""
    if st.session_state.presenter:
        return
    student = aligned.student.ids[chunk.student.start : chunk.student.stop].tolist()
    teacher = aligned.teacher.ids[chunk.teacher.start : chunk.teacher.stop].tolist()
    with st.container(horizontal=True):
        if student and st.button("Its rows of W", help="Where the projection sends these student tokens"):
            journey.to_rows(student, from_chunk=number)
        if teacher and st.button("Its columns of W", help="Which student tokens reach these teacher tokens"):
            journey.to_columns(teacher, from_chunk=number)


def _chosen(aligned: Alignment) -> int:
    """The chunk that the reader chose, else the first mismatch, of several tokens, or not 1-1; else 0."""
    number = st.session_state.chunk
    if number is not None and number < len(aligned):
        return int(number)
    shapes = aligned.shapes()
    several = (Shape.ONE_MANY, Shape.MANY_ONE, Shape.MANY_MANY)
    for wanted in ((Shape.MISMATCH,), several, (Shape.STUDENT_GAP, Shape.TEACHER_GAP)):
        found = np.isin(shapes, [SHAPES.index(shape) for shape in wanted])
        if found.any():
            return int(np.argmax(found))
    return 0


def _said(aligned: Alignment, chunk: Chunk) -> str:
    words = figures.SHAPE_WORDS[chunk.shape]
    if chunk.shape is Shape.MISMATCH:
        same = aligned.same_after_nfc(chunk)
        words += ", the text is the same after Unicode normalisation (NFC)" if same else ", and so does the text"
    return f"{figures.shape_name(chunk.shape)}, {words}"


@st.fragment
def counts(aligned: Alignment) -> None:
    """Chunks by shape, as bars and as a table; every chunk as a table, which is made once it's opened."""
    if not len(aligned):
        return
    counted = aligned.counts()
    figures.show(figures.shape_bars(counted), "Bars of chunks by shape", figures.shape_finding(counted))
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
    scoring, text, view, chosen = inputs.scoring(), st.session_state.text, _view(), _chosen(aligned)
    notes = [*pair.origins(student, teacher), *([_gold_finding(gold, aligned)] if gold else [])]
    title = f"{student.name} and {teacher.name}: {_counted(len(aligned), 'chunk')}"
    files = (
        (
            "Page (HTML, one file)",
            "html",
            "text/html",
            lambda: standalone_page(_drawn(student, teacher, aligned, gold, view, chosen), title, notes),
        ),
        (
            "Alignment (JSON)",
            "json",
            "application/json",
            lambda: json.dumps(export.as_json(student, teacher, aligned, scoring=scoring, text=text)),
        ),
        ("Chunks (CSV)", "csv", "text/csv", lambda: export.as_csv(aligned)),
    )
    with place.popover("Save"):
        for label, ending, kind, content in files:
            st.download_button(
                label, content, pair.file_name(student, teacher, ending), kind, on_click="ignore", width="stretch"
            )
        st.caption("The address of this page is a link to what you see.")
        if not link.current(AlignmentLink).carries_text():
            st.caption("This text is too long for an address: the link carries everything else.")
