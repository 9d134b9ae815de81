"""
The projection matrix W, built by two passes over bytes.

    exact     " the" -> " the"        a teacher token of the same bytes: weight 1
    multi     "201"  -> 2 0 1         several teacher tokens spell it: .9009 .0901 .0090
    special   <s>    -> <|begin|>     special tokens meet by role: weight 1

What none of them reaches is an empty row. The same vocabulary on both sides gives the identity. Method: X-Token,
arXiv 2605.21699.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Bools, Floats, Options, Projection, Rule, side_of
from xtoken_core.sequence import Ints
from xtoken_core.spell import spell
from xtoken_core.tokenizer import Tokenizer
from xtoken_core.vocab import Vocabulary

MAX_PLACES = 2**25  # 268 MB of ids and weights; a million rows of K = 32

_NONE = -1


def build(student: Tokenizer, teacher: Tokenizer, *, options: Options | None = None) -> Projection:
    """W for a pair, [V_s, K]. Raises TokenizerError where the teacher can't cut the student's tokens,
    ProjectionError where W would be too large.

    >>> from xtoken_core import catalog
    >>> w = build(catalog.load("gpt2"), catalog.load("smollm2"))
    >>> [(entry.id, round(entry.weight, 4)) for entry in w.row(1264).entries]  # 201 -> 2 0 1
    [(34, 0.9009), (32, 0.0901), (33, 0.009)]
    """
    options = options or Options()
    _check_size(len(student.vocabulary), options)
    tokens = student.vocabulary.tokens()
    rows = _Rows.empty(len(tokens), options)
    if same_vocabulary(student.vocabulary, teacher.vocabulary):
        _fill_identity(rows, tokens)
    else:
        _fill_exact(rows, tokens, ids_by_bytes(teacher))
        _fill_special(rows, student.vocabulary, teacher.vocabulary)
        _fill_multi(rows, tokens, teacher)
    return Projection(
        side_of(student),
        side_of(teacher),
        options,
        rows.ids,
        rows.weights,
        rows.rules,
        rows.pieces,
        rows.trimmed,
        canonical(student, tokens),
    )


def _check_size(rows: int, options: Options) -> None:
    if rows * options.top_k > MAX_PLACES:
        raise ProjectionError(
            f"W would have {rows:,} rows of {options.top_k} places; {MAX_PLACES:,} places are the most. "
            f"Choose a smaller K."
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """W's arrays while they're filled; see `Projection`."""

    options: Options
    ids: Ints
    weights: Floats
    rules: Ints
    pieces: Ints
    trimmed: Floats

    @classmethod
    def empty(cls, count: int, options: Options) -> "_Rows":
        shape = count, options.top_k
        return cls(
            options,
            np.zeros(shape, np.int32),
            np.zeros(shape, np.float32),
            np.full(count, Rule.EMPTY, np.uint8),
            np.zeros(count, np.int32),
            np.zeros(count, np.float32),
        )

    def set_single(self, rows: Ints, targets: Ints, rule: Rule) -> None:
        """rows [n] go to one teacher token each, targets [n]."""
        self.ids[rows, 0] = targets
        self.weights[rows, 0] = 1
        self.rules[rows] = rule
        self.pieces[rows] = 1


def same_vocabulary(student: Vocabulary, teacher: Vocabulary) -> bool:
    """Whether every id stands for the same on both sides."""
    return (
        student.forms == teacher.forms
        and student.roles == teacher.roles
        and np.array_equal(student.lengths, teacher.lengths)
        and np.array_equal(student.data, teacher.data)
    )


def _fill_identity(rows: _Rows, tokens: Sequence[bytes]) -> None:
    spelled = np.fromiter(map(bool, tokens), bool, len(tokens))
    for rule, of_rule in ((Rule.EXACT, spelled), (Rule.SPECIAL, ~spelled)):
        here = np.flatnonzero(of_rule)
        rows.set_single(here, here, rule)


def _fill_exact(rows: _Rows, tokens: Sequence[bytes], teacher_ids: Mapping[bytes, int]) -> None:
    """Pass 1: canonical bytes equal."""
    targets = np.fromiter((teacher_ids.get(data, _NONE) for data in tokens), np.int32, len(tokens))
    here = np.flatnonzero(targets != _NONE)
    rows.set_single(here, targets[here], Rule.EXACT)


def ids_by_bytes(tokenizer: Tokenizer) -> dict[bytes, int]:
    """The id of each token's bytes; of several ids for the same bytes the one that the tokenizer itself emits."""
    candidates: dict[bytes, list[int]] = {}
    for token, data in enumerate(tokenizer.vocabulary.tokens()):
        if data:
            candidates.setdefault(data, []).append(token)
    several = [data for data, ids in candidates.items() if len(ids) > 1]
    chosen = {data: ids[0] for data, ids in candidates.items()}
    for data, spelled in zip(several, spell(tokenizer, several), strict=True):
        chosen[data] = _emitted(tokenizer, spelled, candidates[data])
    return chosen


def _emitted(tokenizer: Tokenizer, spelled: Sequence[int], candidates: Sequence[int]) -> int:
    """An added token is searched in the text before anything is cut; else it's what cutting gives; else the lowest."""
    added = [token for token in candidates if token in tokenizer.added_ids]
    if added:
        return added[0]
    return spelled[0] if len(spelled) == 1 else candidates[0]


def canonical(tokenizer: Tokenizer, tokens: Sequence[bytes]) -> Bools:
    """[V], whether the tokenizer itself emits each id for its bytes."""
    emitted = ids_by_bytes(tokenizer)
    return np.fromiter((emitted.get(data, token) == token for token, data in enumerate(tokens)), bool, len(tokens))


def _fill_special(rows: _Rows, student: Vocabulary, teacher: Vocabulary) -> None:
    """Special tokens by role, of the same text before all others; else the first of the role."""
    of_role = {role: token for token, role in sorted(teacher.specials().items(), reverse=True)}
    of_form = {(role, teacher.forms[token]): token for token, role in teacher.specials().items()}
    pairs = [
        (token, of_form.get((role, student.forms[token]), of_role[role]))
        for token, role in student.specials().items()
        if role in of_role
    ]
    if pairs:
        here, targets = np.array(pairs).T
        rows.set_single(here, targets, Rule.SPECIAL)


def _fill_multi(rows: _Rows, tokens: Sequence[bytes], teacher: Tokenizer) -> None:
    """Pass 2: what pass 1 left, as the teacher spells it."""
    left = [token for token in np.flatnonzero(rows.rules == Rule.EMPTY).tolist() if tokens[token]]
    spelled = spell(teacher, [tokens[token] for token in left])
    rows.pieces[left] = [len(ids) for ids in spelled]
    most = rows.options.max_pieces
    kept = [k for k, ids in enumerate(spelled) if ids and (len(ids) <= most or rows.options.long == "truncate")]
    for here, pieces, lengths in _by_kept(kept, left, spelled, most):
        _set_pieces(rows, here, pieces, lengths)


def _by_kept(
    kept: Sequence[int], left: Sequence[int], spelled: Sequence[list[int]], most: int
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Rows that keep the same number of pieces, m at most `most`: rows [n], pieces [n, m], all their pieces [n]."""
    groups: dict[int, list[int]] = {}
    for k in kept:
        groups.setdefault(min(len(spelled[k]), most), []).append(k)
    for size, members in sorted(groups.items()):
        pieces = np.array([spelled[k][:size] for k in members])
        yield np.array([left[k] for k in members]), pieces, np.array([len(spelled[k]) for k in members])


def _set_pieces(rows: _Rows, here: Ints, pieces: Ints, lengths: Ints) -> None:
    """rows [n] get pieces [n, m] with weights β·γ^i, of which the heaviest K stay and are made to sum to 1."""
    top_k, size = rows.options.top_k, pieces.shape[1]
    weights = pieces_weights(size, rows.options)
    ids, mass = heaviest(pieces, np.broadcast_to(weights, pieces.shape))
    places = slice(0, min(top_k, size))
    sums = mass[:, places].sum(axis=1, keepdims=True)
    rows.ids[here, places], rows.weights[here, places] = stored(ids[:, places], mass[:, places] / sums)
    rows.rules[here] = Rule.MULTI
    behind = _share_behind(size, lengths, rows.options.gamma)
    rows.trimmed[here] = behind + (1 - behind) * mass[:, top_k:].sum(axis=1)


def pieces_weights(pieces: int, options: Options) -> Floats:
    """[l], the weights β·γ^i of l pieces made to sum to 1, which takes β out. Source: X-Token.

    >>> pieces_weights(3, Options()).round(4).tolist()
    [0.9009, 0.0901, 0.009]
    """
    weights = np.power(options.gamma, np.arange(pieces))
    return np.asarray(weights / weights.sum())


def _share_behind(kept: int, lengths: Ints, gamma: float) -> Floats:
    """[n], the share of the weights γ^i of all pieces, lengths [n], that stands behind the first `kept`."""
    if gamma == 1:
        return np.asarray((lengths - kept) / lengths)
    behind = (gamma**kept - np.power(gamma, lengths)) / (1 - np.power(gamma, lengths))
    return np.where(lengths > kept, behind, 0)  # exactly nothing where nothing is cut


def heaviest(ids: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """ids [n, l] with weights [n, l], a row's heaviest first; of an id that comes twice the second weighs nothing."""
    mass = np.array(weights, np.float64)
    ordered = np.sort(ids, axis=1)
    twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    mass[twice] = _merged(ids[twice], mass[twice])
    order = np.argsort(-mass, axis=1, kind="stable")
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(mass, order, axis=1)


def _merged(ids: Ints, mass: Floats) -> Floats:
    """[n, l]: all that an id weighs in its row, at its first place; 0 at its others."""
    rows = np.arange(len(ids))[:, None]
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    sums = np.add.reduceat(np.take_along_axis(mass, order, axis=1).ravel(), np.flatnonzero(first))
    merged = np.zeros_like(mass)
    merged[np.broadcast_to(rows, ids.shape)[first], order[first]] = sums
    return merged


def stored(ids: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """As W holds them: int32 and float32, and no id where the weight is 0, or too small for a float32."""
    narrow = weights.astype(np.float32)
    return np.where(narrow > 0, ids, 0).astype(np.int32), narrow
