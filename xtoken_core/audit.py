"""
What a teacher can teach: student tokens by category, in the common set C and outside it, and their rows of W.

    Llama-3.2, three digits   1,000 tokens    with Qwen3        none in C, all spelled with three tokens by W
                                              with Phi-4-mini   all in C

The same numbers count tokens of a vocabulary, or their occurrences in a corpus. Source: X-Token, arXiv 2605.21699.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xtoken_core.categories import Category
from xtoken_core.common_set import CommonSet
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Bools, Projection, Rule
from xtoken_core.search import is_whole
from xtoken_core.sequence import Ints
from xtoken_core.vocab import Vocabulary

Direction = Literal["to_teacher", "to_student"]

_FEWEST_PIECES = 2


@dataclass(frozen=True, slots=True)
class CategoryCoverage:
    """One category, in tokens of the vocabulary or in occurrences in a corpus.

    strict, relaxed: how many are in these common sets. multi: how many W spells with two, three, … teacher tokens, up
    to the most of this W. empty: how many have an empty row. A token with none of these rows has one teacher token.
    """

    category: Category
    total: int
    strict: int
    relaxed: int
    multi: tuple[int, ...]
    empty: int

    @property
    def single(self) -> int:
        """Rows that go to one teacher token: of the same bytes, or of the same role."""
        return self.total - sum(self.multi) - self.empty

    @property
    def outside(self) -> int:
        """Outside the relaxed set."""
        return self.total - self.relaxed

    @property
    def recovered(self) -> int:
        """Outside the relaxed set, but with a row of W: P-KL teaches them."""
        return self.outside - self.empty

    @property
    def share_outside(self) -> float:
        """From 0 to 1; 0 for a category without tokens."""
        return self.outside / self.total if self.total else 0.0

    @property
    def share_empty(self) -> float:
        """From 0 to 1; 0 for a category without tokens."""
        return self.empty / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every category that has tokens (with a corpus: that occurs), in the order of `Category`."""

    categories: tuple[CategoryCoverage, ...]

    def of(self, category: Category) -> CategoryCoverage | None:
        """One category's numbers; None where it has no token."""
        return next((found for found in self.categories if found.category is category), None)

    @property
    def total(self) -> int:
        return sum(found.total for found in self.categories)

    @property
    def strict(self) -> int:
        return sum(found.strict for found in self.categories)

    @property
    def relaxed(self) -> int:
        return sum(found.relaxed for found in self.categories)

    @property
    def empty(self) -> int:
        return sum(found.empty for found in self.categories)

    @property
    def outside(self) -> int:
        return self.total - self.relaxed

    @property
    def recovered(self) -> int:
        return self.outside - self.empty

    @property
    def share_outside(self) -> float:
        """From 0 to 1; 0 where nothing was counted."""
        return self.outside / self.total if self.total else 0.0

    @property
    def share_empty(self) -> float:
        """From 0 to 1; 0 where nothing was counted."""
        return self.empty / self.total if self.total else 0.0


def coverage(
    w: Projection, strict: CommonSet, relaxed: CommonSet, categories: Ints, *, occurrences: Ints | None = None
) -> Coverage:
    """The student's tokens by category; categories [V_s] as of `categories.categories`.

    occurrences [V_s]: how often each token occurs in a corpus; without it each token counts once. Raises
    ProjectionError where a length isn't V_s.
    """
    _check_length(w, "categories", categories)
    weights = np.ones(len(w), np.int64) if occurrences is None else occurrences
    _check_length(w, "occurrences", weights)
    everything = np.ones(len(w), bool)
    totals, in_strict, in_relaxed, empty = (
        _counted(categories, weights, rows)
        for rows in (everything, strict.contains(len(w)), relaxed.contains(len(w)), w.rules == Rule.EMPTY)
    )
    multi = np.array([_counted(categories, weights, rows) for rows in _by_pieces(w)])  # [pieces, categories]
    return Coverage(
        tuple(
            CategoryCoverage(
                category,
                int(totals[category]),
                int(in_strict[category]),
                int(in_relaxed[category]),
                tuple(multi[:, category].tolist()),
                int(empty[category]),
            )
            for category in Category
            if totals[category]
        )
    )


def _check_length(w: Projection, name: str, values: Ints) -> None:
    if values.shape != (len(w),):
        raise ProjectionError(
            f"W has V_s = {len(w):,} rows, but the {name} have the shape {list(values.shape)}. "
            f"Take those of the student {w.student.name}, one a token."
        )


def _counted(categories: Ints, weights: Ints, rows: Bools) -> Ints:
    """[categories], the weights [V_s] of these rows [V_s] by category. Exact: below 2^53 floats are whole numbers."""
    return np.bincount(categories[rows], weights[rows], len(Category)).astype(np.int64)


def _by_pieces(w: Projection) -> Iterable[Bools]:
    """The multi-token rows [V_s] of two pieces, of three, …, at least those of two."""
    multi = w.rules == Rule.MULTI
    most = int(w.pieces[multi].max(initial=_FEWEST_PIECES))
    # a W made elsewhere may give one teacher token to other bytes: it's in the first
    pieces = np.maximum(w.pieces, _FEWEST_PIECES)
    return [multi & (pieces == count) for count in range(_FEWEST_PIECES, most + 1)]


def worst(w: Projection, relaxed: CommonSet, occurrences: Ints, *, count: int = 100) -> Ints:
    """Up to `count` student tokens outside C that occur in the corpus, most occurrences first, then the lowest id.

    occurrences [V_s]. Raises ProjectionError where its length isn't V_s.
    """
    _check_length(w, "occurrences", occurrences)
    outside = np.flatnonzero(~relaxed.contains(len(w)) & (occurrences > 0))
    order = np.argsort(-occurrences[outside].astype(np.int64), kind="stable")
    return outside[order[:count]]


def published(w: Projection, strict: CommonSet, categories: Ints) -> dict[str, tuple[int, int]]:
    """The counts that the paper gives, each as (in the strict set, tokens); categories [V_s] of the student's tokens.

    Raises ProjectionError where their number isn't V_s.

    Source: X-Token. Its single digits are 13: ¹ ² ³ count.
    """
    _check_length(w, "categories", categories)
    inside = strict.contains(len(w))
    wanted = {
        "one_digit": Category.ONE_DIGIT,
        "two_digit": Category.TWO_DIGITS,
        "three_digit": Category.THREE_DIGITS,
        "ascii_punctuation": Category.ASCII_PUNCTUATION,
    }
    return {
        name: (int(np.count_nonzero(inside & (categories == category))), int(np.count_nonzero(categories == category)))
        for name, category in wanted.items()
    }


@dataclass(frozen=True, slots=True)
class Overlap:
    """Distinct byte strings that tokens stand for: in both vocabularies, in the student's, in the teacher's.

    shared_parts: how many of the shared aren't whole characters; a comparison of decoded text can't see them.
    """

    shared: int
    student: int
    teacher: int
    shared_parts: int

    @property
    def of_smaller(self) -> float:
        """The shared over those of the smaller vocabulary, from 0 to 1."""
        smaller = min(self.student, self.teacher)
        return self.shared / smaller if smaller else 0.0

    @property
    def jaccard(self) -> float:
        """The shared over those of either, from 0 to 1."""
        either = self.student + self.teacher - self.shared
        return self.shared / either if either else 0.0


def overlap(student: Vocabulary, teacher: Vocabulary) -> Overlap:
    """How much two vocabularies have in common, by bytes; special tokens are left out.

    NeMo-RL publishes 0.8481 for Llama-3.2 and Qwen3, "on canonical token forms", which take some different tokens for
    equal (" x" and "_x", a tab and a line end); by bytes it's 109,566 of 128,000, or 0.8560.
    """
    first, second = (set(side.tokens()) - {b""} for side in (student, teacher))
    shared = first & second
    return Overlap(len(shared), len(first), len(second), sum(not is_whole(data) for data in shared))


@dataclass(frozen=True, slots=True)
class Reach:
    """What a W carries and where it goes: rows that aren't empty, and columns that some row goes to.

    In tokens; with the target's corpus, columns and reached are occurrences.
    """

    rows: int
    carried: int
    columns: int
    reached: int

    @property
    def share_reached(self) -> float:
        """From 0 to 1; what is missing to 1 can't be matched by a loss."""
        return self.reached / self.columns if self.columns else 0.0


def reach(w: Projection, *, occurrences: Ints | None = None) -> Reach:
    """How much of its columns' vocabulary a W reaches; occurrences [V_t]: how often each of those tokens occurs.

    Raises ProjectionError where the occurrences aren't of V_t tokens.
    """
    weights = np.ones(w.teacher.ids, np.int64) if occurrences is None else occurrences
    if weights.shape != (w.teacher.ids,):
        raise ProjectionError(
            f"W has V_t = {w.teacher.ids:,} columns, but the occurrences have the shape {list(weights.shape)}. "
            f"Take those of {w.teacher.name}, one a token."
        )
    reached = np.zeros(w.teacher.ids, bool)
    reached[w.ids[w.weights > 0]] = True
    return Reach(len(w), int(np.count_nonzero(w.lengths())), int(weights.sum()), int(weights[reached].sum()))


def direction(to_teacher: Reach, to_student: Reach) -> Direction:
    """The way that reaches more of its target: the student projected onto the teacher, or the teacher onto the student.

    A tie goes to the paper's way, to the teacher.
    """
    return "to_student" if to_student.share_reached > to_teacher.share_reached else "to_teacher"
