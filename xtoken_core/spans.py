"""
The values an alignment is made of: spans, chunks, and the whole alignment as arrays.

    student  | Hello | ,  |  2 0 1 |          chunks tile both sides in order;
    teacher  | Hello | ,  |  2|0|1 |          each is exact, a mismatch, or a gap on one side
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np

from xtoken_core.normal import nfc
from xtoken_core.sequence import Ints, TokenSequence


class ChunkKind(IntEnum):
    """EXACT: both spans spell the same bytes. MISMATCH: both hold tokens, the bytes differ. Gap: one side is empty."""

    EXACT = 0
    MISMATCH = 1
    STUDENT_GAP = 2  # tokens that only the student has
    TEACHER_GAP = 3  # tokens that only the teacher has

    @property
    def label(self) -> str:
        """The name in JSON, CSV and on the page: exact, mismatch, student_gap, teacher_gap."""
        return self.name.lower()


class Shape(StrEnum):
    """A chunk's shape, student tokens before teacher tokens; what isn't exact is named by its kind."""

    ONE_ONE = "1-1"
    ONE_MANY = "1-n"
    MANY_ONE = "n-1"
    MANY_MANY = "m-n"
    MISMATCH = "mismatch"
    STUDENT_GAP = "student_gap"
    TEACHER_GAP = "teacher_gap"


SHAPES = tuple(Shape)


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens start, start + 1, … stop - 1; empty where start == stop."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Chunk:
    """One aligned pair of spans."""

    student: Span
    teacher: Span
    kind: ChunkKind

    @property
    def shape(self) -> Shape:
        if self.kind is not ChunkKind.EXACT:
            return Shape(self.kind.label)
        many = len(self.student) > 1, len(self.teacher) > 1
        return {
            (False, False): Shape.ONE_ONE,
            (False, True): Shape.ONE_MANY,
            (True, False): Shape.MANY_ONE,
            (True, True): Shape.MANY_MANY,
        }[many]


@dataclass(frozen=True, slots=True)
class Alignment:
    """C chunks as arrays: student_ends [C] and teacher_ends [C] in tokens, kinds [C] as `ChunkKind` values."""

    student: TokenSequence
    teacher: TokenSequence
    student_ends: Ints
    teacher_ends: Ints
    kinds: Ints

    def __len__(self) -> int:
        return len(self.kinds)

    def __iter__(self) -> Iterator[Chunk]:
        return (self.chunk(k) for k in range(len(self)))

    def chunk(self, k: int) -> Chunk:
        """The k-th chunk, 0-based. Raises IndexError outside 0 … C - 1."""
        if not 0 <= k < len(self):
            raise IndexError(f"chunk {k} of {len(self)}")
        start_s, start_t = (int(self.student_ends[k - 1]), int(self.teacher_ends[k - 1])) if k else (0, 0)
        return Chunk(
            Span(start_s, int(self.student_ends[k])),
            Span(start_t, int(self.teacher_ends[k])),
            ChunkKind(int(self.kinds[k])),
        )

    def head(self, tokens: int) -> "Alignment":
        """The first chunks that hold at most so many tokens on either side."""
        count = int(np.searchsorted(np.maximum(self.student_ends, self.teacher_ends), tokens, "right"))
        if count == len(self):
            return self
        last_s, last_t = (int(self.student_ends[count - 1]), int(self.teacher_ends[count - 1])) if count else (0, 0)
        return Alignment(
            self.student.head(last_s),
            self.teacher.head(last_t),
            self.student_ends[:count],
            self.teacher_ends[:count],
            self.kinds[:count],
        )

    def shapes(self) -> Ints:
        """[C], each chunk's index in `SHAPES`."""
        many_student = np.diff(self.student_ends, prepend=0) > 1
        many_teacher = np.diff(self.teacher_ends, prepend=0) > 1
        exact = many_teacher + 2 * many_student.astype(np.int8)
        return np.where(self.kinds == ChunkKind.EXACT, exact, self.kinds + 3)

    def counts(self) -> dict[Shape, int]:
        """How many chunks have each shape; every shape is named, also at 0."""
        counted = np.bincount(self.shapes(), minlength=len(SHAPES)).tolist()
        return dict(zip(SHAPES, counted, strict=True))

    def bytes_of(self, chunk: Chunk) -> tuple[bytes, bytes]:
        """The bytes that the chunk's student and teacher tokens spell."""
        return (
            self.student.bytes_between(chunk.student.start, chunk.student.stop),
            self.teacher.bytes_between(chunk.teacher.start, chunk.teacher.stop),
        )

    def same_after_nfc(self, chunk: Chunk) -> bool:
        """Whether both sides are the same text after Unicode normalisation (NFC). Bytes that are no UTF-8 never are."""
        student, teacher = self.bytes_of(chunk)
        try:
            return nfc(student.decode()) == nfc(teacher.decode())
        except UnicodeDecodeError:
            return student == teacher
