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

from xtoken_core.matrix import Bools, Floats, Options, Projection, Rule, side_of
from xtoken_core.sequence import Ints
from xtoken_core.spell import spell
from xtoken_core.tokenizer import Tokenizer
from xtoken_core.vocab import EMPTY, UNUSED, Vocabulary

_NONE = -1


def build(student: Tokenizer, teacher: Tokenizer, *, options: Options | None = None) -> Projection:
    """W for a pair, [V_s, K]. Raises TokenizerError where the teacher can't cut the student's tokens.

    >>> from xtoken_core import catalog
    >>> w = build(catalog.load("gpt2"), catalog.load("smollm2"))
    >>> [(entry.id, round(entry.weight, 4)) for entry in w.row(1264).entries]  # 201 -> 2 0 1
    [(34, 0.9009), (32, 0.0901), (33, 0.009)]
    """
    options = options or Options()
    tokens = student.vocabulary.tokens()
    rows = _Rows.empty(len(tokens), options)
    if _same(student.vocabulary, teacher.vocabulary):
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


def _same(student: Vocabulary, teacher: Vocabulary) -> bool:
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
    of_role = {role: token for token, role in sorted(_specials(teacher).items(), reverse=True)}
    of_form = {(role, teacher.forms[token]): token for token, role in _specials(teacher).items()}
    pairs = [
        (token, of_form.get((role, student.forms[token]), of_role[role]))
        for token, role in _specials(student).items()
        if role in of_role
    ]
    if pairs:
        here, targets = np.array(pairs).T
        rows.set_single(here, targets, Rule.SPECIAL)


def _specials(vocabulary: Vocabulary) -> dict[int, str]:
    return {token: role for token, role in vocabulary.roles.items() if role not in (UNUSED, EMPTY)}


def _fill_multi(rows: _Rows, tokens: Sequence[bytes], teacher: Tokenizer) -> None:
    """Pass 2: what pass 1 left, as the teacher spells it."""
    left = [token for token in np.flatnonzero(rows.rules == Rule.EMPTY).tolist() if tokens[token]]
    spelled = spell(teacher, [tokens[token] for token in left])
    rows.pieces[left] = [len(ids) for ids in spelled]
    for length, here, pieces in _by_length(left, spelled):
        if length <= rows.options.max_pieces or rows.options.long == "truncate":
            _set_pieces(rows, here, pieces)


def _by_length(left: Sequence[int], spelled: Sequence[list[int]]) -> Iterator[tuple[int, Ints, Ints]]:
    """The rows of l = 2, 3, … pieces: l, rows [n], pieces [n, l]."""
    groups: dict[int, list[int]] = {}
    for k, ids in enumerate(spelled):
        groups.setdefault(len(ids), []).append(k)
    for length in sorted(groups.keys() - {0}):
        members = groups[length]
        yield length, np.array([left[k] for k in members]), np.array([spelled[k] for k in members])


def _set_pieces(rows: _Rows, here: Ints, pieces: Ints) -> None:
    """rows [n] get pieces [n, l] with weights β·γ^i, of which the heaviest K stay and are made to sum to 1."""
    most, top_k = rows.options.max_pieces, rows.options.top_k
    weights = pieces_weights(pieces.shape[1], rows.options)
    kept = pieces[:, :most]
    ids, mass = heaviest(kept, np.broadcast_to(weights[:most], kept.shape))
    places = slice(0, min(top_k, ids.shape[1]))
    sums = mass[:, places].sum(axis=1, keepdims=True)
    rows.ids[here, places], rows.weights[here, places] = stored(ids[:, places], mass[:, places] / sums)
    rows.rules[here] = Rule.MULTI
    rows.trimmed[here] = mass[:, top_k:].sum(axis=1) + weights[most:].sum()


def pieces_weights(pieces: int, options: Options) -> Floats:
    """[l], the weights β·γ^i of l pieces, summing to 1. Source: X-Token.

    >>> pieces_weights(3, Options()).round(4).tolist()
    [0.9009, 0.0901, 0.009]
    """
    weights: Floats = options.beta * np.power(options.gamma, np.arange(pieces))
    return np.asarray(weights / weights.sum())


def heaviest(ids: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """ids [n, l] with weights [n, l], a row's heaviest first; of an id that comes twice the second weighs nothing."""
    mass = np.array(weights, np.float64)
    for later in range(1, ids.shape[1]):
        for earlier in range(later):
            again = ids[:, earlier] == ids[:, later]
            mass[:, earlier] += np.where(again, mass[:, later], 0)
            mass[again, later] = 0
    order = np.argsort(-mass, axis=1, kind="stable")
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(mass, order, axis=1)


def stored(ids: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """As W holds them: int32 and float32, and no id where the weight is 0, or too small for a float32."""
    narrow = weights.astype(np.float32)
    return np.where(narrow > 0, ids, 0).astype(np.int32), narrow
