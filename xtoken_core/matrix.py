"""
The projection matrix W as a value: row s says where the probability of student token s goes among the teacher's.

    ids      201 -> 17 15 16 0       at most K teacher tokens a row, heaviest first
    weights      .9009 .0901 .0090 0     they sum to 1; an unused place has weight 0 and id 0
    rules    multi                   which rule made the row

V_s rows and V_t columns are the tokens that the tokenizers have; the padded ids of a model's head have neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from xtoken_core.errors import ProjectionError
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Long = Literal["drop", "truncate"]

MAX_TOP_K = 64
MAX_PIECES = 64


class Rule(IntEnum):
    """What made a row. EMPTY: nothing did, and its probability is lost."""

    EMPTY = 0
    EXACT = 1  # a teacher token of the same bytes
    MULTI = 2  # several teacher tokens spell the same bytes
    SPECIAL = 3  # special tokens of the same role

    @property
    def label(self) -> str:
        """The name in JSON, CSV and on the page."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Options:
    """How W is built. Raises ProjectionError for values that make no matrix."""

    top_k: int = 4
    """K, the most teacher tokens that a row keeps."""
    max_pieces: int = 4
    """The most teacher tokens that may spell one student token."""
    beta: float = 0.9
    """The weight of the first piece; it cancels when the row is made to sum to 1."""
    gamma: float = 0.1
    """The weight of each further piece, as a multiple of the one before."""
    long: Long = "drop"
    """A token of more pieces gets an empty row (drop) or its first `max_pieces` pieces (truncate)."""

    def __post_init__(self) -> None:
        _check_whole("top-k", self.top_k, MAX_TOP_K)
        _check_whole("maximum of pieces", self.max_pieces, MAX_PIECES)
        _check(0 < self.beta <= 1, "β", self.beta, "above 0, at most 1")
        _check(0 < self.gamma <= 1, "γ", self.gamma, "above 0, at most 1")
        _check(self.long in get_args(Long), "rule for long tokens", self.long, "drop or truncate")


def _check_whole(name: str, value: int, most: int) -> None:
    _check(type(value) is int and 1 <= value <= most, name, value, f"a whole number from 1 to {most}")


def _check(legal: bool, name: str, value: object, wanted: str) -> None:
    if not legal:
        raise ProjectionError(f"The {name} was given as {value!r}; it must be {wanted}.")


@dataclass(frozen=True, slots=True)
class Side:
    """One of W's tokenizers: its name and hash, how many ids it has (V), and how many logits its model's head has."""

    name: str
    sha256: str
    ids: int
    head_size: int


def side_of(tokenizer: Tokenizer) -> Side:
    """What W keeps of a tokenizer."""
    vocabulary = tokenizer.vocabulary
    return Side(tokenizer.name, tokenizer.sha256, len(vocabulary), vocabulary.head_size)


@dataclass(frozen=True, slots=True)
class Entry:
    """One teacher token of a row."""

    id: int
    weight: float


@dataclass(frozen=True, slots=True)
class Row:
    """One student token's row, its entries heaviest first."""

    token: int
    rule: Rule
    pieces: int
    trimmed: float
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Projection:
    """W. ids [V_s, K] int32, weights [V_s, K] float32, heaviest first; weight 0 (and id 0) marks an unused place.

    rules [V_s] are `Rule` values. pieces [V_s]: how many teacher tokens spell the student token, 0 where none do.
    trimmed [V_s]: the share of a row's weights that top-k and `truncate` cut before it was made to sum to 1.
    canonical [V_s]: whether the student's own tokenizer emits this id for its bytes; of several ids for the same
    bytes it emits one. options: None where a file doesn't say how it was made.
    """

    student: Side
    teacher: Side
    options: Options | None
    ids: Ints
    weights: Floats
    rules: Ints
    pieces: Ints
    trimmed: Floats
    canonical: Bools

    def __len__(self) -> int:
        return len(self.rules)

    def row(self, token: int) -> Row:
        """The row of one student token. Raises ProjectionError for an id outside 0 … V_s - 1."""
        if not 0 <= token < len(self):
            raise ProjectionError(
                f"Row {token} was asked for, but {self.student.name} has the ids 0 to {len(self) - 1}. "
                f"Choose one of those; the padded ids of the model's head have no row."
            )
        kept = zip(self.ids[token].tolist(), self.weights[token].tolist(), strict=True)
        return Row(
            token=token,
            rule=Rule(int(self.rules[token])),
            pieces=int(self.pieces[token]),
            trimmed=float(self.trimmed[token]),
            entries=tuple(Entry(target, weight) for target, weight in kept if weight),
        )

    def counts(self) -> dict[Rule, int]:
        """How many rows each rule made; every rule is named, also at 0."""
        counted = np.bincount(self.rules, minlength=len(Rule)).tolist()
        return {rule: counted[rule] for rule in (Rule.EXACT, Rule.MULTI, Rule.SPECIAL, Rule.EMPTY)}

    def lengths(self) -> Ints:
        """[V_s], how many entries each row has."""
        return np.asarray(np.count_nonzero(self.weights, axis=1))

    def project(self, probabilities: Floats) -> tuple[Floats, Floats]:
        """Wᵀp and what is lost: [..., V_s] -> [..., V_t] and [...]. The lost mass is that of the empty rows.

        Raises ProjectionError where the last axis isn't V_s.
        """
        if probabilities.shape[-1] != len(self):
            raise ProjectionError(
                f"W has V_s = {len(self)} rows, but the probabilities have {probabilities.shape[-1]}. "
                f"Cut the logits of the padded head before the softmax."
            )
        flat = probabilities.reshape(-1, len(self))
        projected = np.stack([self._project_one(one) for one in flat]) if len(flat) else np.zeros((0, self.teacher.ids))
        lost = flat @ (self.lengths() == 0)
        leading = probabilities.shape[:-1]
        return projected.reshape(*leading, self.teacher.ids), lost.reshape(leading)

    def _project_one(self, probabilities: Floats) -> Floats:
        mass = self.weights.astype(np.float64) * probabilities[:, None]
        projected: Floats = np.bincount(self.ids.ravel(), mass.ravel(), self.teacher.ids).astype(np.float64)
        return projected

    def csr(self) -> tuple[Floats, Ints, Ints]:
        """W in compressed rows: values [N], columns [N] ascending in a row, row starts [V_s + 1].

        In this order they are what scipy.sparse.csr_array takes; torch.sparse_csr_tensor takes them from last to first.
        """
        rows, places = np.nonzero(self.weights)
        columns, values = self.ids[rows, places], self.weights[rows, places]
        order = np.lexsort((columns, rows))
        return values[order], columns[order], _starts(np.bincount(rows, minlength=len(self)))

    def reverse(self) -> "Columns":
        """W by teacher token."""
        rows, places = np.nonzero(self.weights)
        columns, values = self.ids[rows, places], self.weights[rows, places]
        order = np.lexsort((rows, -values, columns))
        starts = _starts(np.bincount(columns, minlength=self.teacher.ids))
        return Columns(starts, rows[order].astype(np.int32), values[order])


@dataclass(frozen=True, slots=True)
class Columns:
    """W read backwards: the student tokens that reach teacher token t are students[starts[t] : starts[t + 1]].

    starts [V_t + 1], students [N] and weights [N], heaviest first in a column, then the lowest id.
    """

    starts: Ints
    students: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.starts) - 1

    def column(self, teacher: int) -> tuple[Entry, ...]:
        """The student tokens that reach one teacher token. Raises ProjectionError for an id outside 0 … V_t - 1."""
        if not 0 <= teacher < len(self):
            raise ProjectionError(f"Teacher token {teacher} was asked for; W has the columns 0 to {len(self) - 1}.")
        here = slice(int(self.starts[teacher]), int(self.starts[teacher + 1]))
        kept = zip(self.students[here].tolist(), self.weights[here].tolist(), strict=True)
        return tuple(Entry(student, weight) for student, weight in kept)

    def lengths(self) -> Ints:
        """[V_t], how many student tokens reach each teacher token."""
        return np.diff(self.starts)

    def sums(self) -> Floats:
        """[V_t], the total weight that reaches each teacher token."""
        mass = np.concatenate(([0.0], np.cumsum(self.weights, dtype=np.float64)))
        return mass[self.starts[1:]] - mass[self.starts[:-1]]


def _starts(lengths: Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)


def check_pair(projection: Projection, student: Tokenizer, teacher: Tokenizer) -> None:
    """Raises ProjectionError where W was built for other tokenizers: by hash, whatever their names."""
    sides: Mapping[str, tuple[Side, Tokenizer]] = {
        "student": (projection.student, student),
        "teacher": (projection.teacher, teacher),
    }
    for role, (made_for, given) in sides.items():
        if made_for.sha256 != given.sha256 or made_for.ids != len(given.vocabulary):
            raise ProjectionError(
                f"This W was built for the {role} {made_for.name} ({made_for.ids:,} ids, sha256 "
                f"{made_for.sha256[:12]}), but the {role} is {given.name} ({len(given.vocabulary):,} ids, sha256 "
                f"{given.sha256[:12]}). Choose that {role}, or build W anew."
            )
