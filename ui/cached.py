"""The core's slow calls, cached: one line each, bounded, read-only."""

from dataclasses import dataclass

import streamlit as st

from xtoken_core import audit, browse, catalog, common_set, projection_file
from xtoken_core.alignment import Scoring, align
from xtoken_core.audit import Overlap
from xtoken_core.browse import Listing
from xtoken_core.common_set import CommonSet
from xtoken_core.compare import compare
from xtoken_core.matrix import Columns, Options, Projection, check_pair
from xtoken_core.sequence import Ints
from xtoken_core.spans import Alignment
from xtoken_core.tokenizer import Tokenizer

ZIP = b"PK"


def _identity(tokenizer: Tokenizer) -> tuple[object, ...]:
    """The same file may have other roles beside another config."""
    return tokenizer.name, tokenizer.sha256, *sorted(tokenizer.vocabulary.specials().items())


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A W with all that its page looks at."""

    student: Tokenizer
    teacher: Tokenizer
    projection: Projection
    columns: Columns
    strict: CommonSet
    relaxed: CommonSet
    student_listing: Listing
    teacher_listing: Listing


@st.cache_resource(max_entries=14, show_spinner="Building W …", hash_funcs={Tokenizer: _identity})
def prepared(student: Tokenizer, teacher: Tokenizer, options: Options, threshold: float) -> Prepared:
    """A W, by everything that it depends on; from the user's cache folder where it was built before."""
    projection = _projection(student, teacher, options)
    return Prepared(
        student,
        teacher,
        projection,
        projection.reverse(),
        common_set.strict(projection),
        common_set.relaxed(projection, threshold=threshold),
        _listing(student),
        _listing(teacher),
    )


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Tokenizer: _identity})
def _projection(student: Tokenizer, teacher: Tokenizer, options: Options) -> Projection:
    return projection_file.cached(student, teacher, options)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Tokenizer: _identity})
def _listing(tokenizer: Tokenizer) -> Listing:
    return browse.listing(tokenizer.vocabulary)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Tokenizer: _identity})
def overlap(first: Tokenizer, second: Tokenizer) -> Overlap:
    """How much two vocabularies have in common."""
    return audit.overlap(first.vocabulary, second.vocabulary)


@st.cache_resource(max_entries=2, show_spinner="Reading the file …", hash_funcs={Tokenizer: _identity})
def read_projection(name: str, content: bytes, student: Tokenizer, teacher: Tokenizer) -> Projection:
    """A W from a user's file, for this pair: NeMo-RL's is a zip archive called .pt, ours is neither."""
    if not (content.startswith(ZIP) or name.lower().endswith(".pt")):
        projection = projection_file.load(content, name)
        check_pair(projection, student, teacher)
        return projection
    from xtoken_core import nemo  # loads torch, which no page needs before such a file is opened

    return nemo.load(content, name, student, teacher)


def differences(ours: Projection, theirs: Projection, student: Tokenizer, teacher: Tokenizer) -> Ints:
    """[V_s], why each row differs."""
    return compare(ours, theirs, student, teacher)
