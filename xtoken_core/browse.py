"""
Which tokens a reader asks for, and in which order: the rows of W, or its columns.

    rows(w, listing, Asked(query="201"), Order("weight", descending=True))  ->  token ids, in the order of the table
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xtoken_core.categories import Category, categories
from xtoken_core.matrix import Bools, Columns, Floats, Projection, Rule
from xtoken_core.search import Index, Kind, find, index
from xtoken_core.sequence import Ints
from xtoken_core.vocab import Vocabulary


@dataclass(frozen=True, slots=True)
class Listing:
    """A vocabulary prepared for browsing: searchable, with categories [V] and each token's rank by bytes [V]."""

    index: Index
    categories: Ints
    ranks: Ints


def listing(vocabulary: Vocabulary) -> Listing:
    """Made once a vocabulary; a fraction of a second."""
    tokens = vocabulary.tokens()
    order = sorted(range(len(tokens)), key=lambda token: (tokens[token], token))
    ranks = np.empty(len(tokens), np.int32)
    ranks[order] = np.arange(len(tokens))
    return Listing(index(vocabulary), categories(vocabulary), ranks)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader wants to see; an empty set, an empty query and a bound of 0 ask for everything."""

    kind: Kind = "text"
    query: str = ""
    categories: frozenset[Category] = field(default_factory=frozenset)
    rules: frozenset[Rule] = field(default_factory=frozenset)
    least_pieces: int = 0
    most_pieces: int = 0
    least_weight: float = 0.0
    most_weight: float = 1.0
    unreached: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """By which column of the table; ties stay in the order of ids."""

    column: str = "id"
    descending: bool = False


def rows(projection: Projection, student: Listing, asked: Asked, order: Order) -> Ints:
    """The ids of the student tokens whose rows are asked for, in order. Raises SearchError for a query that's none."""
    top = projection.weights[:, 0]
    pieces = projection.pieces
    wanted = _found(student, asked) & (top >= np.float32(asked.least_weight)) & (top <= np.float32(asked.most_weight))
    wanted &= pieces >= asked.least_pieces
    if asked.rules:
        wanted &= np.isin(projection.rules, list(asked.rules))
    if asked.most_pieces:
        wanted &= pieces <= asked.most_pieces
    keys: dict[str, Ints | Floats] = {
        "rule": projection.rules,
        "pieces": pieces,
        "weight": top,
        "trimmed": projection.trimmed,
    }
    return _ordered(np.flatnonzero(wanted), {"text": student.ranks, **keys}, order)


def columns(reverse: Columns, teacher: Listing, asked: Asked, order: Order) -> Ints:
    """The ids of the teacher tokens whose columns are asked for, in order. Raises as `rows`."""
    students = reverse.lengths()
    wanted = _found(teacher, asked)
    if asked.unreached:
        wanted &= students == 0
    return _ordered(np.flatnonzero(wanted), {"text": teacher.ranks, "students": students, "sum": reverse.sums()}, order)


def _found(listed: Listing, asked: Asked) -> Bools:
    found = find(listed.index, asked.kind, asked.query)
    return found & np.isin(listed.categories, list(asked.categories)) if asked.categories else found


def _ordered(tokens: Ints, keys: Mapping[str, Ints | Floats], order: Order) -> Ints:
    """tokens [n] are ascending, and stay so among equals, whichever way the column goes."""
    if order.column not in keys:
        return tokens[::-1] if order.descending else tokens
    key = keys[order.column][tokens]
    return tokens[np.argsort(-key.astype(np.float64) if order.descending else key, kind="stable")]
