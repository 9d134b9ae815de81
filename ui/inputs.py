"""
What a user chooses: the pair, the text, the options. Every value lives in the session under its name in the link.
"""

from dataclasses import dataclass
from pathlib import PurePath

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import cached
from ui.messages import show_error
from ui.samples import SAMPLES, Sample
from xtoken_core import catalog, texts
from xtoken_core.alignment import Scoring
from xtoken_core.errors import TextError, TokenizerError, XTokenError
from xtoken_core.tokenizer import Tokenizer

MAX_PAGE_CHARACTERS = 200_000
MIB = 2**20
SCORINGS = {"exact": "ours, exact", "paper": "the paper's program"}
UPLOADED = "uploaded: "
SIDES = ("Student", "Teacher")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the controls say. save: the place for the downloads; None while presenting."""

    student: str
    teacher: str
    text: str
    save: DeltaGenerator | None


def controls() -> Chosen:
    """All controls in one place; while presenting only the way back."""
    if st.session_state.presenter:
        st.toggle("Presenter", key="presenter", persist_state="session")
        return Chosen(st.session_state.student or "", st.session_state.teacher or "", st.session_state.text or "", None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        student, teacher = _pair()
        _samples()
        _opened_files()
        _options()
        save = st.empty()
    _file_errors()
    return Chosen(student, teacher, _text(), save)


def _pair() -> tuple[str, str]:
    """The names of student and teacher."""
    student = _name("Student", "student")
    st.button("Swap", help="Student becomes teacher, and teacher student", on_click=_swap)
    return student, _name("Teacher", "teacher")


def _name(label: str, key: str) -> str:
    chosen = st.selectbox(
        label,
        _names(st.session_state[key]),
        key=key,
        filter_mode="contains",
        help="Another tokenizer, by path, hub id or file, is read under Open.",
        on_change=_forget_chunk,
        persist_state="session",
    )
    return chosen or ""


def _names(current: str | None) -> list[str]:
    """The catalogue, the uploads of this session, and the name in use even where it was typed or came with a link."""
    known = [*catalog.ENTRIES, *st.session_state.get("uploads", {})]
    return known if current in known or not current else [*known, current]


def _swap() -> None:
    state = st.session_state
    state.student, state.teacher = state.teacher, state.student
    state.student_special, state.teacher_special = state.teacher_special, state.student_special
    state.chunk = None


def nothing_to_save(chosen: Chosen) -> None:
    """Keeps the place of the downloads while there are none."""
    if chosen.save:
        chosen.save.popover("Save", disabled=True)


def tokenizers(chosen: Chosen) -> tuple[Tokenizer, Tokenizer]:
    """Student and teacher. Raises TokenizerError, which says which of them it's about."""
    loaded: list[Tokenizer] = []
    problems: list[str] = []
    for role, name in (("Student", chosen.student), ("Teacher", chosen.teacher)):
        try:
            loaded.append(_tokenizer(name))
        except XTokenError as error:
            problems.append(f"{role}: {error}")
    if problems:
        raise TokenizerError(" ".join(problems))
    return loaded[0], loaded[1]


def _tokenizer(name: str) -> Tokenizer:
    uploads = st.session_state.get("uploads", {})
    if name in uploads:
        return cached.uploaded_tokenizer(name.removeprefix(UPLOADED), uploads[name])
    if name.startswith(UPLOADED):
        raise TokenizerError(
            f"{name.removeprefix(UPLOADED)} was uploaded in another session and stays there. "
            f"Upload it again under Open."
        )
    if not name:
        raise TokenizerError("No tokenizer is chosen. Pick one from the list, or name another under Open.")
    return cached.named_tokenizer(name)


def _text() -> str:
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
    _forget_chunk()


def _forget_chunk() -> None:
    st.session_state.chunk = None


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
            max_upload_size=texts.MAX_TEXT_BYTES // MIB,
            on_change=_open_text,
        )
        _record_of_file()
        st.segmented_control("Read a tokenizer for the", SIDES, key="side_to_read", default=SIDES[1], required=True)
        st.text_input(
            "by path or hub id",
            key="typed_name",
            placeholder="./my-model or Qwen/Qwen3-8B",
            help="A tokenizer.json, its folder, or a model hub's repository, with @revision if need be. "
            "Of a hub only the tokenizer's own JSON files are fetched.",
            on_change=_read_typed,
        )
        st.file_uploader(
            f"or from a tokenizer.json, up to {catalog.MAX_TOKENIZER_BYTES // MIB} MiB",
            type=["json"],
            key="tokenizer_file",
            max_upload_size=catalog.MAX_TOKENIZER_BYTES // MIB,
            on_change=_open_tokenizer,
        )


def _read_typed() -> None:
    name = st.session_state.typed_name.strip()
    if name:
        _use_for_side(name)


def _use_for_side(name: str) -> None:
    st.session_state[st.session_state.side_to_read.lower()] = name
    _forget_chunk()


def _file_errors() -> None:
    for sentence in st.session_state.get("file_errors", {}).values():
        show_error(sentence)


def _open_text() -> None:
    """A plain text goes into the box at once, a .jsonl file once its field is known."""
    file = st.session_state.text_file
    st.session_state.pop("records", None)
    _note_error("text", None)
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
        _note_error("text", error)


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
    _note_error("text", None)
    try:
        field = st.session_state.get(_key("field")) or next(iter(records.fields()), "")
        _into_box(records.text(st.session_state.get(_key("record"), 1) - 1, field))
    except XTokenError as error:
        _note_error("text", error)


def _into_box(content: str) -> None:
    st.session_state.text = content
    st.session_state.sample = None
    _new_text()


def _open_tokenizer() -> None:
    """Checked at once; a good file is used for the side that was asked, and is a choice for either."""
    file = st.session_state.tokenizer_file
    _note_error("tokenizer", None)
    if file is None:
        return
    name = f"{UPLOADED}{file.name}"
    try:
        cached.uploaded_tokenizer(file.name, file.getvalue())
    except XTokenError as error:
        _note_error("tokenizer", error)
        return
    st.session_state.uploads = {**st.session_state.get("uploads", {}), name: file.getvalue()}
    _use_for_side(name)


def _note_error(about: str, error: XTokenError | None) -> None:
    errors = {**st.session_state.get("file_errors", {})}
    errors.pop(about, None)
    st.session_state.file_errors = errors if error is None else {**errors, about: str(error)}


def specials() -> tuple[bool, bool]:
    """Whether the student's and the teacher's special tokens are on."""
    return st.session_state.student_special, st.session_state.teacher_special


def scoring() -> Scoring:
    """How to align; a link may ask for one that doesn't exist."""
    return "paper" if st.session_state.scoring == "paper" else "exact"


def gold() -> bool:
    """Whether GOLD as published stands beside ours."""
    return bool(st.session_state.gold)
