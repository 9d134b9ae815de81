"""
What a user chooses on the Coverage page: the teachers, what is critical, which text weighs the categories.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TypeVar

import streamlit as st

from ui import pair
from ui.layout import presenter_size
from ui.projection_inputs import make_options_legal
from xtoken_core import corpus, samples
from xtoken_core.advice import PRESETS
from xtoken_core.categories import Category
from xtoken_core.corpus import Counted
from xtoken_core.errors import TextError, TokenizerError, XTokenError
from xtoken_core.spans import Shape
from xtoken_core.tokenizer import Tokenizer

T = TypeVar("T")

VIEWS = {
    "advice": "Advice",
    "categories": "Categories",
    "teachers": "Teachers",
    "text": "Text",
    "overlap": "Vocabularies",
}
USES = {"math": "Mathematics", "code": "Code", "multilingual": "Many languages", "chat": "Chat"}
CATEGORIES = {category.label: category for category in Category}
NO_TEXT, OWN_TEXT = "", "yours"
MOST_TEACHERS = 6
MAX_CORPUS_BYTES = 256 * pair.MIB
MOST_KEPT = 16  # texts of a session, each as one tokenizer counts it
MOST_ALIGNED = 2 * pair.MIB  # bytes of a text whose chunks are counted: aligning takes two seconds a MiB


def controls() -> None:
    """All controls in one place, while presenting only the way back."""
    _make_legal()
    if st.session_state.presenter:
        st.toggle("Presenter", key="presenter", persist_state="session")
        presenter_size()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pair.choose_pair()
        _beside()
        _critical()
        _text()
        _options()
        with st.popover("Open"):
            _own_text()
            pair.open_tokenizer()
    pair.show_file_errors()


def _make_legal() -> None:
    """A link may ask for what isn't there; a widget would break on it."""
    state = st.session_state
    state.setdefault("category", "")
    make_options_legal()
    for name, legal in (("coverage_view", VIEWS), ("critical", USES), ("corpus", _texts())):
        if state[name] not in legal:
            state[name] = next(iter(legal))
    state.own_categories = [name for name in state.own_categories if name in CATEGORIES]
    state.beside = list(dict.fromkeys(state.beside))[: MOST_TEACHERS - 1]
    if state.category not in CATEGORIES:
        state.category = ""


def _beside() -> None:
    st.multiselect(
        "Teachers beside it",
        pair.names(*st.session_state.beside),
        key="beside",
        max_selections=MOST_TEACHERS - 1,
        persist_state="session",
        placeholder="none",
    )


def _critical() -> None:
    st.selectbox(
        "Critical for",
        list(USES),
        key="critical",
        format_func=lambda use: USES[use],
        on_change=_forget_own,
        help="Which categories must not be lost. Options lists them, and you may choose others.",
        persist_state="session",
    )


def _forget_own() -> None:
    st.session_state.own_categories = []


def _text() -> None:
    st.selectbox(
        "Weighed by",
        list(_texts()),
        key="corpus",
        format_func=lambda name: _texts()[name],
        help="A text in which each category counts as often as it occurs. Your own is read under Open.",
        persist_state="session",
    )


def _texts() -> dict[str, str]:
    """What may weigh the categories: the vocabulary alone, a bundled text, the reader's own."""
    titles = {name: sample.title.partition(":")[0] for name, sample in samples.SAMPLES.items()}
    return {NO_TEXT: "no text: each token once"} | titles | {OWN_TEXT: "your text"}


def _options() -> None:
    with st.popover("Options"):
        st.multiselect(
            "Critical categories; none is the use's own",
            list(CATEGORIES),
            key="own_categories",
            format_func=lambda name: CATEGORIES[name].title,
            placeholder=", ".join(category.title for category in sorted(PRESETS[st.session_state.critical].categories)),
            persist_state="session",
        )
        st.caption(PRESETS[st.session_state.critical].why)
        st.slider("Threshold of the relaxed common set", 0.0, 1.0, step=0.05, key="threshold", persist_state="session")
        st.toggle("Presenter: larger type, no controls", key="presenter", persist_state="session")


def critical() -> frozenset[Category]:
    """The categories that must not be lost."""
    own = frozenset(CATEGORIES[name] for name in st.session_state.own_categories)
    return own or PRESETS[st.session_state.critical].categories


def _own_text() -> None:
    st.file_uploader(
        f"A text that weighs: .txt, .md or .jsonl, up to {MAX_CORPUS_BYTES // pair.MIB} MiB",
        type=["txt", "md", "jsonl"],
        key="corpus_file",
        max_upload_size=MAX_CORPUS_BYTES // pair.MIB,
        on_change=_use_file,
    )
    st.text_area("or pasted", key="corpus_text", height=96, on_change=_use_pasted, persist_state="session")


def _use_file() -> None:
    file = st.session_state.corpus_file
    if file is not None:
        st.session_state.own_text = file.name, file.getvalue()
        st.session_state.corpus = OWN_TEXT


def _use_pasted() -> None:
    st.session_state.own_text = "pasted.txt", st.session_state.corpus_text.encode(errors="surrogatepass")
    st.session_state.corpus = OWN_TEXT


def choose_view() -> str:
    """Which of the page's views is open."""
    if not st.session_state.presenter:
        st.segmented_control(
            "View",
            list(VIEWS),
            key="coverage_view",
            format_func=lambda view: VIEWS[view],
            label_visibility="collapsed",
            required=True,
            persist_state="session",
        )
    return str(st.session_state.coverage_view)


def teachers() -> list[Tokenizer]:
    """The pair's teacher, then those beside it, each once. Raises TokenizerError, which says which can't be used."""
    found: list[Tokenizer] = []
    for name in dict.fromkeys([st.session_state.teacher, *st.session_state.beside]):
        try:
            found.append(pair.tokenizer(name or ""))
        except XTokenError as error:
            raise TokenizerError(f"Teacher: {error}") from error
    return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text that weighs, not read yet: what it's called, a hash, its bytes, where it's from, how to read it."""

    title: str
    identity: str
    size: int
    origin: str
    pieces: Callable[[], Iterator[str]]


def chosen_text() -> Text | None:
    """The text that the controls name; None where each token counts once. Raises TextError where there's none yet."""
    chosen = st.session_state.corpus
    if chosen == NO_TEXT:
        return None
    if chosen != OWN_TEXT:
        content = samples.text(chosen)
        sample = samples.SAMPLES[chosen]
        origin = f", {sample.source}, licence: {sample.licence}"
        return Text(sample.title, chosen, len(content.encode()), origin, lambda: corpus.pieces_of_text(content))
    if "own_text" not in st.session_state:
        raise TextError("No text of yours is here yet. Upload or paste one under Open, or weigh by another text.")
    name, data = st.session_state.own_text
    identity = f"{name} {sha256(data).hexdigest()}"  # by the name it's told how the same bytes are read
    return Text(name, identity, len(data), "", lambda: corpus.pieces_of_file(io.BytesIO(data), name))


def counted(text: Text, sides: Sequence[Tokenizer]) -> tuple[Counted, ...]:
    """The student's tokens in a text, then each teacher's. Counted once a session; a long text shows how far it is."""
    kept: dict[object, Counted] = st.session_state.setdefault("counted", {})
    missing = [side for side in sides if _counted_key(text, side) not in kept]
    if missing:
        found = _with_bar(text, lambda told: corpus.count_all(missing, text.pieces(), progress=told))
        kept.update({_counted_key(text, side): one for side, one in zip(missing, found, strict=True)})
    counts = tuple(kept[_counted_key(text, side)] for side in sides)
    while len(kept) > MOST_KEPT:
        kept.pop(next(iter(kept)))
    return counts


def _counted_key(text: Text, side: Tokenizer) -> object:
    return text.identity, side.name, side.sha256


def shapes(text: Text, student: Tokenizer, teacher: Tokenizer) -> dict[Shape, int]:
    """The shapes of the chunks in a text, of a long one in its first pieces."""
    kept: dict[object, dict[Shape, int]] = st.session_state.setdefault("shapes", {})
    key = text.identity, student.name, student.sha256, teacher.name, teacher.sha256
    if key not in kept:
        pieces = islice(text.pieces(), MOST_ALIGNED // corpus.PIECE)
        kept[key] = _with_bar(text, lambda told: dict(corpus.shapes(student, teacher, pieces, progress=told)))
    found = kept[key]
    while len(kept) > MOST_KEPT:
        kept.pop(next(iter(kept)))
    return found


def _with_bar(text: Text, make: Callable[[Callable[[int], None]], T]) -> T:
    """What is made of a text, with a bar that shows how far it is."""
    label = f"Reading {text.size:,} bytes …"
    bar = st.progress(0.0, label)

    def told(done: int) -> None:
        bar.progress(min(done / max(text.size, 1), 1.0), label)

    made = make(told)
    bar.empty()
    return made
