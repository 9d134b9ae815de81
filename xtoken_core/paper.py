"""
The alignment program published with X-Token (arXiv 2605.21699, also NeMo-RL's): the best total score over a full table.

             1    23     4        a cell (i, j) holds the best score of the first i student tokens against
        ┌─────┬─────┬─────┐       the first j teacher tokens; a step pairs 1-1, merges 1-k or k-1 tokens
    12  │    ╲│     │     │       (k = 2, 3, 4) or skips one token on one side. No step is m-n, so here
    34  └─────┴────╲┴─────┘       no pair is correct although both sides spell 1234

It's kept to show what that scoring does, and costs T_s · T_t cells; our own alignment is linear.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xtoken_core.errors import AlignmentError
from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.spans import Alignment, ChunkKind

UNIT = 1.5  # every published score is a whole number of these; integers keep ties exact
MAX_CELLS = 32_000_000  # one byte each
LONGEST_MERGE = 4
NEVER = -(2**30)


@dataclass(frozen=True, slots=True)
class Move:
    """One step: the tokens it takes on each side, its score in units of 1.5, and the kind of its chunk."""

    student: int
    teacher: int
    units: int
    kind: ChunkKind


EXACT_PAIR = Move(1, 1, 2, ChunkKind.EXACT)
MERGES = tuple(Move(*tokens, k, ChunkKind.EXACT) for k in range(2, LONGEST_MERGE + 1) for tokens in ((k, 1), (1, k)))
MISMATCH_PAIR = Move(1, 1, -2, ChunkKind.MISMATCH)
STUDENT_GAP = Move(1, 0, -1, ChunkKind.STUDENT_GAP)
TEACHER_GAP = Move(0, 1, -1, ChunkKind.TEACHER_GAP)

# of the steps into a cell that reach the same score, the earliest here is taken
MOVES = (EXACT_PAIR, *MERGES, MISMATCH_PAIR, STUDENT_GAP, TEACHER_GAP)

Moves = npt.NDArray[np.uint8]


def align_paper(student: TokenSequence, teacher: TokenSequence, *, max_cells: int = MAX_CELLS) -> Alignment:
    """The alignment with the best published score; every step of the program is one chunk.

    An exact pair scores +3, a pair whose bytes differ -3, a merge of k tokens with one token of the same bytes
    +1.5 k, a skipped token -1.5 (arXiv 2605.21699). Tokens are compared by bytes, marks by role, and a mark is in no
    merge. Of the steps into a cell that reach the same score the order is: exact pair, merge (at most one of these fits
    a cell), mismatched pair, student gap, teacher gap. Raises AlignmentError where T_s · T_t exceeds `max_cells`.

    >>> from xtoken_core.sequence import sequence_of
    >>> [chunk.shape.value for chunk in align_paper(sequence_of([b"a", b"201"]), sequence_of([b"a", b"2", b"0", b"1"]))]
    ['1-1', '1-n']
    """
    moves, _ = filled(student, teacher, max_cells)
    steps = list(steps_back(moves))[::-1]
    return Alignment(
        student,
        teacher,
        np.cumsum([move.student for move in steps], dtype=np.int32),
        np.cumsum([move.teacher for move in steps], dtype=np.int32),
        np.array([move.kind for move in steps], dtype=np.int8),
    )


def paper_score(student: TokenSequence, teacher: TokenSequence, *, max_cells: int = MAX_CELLS) -> float:
    """The best published score of two sequences, that of `align_paper`. Raises AlignmentError like it.

    >>> from xtoken_core.sequence import sequence_of
    >>> paper_score(sequence_of([b"201"]), sequence_of([b"2", b"0", b"1"]))
    4.5
    """
    _, units = filled(student, teacher, max_cells)
    return UNIT * units


def filled(student: TokenSequence, teacher: TokenSequence, max_cells: int) -> tuple[Moves, int]:
    """Every cell's best last step, [T_s + 1, T_t + 1] as indices in `MOVES`, and the best score in units of 1.5."""
    check_size(len(student), len(teacher), max_cells)
    numbers: dict[bytes | str, int] = {}
    student_runs = numbered_runs(student, numbers, absent=-1)
    teacher_runs = numbered_runs(teacher, numbers, absent=-2)
    moves = np.empty((len(student) + 1, len(teacher) + 1), dtype=np.uint8)
    rows: deque[Ints] = deque([first_row(moves[0])], maxlen=LONGEST_MERGE)
    for i in range(1, len(moves)):
        rows.append(next_row(rows, student_runs[:, i], teacher_runs, moves[i]))
    return moves, int(rows[-1][-1])


def check_size(student_tokens: int, teacher_tokens: int, max_cells: int) -> None:
    """Raises AlignmentError where the table would have more cells than the limit."""
    cells = student_tokens * teacher_tokens
    if cells > max_cells:
        raise AlignmentError(
            f"The paper's scoring needs a cell for every pair of tokens: {student_tokens:,} student x "
            f"{teacher_tokens:,} teacher tokens are {cells:,} cells, and the limit is {max_cells:,}. "
            f"Take a shorter text, or the scoring 'exact', whose cost is linear."
        )


def numbered_runs(sequence: TokenSequence, numbers: dict[bytes | str, int], absent: int) -> Ints:
    """[LONGEST_MERGE + 1, T + 1]: entry (k, i) is the number of the bytes that the k tokens before boundary i spell.

    `numbers` gives each distinct byte string (and each role of a mark) its own number, the same for both sides, so
    that equal numbers are equal text. `absent` stands where there are no k tokens or one of several is a mark.
    """
    roles = {mark.position: mark.role for mark in sequence.marks}
    runs = np.full((LONGEST_MERGE + 1, len(sequence) + 1), absent, dtype=np.int32)
    for stop in range(1, len(sequence) + 1):
        for length in range(1, min(stop, LONGEST_MERGE) + 1):
            if stop - length in roles:  # a mark is in no merge
                break
            text = sequence.bytes_between(stop - length, stop)
            runs[length, stop] = numbers.setdefault(text, len(numbers))
    for position, role in roles.items():
        runs[1, position + 1] = numbers.setdefault(role, len(numbers))
    return runs


def first_row(moves: Moves) -> Ints:
    """The scores [T_t + 1] of no student token against j teacher tokens; writes their steps into `moves` [T_t + 1]."""
    scores = np.full(len(moves), NEVER, dtype=np.int32)
    scores[0] = 0
    return with_teacher_gaps(scores, moves)


def next_row(rows: deque[Ints], student_runs: Ints, teacher_runs: Ints, moves: Moves) -> Ints:
    """The scores [T_t + 1] one student token further than `rows`; writes their steps into `moves` [T_t + 1].

    `rows` are the rows before, nearest last; student_runs [LONGEST_MERGE + 1] are the runs that end here.
    """
    scores = rows[-1] + STUDENT_GAP.units
    moves[:] = MOVES.index(STUDENT_GAP)
    for move in reversed(MOVES[:-2]):  # backwards, so that the earlier of a tie overwrites the later
        columns = columns_of(move, student_runs, teacher_runs)
        if not len(columns):
            continue
        offers = rows[-move.student][columns - move.teacher] + move.units
        taken = offers >= scores[columns]
        scores[columns[taken]] = offers[taken]
        moves[columns[taken]] = MOVES.index(move)
    return with_teacher_gaps(scores, moves)


def columns_of(move: Move, student_runs: Ints, teacher_runs: Ints) -> Ints:
    """The boundaries j at which the move may end in this row: all for a mismatch, else where the text is equal."""
    if move is MISMATCH_PAIR:  # where the two are equal, the exact pair scores more
        return np.arange(1, teacher_runs.shape[1])
    return np.flatnonzero(teacher_runs[move.teacher] == student_runs[move.student])


def with_teacher_gaps(scores: Ints, moves: Moves) -> Ints:
    """The row [T_t + 1] once teacher tokens may be skipped; writes those steps into `moves`.

    best(j) = max over j' <= j of scores(j') - (j - j'): the running maximum of scores(j) + j, less j.
    """
    columns = np.arange(len(scores), dtype=np.int32)
    best: Ints = np.maximum.accumulate(scores + columns) - columns
    moves[best > scores] = MOVES.index(TEACHER_GAP)
    return best


def steps_back(moves: Moves) -> Iterator[Move]:
    """The steps of the best path, the last one first, from moves [T_s + 1, T_t + 1]."""
    i, j = moves.shape[0] - 1, moves.shape[1] - 1
    while i or j:
        move = MOVES[moves[i, j]]
        yield move
        i, j = i - move.student, j - move.teacher
