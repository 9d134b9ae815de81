"""
What a user chooses on the Alignment page beside the pair: the text and the options. Every value lives in the session
under its name in the link.
"""

from pathlib import PurePath

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import pair
from ui.samples import SAMPLES, Sample
from xtoken_core import texts
from xtoken_core.alignment import Scoring
from xtoken_core.errors import TextError, XTokenError

MAX_PAGE_CHARACTERS = 200_000
SCORINGS = {"exact": "ours, exact", "paper": "the paper's program"}


def controls() -> DeltaGenerator | None:
    """All controls in one place, while presenting only the way back. Returns the place of the downloads, if any."""
    if st.session_state.presenter:
        st.toggle("Presenter", key="presenter", persist_state="session")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pair.choose_pair()
        _samples()
        _opened_files()
        _options()
        save = st.empty()
    pair.show_file_errors()
    _text()
    return save


def _text() -> None:
    """The text box; its content is kept whatever happens."""
    st.text_area(
        "Text",
        key="text",
        height=124,
        help=f"Up to {MAX_PAGE_CHARACTERS:,} characters. "
        "The view is drawn anew when you leave the box or press Ctrl+Enter.",
        on_change=_new_text,
        persist_state="session",
    )


def text() -> str:
    """What stands in the text box."""
    return st.session_state.text or ""


def check_length(text: str) -> None:
    """Raises TextError over the page's limit."""
    if len(text) > MAX_PAGE_CHARACTERS:
        raise TextError(
            f"The text has {len(text):,} characters; this page aligns up to {MAX_PAGE_CHARACTERS:,}. "
            f"Shorten it, or use the shell: python -m xtoken_core align STUDENT TEACHER --file FILE."
        )


def _new_text() -> None:
    """What a link said of its text, and the chunk that was chosen in it, are of the past."""
    st.session_state.text_left_out = st.session_state.text_unreadable = False
    st.session_state.chunk = st.session_state.from_chunk = None


def _samples() -> None:
    """The menu of texts by what goes wrong with them."""
    st.selectbox(
        "Sample",
        range(len(SAMPLES)),
        key="sample",
        index=None,
        format_func=lambda k: SAMPLES[k].title,
        placeholder="Texts by what goes wrong",
        on_change=_use_sample,
    )


def _use_sample() -> None:
    chosen = st.session_state.sample
    if chosen is not None:
        st.session_state.text = SAMPLES[chosen].text
        st.session_state.gold = SAMPLES[chosen].gold
        _new_text()


def sample_in_use() -> Sample | None:
    """The sample whose text stands in the box, unchanged."""
    return next((sample for sample in SAMPLES if sample.text == st.session_state.text), None)


def _options() -> None:
    """Special tokens, scoring, GOLD, presenter."""
    with st.popover("Options"):
        st.toggle("Special tokens of the student", key="student_special", persist_state="session", help=_SPECIAL)
        st.toggle("Special tokens of the teacher", key="teacher_special", persist_state="session", help=_SPECIAL)
        st.radio(
            "Scoring",
            list(SCORINGS),
            key="scoring",
            format_func=lambda scoring: SCORINGS[scoring],
            persist_state="session",
            help="Ours leaves as few tokens unmatched as possible. The paper's program adds up +3 for an equal pair, "
            "−3 for an unequal one, +1.5 a token for a merge of up to four, −1.5 for a gap, and can't pair 2 with 3.",
        )
        st.toggle(
            "GOLD as published, as a third row",
            key="gold",
            persist_state="session",
            help="The grouping by growing strings that TRL's GOLD trainer used until June 2026.",
        )
        st.toggle("Presenter: larger type, no controls", key="presenter", persist_state="session")


_SPECIAL = "What the tokenizer adds by itself, such as a start token. Markers spelled out in the text stay."


def _opened_files() -> None:
    """Reading files: a text into the box, a tokenizer for the student or the teacher."""
    with st.popover("Open"):
        st.file_uploader(
            f"A text: .txt, .md or .jsonl, up to {MAX_PAGE_CHARACTERS:,} characters",
            type=["txt", "md", "jsonl"],
            key="text_file",
            max_upload_size=texts.MAX_TEXT_BYTES // pair.MIB,
            on_change=_open_text,
        )
        _record_of_file()
        pair.open_tokenizer()


def _open_text() -> None:
    """A plain text goes into the box at once, a .jsonl file once its field is known."""
    file = st.session_state.text_file
    st.session_state.pop("records", None)
    pair.note_error("text", None)
    if file is None:
        return
    try:
        content = texts.decode(file.getvalue(), file.name)
        if PurePath(file.name).suffix == ".jsonl":
            records = texts.json_lines(content, file.name)
            st.session_state.records = records
            _use_record()
        else:
            _into_box(content)
    except XTokenError as error:
        pair.note_error("text", error)


def _record_of_file() -> None:
    records = st.session_state.get("records")
    if records is None or st.session_state.text_file is None:
        return
    # a key a file: a choice made for one file says nothing of the next
    left, right = st.columns(2)
    left.selectbox("Field", records.fields(), key=_key("field"), on_change=_use_record)
    right.number_input(
        f"Record, of {len(records.lines):,}", 1, len(records.lines), key=_key("record"), on_change=_use_record
    )


def _key(name: str) -> str:
    return f"{name} of {st.session_state.text_file.file_id}"


def _use_record() -> None:
    """The chosen field of the chosen record into the box; at first the first of either."""
    records = st.session_state.get("records")
    if records is None or st.session_state.text_file is None:
        return
    pair.note_error("text", None)
    try:
        field = st.session_state.get(_key("field")) or next(iter(records.fields()), "")
        _into_box(records.text(st.session_state.get(_key("record"), 1) - 1, field))
    except XTokenError as error:
        pair.note_error("text", error)


def _into_box(content: str) -> None:
    st.session_state.text = content
    st.session_state.sample = None
    _new_text()


def specials() -> tuple[bool, bool]:
    """Whether the student's and the teacher's special tokens are on."""
    return st.session_state.student_special, st.session_state.teacher_special


def scoring() -> Scoring:
    """How to align; a link may ask for one that doesn't exist."""
    return "paper" if st.session_state.scoring == "paper" else "exact"


def gold() -> bool:
    """Whether GOLD as published stands beside ours."""
    return bool(st.session_state.gold)
