"""
The walk: byte boundaries that both sides share, found in linear time.

    student bytes   H e l l o | c a f e ◌́ | !       a stretch: bytes that agree, from a shared boundary on
    teacher bytes   H e l l o | c a f é   | !       a node: a boundary of both sides inside a stretch
                    0         1            2        node 2 is torn: no equal bytes lead to it from node 1

Everything here speaks of text; marks have no bytes and stand on the nodes or between them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xtoken_core.program import Side
from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.spans import Span

ANCHOR_BYTES = 16  # after a difference both sides must agree on so many bytes before the walk goes on
SHORT_ANCHOR_BYTES = 4  # inside a window that is too large for the program
MARGIN = 2  # chunks on either side of a difference that its window takes in
FIRST_BLOCK = 8


@dataclass(frozen=True, slots=True)
class Nodes:
    """N shared boundaries in order, from the start to the end of the text.

    student_bytes, teacher_bytes [N]: offsets. student_tokens, teacher_tokens [N]: how many tokens end at or before
    the boundary, marks that stand on it not counted. torn: the nodes that no equal bytes join to the one before.
    """

    student: TokenSequence
    teacher: TokenSequence
    student_bytes: Ints
    teacher_bytes: Ints
    student_tokens: Ints
    teacher_tokens: Ints
    torn: Ints

    def windows(self) -> list[tuple[int, int]]:
        """(first node, last node) of each window that the walk can't explain: differences and marks, in order."""
        last = len(self.student_bytes) - 1
        differences = ((max(k - 1 - MARGIN, 0), min(k + MARGIN, last)) for k in self.torn.tolist())
        marks_s = _around(self.student, self.student_bytes)
        marks_t = _around(self.teacher, self.teacher_bytes)
        return _merged(sorted([*differences, *marks_s, *marks_t]))

    def spans(self, first: int, last: int) -> tuple[Span, Span]:
        """The tokens from node `first` to node `last`, with the marks that stand on either."""
        return (
            Span(int(self.student_tokens[first]), _tokens_until(self.student, self.student_bytes[last])),
            Span(int(self.teacher_tokens[first]), _tokens_until(self.teacher, self.teacher_bytes[last])),
        )

    def exact_ends(self, windows: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
        """Where the exact chunks outside the windows end, in tokens of either side."""
        outside = np.ones(len(self.student_bytes), bool)
        outside[0] = False  # a chunk ends at every node but the first
        for first, last in windows:
            outside[first + 1 : last + 1] = False
        return self.student_tokens[outside], self.teacher_tokens[outside]


def _around(sequence: TokenSequence, node_bytes: Ints) -> Iterator[tuple[int, int]]:
    """For each mark the nodes it stands on, or the two it stands between."""
    offsets = sequence.ends[[mark.position for mark in sequence.marks]] if sequence.marks else np.empty(0, np.int64)
    first = np.searchsorted(node_bytes, offsets, "left")
    last = np.searchsorted(node_bytes, offsets, "right") - 1
    between = last < first
    first, last = first - between, last + between
    return zip(first.tolist(), last.tolist(), strict=True)


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Windows that share a node become one, since both would hold the marks that stand on it."""
    merged: list[tuple[int, int]] = []
    for first, last in windows:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _tokens_until(sequence: TokenSequence, offset: int) -> int:
    return int(np.searchsorted(sequence.ends, offset, "right"))


def find_nodes(student: TokenSequence, teacher: TokenSequence) -> Nodes:
    """All shared boundaries of two tokenizations."""
    text_s, text_t = _text_positions(student), _text_positions(teacher)
    ends_s, ends_t = student.ends[text_s], teacher.ends[text_t]
    if student.data == teacher.data:
        return _nodes_of_equal_bytes(student, teacher, text_s, text_t, ends_s, ends_t)
    first_s, first_t, length = stretches(student.data, teacher.data, ends_s, ends_t)
    common_s, common_t = _common(ends_s, ends_t, first_s, first_t, length)
    at_s = np.concatenate([first_s, ends_s[common_s]])
    at_t = np.concatenate([first_t, ends_t[common_t]])
    tokens_s = np.concatenate([_text_tokens(student, first_s), text_s[common_s] + 1])
    tokens_t = np.concatenate([_text_tokens(teacher, first_t), text_t[common_t] + 1])
    order = np.argsort(at_s + at_t, kind="stable")
    torn = np.flatnonzero((order < len(first_s)) & (order > 0))
    return Nodes(student, teacher, at_s[order], at_t[order], tokens_s[order], tokens_t[order], torn)


def _nodes_of_equal_bytes(
    student: TokenSequence, teacher: TokenSequence, text_s: Ints, text_t: Ints, ends_s: Ints, ends_t: Ints
) -> Nodes:
    """One stretch from the start to the end of the text: no node is torn."""
    common_s, common_t = ending_on(ends_s, ends_t), ending_on(ends_t, ends_s)
    at = np.concatenate([[0], ends_s[common_s]])
    tokens_s = np.concatenate([[0], text_s[common_s] + 1])
    tokens_t = np.concatenate([[0], text_t[common_t] + 1])
    return Nodes(student, teacher, at, at, tokens_s, tokens_t, torn=np.empty(0, np.int64))


def ending_on(ends: Ints, other_ends: Ints) -> Ints:
    """The tokens, counted from 0, whose end is an end of the other side too, where both spell the same bytes."""
    boundary = np.zeros(int(ends[-1]) + 1 if len(ends) else 1, bool)
    boundary[other_ends] = True
    return np.flatnonzero(boundary[ends])


def _text_positions(sequence: TokenSequence) -> Ints:
    """The positions of the tokens that aren't marks."""
    positions = np.arange(len(sequence))
    return np.delete(positions, [mark.position for mark in sequence.marks]) if sequence.marks else positions


def _text_tokens(sequence: TokenSequence, offsets: Ints) -> Ints:
    """How many tokens end at or before each byte offset, marks that stand on it not counted."""
    return np.where(offsets > 0, np.searchsorted(sequence.ends, offsets, "left") + 1, 0)


def _common(ends_s: Ints, ends_t: Ints, first_s: Ints, first_t: Ints, length: Ints) -> tuple[Ints, Ints]:
    """Indices of the student's and of the teacher's tokens that end on a shared boundary inside a stretch."""
    owner = np.searchsorted(first_s, ends_s, "left") - 1
    inside = np.flatnonzero(ends_s <= (first_s + length)[owner])
    there = ends_s[inside] + (first_t - first_s)[owner[inside]]
    size = int(ends_t[-1]) + 1 if len(ends_t) else 1
    ends_here = np.zeros(size, bool)
    ends_here[ends_t] = True
    shared = ends_here[there]
    shared_bytes = np.zeros(size, bool)
    shared_bytes[there[shared]] = True
    return inside[shared], np.flatnonzero(shared_bytes[ends_t])


def stretches(student: bytes, teacher: bytes, ends_s: Ints, ends_t: Ints) -> tuple[Ints, Ints, Ints]:
    """Maximal runs of equal bytes from one shared boundary to another: starts on both sides and lengths, [R] each.

    ends_s [T_s] and ends_t [T_t] are the byte ends of the text tokens.
    """
    if student == teacher:
        return np.array([0]), np.array([0]), np.array([len(student)])
    bounds_s, bounds_t = [0, *ends_s.tolist()], [0, *ends_t.tolist()]
    found = list(_stretches(student, teacher, bounds_s, bounds_t, ANCHOR_BYTES))
    first_s, first_t, length = np.array(found).T
    return first_s, first_t, length


def _stretches(
    student: bytes, teacher: bytes, bounds_s: list[int], bounds_t: list[int], anchor: int
) -> Iterator[tuple[int, int, int]]:
    i = j = 0
    while True:
        first_s, first_t = bounds_s[i], bounds_t[j]
        agreed = _agreement(student, first_s, teacher, first_t)
        i, j = _last_shared(bounds_s, bounds_t, i, j, agreed)
        yield first_s, first_t, bounds_s[i] - first_s
        if i == len(bounds_s) - 1 and j == len(bounds_t) - 1:
            return
        i, j = _anchor(student, teacher, bounds_s, bounds_t, i, j, anchor)


def _agreement(left: bytes, at_left: int, right: bytes, at_right: int) -> int:
    """How many bytes agree from the two offsets on; blocks double, so that a long run costs its length."""
    limit = min(len(left) - at_left, len(right) - at_right)
    done, size = 0, 64
    while done < limit:
        size = min(size, limit - done)
        a = left[at_left + done : at_left + done + size]
        b = right[at_right + done : at_right + done + size]
        if a != b:
            return done + int(np.argmax(np.frombuffer(a, np.uint8) != np.frombuffer(b, np.uint8)))
        done, size = done + size, 2 * size
    return limit


def _last_shared(bounds_s: list[int], bounds_t: list[int], i: int, j: int, agreed: int) -> tuple[int, int]:
    """The last boundary of both sides within `agreed` bytes of the boundaries i and j."""
    shift = bounds_t[j] - bounds_s[i]
    for last in range(bisect_right(bounds_s, bounds_s[i] + agreed) - 1, i, -1):
        there = bisect_left(bounds_t, bounds_s[last] + shift)
        if there < len(bounds_t) and bounds_t[there] == bounds_s[last] + shift:
            return last, there
    return i, j


def _anchor(
    student: bytes, teacher: bytes, bounds_s: list[int], bounds_t: list[int], i: int, j: int, anchor: int
) -> tuple[int, int]:
    """The nearest later boundaries from which `anchor` bytes agree; the two ends, with no bytes left, always do."""
    block = FIRST_BLOCK
    while True:
        keys: dict[bytes, int] = {}
        for b, at in enumerate(bounds_t[j : j + block]):
            keys.setdefault(teacher[at : at + anchor], b)
        skips = (
            (a + found, a, found)
            for a, at in enumerate(bounds_s[i : i + block])
            if (found := keys.get(student[at : at + anchor])) is not None and a + found > 0
        )
        total, a, b = min(skips, default=(block, 0, 0))
        # a pair further off than the block could have a nearer rival outside it
        if total < block or (a + b > 0 and block > max(len(bounds_s) - i, len(bounds_t) - j)):
            return i + a, j + b
        block *= 2


def short_cuts(student: Side, teacher: Side) -> list[tuple[int, int]]:
    """Cells (i, j) of a large window at which the walk, content with short anchors, finds a shared boundary."""
    data_s, bounds_s, tokens_s = _text_only(student)
    data_t, bounds_t, tokens_t = _text_only(teacher)
    cells: list[tuple[int, int]] = []
    for first_s, first_t, length in _stretches(data_s, data_t, bounds_s, bounds_t, SHORT_ANCHOR_BYTES):
        here_s = _bounds_within(bounds_s, first_s, length)
        here_t = _bounds_within(bounds_t, first_t, length)
        cells += [(tokens_s[here_s[at]], tokens_t[here_t[at]]) for at in sorted(here_s.keys() & here_t.keys())]
    return cells


def _text_only(side: Side) -> tuple[bytes, list[int], list[int]]:
    """The window's bytes, the boundaries of its text tokens in them, and how many tokens lie before each boundary."""
    first = side.starts[0]
    text = [token for token in range(len(side)) if not side.is_mark(token)]
    bounds = [0, *(side.starts[token + 1] - first for token in text)]
    return side.data[first : side.starts[-1]], bounds, [0, *(token + 1 for token in text)]


def _bounds_within(bounds: list[int], first: int, length: int) -> dict[int, int]:
    """Offset from the stretch's start -> index of the boundary there."""
    start, stop = bisect_left(bounds, first), bisect_right(bounds, first + length)
    return {bounds[k] - first: k for k in range(start, stop)}
