"""
The pair: student and teacher, chosen by name or read from a file. It is the session's and goes along from page to page.
"""

from collections.abc import Sequence
from hashlib import sha256

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import cached
from ui.layout import small
from ui.messages import show_error, show_lines, show_warning
from xtoken_core import catalog, llama
from xtoken_core.errors import TokenizerError, XTokenError
from xtoken_core.tokenizer import Tokenizer

MIB = 2**20
UPLOADED = "uploaded: "
SIDES = ("Student", "Teacher")
SHOWN_HASH = 12


def choose_pair() -> None:
    """The two names, and a button that swaps them."""
    _name("Student", "student")
    st.button("Swap", help="Student becomes teacher, and teacher student", on_click=_swap)
    _name("Teacher", "teacher")


def _name(label: str, key: str) -> None:
    st.selectbox(
        label,
        names(st.session_state[key]),
        key=key,
        filter_mode="contains",
        help="Another tokenizer, by path, hub id or file, is read under Open.",
        on_change=_forget,
        persist_state="session",
    )


def names(*current: str | None) -> list[str]:
    """The catalogue, the uploads of this session, and the names in use, which may have been typed or linked."""
    known = [*catalog.ENTRIES, *st.session_state.get("uploads", {})]
    return list(dict.fromkeys([*known, *filter(None, current)]))


def _swap() -> None:
    state = st.session_state
    state.student, state.teacher = state.teacher, state.student
    state.student_special, state.teacher_special = state.teacher_special, state.student_special
    state.row, state.column = state.column, state.row
    state.chunk = state.from_chunk = None
    forget_ids()


def _forget() -> None:
    """What was chosen in another pair: a chunk of its alignment, a row and a column of its W."""
    for choice in ("chunk", "row", "column", "from_chunk"):
        st.session_state[choice] = None
    forget_ids()


def forget_ids() -> None:
    """A search by id means the ids of one vocabulary, and nothing in another one."""
    if st.session_state.kind == "id":
        st.session_state.query = ""


def tokenizers() -> tuple[Tokenizer, Tokenizer]:
    """Student and teacher. Raises TokenizerError, which says which of them it's about."""
    loaded: list[Tokenizer] = []
    problems: list[str] = []
    for side in SIDES:
        try:
            loaded.append(tokenizer(st.session_state[side.lower()] or ""))
        except XTokenError as error:
            problems.append(f"{side}: {error}")
    if problems:
        raise TokenizerError(" ".join(problems))
    return loaded[0], loaded[1]


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer that a name stands for in this session. Raises TokenizerError."""
    uploads = st.session_state.get("uploads", {})
    if name in uploads:
        return cached.uploaded_tokenizer(name.removeprefix(UPLOADED), uploads[name])
    if name.startswith(UPLOADED):
        raise TokenizerError(
            f"{name.removeprefix(UPLOADED)} was uploaded in another session and stays there. "
            f"Upload it again under Open."
        )
    if catalog.is_elsewhere(name) and name not in st.session_state.get("agreed", ()):  # a link mustn't read it
        raise TokenizerError(
            f"The link names {name}, which isn't part of this tool. Press Read it if you know who made the link: "
            f"a path is read on this machine, any other such name on the model hub."
        )
    if not name:
        raise TokenizerError("No tokenizer is chosen. Pick one from the list, or name another under Open.")
    return cached.named_tokenizer(name)


def ask_to_read() -> None:
    """A button for the names that came with a link and would be read elsewhere."""
    state = st.session_state
    asked = [name for name in (state.student, state.teacher, *state.beside) if name and catalog.is_elsewhere(name)]
    waiting = [name for name in asked if name not in state.get("agreed", ())]
    if waiting:
        st.button("Read it", on_click=_agree, args=(waiting,))


def _agree(names: Sequence[str]) -> None:
    st.session_state.agreed = [*st.session_state.get("agreed", ()), *names]


def open_tokenizer() -> None:
    """Reads a tokenizer for the student or the teacher: by path, hub id, or from a file."""
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
        _agree([name])
        _use_for_side(name)


def _use_for_side(name: str) -> None:
    st.session_state[st.session_state.side_to_read.lower()] = name
    _forget()


def _open_tokenizer() -> None:
    """Checked at once; a good file is used for the side that was asked, and is a choice for either."""
    file = st.session_state.tokenizer_file
    note_error("tokenizer", None)
    if file is None:
        return
    name = _upload_name(file.name, file.getvalue())
    try:
        cached.uploaded_tokenizer(name.removeprefix(UPLOADED), file.getvalue())
    except XTokenError as error:
        note_error("tokenizer", error)
        return
    st.session_state.uploads = {**st.session_state.get("uploads", {}), name: file.getvalue()}
    _use_for_side(name)


def _upload_name(file_name: str, content: bytes) -> str:
    """Nearly every file is called tokenizer.json: of two that differ the second carries its hash."""
    name = f"{UPLOADED}{file_name}"
    if st.session_state.get("uploads", {}).get(name, content) == content:
        return name
    return f"{name} ({sha256(content).hexdigest()[:8]})"


def note_error(about: str, error: XTokenError | None) -> None:
    """Keeps what was wrong with an opened file, by what the file is, until another one is opened."""
    errors = {**st.session_state.get("file_errors", {})}
    errors.pop(about, None)
    st.session_state.file_errors = errors if error is None else {**errors, about: str(error)}


def show_file_errors() -> None:
    """What is wrong with the files that were opened."""
    for sentence in st.session_state.get("file_errors", {}).values():
        show_error(sentence)


def link_warnings(student: Tokenizer, teacher: Tokenizer, differs: str) -> None:
    """Where the link was made with other tokenizers of these names. differs: what may not be the same then."""
    for role, tokenizer in (("student", student), ("teacher", teacher)):
        name, promised = st.session_state.promised[role]
        if name == st.session_state[role] and not tokenizer.sha256.startswith(promised):
            show_warning(
                f"The link was made with another {role} of the name {name}: its hash began with "
                f"{promised[:SHOWN_HASH]}, this one's begins with {tokenizer.sha256[:SHOWN_HASH]}. "
                f"{differs} may differ."
            )


def provenance(student: Tokenizer, *teachers: Tokenizer) -> None:
    """Which tokenizers these are: source, licence, hash."""
    if st.session_state.presenter:
        return
    with small("origins"):
        show_lines(origins(student, *teachers))


def origins(student: Tokenizer, *teachers: Tokenizer) -> list[str]:
    """Each tokenizer in a sentence, and Meta's notice where one is Llama's."""
    lines = [_origin("Student", student), *(_origin("Teacher", teacher) for teacher in teachers)]
    return [*lines, llama.NOTICE] if llama.NAME in (student.name, *(one.name for one in teachers)) else lines


def _origin(role: str, tokenizer: Tokenizer) -> str:
    origin = tokenizer.provenance
    padding = tokenizer.vocabulary.head_size - len(tokenizer.vocabulary)
    ids = f"{len(tokenizer.vocabulary):,} ids" + (f" and {padding:,} padded logits" if padding else "")
    licence = f"licence: {origin.licence}"
    return f"{role}: {tokenizer.name}, {ids}, {origin.source}, {licence}, sha256 {origin.sha256}"


def nothing_to_save(place: DeltaGenerator | None) -> None:
    """Keeps the place of the downloads while there are none."""
    if place:
        place.popover("Save", disabled=True)


def file_name(student: Tokenizer, teacher: Tokenizer, ending: str) -> str:
    """What a file about the pair is called."""
    return f"{_file_safe(student.name)}-{_file_safe(teacher.name)}.{ending}"


def _file_safe(name: str) -> str:
    return "".join(character if character.isalnum() or character in ".-_" else "_" for character in name)
