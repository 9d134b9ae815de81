"""
A text as one tokenizer cut it: ids, and the bytes that every token stands for.

    ids    9906   198    the tokens, in order
    data   Hello\\n       their bytes, end to end
    ends   5      6      where each token's bytes end in `data`

A token that stands for no bytes of the text (BOS, a chat marker, a dummy space) is a mark and carries a role.
"""

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer]

DUMMY_SPACE = "dummy_space"


@dataclass(frozen=True, slots=True)
class Mark:
    """A token without bytes: its position among the tokens, its role, and its form in the vocabulary."""

    position: int
    role: str
    form: str


_position = attrgetter("position")


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """ids [T], data (bytes), ends [T] in bytes, marks in order of position. A mark's end repeats the one before."""

    ids: Ints
    data: bytes
    ends: Ints
    marks: tuple[Mark, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def marks_between(self, start: int, stop: int) -> tuple[Mark, ...]:
        """The marks among the tokens start, start + 1, … stop - 1."""
        first = bisect_left(self.marks, start, key=_position)
        return self.marks[first : bisect_left(self.marks, stop, lo=first, key=_position)]

    def starts(self) -> Ints:
        """[T], the offset in `data` where each token's bytes start."""
        starts = np.zeros_like(self.ends)
        starts[1:] = self.ends[:-1]
        return starts

    def head(self, count: int) -> "TokenSequence":
        """The first `count` tokens."""
        data = self.bytes_between(0, count)
        return TokenSequence(self.ids[:count], data, self.ends[:count], self.marks_between(0, count))

    def bytes_between(self, start: int, stop: int) -> bytes:
        """The bytes of the tokens start, start + 1, … stop - 1."""
        first = int(self.ends[start - 1]) if start else 0
        last = int(self.ends[stop - 1]) if stop else 0
        return self.data[first:last]


def sequence_of(tokens: list[bytes], roles: dict[int, str] | None = None) -> TokenSequence:
    """A sequence from plain token bytes, numbered 0, 1, …; `roles` names the marks by position.

    >>> sequence_of([b"", b"20", b"1"], {0: "bos"}).ends.tolist()
    [0, 2, 3]
    """
    roles = roles or {}
    lengths = [len(token) for token in tokens]
    return TokenSequence(
        ids=np.arange(len(tokens), dtype=np.int32),
        data=b"".join(tokens),
        ends=np.cumsum(lengths, dtype=np.int64),
        marks=tuple(_plain_mark(k, roles.get(k, "empty")) for k, length in enumerate(lengths) if not length),
    )


def _plain_mark(position: int, role: str) -> Mark:
    return Mark(position, role, f"<{role}>")
