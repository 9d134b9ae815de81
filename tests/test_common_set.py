"""The laws of the common sets: a worked contest, properties against a slow reference, real vocabularies."""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import handmade
from tests.real import load
from tests.reference import Wish, slow_contest
from xtoken_core.common_set import CommonSet, empty, grouped, relaxed, strict, winners
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Projection, Rule, Side
from xtoken_core.projection import build

PAIRS = [*itertools.permutations(["mistral-v0.3", "gpt2", "smollm2"], 2), ("llama-3.2", "qwen3")]
TOP_IDS = [2, 2, 5, 5, 1, 3, 4, 0]
TOP_WEIGHTS = [0.8, 0.7, 0.9, 0.9, 0.65, 0.5, 0.6, 0.95]


def by_hand(wishes: Sequence[Wish]) -> Projection:
    """A W whose rows want these teacher tokens; what a wish leaves of its row goes to teacher token 9."""
    count = len(wishes)
    ids, weights = np.zeros((count, 2), np.int32), np.zeros((count, 2), np.float32)
    for k, wish in enumerate(wishes):
        ids[k], weights[k] = (wish.teacher, 9), (wish.weight, 1 - wish.weight)
    ids[weights == 0] = 0
    exact = np.array([wish.exact for wish in wishes], bool)
    return Projection(
        student=Side("student", "0" * 64, count, count),
        teacher=Side("teacher", "1" * 64, 10, 10),
        options=None,
        ids=ids,
        weights=weights,
        rules=np.where(exact, Rule.EXACT, Rule.MULTI).astype(np.uint8),
        pieces=np.ones(count, np.int32),
        trimmed=np.zeros(count, np.float32),
        canonical=np.array([wish.canonical for wish in wishes], bool),
    )


def wants(teacher: int, weight: float = 1, *, exact: bool = False, canonical: bool = True) -> Wish:
    return Wish(teacher, weight, exact, canonical)


def pairs(common: CommonSet) -> dict[int, int]:
    return dict(zip(common.students.tolist(), common.teachers.tolist(), strict=True))


@cache
def real(student: str, teacher: str) -> Projection:
    return build(load(student), load(teacher))


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def w(request: pytest.FixtureRequest) -> Projection:
    """The W of some real pairs in turn."""
    return real(*request.param)


# the worked contest


def test_the_worked_contest_has_five_winners() -> None:
    none = np.zeros(8, bool)
    found = winners(np.array(TOP_IDS), np.array(TOP_WEIGHTS), none, ~none, threshold=0.6)
    assert found.tolist() == [0, 2, 4, 6, 7]


def test_the_worked_contest_is_the_relaxed_set() -> None:
    wishes = [wants(teacher, weight) for teacher, weight in zip(TOP_IDS, TOP_WEIGHTS, strict=True)]
    assert pairs(relaxed(by_hand(wishes))) == {0: 2, 2: 5, 4: 1, 6: 4, 7: 0}


def test_the_heaviest_gets_the_teacher_token() -> None:
    rivals = [wants(3, 0.75, exact=True), wants(3, 0.875, canonical=False)]
    assert pairs(relaxed(by_hand(rivals))) == {1: 3}


def test_of_equal_weights_the_exact_one_gets_it() -> None:
    rivals = [wants(3), wants(3, exact=True, canonical=False)]
    assert pairs(relaxed(by_hand(rivals))) == {1: 3}


def test_of_equal_exact_ones_the_emitted_one_gets_it() -> None:
    rivals = [wants(3, exact=True, canonical=False), wants(3, exact=True)]
    assert pairs(relaxed(by_hand(rivals))) == pairs(strict(by_hand(rivals))) == {1: 3}


def test_of_equal_emitted_ones_the_lowest_id_gets_it() -> None:
    rivals = [wants(4, 0.5), wants(3, exact=True), wants(3, exact=True), wants(3, exact=True)]
    assert pairs(relaxed(by_hand(rivals))) == pairs(strict(by_hand(rivals))) == {1: 3}


def test_who_loses_a_contest_gets_no_other_token() -> None:
    assert pairs(relaxed(by_hand([wants(3, 0.75), wants(3, 0.625)]))) == {0: 3}  # though .375 of row 1 is token 9's


def test_strict_takes_exact_rows_only() -> None:
    assert pairs(strict(by_hand([wants(1), wants(2, 0.75), wants(3, exact=True)]))) == {2: 3}


def test_an_exact_row_of_less_than_its_whole_weight_is_not_strict() -> None:
    assert pairs(strict(by_hand([wants(3, 0.75, exact=True)]))) == {}


def test_grouped_keeps_every_student_of_a_teacher_token() -> None:
    common = grouped(by_hand([wants(3, 0.75), wants(3, 0.625), wants(3, 0.5), wants(4, exact=True)]))
    assert pairs(common) == {0: 3, 1: 3, 3: 4}
    assert common.students_of(3) == [0, 1]


@pytest.mark.parametrize("threshold", [0.6, 0.65, 0.7, 0.8, 0.9, 1.0])
def test_a_weight_equal_to_the_threshold_is_enough(threshold: float) -> None:
    w = by_hand([wants(3, threshold)])  # as float32 some of these are above the threshold, some below
    assert pairs(relaxed(w, threshold=threshold)) == pairs(grouped(w, threshold=threshold)) == {0: 3}


def test_a_weight_just_below_the_threshold_is_not_enough() -> None:
    w = by_hand([wants(3, float(np.nextafter(np.float32(0.9), np.float32(0))))])
    assert pairs(relaxed(w, threshold=0.9)) == pairs(grouped(w, threshold=0.9)) == {}


def test_the_threshold_is_0_6_unless_another_is_given() -> None:
    w = by_hand([wants(1, 0.6), wants(2, 0.59)])
    assert pairs(relaxed(w)) == pairs(grouped(w)) == {0: 1}


def test_no_empty_row_is_in_a_set_even_at_threshold_0() -> None:
    w = by_hand([wants(1, 0.5), wants(0, 1)])
    w.weights[1] = 0
    assert pairs(relaxed(w, threshold=0)) == pairs(grouped(w, threshold=0)) == {0: 1}


def test_the_empty_set_has_no_pair() -> None:
    assert len(empty()) == 0
    assert (empty().teacher_of(0), empty().students_of(0), empty().contains(3).any()) == (None, [], False)


def test_the_empty_rows_alone_make_an_empty_set() -> None:
    w = by_hand([wants(0, 1)])
    w.weights[0] = 0
    assert [len(common) for common in (strict(w), relaxed(w), grouped(w))] == [0, 0, 0]


def test_a_set_knows_the_partners_of_its_tokens() -> None:
    common = relaxed(by_hand([wants(5), wants(1, 0.5), wants(2)]))
    assert [common.teacher_of(student) for student in range(4)] == [5, None, 2, None]
    assert [common.students_of(teacher) for teacher in (2, 5, 9)] == [[2], [0], []]
    assert common.contains(4).tolist() == [True, False, True, False]
    assert (common.name, len(common)) == ("relaxed", 2)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_weight_is_refused(threshold: float) -> None:
    sentence = f"The threshold was given as {threshold!r}; it must be from 0 to 1, as a weight is."
    for choose in (relaxed, grouped):
        with pytest.raises(ProjectionError) as caught:
            choose(by_hand([wants(1)]), threshold=threshold)
        assert str(caught.value) == sentence


# properties

WISHES = st.lists(
    st.builds(Wish, st.integers(0, 4), st.sampled_from([0.5, 0.625, 0.75, 1.0]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)
THRESHOLD = st.sampled_from([0.0, 0.5, 0.6, 0.75, 1.0])


@given(WISHES, THRESHOLD)
def test_relaxed_is_the_contest_of_the_slow_reference(wishes: list[Wish], threshold: float) -> None:
    assert pairs(relaxed(by_hand(wishes), threshold=threshold)) == slow_contest(wishes, threshold)


@given(WISHES)
def test_strict_is_the_contest_of_whole_exact_rows(wishes: list[Wish]) -> None:
    exact = [wish if wish.exact else wish._replace(weight=0.0) for wish in wishes]
    assert pairs(strict(by_hand(wishes))) == slow_contest(exact, 1)


@given(WISHES, THRESHOLD)
def test_grouped_is_every_row_that_is_heavy_enough(wishes: list[Wish], threshold: float) -> None:
    heavy = {k: wish.teacher for k, wish in enumerate(wishes) if wish.weight >= threshold}
    assert pairs(grouped(by_hand(wishes), threshold=threshold)) == heavy


@given(WISHES, THRESHOLD)
def test_strict_lies_in_relaxed_and_relaxed_in_grouped(wishes: list[Wish], threshold: float) -> None:
    # a strict pair weighs 1, and whoever weighs as much and isn't exact loses to it
    w = by_hand(wishes)
    first, second, third = (
        pairs(common) for common in (strict(w), relaxed(w, threshold=threshold), grouped(w, threshold=threshold))
    )
    assert first.items() <= second.items() <= third.items()


@given(WISHES, THRESHOLD)
def test_no_token_is_used_twice_and_students_ascend(wishes: list[Wish], threshold: float) -> None:
    for common in (strict(by_hand(wishes)), relaxed(by_hand(wishes), threshold=threshold)):
        assert len(set(common.teachers.tolist())) == len(common)
        assert common.students.tolist() == sorted(set(common.students.tolist()))


# real vocabularies


def test_sets_of_real_pairs_lie_in_one_another(w: Projection) -> None:
    assert pairs(strict(w)).items() < pairs(relaxed(w)).items() < pairs(grouped(w)).items()


def test_sets_of_real_pairs_are_one_to_one_and_strict_is_exact(w: Projection) -> None:
    for common in (strict(w), relaxed(w)):
        assert len(np.unique(common.teachers)) == len(np.unique(common.students)) == len(common)
    assert (w.rules[strict(w).students] == Rule.EXACT).all()


def test_every_teacher_token_that_an_exact_row_goes_to_is_in_strict(w: Projection) -> None:
    exact = w.rules == Rule.EXACT
    assert set(strict(w).teachers.tolist()) == set(w.ids[exact, 0].tolist())


def test_every_teacher_token_that_is_wanted_is_in_relaxed(w: Projection) -> None:
    assert set(relaxed(w).teachers.tolist()) == set(grouped(w).teachers.tolist())


def test_of_two_student_ids_of_the_same_bytes_the_emitted_one_is_paired() -> None:
    forms = load("mistral-v0.3").vocabulary.forms
    byte, letter = forms.index("<0x41>"), forms.index("A")
    assert byte < letter  # so the lowest id alone would pair <0x41>
    for common in (strict(real("mistral-v0.3", "gpt2")), relaxed(real("mistral-v0.3", "gpt2"))):
        assert common.teacher_of(letter) == load("gpt2").vocabulary.tokens().index(b"A")
        assert common.teacher_of(byte) is None


def test_a_repeated_piece_weighs_as_much_as_an_exact_row_and_loses_to_it() -> None:
    student, teacher = handmade.byte_level("aa", "a"), handmade.byte_level("a")
    w = build(handmade.read(student), handmade.read(teacher))
    assert w.weights[:, 0].tolist() == [1, 1]
    assert pairs(relaxed(w)) == pairs(strict(w)) == {1: 0}
    assert pairs(grouped(w)) == {0: 0, 1: 0}


def test_a_number_of_llama_competes_for_its_first_digit_of_qwen_and_loses() -> None:
    w = real("llama-3.2", "qwen3")
    tokens = load("llama-3.2").vocabulary.tokens()
    one, two_hundred_one = tokens.index(b"2"), tokens.index(b"201")
    assert relaxed(w).teacher_of(one) == grouped(w).teacher_of(two_hundred_one) == int(w.ids[one, 0])
    assert relaxed(w).teacher_of(two_hundred_one) is None


@pytest.mark.parametrize("name", ["gpt2", "mistral-v0.3"])
def test_the_same_tokenizer_pairs_every_token_with_itself(name: str) -> None:
    tokenizer = load(name)
    w = build(tokenizer, tokenizer)
    assert pairs(relaxed(w)) == {token: token for token in range(len(w))}
    assert set(pairs(strict(w))) == set(range(len(w))) - set(tokenizer.vocabulary.roles)
