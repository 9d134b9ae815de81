"""
GOLD as published: grow the decoded text of both sides and close a group where the two strings are equal.

    student   <bos>  The   cat   sat  .         one token more at the start, and the two strings
    teacher   The    cat   sat   .              are never equal again: everything is one group

TRL's GOLD trainer aligned like this until its pull request 5885 (June 2026) moved to byte offsets. It's kept to be
shown beside our alignment.
"""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.spans import Alignment, Chunk, ChunkKind, Span

COLLAPSE_OVER = 4  # tokens; the longest merge that the paper's own program (arXiv 2605.21699) takes for one word


def align_surface(student: TokenSequence, teacher: TokenSequence) -> Alignment:
    """The groups of GOLD as published (TRL before its pull request 5885), in linear time. An empty side is allowed.

    The side with the shorter text grows by a token (the student on a tie), and a group closes once both texts are
    equal and not empty; what is open at the end of both sides is one group. A group is exact where both sides spell
    the same bytes with no mark among them, or are only marks of the same roles; on one side only it's a gap.

    >>> from xtoken_core.sequence import sequence_of
    >>> words = [b"The", b" cat", b" sat"]
    >>> align_surface(sequence_of(words), sequence_of(words)).counts()["1-1"]
    3
    >>> align_surface(sequence_of([b"", *words], {0: "bos"}), sequence_of(words)).counts()["mismatch"]
    1
    """
    student_text, teacher_text = decoded(student), decoded(teacher)
    closed = closing_lengths(student_text, teacher_text)
    student_ends, teacher_ends = token_ends(student_text, closed), token_ends(teacher_text, closed)
    if tail_is_open(student_ends, student) or tail_is_open(teacher_ends, teacher):
        student_ends, teacher_ends = np.append(student_ends, len(student)), np.append(teacher_ends, len(teacher))
    groups = zip(sides(student, student_ends), sides(teacher, teacher_ends), strict=True)
    kinds = np.array([kind_of(*group) for group in groups], dtype=np.int8)
    return Alignment(student, teacher, student_ends.astype(np.int32), teacher_ends.astype(np.int32), kinds)


def collapse(alignment: Alignment) -> Chunk | None:
    """The super-group of a surface alignment that collapsed, or None.

    Groups close for as long as both texts agree, and once they differ nothing closes any more: only the last group
    can be a collapse. It is one if it holds more than `COLLAPSE_OVER` tokens on a side and could have been split: a
    mismatch, or the same bytes with a token boundary inside that both sides share. Fewer tokens are a last word that
    differs, and a group on one side only is a tail that the other side lacks.
    """
    if not len(alignment):
        return None
    last = alignment.chunk(len(alignment) - 1)
    if max(len(last.student), len(last.teacher)) <= COLLAPSE_OVER:
        return None
    coarse = last.kind is ChunkKind.EXACT and share_a_boundary(alignment, last)
    return last if coarse or last.kind is ChunkKind.MISMATCH else None


def share_a_boundary(alignment: Alignment, chunk: Chunk) -> bool:
    """Whether both sides of a chunk of equal bytes end a token at the same byte before the chunk's end."""
    student = inner_ends(alignment.student, chunk.student)
    return bool(np.isin(student, inner_ends(alignment.teacher, chunk.teacher)).any())


def inner_ends(sequence: TokenSequence, span: Span) -> Ints:
    """[tokens - 1], where each of the span's tokens but the last ends, in bytes from the span's start."""
    ends: Ints = sequence.ends[span.start : span.stop - 1] - sequence.starts()[span.start]
    return ends


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The decoded text as its tokens added to it, and ends [T] in characters; a token may add none."""

    text: str
    ends: Ints


def decoded(sequence: TokenSequence) -> DecodedText:
    """The text that grows token by token; what a token adds is `added_by_each`."""
    added = list(added_by_each(sequence))
    return DecodedText("".join(added), np.cumsum([len(text) for text in added], dtype=np.int64))


def added_by_each(sequence: TokenSequence) -> Iterator[str]:
    """What each token adds, as published: all tokens so far decoded, less as many characters as were there before.

    An unfinished UTF-8 character decodes to U+FFFD and later turns into itself without a change of length, so it
    stays U+FFFD here and the token that finishes it adds nothing. A mark's text is its form.
    """
    decoder = getincrementaldecoder("utf-8")("replace")
    unfinished = ""
    for token in spoken(sequence):
        finished = decoder.decode(token)
        seen = len(unfinished)
        unfinished = decoder.getstate()[0].decode(errors="replace")
        yield (finished + unfinished)[seen:]


def spoken(sequence: TokenSequence) -> Iterator[bytes]:
    """The bytes that each token shows in decoded text: its own, or the form of a mark."""
    forms = {mark.position: mark.form.encode() for mark in sequence.marks}
    for position, (start, stop) in enumerate(pairwise([0, *sequence.ends.tolist()])):
        yield forms.get(position, sequence.data[start:stop])


def closing_lengths(student: DecodedText, teacher: DecodedText) -> Ints:
    """The lengths in characters at which a group closes.

    The shorter side grows, so both sides stop together at every length that both reach, and there the strings are
    equal for as long as the texts agree. Comparing them once replaces comparing every pair of growing strings.
    """
    agreed = agreed_length(student.text, teacher.text)
    both = np.intersect1d(student.ends, teacher.ends)
    return both[(both > 0) & (both <= agreed)]


def agreed_length(student: str, teacher: str) -> int:
    """How many characters both texts have in common from the start."""
    shared = min(len(student), len(teacher))
    points = [np.frombuffer(text[:shared].encode("utf-32-le"), dtype="<u4") for text in (student, teacher)]
    differing = np.flatnonzero(points[0] != points[1])
    return int(differing[0]) if len(differing) else shared


def token_ends(decoded_text: DecodedText, lengths: Ints) -> Ints:
    """The ends in tokens of the groups that close at `lengths`. Tokens that add nothing there begin the next group."""
    return np.searchsorted(decoded_text.ends, lengths) + 1


def tail_is_open(ends: Ints, sequence: TokenSequence) -> bool:
    """Whether tokens are left behind the last closed group."""
    return (int(ends[-1]) if len(ends) else 0) < len(sequence)


class Side(NamedTuple):
    """One side of a group: how many tokens, the bytes they spell, the roles of the marks among them."""

    tokens: int
    data: bytes
    roles: tuple[str, ...]


def sides(sequence: TokenSequence, ends: Ints) -> Iterator[Side]:
    """The sides of the groups that end at ends [C], in tokens."""
    roles = tuple(mark.role for mark in sequence.marks)
    bounds = np.insert(ends, 0, 0)
    data_bounds = np.insert(sequence.ends, 0, 0)[bounds]
    mark_bounds = np.searchsorted([mark.position for mark in sequence.marks], bounds)
    cuts = zip(bounds.tolist(), data_bounds.tolist(), mark_bounds.tolist(), strict=True)
    for start, stop in pairwise(cuts):
        yield Side(stop[0] - start[0], sequence.data[start[1] : stop[1]], roles[start[2] : stop[2]])


def kind_of(student: Side, teacher: Side) -> ChunkKind:
    """The kind of a group; a mark glued to text is never exact."""
    if not teacher.tokens:
        return ChunkKind.STUDENT_GAP
    if not student.tokens:
        return ChunkKind.TEACHER_GAP
    same = student[1:] == teacher[1:]
    glued = bool(student.data and student.roles)
    return ChunkKind.EXACT if same and not glued else ChunkKind.MISMATCH
