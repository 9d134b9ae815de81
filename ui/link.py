"""
A page's state as a link: what a colleague needs to see the same thing.

    ?student=llama-3.2&student_sha=6b9e4e7fb171&teacher=qwen3&teacher_sha=aeb13307a71a&text=201&chunk=4

A link is read once, when a session comes to its page; from then on the session leads and the address follows. The pair
is the session's: it goes along from page to page.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self
from urllib.parse import quote

import streamlit as st

from ui.samples import SAMPLES
from xtoken_core.common_set import THRESHOLD
from xtoken_core.matrix import Options

MAX_PLAIN = 8_000  # characters of the address; a longer text is packed
MAX_PACKED = 60_000  # about 70,000 are accepted in all
MAX_TEXT = 1_000_000  # characters that a packed text may unfold to
HASH_DIGITS = 12
MOST_DIGITS = 9  # of a number in an address


@dataclass(frozen=True, slots=True)
class Link:
    """What every page's link carries; the defaults are what a page shows without one."""

    FROM_ONE: ClassVar[frozenset[str]] = frozenset()  # numbers that the page counts from 1

    student: str = "llama-3.2"
    student_sha: str = ""
    teacher: str = "qwen3"
    teacher_sha: str = ""
    presenter: bool = False

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """Reads an address; what isn't there or can't be read is the default.

        >>> AlignmentLink.from_parameters({"teacher": "gpt2", "gold": "1", "chunk": "x"})  == AlignmentLink(
        ...     teacher="gpt2", gold=True
        ... )
        True
        """
        default = cls()
        read: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in parameters:
                value = _read(parameters[field.name], getattr(default, field.name))
                read[field.name] = _counted_from(value, -1) if field.name in cls.FROM_ONE else value
        unfolded = unpacked(parameters.get("packed", ""))
        if unfolded is not None and "text" in {field.name for field in fields(cls)}:
            read["text"] = unfolded
        return cls(**read)

    def parameters(self) -> dict[str, str]:
        """The address's parameters: the pair with its hashes always, all else where it isn't the default."""
        default = type(self)()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = {name: value for name, value in values.items() if value not in (None, getattr(default, name))}
        shown |= {"student": self.student, "teacher": self.teacher}
        text = shown.pop("text", None)
        for name in self.FROM_ONE & shown.keys():
            shown[name] = _counted_from(shown[name], 1)
        plain = {name: _written(value) for name, value in shown.items()}
        return plain | ({} if text is None else _text_parameter(text))

    def carries_text(self) -> bool:
        """Whether the text fits in the address."""
        return "text_left_out" not in self.parameters()

    def with_hashes(self, student: str, teacher: str) -> Self:
        """The link with the hashes that were in use; an empty one is unknown."""
        return replace(self, student_sha=student[:HASH_DIGITS], teacher_sha=teacher[:HASH_DIGITS])


@dataclass(frozen=True, slots=True)
class AlignmentLink(Link):
    """The Alignment page: its text, how it's aligned, which chunk is chosen, how the tokens are drawn."""

    FROM_ONE: ClassVar[frozenset[str]] = frozenset({"chunk"})

    text: str = SAMPLES[0].text
    student_special: bool = True
    teacher_special: bool = True
    scoring: str = "exact"
    gold: bool = False
    chunk: int | None = None
    form: str = "visible"
    layout: str = "woven"


@dataclass(frozen=True, slots=True)
class ProjectionLink(Link):
    """The Projection page: how W is built, what is looked for, which row and which column are chosen by token id."""

    top_k: int = Options().top_k
    max_pieces: int = Options().max_pieces
    gamma: float = Options().gamma
    long: str = Options().long
    threshold: float = THRESHOLD
    view: str = "rows"
    kind: str = "text"
    query: str = ""
    rules: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    least_pieces: int = 0
    most_pieces: int = 0
    least_weight: float = 0.0
    most_weight: float = 1.0
    unreached: bool = False
    sort: str = ""
    row: int | None = None
    column: int | None = None
    block: str = "201\nHundreds\ninternational\n2024"


@dataclass(frozen=True, slots=True)
class CoverageLink(Link):
    """The Coverage page: the teachers beside the pair's, what is critical, which text weighs, what is looked at."""

    beside: tuple[str, ...] = ("phi-4-mini",)
    threshold: float = THRESHOLD
    critical: str = "math"
    own_categories: tuple[str, ...] = ()
    corpus: str = ""
    coverage_view: str = "advice"
    category: str = ""


PAGES: tuple[type[Link], ...] = (AlignmentLink, ProjectionLink, CoverageLink)


def _read(value: str, default: object) -> Any:
    """A parameter as its default's type; the default where it can't be read."""
    if isinstance(default, bool):
        return value == "1"
    if isinstance(default, str):
        return value
    if isinstance(default, tuple):
        return tuple(part for part in value.split(",") if part)
    if isinstance(default, float):
        return _number(value, default)
    return int(value) if value.isdecimal() and len(value) <= MOST_DIGITS else default


def _number(value: str, default: float) -> float:
    try:
        number = float(value)
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _counted_from(value: int | None, shift: int) -> int | None:
    """A position in the session's count, from 0, or in the page's, from 1; none where there is none."""
    return None if value is None or value + shift < 0 else value + shift


def _text_parameter(text: str) -> dict[str, str]:
    if len(quote(text)) <= MAX_PLAIN:
        return {"text": text}
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode(errors="surrogatepass"), 9)).decode()
    return {"packed": packed} if len(packed) <= MAX_PACKED else {"text_left_out": "1"}


def unpacked(packed: str) -> str | None:
    """The text of a `packed` parameter; None where it can't be read or would unfold without end."""
    try:
        unfolder = zlib.decompressobj()
        text = unfolder.decompress(base64.urlsafe_b64decode(packed.encode()), 4 * MAX_TEXT)
        return text.decode() if unfolder.eof and not unfolder.unconsumed_tail else None
    except (binascii.Error, zlib.error, ValueError):
        return None


def restore(page: type[Link]) -> None:
    """When a session comes to a page: its address into the session, under the names of the link's fields."""
    state = st.session_state
    state.setdefault("visited", [])
    state.setdefault("promised", {})
    if state.get("page") != page.__name__:
        state.page = page.__name__
        _carry_along()
    if page.__name__ not in state.visited:
        state.visited.append(page.__name__)
        _take(page, st.query_params.to_dict())


def _carry_along() -> None:
    """What the session has, or the default. Written anew: a widget that the reader hasn't touched would forget it."""
    for kind in PAGES:
        for field in fields(kind):
            st.session_state[field.name] = st.session_state.get(field.name, getattr(kind(), field.name))


def _take(page: type[Link], parameters: Mapping[str, str]) -> None:
    """What the address says; what it doesn't say stays as the session has it."""
    link = page.from_parameters(parameters)
    in_packed = {"text"} if "packed" in parameters else set()
    said = {field.name for field in fields(page)} & (parameters.keys() | in_packed)
    for name in said:
        st.session_state[name] = getattr(link, name)
    st.session_state.text_left_out = "text_left_out" in parameters
    st.session_state.text_unreadable = "packed" in parameters and unpacked(parameters["packed"]) is None
    # what the link said of the hashes is compared once with what was loaded
    for role in ("student", "teacher"):
        if f"{role}_sha" in said or role not in st.session_state.promised:
            st.session_state.promised[role] = getattr(link, role), getattr(link, f"{role}_sha")


def current(page: type[Link]) -> Link:
    """The session's state as a page's link."""
    values: dict[str, Any] = {field.name: _frozen(st.session_state[field.name]) for field in fields(page)}
    return page(**values)


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def write(link: Link) -> None:
    """Makes the address say what the page shows."""
    parameters = link.parameters()
    if st.query_params.to_dict() != parameters:
        st.query_params.from_dict(parameters)
