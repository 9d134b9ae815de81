"""
Two W for the same pair, ours and one made elsewhere: which rows differ, and why.

    " the"  ours  " the" 1       theirs  "the" 1               spaces stripped
    "a"     ours  "a" 1          theirs  "a" .714  "zq" .286   stray entry
    E2 80   ours  E2 .9  80 .1   theirs  E2 81 1               broken characters
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np

from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Bools, Floats, Projection, check_pair
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer


class Difference(IntEnum):
    """Why a row of theirs isn't ours; of several reasons the first counts."""

    SAME = 0  # no weight differs by more than the tolerance
    ONLY_OURS = 1
    ONLY_THEIRS = 2
    NOT_ONE = 3  # the weights of theirs don't sum to 1
    DUPLICATE = 4  # several ids stand for the same bytes, and theirs chose another
    STRAY = 5  # our first target, and ids whose bytes are no part of the token: a forced last column
    WEIGHTS = 6
    PIECES = 7  # theirs, heaviest first, spell the token as well
    STRIPPED = 8  # strings matched without their white space: "a" for " a"
    BROKEN = 9  # decoded texts matched, where every broken byte is U+FFFD
    OTHER = 10

    @property
    def label(self) -> str:
        """The name in JSON, CSV and on the page."""
        return self.name.lower()

    @property
    def title(self) -> str:
        """What is said of such rows on the page."""
        return _TITLES[self]


_TITLES: Mapping[Difference, str] = {
    Difference.SAME: "the same teacher tokens with the same weights",
    Difference.ONLY_OURS: "only ours has entries",
    Difference.ONLY_THEIRS: "only theirs has entries",
    Difference.NOT_ONE: "the weights of theirs don't sum to 1",
    Difference.DUPLICATE: "theirs has another id for the same bytes",
    Difference.STRAY: "theirs gives weight to a token that is no part of this one",
    Difference.WEIGHTS: "the same teacher tokens with other weights",
    Difference.PIECES: "the same bytes, spelled by other teacher tokens",
    Difference.STRIPPED: "theirs matches without the white space around the token",
    Difference.BROKEN: "theirs matches another broken character, as both decode to U+FFFD",
    Difference.OTHER: "other teacher tokens",
}


def compare(
    ours: Projection, theirs: Projection, student: Tokenizer, teacher: Tokenizer, *, tolerance: float = 1e-3
) -> Ints:
    """Why each row differs, [V_s] uint8 of `Difference`. K may differ between the two.

    tolerance: by how much a weight, or a row's sum, may be off. Raises ProjectionError where one of the two wasn't
    made for this pair, or for a tolerance outside 0 … 1.
    """
    if not 0 <= tolerance < 1:
        raise ProjectionError(f"The tolerance was given as {tolerance!r}; it must be at least 0 and below 1.")
    for projection in (ours, theirs):
        check_pair(projection, student, teacher)
    found = np.full(len(ours), Difference.OTHER, np.uint8)
    found[~_near(theirs.weights.sum(axis=1, dtype=np.float64), 1, tolerance)] = Difference.NOT_ONE
    found[ours.lengths() == 0] = Difference.ONLY_THEIRS
    found[theirs.lengths() == 0] = Difference.ONLY_OURS
    found[_same(ours, theirs, tolerance)] = Difference.SAME
    left = np.flatnonzero(found == Difference.OTHER)
    found[left] = _reasons(ours, theirs, left, student.vocabulary.tokens(), teacher.vocabulary.tokens())
    return found


def _near(values: Floats, wanted: float, tolerance: float) -> Bools:
    return np.asarray(np.abs(values - wanted) <= tolerance)


def _same(ours: Projection, theirs: Projection, tolerance: float) -> Bools:
    """[V_s], whether ours - theirs is within the tolerance in every column."""
    places, signed = zip(_entries(ours, 1), _entries(theirs, -1), strict=True)
    columns, place_of = np.unique(np.concatenate(places), return_inverse=True)
    off = np.bincount(place_of, np.concatenate(signed), len(columns)).astype(np.float64)
    same = np.ones(len(ours), bool)
    same[columns[~_near(off, 0, tolerance)] // ours.teacher.ids] = False
    return same


def _entries(projection: Projection, sign: int) -> tuple[Ints, Floats]:
    """W's entries as places row · V_t + column, [N], and their weights times sign, [N]."""
    rows, kept = np.nonzero(projection.weights)
    places = rows * projection.teacher.ids + projection.ids[rows, kept]
    return places, sign * projection.weights[rows, kept].astype(np.float64)


def _reasons(
    ours: Projection, theirs: Projection, rows: Ints, students: Sequence[bytes], teachers: Sequence[bytes]
) -> list[Difference]:
    """The reasons of rows [n] that have entries on both sides."""
    targets = zip(rows.tolist(), _targets(ours, rows), _targets(theirs, rows), strict=True)
    return [_reason(students[row], our_ids, their_ids, teachers) for row, our_ids, their_ids in targets]


def _targets(projection: Projection, rows: Ints) -> list[list[int]]:
    """The teacher tokens of rows [n], heaviest first."""
    kept = projection.weights[rows] != 0
    ids = projection.ids[rows][kept].tolist()
    stops = np.cumsum(np.count_nonzero(kept, axis=1)).tolist()
    return [ids[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def _reason(token: bytes, ours: Sequence[int], theirs: Sequence[int], teachers: Sequence[bytes]) -> Difference:
    """One row's targets on both sides, heaviest first."""
    spelled = [teachers[target] for target in theirs]
    if set(theirs) == set(ours):
        return Difference.WEIGHTS
    if _same_bytes(spelled, [teachers[target] for target in ours]):
        return Difference.DUPLICATE
    added = [teachers[target] for target in theirs if target not in ours]
    if ours[0] in theirs and _are_strays(token, added):
        return Difference.STRAY
    if token and b"".join(spelled) == token:
        return Difference.PIECES
    return _trap(token, spelled[0])


def _same_bytes(theirs: Sequence[bytes], ours: Sequence[bytes]) -> bool:
    """Whether both sides stand for the same; special tokens, which stand for no bytes, are never the same."""
    return all(theirs) and set(theirs) == set(ours)


def _are_strays(token: bytes, added: Sequence[bytes]) -> bool:
    """Whether there are targets that we lack, and none is a part of the token; a special token never is."""
    return bool(added) and not any(target and target in token for target in added)


def _trap(token: bytes, top: bytes) -> Difference:
    """What another builder may have matched instead of bytes."""
    if not token or not top or token == top:
        return Difference.OTHER
    if token.strip() == top.strip():
        return Difference.STRIPPED
    return Difference.BROKEN if token.decode(errors="replace") == top.decode(errors="replace") else Difference.OTHER
