"""
Span alignment of two tokenizations of one text.

Both sides spell the text's bytes, so the finest alignment cuts wherever both have a token boundary: a walk over
shared boundaries, in linear time. Where the bytes differ (a normaliser) or a mark stands, the walk leaves a window,
and the program over its cells finds the chunks inside:

    student   Hello |  cafe | ◌́ | !         bytes equal  | window  | bytes equal
    teacher   Hello |  café     | !         walk         | program | walk
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from xtoken_core import program, walk
from xtoken_core.nfc import common_cuts
from xtoken_core.paper import align_paper
from xtoken_core.program import Side
from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.spans import Alignment, Chunk, ChunkKind, Span
from xtoken_core.surface import align_surface
from xtoken_core.walk import short_cuts

Scoring = Literal["exact", "paper", "surface"]

Cutter = Callable[[Side, Side], list[tuple[int, int]]]

MAX_CELLS = 4096  # a larger window is cut first; a piece that nothing cuts stays one mismatch


def align(student: TokenSequence, teacher: TokenSequence, *, scoring: Scoring = "exact") -> Alignment:
    """Aligns two tokenizations of one text.

    scoring: "exact" is ours; "paper" is the published program (`paper`), "surface" is GOLD as published (`surface`).

    >>> from xtoken_core.sequence import sequence_of
    >>> chunks = align(sequence_of([b"201", b"!"]), sequence_of([b"2", b"0", b"1", b"!"]))
    >>> [chunk.shape.value for chunk in chunks]
    ['1-n', '1-1']
    """
    if scoring == "paper":
        return align_paper(student, teacher)
    if scoring == "surface":
        return align_surface(student, teacher)
    return _align_exact(student, teacher)


def _align_exact(student: TokenSequence, teacher: TokenSequence) -> Alignment:
    lossless = student.data == teacher.data
    if lossless and not student.marks and not teacher.marks:
        return _walk(student, teacher)
    if _cells(len(student), len(teacher)) <= MAX_CELLS:
        inside = _explain(student, teacher, Span(0, len(student)), Span(0, len(teacher)))
        return _assemble(student, teacher, np.empty((2, 0), np.int32), inside)
    nodes = walk.find_nodes(student, teacher)
    windows = nodes.windows()
    inside = [chunk for window in windows for chunk in _explain(student, teacher, *nodes.spans(*window))]
    return _assemble(student, teacher, np.stack(nodes.exact_ends(windows)), inside)


def _cells(rows: int, columns: int) -> int:
    return (rows + 1) * (columns + 1)


def _walk(student: TokenSequence, teacher: TokenSequence) -> Alignment:
    """Equal bytes, no marks: a chunk ends at every byte at which both sides have a boundary."""
    student_ends = (walk.ending_on(student.ends, teacher.ends) + 1).astype(np.int32)
    teacher_ends = (walk.ending_on(teacher.ends, student.ends) + 1).astype(np.int32)
    return Alignment(student, teacher, student_ends, teacher_ends, np.zeros(len(student_ends), np.int8))


def _explain(student: TokenSequence, teacher: TokenSequence, span_s: Span, span_t: Span) -> list[Chunk]:
    """The chunks of one window."""
    side_s = program.side(student, span_s)
    side_t = program.side(teacher, span_t)
    chunks = _tile(side_s, side_t, _exact_chunks(side_s, side_t))
    return [_shifted(chunk, span_s.start, span_t.start) for chunk in chunks]


def _shifted(chunk: Chunk, student: int, teacher: int) -> Chunk:
    return Chunk(
        Span(chunk.student.start + student, chunk.student.stop + student),
        Span(chunk.teacher.start + teacher, chunk.teacher.stop + teacher),
        chunk.kind,
    )


def _exact_chunks(student: Side, teacher: Side, cutters: tuple[Cutter, ...] = (common_cuts, short_cuts)) -> list[Chunk]:
    """The exact chunks of a window; a large one is cut into pieces first, so that the cost stays linear."""
    if _cells(len(student), len(teacher)) <= MAX_CELLS:
        return program.matches(student, teacher)
    if not cutters:
        return []
    cuts = {(0, 0), *cutters[0](student, teacher), (len(student), len(teacher))}
    chunks: list[Chunk] = []
    known: dict[object, list[Chunk]] = {}  # a text repeats its words, so most pieces were met before
    for (i, j), (i_next, j_next) in pairwise(sorted(cuts)):
        piece_s, piece_t = student.cut(i, i_next), teacher.cut(j, j_next)
        key = piece_s.spelled(), piece_t.spelled()
        if key not in known:
            known[key] = _exact_chunks(piece_s, piece_t, cutters[1:])
        chunks += [_shifted(chunk, i, j) for chunk in known[key]]
    return chunks


def _tile(student: Side, teacher: Side, exact: list[Chunk]) -> Iterator[Chunk]:
    """The exact chunks with what is unmatched between them, so that all tokens are told."""
    i = j = 0
    for chunk in [*exact, Chunk(Span(len(student), len(student)), Span(len(teacher), len(teacher)), ChunkKind.EXACT)]:
        yield from _unmatched(student, teacher, Span(i, chunk.student.start), Span(j, chunk.teacher.start))
        i, j = chunk.student.stop, chunk.teacher.stop
        if len(chunk.student):
            yield chunk


def _unmatched(student: Side, teacher: Side, span_s: Span, span_t: Span) -> Iterator[Chunk]:
    """Text on both sides is one mismatch, text on one side a gap, and each mark a gap of its own."""
    pieces_s, pieces_t = _pieces(student, span_s), _pieces(teacher, span_t)
    here_s, here_t = span_s.start, span_t.start
    while pieces_s or pieces_t:
        mark_s = bool(pieces_s) and student.is_mark(pieces_s[0].start)
        mark_t = bool(pieces_t) and teacher.is_mark(pieces_t[0].start)
        take_s = pieces_s and (mark_s or not mark_t)
        take_t = pieces_t and not mark_s
        piece_s = pieces_s.pop(0) if take_s else Span(here_s, here_s)
        piece_t = pieces_t.pop(0) if take_t else Span(here_t, here_t)
        here_s, here_t = piece_s.stop, piece_t.stop
        yield Chunk(piece_s, piece_t, _kind(piece_s, piece_t))


def _pieces(side: Side, span: Span) -> list[Span]:
    """A span cut at its marks, each of which is a piece of its own."""
    cuts = {span.start, span.stop}
    for token in range(span.start, span.stop):
        if side.is_mark(token):
            cuts |= {token, token + 1}
    return [Span(start, stop) for start, stop in pairwise(sorted(cuts))]


def _kind(student: Span, teacher: Span) -> ChunkKind:
    if not len(teacher):
        return ChunkKind.STUDENT_GAP
    return ChunkKind.MISMATCH if len(student) else ChunkKind.TEACHER_GAP


def _assemble(student: TokenSequence, teacher: TokenSequence, exact_ends: Ints, inside: list[Chunk]) -> Alignment:
    """Exact chunks of the walk, exact_ends [2, …], and the chunks of the windows, in order."""
    rows = [(chunk.student.stop, chunk.teacher.stop, int(chunk.kind)) for chunk in inside]
    ends_s, ends_t, kinds = np.array(rows, np.int32).reshape(-1, 3).T
    ends_s = np.concatenate([exact_ends[0], ends_s]).astype(np.int32)
    ends_t = np.concatenate([exact_ends[1], ends_t]).astype(np.int32)
    kinds = np.concatenate([np.zeros(exact_ends.shape[1], np.int8), kinds.astype(np.int8)])
    order = np.argsort(ends_s + ends_t, kind="stable")  # every chunk has a token, so the sums differ
    return Alignment(student, teacher, ends_s[order], ends_t[order], kinds[order])
