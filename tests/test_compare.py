"""Why a row of another's W isn't ours: each damage on purpose is named for what it is."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.handmade import added, byte_level, read, sentence_piece
from tests.real import load
from xtoken_core.compare import Difference, compare
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Projection, Rule
from xtoken_core.projection import build

STUDENT = read(byte_level("a", "Ġ", "Ġa", "ba", "âĢ", "q", "b", added_tokens=[added(7, "<s>")]))
TEACHER = read(
    sentence_piece(
        *("a", "b", "▁", "▁a", "<0x61>", "<0xE2>", "<0x80>", "<0x81>", "<0x20>", "z"),
        added_tokens=[added(10, "<s>"), added(11, "</s>")],
    )
)
A, SPACE, SPACE_A, BA, BROKEN, Q, B, BOS = range(8)


@cache
def ours() -> Projection:
    return build(STUDENT, TEACHER)


def with_row(projection: Projection, row: int, entries: Mapping[int, float]) -> Projection:
    """The same W with another row; entries are heaviest first."""
    ids, weights = projection.ids.copy(), projection.weights.copy()
    ids[row], weights[row] = 0, 0
    ids[row, : len(entries)] = list(entries)
    weights[row, : len(entries)] = list(entries.values())
    return replace(projection, ids=ids, weights=weights)


def with_places(projection: Projection, places: int) -> Projection:
    """The same W with a larger K."""
    more = ((0, 0), (0, places - projection.ids.shape[1]))
    return replace(projection, ids=np.pad(projection.ids, more), weights=np.pad(projection.weights, more))


def test_the_handmade_rows_are_as_these_tests_take_them() -> None:
    rows = [{entry.id: round(entry.weight, 3) for entry in ours().row(row).entries} for row in range(8)]
    assert rows == [{0: 1}, {2: 1}, {3: 1}, {1: 0.909, 0: 0.091}, {5: 0.909, 6: 0.091}, {}, {1: 1}, {10: 1}]


@pytest.mark.parametrize(
    ("row", "theirs", "difference"),
    [
        (A, {0: 1}, Difference.SAME),
        (A, {0: 0.9995, 9: 0.0005}, Difference.SAME),
        (BA, {1: 0.9085, 0: 0.0915}, Difference.SAME),
        (Q, {}, Difference.SAME),
        (A, {}, Difference.ONLY_OURS),
        (Q, {9: 1}, Difference.ONLY_THEIRS),
        (Q, {9: 0.3}, Difference.ONLY_THEIRS),
        (A, {0: 0.714}, Difference.NOT_ONE),
        (A, {0: 1, 9: 0.4}, Difference.NOT_ONE),
        (A, {0: float("nan")}, Difference.NOT_ONE),
        (A, {4: 1}, Difference.DUPLICATE),
        (BA, {1: 0.909, 4: 0.091}, Difference.DUPLICATE),
        (A, {0: 0.714, 9: 0.286}, Difference.STRAY),
        (BA, {1: 0.65, 9: 0.286, 0: 0.064}, Difference.STRAY),
        (BA, {1: 0.714, 11: 0.286}, Difference.STRAY),  # a special token is no part of anything
        (BOS, {10: 0.714, 9: 0.286}, Difference.STRAY),
        (BA, {1: 0.5, 0: 0.5}, Difference.WEIGHTS),
        (BA, {0: 0.909, 1: 0.091}, Difference.WEIGHTS),
        (SPACE_A, {2: 0.909, 0: 0.091}, Difference.PIECES),
        (SPACE_A, {0: 1}, Difference.STRIPPED),
        (A, {3: 1}, Difference.STRIPPED),
        (BROKEN, {7: 1}, Difference.BROKEN),
        (BROKEN, {5: 1}, Difference.BROKEN),
        (BA, {1: 1}, Difference.OTHER),
        (B, {9: 1}, Difference.OTHER),
        (BA, {9: 1}, Difference.OTHER),
        (SPACE_A, {3: 0.714, 0: 0.286}, Difference.OTHER),  # "a" is a part of " a"
        (BOS, {11: 1}, Difference.OTHER),
        (BOS, {2: 1}, Difference.OTHER),
        (SPACE, {11: 1}, Difference.OTHER),
    ],
)
def test_a_row_that_was_changed_is_named_and_no_other(
    row: int, theirs: Mapping[int, float], difference: Difference
) -> None:
    found = compare(ours(), with_row(ours(), row, theirs), STUDENT, TEACHER)
    expected = np.full(8, Difference.SAME)
    expected[row] = difference
    assert found.dtype == np.uint8
    assert found.tolist() == expected.tolist()


def test_a_matrix_is_the_same_as_itself_and_as_itself_with_a_larger_k() -> None:
    for theirs in (ours(), with_places(ours(), 9)):
        assert not compare(ours(), theirs, STUDENT, TEACHER).any()
        assert not compare(theirs, ours(), STUDENT, TEACHER).any()


def test_a_tolerance_of_zero_wants_the_very_weights() -> None:
    near = with_row(ours(), A, {0: 1 - 2**-20, 9: 2**-20})
    assert compare(ours(), near, STUDENT, TEACHER)[A] == Difference.SAME
    assert compare(ours(), near, STUDENT, TEACHER, tolerance=0)[A] == Difference.STRAY
    assert not compare(ours(), ours(), STUDENT, TEACHER, tolerance=0)[BA]


ROWS = st.dictionaries(st.integers(0, 11), st.sampled_from([0.05, 0.1, 0.4, 0.5, 0.9, 1.0]), max_size=4)


@settings(deadline=None)
@given(st.integers(0, 7), ROWS, ROWS)
def test_same_means_that_no_weight_is_off_whatever_the_order_and_k(
    row: int, left: dict[int, float], right: dict[int, float]
) -> None:
    mine, theirs = with_row(ours(), row, left), with_row(ours(), row, right)
    found = compare(mine, theirs, STUDENT, TEACHER)
    off = [abs(left.get(token, 0) - right.get(token, 0)) for token in range(12)]
    assert (found[row] == Difference.SAME) == (max(off) <= 1e-3)
    assert np.array_equal(compare(mine, with_places(theirs, 7), STUDENT, TEACHER), found)
    turned = compare(mine, with_row(ours(), row, dict(reversed(right.items()))), STUDENT, TEACHER)
    assert (turned[row] == Difference.SAME) == (found[row] == Difference.SAME)


# ── what others' builders do, on a real pair ──


@cache
def real() -> Projection:
    return build(load("gpt2"), load("smollm2"))


def built_elsewhere(key: Callable[[bytes], object]) -> Projection:
    """Exact rows matched by something else than bytes; the lowest id wins, as in a table that is filled once."""
    students, teachers = (load(name).vocabulary.tokens() for name in ("gpt2", "smollm2"))
    of_key = {key(data): token for token, data in reversed(list(enumerate(teachers))) if data}
    exact = np.flatnonzero(real().rules == Rule.EXACT)
    ids = real().ids.copy()
    ids[exact, 0] = [of_key[key(students[row])] for row in exact.tolist()]
    return replace(real(), ids=ids)


def counts(theirs: Projection) -> dict[Difference, int]:
    found = compare(real(), theirs, load("gpt2"), load("smollm2"))
    return {Difference(kind): count for kind, count in enumerate(np.bincount(found).tolist()) if count}


def test_matching_by_bytes_is_no_difference() -> None:
    assert counts(built_elsewhere(lambda data: data)) == {Difference.SAME: len(real())}


def test_matching_stripped_strings_is_named_for_every_row_that_it_hurts() -> None:
    theirs = built_elsewhere(bytes.strip)
    hurt = int((theirs.ids[:, 0] != real().ids[:, 0]).sum())
    assert hurt > 5_000
    assert counts(theirs) == {Difference.SAME: len(real()) - hurt, Difference.STRIPPED: hurt}


def test_matching_decoded_text_is_named_for_every_row_that_it_hurts() -> None:
    theirs = built_elsewhere(lambda data: data.decode(errors="replace"))
    hurt = int((theirs.ids[:, 0] != real().ids[:, 0]).sum())
    assert hurt > 100
    assert counts(theirs) == {Difference.SAME: len(real()) - hurt, Difference.BROKEN: hurt}


def test_a_forced_last_column_is_named_in_every_row_whose_token_it_is_no_part_of() -> None:
    single = real().lengths() == 1
    ids, weights = real().ids.copy(), real().weights.copy()
    ids[single, 3] = load("smollm2").vocabulary.forms.index("qualified")
    weights[single, 3] = 0.4
    forced = replace(real(), ids=ids, weights=weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))
    assert round(float(forced.weights[single, 3].min()), 3) == 0.286
    tokens = load("gpt2").vocabulary.tokens()
    holding = [tokens[row] for row in np.flatnonzero(single).tolist() if b"qualified" in tokens[row]]
    assert sorted(holding) == [b" qualified", b"qualified"]
    assert counts(forced) == {
        Difference.SAME: len(real()) - single.sum() + 1,  # the token itself has both shares
        Difference.STRAY: single.sum() - len(holding),
        Difference.OTHER: len(holding) - 1,
    }


# ── what can't be compared ──


@pytest.mark.parametrize("foreign", ["ours", "theirs"])
def test_a_matrix_for_another_pair_is_refused(foreign: str) -> None:
    both = {"ours": ours(), "theirs": ours()} | {foreign: real()}
    with pytest.raises(ProjectionError, match=r"built for the student gpt2 .* but the student is mine\.json"):
        compare(both["ours"], both["theirs"], STUDENT, TEACHER)


@pytest.mark.parametrize("tolerance", [-0.1, 1, float("nan")])
def test_a_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(ProjectionError, match=r"The tolerance was given as .*; it must be at least 0 and below 1\."):
        compare(ours(), ours(), STUDENT, TEACHER, tolerance=tolerance)


def test_every_difference_has_a_name_and_words_of_its_own() -> None:
    assert len({kind.title for kind in Difference}) == len(Difference)
    assert Difference.NOT_ONE.label == "not_one"
