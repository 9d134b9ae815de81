"""
The page's state as a link: what a colleague needs to see the same thing.

    ?student=llama-3.2&student_sha=6b9e4e7fb171&teacher=qwen3&teacher_sha=aeb13307a71a&text=201&chunk=4

A link is read once, when a session starts; from then on the session leads and the address follows.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from urllib.parse import quote

import streamlit as st

from ui.samples import SAMPLES

MAX_PLAIN = 8_000  # characters of the address; a longer text is packed
MAX_PACKED = 60_000  # about 70,000 are accepted in all
MAX_TEXT = 1_000_000  # characters that a packed text may unfold to
HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Link:
    """Everything that a link carries; the defaults are what the page shows without one."""

    student: str = "llama-3.2"
    student_sha: str = ""
    teacher: str = "qwen3"
    teacher_sha: str = ""
    text: str = SAMPLES[0].text
    student_special: bool = True
    teacher_special: bool = True
    scoring: str = "exact"
    gold: bool = False
    chunk: int | None = None
    form: str = "visible"
    layout: str = "woven"
    presenter: bool = False

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """Reads an address; what isn't there or can't be read is the default.

        >>> Link.from_parameters({"teacher": "gpt2", "gold": "1", "chunk": "x"}) == Link(teacher="gpt2", gold=True)
        True
        """
        kinds = {field.name: type(getattr(cls(), field.name)) for field in fields(cls)}
        known = {name: value for name, value in parameters.items() if name in kinds and name != "chunk"}
        read: dict[str, Any] = {name: value == "1" if kinds[name] is bool else value for name, value in known.items()}
        chunk = parameters.get("chunk", "")
        if chunk.isdecimal() and len(chunk) < 10:
            read["chunk"] = int(chunk) - 1 if int(chunk) else None
        unfolded = unpacked(parameters.get("packed", ""))
        if unfolded is not None:
            read["text"] = unfolded
        return cls(**read)

    def parameters(self) -> dict[str, str]:
        """The address's parameters: the pair with its hashes always, all else where it isn't the default."""
        default = type(self)()
        shown = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(default, field.name)
        }
        shown |= {"student": self.student, "teacher": self.teacher}
        text = shown.pop("text", None)
        if self.chunk is not None:
            shown["chunk"] = self.chunk + 1  # as the page counts them
        plain = {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in shown.items()}
        return plain | ({} if text is None else _text_parameter(text))

    def carries_text(self) -> bool:
        """Whether the text fits in the address."""
        return "text_left_out" not in self.parameters()

    def with_hashes(self, student: str, teacher: str) -> Self:
        """The link with the hashes that were in use; an empty one is unknown."""
        return replace(self, student_sha=student[:HASH_DIGITS], teacher_sha=teacher[:HASH_DIGITS])


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


def restore() -> None:
    """At a session's start: the address's link into the session, under the names of its fields."""
    if "link_is_read" in st.session_state:
        return
    parameters = st.query_params.to_dict()
    link = Link.from_parameters(parameters)
    for field in fields(link):
        st.session_state[field.name] = getattr(link, field.name)
    st.session_state.link_is_read = True
    st.session_state.text_left_out = "text_left_out" in parameters
    st.session_state.text_unreadable = "packed" in parameters and unpacked(parameters["packed"]) is None
    # what the link said of the hashes is compared once with what was loaded
    st.session_state.promised = {
        "student": (link.student, link.student_sha),
        "teacher": (link.teacher, link.teacher_sha),
    }


def current() -> Link:
    """The session's state as a link."""
    return Link(**{field.name: st.session_state[field.name] for field in fields(Link)})


def write(link: Link) -> None:
    """Makes the address say what the page shows."""
    parameters = link.parameters()
    if st.query_params.to_dict() != parameters:
        st.query_params.from_dict(parameters)
