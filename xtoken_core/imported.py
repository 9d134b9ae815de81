"""
A projection matrix that was made elsewhere, as a `Projection`.

    ids      17 -1 15 17      [rows, K], -1 where nothing is
    weights  .3  0 .1 .5      [rows, K]
    row      17: .8, 15: .1   an id counts once, heaviest first; the sum stays as it was found

Each row gets the rule that its content shows: the bytes of its tokens say whether it is exact.
"""

import numpy as np

from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import MAX_TOP_K, Floats, Projection, Rule, side_of
from xtoken_core.projection import canonical, heaviest, stored
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer

PADDING = -1


def from_arrays(student: Tokenizer, teacher: Tokenizer, ids: Ints, weights: Floats) -> Projection:
    """W from ids and weights, both [rows, K]; rows beyond V_s, those of the padded head, are cut away.

    Raises ProjectionError where they can't be a W of these tokenizers.
    """
    _check_shapes(student, ids, weights)
    rows = len(student.vocabulary)
    kept_ids, kept_weights = _heaviest_first(teacher, ids[:rows], weights[:rows])
    entries = np.count_nonzero(kept_weights, axis=1)
    tokens = student.vocabulary.tokens()
    return Projection(
        side_of(student),
        side_of(teacher),
        None,
        kept_ids,
        kept_weights,
        _rules(tokens, teacher.vocabulary.tokens(), kept_ids[:, 0], entries),
        entries.astype(np.int32),
        np.zeros(rows, np.float32),
        canonical(student, tokens),
    )


def _check_shapes(student: Tokenizer, ids: Ints, weights: Floats) -> None:
    if ids.ndim != 2 or ids.shape != weights.shape or not 1 <= ids.shape[1] <= MAX_TOP_K:
        raise ProjectionError(
            f"The ids have the shape {list(ids.shape)} and the weights {list(weights.shape)}; "
            f"both must be [rows, K] with K from 1 to {MAX_TOP_K}. Save the matrix anew in that shape."
        )
    if ids.dtype.kind not in "iu" or weights.dtype.kind != "f":
        raise ProjectionError(
            f"The ids are of type {ids.dtype} and the weights of type {weights.dtype}; they must be whole numbers and "
            f"floating-point numbers. Save the matrix anew with those."
        )
    least, most = len(student.vocabulary), student.vocabulary.head_size
    if not least <= len(ids) <= most:
        padded = f" to {most:,}, those of its model's padded head" if most > least else ""
        raise ProjectionError(
            f"The matrix has {len(ids):,} rows, but the student {student.name} has {least:,} ids; "
            f"a row for each of them is needed{padded}. Choose the student that the matrix was made for."
        )


def _heaviest_first(teacher: Tokenizer, ids: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """ids and weights [V_s, K] of each row's entries, an id once, heaviest first; 0 and 0 where nothing is."""
    with np.errstate(over="ignore"):  # what is too large for float32 is infinite, and refused
        mass = weights.astype(np.float32)
    _check_weights(mass)
    _check_ids(teacher, ids)
    mass[ids == PADDING] = 0
    with np.errstate(over="ignore"):
        merged_ids, merged = stored(*heaviest(ids, mass))
    _check_weights(merged)  # sums of numbers that are finite
    return merged_ids, merged


def _check_weights(mass: Floats) -> None:
    bad = ~(np.isfinite(mass) & (mass >= 0)).all(axis=1)
    if bad.any():
        raise ProjectionError(
            f"Row {int(np.argmax(bad))} of the matrix has a weight that is no finite number from 0 up. "
            f"Weights are shares of a probability; logits need a softmax first."
        )


def _check_ids(teacher: Tokenizer, ids: Ints) -> None:
    most = len(teacher.vocabulary) - 1
    bad = ((ids < PADDING) | (ids > most)).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        found = next(target for target in ids[row].tolist() if not PADDING <= target <= most)
        raise ProjectionError(
            f"Row {row} of the matrix goes to the id {found}, but the teacher {teacher.name} has the ids 0 to {most}; "
            f"-1 marks a place without an entry. Choose the teacher that the matrix was made for."
        )


def _rules(student: list[bytes], teacher: list[bytes], top_ids: Ints, entries: Ints) -> Ints:
    """[V_s]: what each row's entries show."""
    rules = np.full(len(student), Rule.EMPTY, np.uint8)
    for token in np.flatnonzero(entries).tolist():
        rules[token] = _rule(student[token], teacher[int(top_ids[token])], int(entries[token]))
    return rules


def _rule(student: bytes, top: bytes, entries: int) -> Rule:
    """
    >>> _rule(b"a", b"a", 1).label, _rule(b"a", b"a", 2).label, _rule(b"", b"", 1).label, _rule(b"", b"a", 1).label
    ('exact', 'multi', 'special', 'multi')
    """
    if not student and not top:
        return Rule.SPECIAL
    return Rule.EXACT if student == top and entries == 1 else Rule.MULTI
