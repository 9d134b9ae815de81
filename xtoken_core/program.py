"""
The alignment as a program over cells, for a short window of two token sequences.

A cell (i, j) means "the first i student tokens and the first j teacher tokens of the window are explained".
From there a student token or a teacher token is left unmatched, or a match of any shape closes the next chunk:

    student  ab  c              (0,0) -> (1,2)   a match: both sides spell "ab"
    teacher  a   b   x          (1,2) -> (2,2)   c is unmatched, then x: together one mismatch chunk

A match is free, an unmatched token costs 1 and a mark far less, so that no text is given up for a marker.
Ties go to the finest chunks, then to the earliest match.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import Chunk, ChunkKind, Span

# one integer holds three counts, the first in order of weight: unmatched tokens, unmatched marks, exact chunks
TOKEN_COST = 1 << 40
MARK_COST = 1 << 20
CHUNK_GAIN = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a window: `starts` [m + 1] are byte offsets in `data`, `roles` [m] names the marks."""

    data: bytes
    starts: list[int]
    roles: list[str | None]

    def __len__(self) -> int:
        return len(self.roles)

    def cut(self, start: int, stop: int) -> "Side":
        """The tokens start, start + 1, … stop - 1 as a window of their own."""
        return Side(self.data, self.starts[start : stop + 1], self.roles[start:stop])

    def spelled(self) -> tuple[bytes, tuple[int, ...], tuple[str | None, ...]]:
        """What two windows have in common that have the same matches: bytes, cuts and roles."""
        first, last = self.starts[0], self.starts[-1]
        return self.data[first:last], tuple(start - first for start in self.starts), tuple(self.roles)

    def is_mark(self, token: int) -> bool:
        return self.roles[token] is not None

    def cost(self, token: int) -> int:
        """What it costs to leave one token unmatched."""
        return MARK_COST if self.is_mark(token) else TOKEN_COST


def side(sequence: TokenSequence, span: Span) -> Side:
    """The tokens of a span of the sequence."""
    first = int(sequence.ends[span.start - 1]) if span.start else 0
    roles: list[str | None] = [None] * len(span)
    for mark in sequence.marks_between(span.start, span.stop):
        roles[mark.position - span.start] = mark.role
    return Side(sequence.data, [first, *sequence.ends[span.start : span.stop].tolist()], roles)


def matches(student: Side, teacher: Side) -> list[Chunk]:
    """The exact chunks of the cheapest path, in order, counted from the window's start. Time and memory m · n."""
    closes = {
        (i, j): end
        for i in range(len(student))
        for j in range(len(teacher))
        if (end := _close(student, teacher, i, j)) is not None
    }
    cost = _costs(student, teacher, closes)
    return list(_cheapest_path(student, teacher, closes, cost))


def _close(student: Side, teacher: Side, i: int, j: int) -> tuple[int, int] | None:
    """The first cell after (i, j) at which both sides have spelled the same bytes, if there is one."""
    if student.roles[i] is not None or teacher.roles[j] is not None:
        return (i + 1, j + 1) if student.roles[i] == teacher.roles[j] else None
    first_s, first_t = student.starts[i], teacher.starts[j]
    if student.data[first_s] != teacher.data[first_t]:
        return None
    i, j = i + 1, j + 1
    while (ahead := (student.starts[i] - first_s) - (teacher.starts[j] - first_t)) != 0:
        short, token = (teacher, j) if ahead > 0 else (student, i)
        if token == len(short) or short.roles[token] is not None:
            return None
        i, j = (i, j + 1) if ahead > 0 else (i + 1, j)
    same = student.data[first_s : student.starts[i]] == teacher.data[first_t : teacher.starts[j]]
    return (i, j) if same else None


def _costs(student: Side, teacher: Side, closes: dict[tuple[int, int], tuple[int, int]]) -> list[list[int]]:
    """[m + 1, n + 1], the cost from each cell to the window's end."""
    rows, columns = len(student), len(teacher)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            ways = []
            if i < rows:
                ways.append(cost[i + 1][j] + student.cost(i))
            if j < columns:
                ways.append(cost[i][j + 1] + teacher.cost(j))
            if end := closes.get((i, j)):
                ways.append(cost[end[0]][end[1]] - CHUNK_GAIN)
            cost[i][j] = min(ways, default=0)
    return cost


def _cheapest_path(
    student: Side, teacher: Side, closes: dict[tuple[int, int], tuple[int, int]], cost: list[list[int]]
) -> Iterator[Chunk]:
    i = j = 0
    while i < len(student) or j < len(teacher):
        end = closes.get((i, j))
        if end and cost[i][j] == cost[end[0]][end[1]] - CHUNK_GAIN:
            yield Chunk(Span(i, end[0]), Span(j, end[1]), ChunkKind.EXACT)
            i, j = end
        elif i < len(student) and cost[i][j] == cost[i + 1][j] + student.cost(i):
            i += 1
        else:
            j += 1
