"""The core's slow calls, cached: one line each, bounded, read-only."""

import streamlit as st

from xtoken_core import catalog
from xtoken_core.alignment import Scoring, align
from xtoken_core.spans import Alignment
from xtoken_core.tokenizer import Tokenizer


def _identity(tokenizer: Tokenizer) -> tuple[object, ...]:
    """The same file may have other roles beside another config."""
    return tokenizer.name, tokenizer.sha256, *sorted(tokenizer.vocabulary.roles.items())


@st.cache_resource(max_entries=12, show_spinner="Reading the tokenizer …")
def _named_tokenizer(name: str, freshness: tuple[int, ...]) -> Tokenizer:  # noqa: ARG001 - a part of the cache's key
    return catalog.load(name)


def named_tokenizer(name: str) -> Tokenizer:
    """A local file that has changed is read again."""
    return _named_tokenizer(name, catalog.freshness(name))


@st.cache_resource(max_entries=6, show_spinner="Reading the uploaded tokenizer …")
def uploaded_tokenizer(name: str, content: bytes) -> Tokenizer:
    return catalog.from_upload(name, content)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Tokenizer: _identity})
def aligned(
    student: Tokenizer, teacher: Tokenizer, text: str, student_special: bool, teacher_special: bool, scoring: Scoring
) -> Alignment:
    """[one alignment], by everything that it depends on."""
    return align(
        student.encode(text, special=student_special),
        teacher.encode(text, special=teacher_special),
        scoring=scoring,
    )
