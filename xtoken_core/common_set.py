"""
The common set C: which student token is compared with which teacher token, id by id.

    strict    tokens of the same bytes, one to one                             GOLD's set
    relaxed   strict, and the heaviest teacher token of other rows, one to one  H-KL's set
    grouped   as relaxed without the contest: several students may share a teacher token
    empty     no pair                                                          plain ULD
"""

from dataclasses import dataclass

import numpy as np

from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Bools, Floats, Projection, Rule
from xtoken_core.sequence import Ints

THRESHOLD = 0.6  # of a row's top weight; X-Token states none, this is the reference implementation's


@dataclass(frozen=True, slots=True)
class CommonSet:
    """N pairs: students [N] ascending, teachers [N]."""

    name: str
    students: Ints
    teachers: Ints

    def __len__(self) -> int:
        return len(self.students)

    def teacher_of(self, student: int) -> int | None:
        """The partner of a student token, None where it's outside C."""
        place = int(np.searchsorted(self.students, student))
        found = place < len(self) and int(self.students[place]) == student
        return int(self.teachers[place]) if found else None

    def students_of(self, teacher: int) -> list[int]:
        """The student tokens that are paired with a teacher token; at most one unless the set is grouped."""
        return [int(student) for student in self.students[self.teachers == teacher]]

    def contains(self, count: int) -> Bools:
        """[count], which of the student ids 0 … count - 1 are in C."""
        inside = np.zeros(count, bool)
        inside[self.students] = True
        return inside


def strict(projection: Projection) -> CommonSet:
    """The pairs of pass 1, one to one. Of several student ids with the same bytes the one that is emitted is paired."""
    exact = projection.rules == Rule.EXACT
    return _one_to_one("strict", projection, np.where(exact, projection.weights[:, 0], 0), threshold=1)


def relaxed(projection: Projection, *, threshold: float = THRESHOLD) -> CommonSet:
    """Every row whose top weight is at least `threshold`, one to one.

    A teacher token that several students want goes to the heaviest, then an exact one, then the one that its tokenizer
    emits, then the lowest id. Raises ProjectionError for a threshold outside 0 … 1.
    """
    _check_threshold(threshold)
    return _one_to_one("relaxed", projection, projection.weights[:, 0], threshold=threshold)


def grouped(projection: Projection, *, threshold: float = THRESHOLD) -> CommonSet:
    """As relaxed, but all students of a teacher token stay; a loss sums them. Raises as `relaxed`."""
    _check_threshold(threshold)
    students = np.flatnonzero(_wanted(projection.weights[:, 0], threshold))
    return CommonSet("grouped", students.astype(np.int32), projection.ids[students, 0])


def empty() -> CommonSet:
    """No pair at all."""
    none = np.zeros(0, np.int32)
    return CommonSet("empty", none, none)


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ProjectionError(f"The threshold was given as {threshold!r}; it must be from 0 to 1, as a weight is.")


def _wanted(top_weights: Floats, threshold: float) -> Bools:
    """[V_s]; compared in the weights' own precision, so that a weight of 0.9 passes a threshold of 0.9."""
    return (top_weights > 0) & (top_weights >= top_weights.dtype.type(threshold))


def _one_to_one(name: str, projection: Projection, top_weights: Floats, *, threshold: float) -> CommonSet:
    exact = projection.rules == Rule.EXACT
    students = winners(projection.ids[:, 0], top_weights, exact, projection.canonical, threshold=threshold)
    return CommonSet(name, students, projection.ids[students, 0])


def winners(top_ids: Ints, top_weights: Floats, exact: Bools, canonical: Bools, *, threshold: float) -> Ints:
    """The students that get the teacher token they want, ascending; all arguments [V_s].

    >>> top_ids = np.array([2, 2, 5, 5, 1, 3, 4, 0])
    >>> top_weights = np.array([0.8, 0.7, 0.9, 0.9, 0.65, 0.5, 0.6, 0.95])
    >>> no = np.zeros(8, bool)
    >>> winners(top_ids, top_weights, no, ~no, threshold=0.6).tolist()
    [0, 2, 4, 6, 7]
    """
    candidates = np.flatnonzero(_wanted(top_weights, threshold))
    keys = ~canonical[candidates], ~exact[candidates], -top_weights[candidates], top_ids[candidates]
    order = np.lexsort((candidates, *keys))
    wanted = top_ids[candidates][order]
    first = np.ones(len(order), bool)
    first[1:] = wanted[1:] != wanted[:-1]
    return np.sort(candidates[order[first]]).astype(np.int32)
